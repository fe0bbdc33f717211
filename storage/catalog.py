"""The catalog: what is screened across materials, as dense arrays over `material`."""

from __future__ import annotations

import contextlib
import errno
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from spinscreen.kernels import InputError

from .rows import RELATIVE_ENERGY, TENSORS, CatalogRow, column_units, read_row, tensor_units
from .schema import AXES, SCHEMA_VERSION, labels
from .store import CATALOG, consolidating, published, writing, written_beside

#: Materials in a chunk of a tensor, and rows that are held in memory at a time.
_CHUNK = 64

#: Materials in a chunk of a scalar column.
_SCALAR_CHUNK = 4096

#: Reads the rows of many materials, in their order; `map` by default, a cluster's if there is one.
RowReader = Callable[[str, Sequence[str]], Iterable[CatalogRow]]


def _read_here(store: str, names: Sequence[str]) -> Iterator[CatalogRow]:
    return (read_row(store, name) for name in names)


def build_catalog(store: str | Path, read_rows: RowReader = _read_here) -> xr.Dataset:
    """Bring /catalog up to date with the published materials and return it, lazily.

    Rows that the catalog has already are not read again, and memory does not grow with the number of
    materials but for their scalars. It is written beside and renamed into place. Raises InputError where the
    store is empty, StoreError where it cannot be written.
    """
    if not published(store):
        raise InputError(f"{store}: holds no material yet, expected at least one for a catalog.")
    try:
        _build(Path(store), read_rows, _existing(store))
    except _ExchangedError:
        _build(Path(store), read_rows, None)
    return open_catalog(store)


class _ExchangedError(Exception):
    """Another driver put a new catalog in place while the old one was being copied."""


def _build(store: Path, read_rows: RowReader, old: xr.Dataset | None) -> None:
    names = set(published(store))
    known = set() if old is None else set(old["material"].values.tolist())
    if old is not None and known == names:
        return
    if not known <= names:
        old, known = None, set()
    missing = sorted(names - known)
    with writing(store), written_beside(store, "catalog") as beside:
        writer = _Writer(beside, old, store / CATALOG)
        for start in range(0, len(missing), _CHUNK):
            writer.append(list(read_rows(str(store), missing[start : start + _CHUNK])))
        writer.finish()
        _exchange(beside, store / CATALOG)


def open_catalog(store: str | Path) -> xr.Dataset:
    """The catalog as it is, lazily.

    store : a folder, or the address of a copy on an object store ("s3://bucket/results.zarr")
    Raises InputError where there is none.
    """
    if "://" in str(store):
        return _open_remote(str(store))
    path = Path(store) / CATALOG
    if not (path / "zarr.json").is_file():
        raise InputError(f"{store}: has no catalog, make one with `spinscreen catalog {store}`.")
    return xr.open_zarr(path, consolidated=True, chunks=None)


def _open_remote(address: str) -> xr.Dataset:
    try:
        return xr.open_zarr(f"{address.rstrip('/')}/{CATALOG}", consolidated=True, chunks=None)
    except (OSError, ImportError, KeyError, ValueError) as problem:
        raise InputError(
            f"{address}: its catalog cannot be opened ({problem}); expected a copy of a store with /catalog, "
            "and fsspec with the package of its file system, for example s3fs."
        ) from None


def _existing(store: str | Path) -> xr.Dataset | None:
    """Scalars and labels of the catalog, or None where it cannot be built on."""
    try:
        found = open_catalog(store)
        if found.attrs.get("schema_version") != SCHEMA_VERSION:
            return None
        return found.drop_vars([v for v in TENSORS.values() if v in found]).load()
    except (OSError, KeyError, ValueError):
        # None yet, or another driver is exchanging it at this moment: it is rebuilt from the materials.
        return None


class _Writer:
    """A catalog that grows by batches of rows: tensors go to disk at once, scalars at the end."""

    def __init__(self, folder: Path, old: xr.Dataset | None, old_folder: Path) -> None:
        self._group = zarr.open_group(folder, mode="a", zarr_format=3)
        self._folder = folder
        self._old = old
        self._rows: list[CatalogRow] = []
        self._observables: dict[str, str] = {}
        self._start = 0
        if old is not None:
            self._start = old.sizes["material"]
            if "observable" in old:
                pairs = zip(old["observable"].values, old["observable_unit"].values, strict=True)
                self._observables = {str(name): str(unit) for name, unit in pairs}
            self._copy_tensors(old, old_folder)

    def _copy_tensors(self, old: xr.Dataset, old_folder: Path) -> None:
        try:
            for variable in TENSORS.values():
                if (old_folder / variable).is_dir():
                    shutil.copytree(old_folder / variable, self._folder / variable)
            now = zarr.open_group(old_folder, mode="r").attrs["revision"]
        except (OSError, KeyError):
            raise _ExchangedError from None
        if now != old.attrs["revision"]:
            raise _ExchangedError

    def append(self, rows: list[CatalogRow]) -> None:
        start = self._start + len(self._rows)
        for row in rows:
            self._observables |= dict(zip(row.observables, row.observable_units, strict=True))
        for variable in TENSORS.values():
            if any(variable in row.tensors for row in rows) or variable in self._group:
                self._write(variable, start, rows)
        self._rows += [replace(row, tensors={}) for row in rows]

    def _write(self, variable: str, start: int, rows: Sequence[CatalogRow]) -> None:
        some = next((row for row in rows if variable in row.tensors), None)
        array = self._tensor(variable, start + len(rows), some)
        block = np.full((len(rows), *array.shape[1:]), np.nan)
        order = list(self._observables)
        for i, row in enumerate(rows):
            values = row.tensors.get(variable)
            if values is not None and values.ndim == 4:
                block[i, [order.index(name) for name in row.observables]] = values
            elif values is not None:
                block[i] = values
        array[start : start + len(rows)] = block

    def _tensor(self, variable: str, count: int, example: CatalogRow | None) -> Any:
        """The array, made or grown to `count` materials and all observables seen so far."""
        if variable not in self._group:
            assert example is not None
            inner = (3, 3, len(RELATIVE_ENERGY))
            by_observable = example.tensors[variable].ndim == 4
            dims = ["current_axis", "field_axis", "relative_energy"]
            self._group.create_array(
                variable,
                shape=(count, len(self._observables), *inner) if by_observable else (count, *inner),
                chunks=(_CHUNK, 1, *inner) if by_observable else (_CHUNK, *inner),
                dtype="float64",
                fill_value=np.nan,
                dimension_names=["material", *(["observable"] if by_observable else []), *dims],
                attributes={"units": tensor_units(variable), "long_name": variable.replace("_", " ")},
            )
        array: Any = self._group[variable]
        middle = (len(self._observables),) if array.ndim == 5 else ()
        array.resize((count, *middle, *array.shape[-3:]))
        return array

    def finish(self) -> None:
        """Write the labels and scalars, and consolidate: the whole catalog opens by one small file."""
        total = self._start + len(self._rows)
        for variable in TENSORS.values():
            if variable in self._group:
                self._tensor(variable, total, None)
        ids = [row.material for row in self._rows]
        if self._old is not None:
            ids = [*map(str, self._old["material"].values), *ids]
        scalars = xr.Dataset(
            {name: ("material", values) for name, values in self._columns().items()},
            self._labels(ids),
            {
                "relative_to": "Fermi level of each material",
                "schema_version": SCHEMA_VERSION,
                "revision": uuid.uuid4().hex,
            },
        )
        for name in ("material", *scalars.data_vars):
            # Chunks that do not depend on the number of rows: an older catalog that is still open in some
            # session goes on to read right while rows are added.
            scalars[name].encoding["chunks"] = (_SCALAR_CHUNK,)
            units = column_units(str(name))
            if units is not None:
                scalars[name].attrs["units"] = units
        with consolidating():
            scalars.to_zarr(self._folder, mode="a", zarr_format=3, consolidated=True)

    def _labels(self, ids: Sequence[str]) -> dict[str, Any]:
        energy = {"long_name": "energy above the Fermi level", "units": "eV"}
        found: dict[str, Any] = {
            "material": labels(ids),
            "current_axis": labels(AXES),
            "field_axis": labels(AXES),
            "relative_energy": ("relative_energy", RELATIVE_ENERGY, energy),
        }
        if self._observables:
            found["observable"] = labels(list(self._observables))
            found["observable_unit"] = ("observable", labels(list(self._observables.values())))
        return found

    def _columns(self) -> dict[str, NDArray]:
        """Every scalar over all materials, text where any material has text, NaN or "" where one has none."""
        tables = [pd.DataFrame([dict(row.columns) for row in self._rows])]
        if self._old is not None:
            tables.insert(0, self._old[list(scalar_columns(self._old))].to_dataframe().reset_index(drop=True))
        table = pd.concat(tables, ignore_index=True)
        return {
            str(name): column.to_numpy(float) if is_numeric_dtype(column) else labels(_texts(column))
            for name, column in table.items()
        }


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]


def _exchange(fresh: Path, target: Path) -> None:
    """Put a folder in the place of another, which a second driver may be doing at the same time.

    The catalog can always be rebuilt: a crash between the two renames loses nothing.
    """
    while True:
        old = fresh.with_name(f"{fresh.name}-old-{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
        try:
            fresh.rename(target)
        except OSError as problem:
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def scalar_columns(catalog: xr.Dataset) -> Sequence[str]:
    """Names of the columns that have one value per material."""
    return [str(name) for name in catalog.data_vars if catalog[name].dims == ("material",)]
