"""The catalog as it is: opened lazily, from a folder, a .zip file or an object store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr

from spinscreen.kernels import InputError

from ..failure_records import failures
from ..files.whole import read_json
from ..files.zipped import ZippedStore
from ..place import CATALOG, Place, StoreLike
from ..results import CatalogRow, published
from ..schema import with_plain_texts


def open_catalog(store: StoreLike) -> xr.Dataset:
    """The catalog as it is: numbers lazily, texts as coordinates.

    store : a folder, a copy of it in one .zip file, or the address of a copy on an object store
        ("s3://bucket/results.zarr")
    Raises InputError where there is none, or where it cannot be read.
    """
    catalog = lazy_catalog(store)
    try:
        return with_plain_texts(catalog)
    except Exception as problem:  # whatever Zarr raises about a damaged chunk
        raise damaged_catalog(str(store), problem) from None


def lazy_catalog(store: StoreLike) -> xr.Dataset:
    """The catalog with nothing read of its columns. Raises InputError as `open_catalog`."""
    if "://" in str(store):
        return _open_remote(f"{str(store).rstrip('/')}/{CATALOG}")
    zipped = None if isinstance(store, Place) else ZippedStore.at(store)
    if zipped is not None:
        return _open_remote(zipped.catalog)
    place = Place.at(store)
    # Not by the link: it stays this generation when the link is turned to another.
    path = generation(place)
    if path is None:
        if not published(place) and (failed := failures(place)):
            raise InputError(
                f"{place.path}: holds no results, as all {len(failed)} that ran failed; `spinscreen status "
                f"{place.path}` says why."
            )
        raise InputError(f"{place.path}: has no catalog, make one with `spinscreen catalog {place.path}`.")
    try:
        check_whole(path)
        return _with_texts(xr.open_zarr(path, consolidated=True, chunks=None))
    except Exception as problem:  # whatever Zarr and xarray raise about damaged metadata
        raise damaged_catalog(str(place.path), problem) from None


def damaged_catalog(store: str, problem: Exception) -> InputError:
    """The sentence for a catalog that cannot be read, whatever Zarr and xarray say of it."""
    told = " ".join(str(problem).split())
    return InputError(
        f"{store}: its catalog is damaged ({type(problem).__name__}: {told}); `spinscreen catalog {store}` "
        "makes it anew from the materials."
    )


def sizes_of(generation: Path) -> Path:
    """File with the sizes of all files of a generation, beside it."""
    return generation.with_name(f"{generation.name}.files.json")


def check_whole(generation: Path) -> None:
    """Raise ValueError where a file of a catalog is gone or cut: its numbers would read as NaN.

    A catalog of an earlier version, or a copy, has no list to tell.
    """
    for name, size in (read_json(sizes_of(generation)) or {}).items():
        try:
            found = (generation / name).stat().st_size
        except OSError:
            found = -1
        if found != size:
            raise ValueError(f"{name} is {'gone' if found < 0 else 'not what was written'}")


def columns_of_headings(catalog: xr.Dataset) -> dict[str, str]:
    """What the user called a column -> its name in the catalog."""
    headings = {name: catalog[name].attrs.get("heading") for name in scalar_columns(catalog)}
    return {str(heading): name for name, heading in headings.items() if heading is not None}


def renamed(row: CatalogRow, columns: Mapping[str, str]) -> CatalogRow:
    """A row with the user's columns named as a catalog does; columns : heading -> name."""
    names = {name: columns.get(heading, name) for name, heading in row.headings.items()}
    if all(name == other for name, other in names.items()):
        return row
    return replace(
        row,
        columns={names.get(name, name): value for name, value in row.columns.items()},
        headings={names[name]: heading for name, heading in row.headings.items()},
    )


def _open_remote(address: str) -> xr.Dataset:
    try:
        return _with_texts(xr.open_zarr(address, consolidated=True, chunks=None))
    except (OSError, ImportError, KeyError, ValueError) as problem:
        raise InputError(
            f"{address}: its catalog cannot be opened ({problem}); expected a copy of a store with /catalog, "
            "and fsspec with the package of its file system, for example s3fs."
        ) from None


def generation(store: Place) -> Path | None:
    """Folder of the present catalog, None where there is none."""
    link = store.path / CATALOG
    path = link.resolve()
    return path if (path / "zarr.json").is_file() else None


def scalar_columns(catalog: xr.Dataset) -> Sequence[str]:
    """Names of the columns that have one value per material."""
    variables = catalog.variables
    return [str(name) for name in variables if name != "material" and variables[name].dims == ("material",)]


def _with_texts(catalog: xr.Dataset) -> xr.Dataset:
    """Columns of texts and truth values as coordinates, which texts were not in earlier versions."""
    for variable in catalog.variables.values():
        if " in 3D, " in (units := str(variable.attrs.get("units", ""))):
            # Of an earlier version: no library can read it as a unit.
            del variable.attrs["units"]
            variable.attrs["units_by_dimension"] = units
    return catalog.set_coords([n for n in scalar_columns(catalog) if catalog[n].dtype.kind in "OUTb"])
