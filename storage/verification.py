"""Is everything in a store what was written? Names what is damaged, and takes it away on request."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .band_stream import damage_of_bands
from .catalog import scalar_columns
from .catalog.reading import columns_of_headings, lazy_catalog, renamed
from .files.sealed import DamagedError
from .files.whole import read_json, write_whole, writing
from .observables import AXES, Facts, Observables
from .place import CATALOG, Place, root_metadata
from .results import (
    RELATIVE_ENERGY,
    TENSORS,
    CatalogRow,
    DamagedResultError,
    damaged,
    is_old_group,
    material_file,
    published,
    read_attributes,
    read_material,
    read_rows,
)

#: Materials whose tensors are compared at a time.
_CHUNK = 64


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not what was written: where, and why.

    removable : False for what could not be read at all, which may be whole
    """

    place: Path
    reason: str
    removable: bool = True


def verify(place: Place, repair: bool = False) -> tuple[Damage, ...]:
    """What is damaged in a store: materials and bands against their digests, the catalog against the
    materials, and every small record.

    repair : remove what is damaged, so that the next run computes it anew and the next catalog is whole
    Raises InputError where there is no store, StoreError where repairing cannot write.
    """
    if not place.exists and not place.materials.is_dir():
        raise InputError(f"{place.path}: no store found there, expected a folder that spinscreen wrote.")
    found = tuple(_damages(place))
    if repair:
        with writing(place.path):
            for damage in found:
                if damage.removable:
                    _mend(place, damage)
    return found


def _mend(store: Place, damage: Damage) -> None:
    if damage.place == store.path / "zarr.json":
        write_whole(damage.place, root_metadata(uuid.uuid4().hex), store.partial, replace=True)
        return
    store.remove(damage.place)
    if damage.place == store.materials / "zarr.json":
        store.make_group(damage.place.parent)


def _damages(store: Place) -> Iterator[Damage]:
    for root in (store.path / "zarr.json", store.materials / "zarr.json"):
        if read_json(root) is None:
            yield Damage(root, "its metadata cannot be read")
    for name in published(store):
        try:
            _check_material(store, name)
        except InputError as problem:
            old = is_old_group(store, name)
            place = store.materials / name if old else material_file(store, name)
            yield Damage(place, str(problem), isinstance(problem, DamagedResultError))
    bands = store.bands_folder
    for folder in sorted(bands.iterdir()) if bands.is_dir() else ():
        visible = folder.is_dir() and not folder.name.startswith(".")
        reason = damage_of_bands(folder) if visible else None
        if reason is not None:
            yield Damage(folder, reason)
    yield from _damaged_records(store)
    yield from _damaged_catalog(store)


def _check_material(store: Place, name: str) -> None:
    """Raise InputError where a material is not what was written; one of version 1 has no digest to tell."""
    if not is_old_group(store, name):
        read_attributes(store, name)
        return
    try:
        read_material(store, name).load()
    except OSError as problem:
        raise InputError(f"{name}: cannot be read ({problem.strerror or problem}).") from None
    except Exception as problem:  # whatever a damaged group leads to
        raise damaged(store.materials / name, DamagedError(f"{type(problem).__name__}: {problem}")) from None


def _damaged_records(store: Place) -> Iterator[Damage]:
    for group in ("failures", "campaigns"):
        folder = store.path / group
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            if place.name.startswith(".") or place.name == "zarr.json":
                continue
            if read_json(place / "zarr.json" if place.is_dir() else place) is None:
                yield Damage(place, "no record: expected a JSON object")


def _damaged_catalog(store: Place) -> Iterator[Damage]:
    """The catalog holds copies: each is compared with the material it is of."""
    link = store.path / CATALOG
    if not link.is_symlink() and not link.exists():
        return
    try:
        reason = _difference(store, lazy_catalog(store))
    except Exception as problem:  # whatever Zarr and xarray raise about damaged files
        yield Damage(link, f"cannot be read ({type(problem).__name__}: {problem})")
        return
    if reason is not None:
        yield Damage(link, reason)


def _difference(store: Place, catalog: xr.Dataset) -> str | None:
    """Where the catalog says something else than the files of its materials, or has one that is not there; of
    one that is damaged it may say anything.
    """
    present = set(published(store))
    _check_labels(catalog)
    columns = {name: catalog[name].values for name in scalar_columns(catalog)}
    facts = Observables.in_dataset(catalog).facts
    headings = columns_of_headings(catalog)
    said: dict[str, set[Facts]] = {}
    names = [str(name) for name in catalog["material"].values]
    for start in range(0, len(names), _CHUNK):
        rows = slice(start, start + _CHUNK)
        tensors = {v: catalog[v][rows].values for v in TENSORS.values() if v in catalog}
        for i, name in enumerate(names[rows]):
            if name not in present:
                return f"its row {name!r} is not that of a material"
            row = next(iter(read_rows(store, [name])))
            if isinstance(row, str):
                continue
            row = renamed(row, headings)
            scalars = {column: values[start + i] for column, values in columns.items()}
            mine = {variable: values[i] for variable, values in tensors.items()}
            for observable, fact in row.observables.facts.items():
                said.setdefault(observable, set()).add(fact)
            if not (_same_scalars(scalars, row) and _same_tensors(mine, list(facts), row)):
                return f"its row {name!r} is not that of a material"
    # Materials may differ in what they call by one name: the catalog says what one of them does.
    wrong = next((o for o, fact in facts.items() if o in said and fact not in said[o]), None)
    return None if wrong is None else f"its observable {wrong!r} is described as none of its materials does"


def _check_labels(catalog: xr.Dataset) -> None:
    """Raise ValueError where an axis of the catalog is not labelled as each catalog is."""
    for dim, expected in {
        "current_axis": AXES,
        "field_axis": AXES,
        "relative_energy": RELATIVE_ENERGY,
    }.items():
        if not np.array_equal(catalog[dim].values, np.array(expected)):
            raise ValueError(f"the labels of {dim} are not those of a catalog")


def _same_scalars(scalars: Mapping[str, Any], row: CatalogRow) -> bool:
    for column, stored in scalars.items():
        expected = row.columns.get(column)
        if isinstance(stored, float):
            wanted = np.nan if expected is None else float(expected)
            if not (stored == wanted or (np.isnan(stored) and np.isnan(wanted))):
                return False
        elif str(stored) != ("" if expected is None or pd.isna(expected) else str(expected)):
            return False
    return set(row.columns) <= set(scalars)


def _same_tensors(tensors: Mapping[str, NDArray], observables: list[str], row: CatalogRow) -> bool:
    for variable, expected in row.tensors.items():
        stored = tensors[variable]
        if stored.ndim > 3:
            stored = stored[[observables.index(name) for name in row.observables.names]]
        if not np.array_equal(stored, expected, equal_nan=True):
            return False
    return True
