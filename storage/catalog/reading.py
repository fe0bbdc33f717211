"""The catalog as it is: opened lazily, from a folder, a .zip file or an object store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from spinscreen.kernels import InputError

from ..files.zipped import ZippedStore
from ..place import CATALOG, Place, StoreLike


def open_catalog(store: StoreLike) -> xr.Dataset:
    """The catalog as it is, lazily.

    store : a folder, a copy of it in one .zip file, or the address of a copy on an object store
        ("s3://bucket/results.zarr")
    Raises InputError where there is none, or where it cannot be read.
    """
    if "://" in str(store):
        return _open_remote(f"{str(store).rstrip('/')}/{CATALOG}")
    zipped = None if isinstance(store, Place) else ZippedStore.at(store)
    if zipped is not None:
        return _open_remote(zipped.catalog)
    place = Place.at(store)
    # Not by the link: it stays this generation when the link is turned to another.
    path = generation(place)
    if path is None:
        raise InputError(f"{place.path}: has no catalog, make one with `spinscreen catalog {place.path}`.")
    try:
        return xr.open_zarr(path, consolidated=True, chunks=None)
    except Exception as problem:  # whatever Zarr and xarray raise about damaged metadata
        raise InputError(
            f"{place.path}: its catalog is damaged ({type(problem).__name__}: {problem}); "
            f"`spinscreen verify {place.path} --repair` removes it, `spinscreen catalog` makes it anew."
        ) from None


def _open_remote(address: str) -> xr.Dataset:
    try:
        return xr.open_zarr(address, consolidated=True, chunks=None)
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
    return [str(name) for name in catalog.data_vars if catalog[name].dims == ("material",)]
