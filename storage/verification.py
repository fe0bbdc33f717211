"""Is everything in a store what was written? Names what is damaged, and takes it away on request."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError

from .band_stream import damage_of_bands
from .catalog import open_catalog, scalar_columns
from .files import make_folder, read_json, write_whole, writing
from .rows import TENSORS, CatalogRow
from .store import (
    BANDS,
    CATALOG,
    MATERIALS,
    Store,
    is_old_group,
    material_file,
    published,
    read_material,
    read_row,
    root_metadata,
)


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not what was written: where, and why."""

    place: Path
    reason: str


def verify(store: str | Path | Store, repair: bool = False) -> tuple[Damage, ...]:
    """What is damaged in a store: materials and bands against their digests, the catalog against the
    materials, and every small record.

    repair : remove what is damaged, so that the next run computes it anew and the next catalog is whole
    Raises InputError where there is no store, StoreError where repairing cannot write.
    """
    place = Store.at(store)
    if not place.exists and not (place.path / MATERIALS).is_dir():
        raise InputError(f"{store}: no store found there, expected a folder that spinscreen wrote.")
    found = tuple(_damages(place))
    if repair:
        with writing(place.path):
            for damage in found:
                _mend(place, damage)
    return found


def _mend(store: Store, damage: Damage) -> None:
    if damage.place == store.path / "zarr.json":
        make_folder(store.partial)
        write_whole(damage.place, root_metadata(uuid.uuid4().hex), store.partial, replace=True)
    else:
        store.remove(damage.place)


def _damages(store: Store) -> Iterator[Damage]:
    for root in (store.path / "zarr.json", store.path / MATERIALS / "zarr.json"):
        if read_json(root) is None:
            yield Damage(root, "its metadata cannot be read")
    rows: dict[str, CatalogRow] = {}
    for name in published(store):
        try:
            rows[name] = _checked_row(store, name)
        except InputError as problem:
            place = store.path / MATERIALS / name
            yield Damage(place if is_old_group(store, name) else material_file(store, name), str(problem))
    bands = store.path / BANDS
    for folder in sorted(bands.iterdir()) if bands.is_dir() else ():
        reason = damage_of_bands(folder) if folder.is_dir() else None
        if reason is not None:
            yield Damage(folder, reason)
    yield from _damaged_records(store)
    yield from _damaged_catalog(store, rows)


def _checked_row(store: Store, name: str) -> CatalogRow:
    """Read a material to the last number. Raises InputError."""
    try:
        read_material(store, name).load()
    except InputError:
        raise
    except Exception as problem:  # whatever a damaged group of version 1 leads to
        raise InputError(f"{name}: cannot be read ({type(problem).__name__}: {problem}).") from None
    return read_row(store, name)


def _damaged_records(store: Store) -> Iterator[Damage]:
    for group in ("failures", "campaigns"):
        folder = store.path / group
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            if place.name.startswith(".") or place.name == "zarr.json":
                continue
            if read_json(place / "zarr.json" if place.is_dir() else place) is None:
                yield Damage(place, "no record: expected a JSON object")


def _damaged_catalog(store: Store, rows: dict[str, CatalogRow]) -> Iterator[Damage]:
    """The catalog holds copies: each is compared with the row it was made of."""
    link = store.path / CATALOG
    if not link.is_symlink() and not link.exists():
        return
    try:
        catalog = open_catalog(store).load()
        wrong = next((name for name in _names(catalog) if not _is_row(catalog, name, rows.get(name))), None)
    except Exception as problem:  # whatever Zarr and xarray raise about damaged files
        yield Damage(link, f"cannot be read ({type(problem).__name__}: {problem})")
        return
    if wrong is not None:
        yield Damage(link, f"its row {wrong} is not that of the material")


def _names(catalog: xr.Dataset) -> list[str]:
    return [str(name) for name in catalog["material"].values]


def _is_row(catalog: xr.Dataset, name: str, row: CatalogRow | None) -> bool:
    """Whether a catalog says of a material what the material itself says; of one that is gone, anything."""
    if row is None:
        return True
    at = _names(catalog).index(name)
    mine = catalog.isel(material=at)
    for column in scalar_columns(catalog):
        stored, expected = mine[column].values.item(), row.columns.get(column)
        if isinstance(stored, float):
            same = stored == (np.nan if expected is None else expected) or np.isnan(stored)
            same = same and not (np.isnan(stored) and isinstance(expected, float) and not np.isnan(expected))
        else:
            same = str(stored) == ("" if expected is None else str(expected))
        if not same:
            return False
    for variable in set(TENSORS.values()) & set(row.tensors):
        values = mine[variable]
        if "observable" in values.dims:
            values = values.sel(observable=list(row.observables))
        if not np.array_equal(values.values, row.tensors[variable], equal_nan=True):
            return False
    return True
