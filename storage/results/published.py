"""Results of materials: every one a sealed file, complete or not there at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from spinscreen.kernels import InputError

from ..files.encoding import attributes_in, decode, encode
from ..files.sealed import DamagedError, read_member, read_sealed, seal_of, sealed
from ..files.whole import StoreError
from ..place import MATERIALS, Place, group_names
from ..schema import as_now
from .rows import CatalogRow, make_row, packed_row, unpacked_row

#: Member of a material's file: its row of the catalog, so that a catalog needs no array.
_ROW = "catalog_row"

_SUFFIX = ".zip"

_Read = TypeVar("_Read")


def material_file(store: Place, material_id: str) -> Path:
    """The file of a material: `xr.open_zarr("zip::<this path>")` opens it without spinscreen."""
    return store.materials / f"{material_id}{_SUFFIX}"


def is_published(store: Place, material_id: str) -> bool:
    """True where the store has a result under this id that is whole, to the last bit.

    One that is damaged does not count, so that it is computed anew. Raises StoreError where that cannot be
    told.
    """
    return _seal(store, material_id) is not None or is_old_group(store, material_id)


def _seal(store: Place, material_id: str) -> dict[str, str] | None:
    file = material_file(store, material_id)
    try:
        return seal_of(file)
    except OSError as problem:
        raise StoreError(
            f"{file}: cannot be read ({problem.strerror or problem}), expected a result of this store; it "
            "was not touched."
        ) from None


def damaged_of(store: Place) -> tuple[str, ...]:
    """Ids of results that are not what was written; those of version 1 have no digest to tell."""
    names = published(store)
    return tuple(n for n in names if not is_old_group(store, n) and _seal(store, n) is None)


def is_old_group(store: Place, material_id: str) -> bool:
    """True for a result as stores of version 1 have it, a folder of many files."""
    # A text, as a path takes longer to make than to look at, and catalogs ask for each of their materials.
    return os.access(f"{store.path}/{MATERIALS}/{material_id}/zarr.json", os.F_OK)


def published(store: Place) -> tuple[str, ...]:
    """Ids of the materials in a store, sorted; none where the store does not exist yet."""
    folder = store.materials
    if not folder.is_dir():
        return ()
    names = set(group_names(folder))
    # A hidden file is nobody's result: some systems scatter them.
    names |= {
        e.name.removesuffix(_SUFFIX)
        for e in os.scandir(folder)
        if e.name.endswith(_SUFFIX) and not e.name.startswith(".") and e.is_file()
    }
    return tuple(sorted(names))


#: Calls a function with each of many items, by whatever computes; what it returns comes in their order.
EachOf = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

#: Results whose seals are read by one call: a tenth of a second, which a scheduler takes little of.
_TOGETHER = 512


def published_stamps(store: Place, run: EachOf = map) -> frozenset[str]:
    """Fact `source_stamp` of all results that are whole, to know materials again without loading them.

    run : how some results after the others are read, which takes their whole files
    """
    names = published(store)
    pieces = [names[at : at + _TOGETHER] for at in range(0, len(names), _TOGETHER)]
    return frozenset(stamp for stamps in run(partial(_stamps_of, store), pieces) for stamp in stamps)


def _stamps_of(store: Place, names: Sequence[str]) -> list[str]:
    seals = (_seal(store, name) for name in names)
    return [seal["source_stamp"] for seal in seals if seal and seal.get("source_stamp")]


def publish(dataset: xr.Dataset, store: Place, material_id: str) -> bool:
    """Put a material into the store, in one step: readers see all of it or nothing.

    Returns False, and changes nothing, where the id is already published. Raises StoreError where the
    store cannot be written or is not the one that was opened; what was published before stays whole.
    """
    place = store.bound()
    return not is_old_group(place, material_id) and write_material(dataset, place, material_id)


def write_material(dataset: xr.Dataset, place: Place, material_id: str) -> bool:
    """Write a material's file unless there is one; `publish` for a store that is open."""
    target = material_file(place, material_id)
    if _seal(place, material_id) is not None:
        return False
    if target.exists() and _seal(place, material_id) is None:
        # Damaged, and read by nobody. Asked again: another driver may have been faster.
        place.remove(target)
    return place.write(target, _material_bytes(dataset, material_id))


def _material_bytes(dataset: xr.Dataset, material_id: str) -> bytes:
    row = packed_row(make_row(dataset, material_id)) if "fermi_energy" in dataset.coords else None
    members = encode(dataset) | ({} if row is None else {_ROW: row})
    stamp = str(dataset.attrs.get("source_stamp", ""))
    return sealed(members, {"source_stamp": stamp} if stamp else {}, _ROW)


def read_material(store: Place, material_id: str) -> xr.Dataset:
    """A published material, checked against its digest.

    Raises InputError where it is damaged or not there.
    """
    if is_old_group(store, material_id):
        return as_now(xr.open_zarr(store.materials / material_id, consolidated=True))
    return read_file(store, material_id)


def read_file(store: Place, material_id: str) -> xr.Dataset:
    """The same of the present version alone."""
    members = _members(store, material_id)
    members.pop(_ROW, None)
    try:
        return as_now(decode(members))
    except DamagedError as problem:
        raise damaged(material_file(store, material_id), problem) from None


def read_row(store: Place, material_id: str) -> CatalogRow:
    """The catalog row of a material. Raises InputError where it is damaged or not there."""
    if not is_old_group(store, material_id):
        try:
            content = _reading(read_member, store, material_id, _ROW)
            if content is None:
                # Of an earlier version, in whose seal there is no place of it.
                content = _members(store, material_id).get(_ROW)
            row = None if content is None else unpacked_row(content, material_id)
        except DamagedError as problem:
            raise damaged(material_file(store, material_id), problem) from None
        if row is not None:
            return row
    try:
        return make_row(read_material(store, material_id).load(), material_id)
    except InputError:
        raise
    except Exception as problem:  # whatever a damaged group of version 1 leads to
        where = store.materials / material_id
        raise damaged(where, DamagedError(f"{type(problem).__name__}: {problem}")) from None


def read_rows(store: Place, names: Sequence[str]) -> Iterator[CatalogRow | str]:
    """Rows of some materials; for one that is damaged the sentence that says so."""
    for name in names:
        try:
            yield read_row(store, name)
        except InputError as problem:
            yield str(problem)


def read_attributes(store: Place, material_id: str) -> dict[str, Any]:
    """Attributes of a published material. Raises InputError as `read_material`."""
    if is_old_group(store, material_id):
        return dict(read_material(store, material_id).attrs)
    return attributes_in(_members(store, material_id))


def _members(store: Place, material_id: str) -> dict[str, bytes]:
    return _reading(read_sealed, store, material_id)


def _reading(read: Callable[..., _Read], store: Place, material_id: str, *how: str) -> _Read:
    """What a function reads of a material's file. Raises InputError where it is damaged or not there."""
    file = material_file(store, material_id)
    try:
        return read(file, *how)
    except FileNotFoundError:
        raise InputError(f"{file}: no such material; `spinscreen status` lists what is there.") from None
    except OSError as problem:
        raise InputError(f"{file}: cannot be read ({problem.strerror}).") from None
    except DamagedError as problem:
        raise damaged(file, problem) from None


class DamagedResultError(InputError):
    """A result in a store is not what was written."""


def damaged(place: Path, problem: DamagedError) -> DamagedResultError:
    """The sentence for something in a store that is not what was written."""
    return DamagedResultError(
        f"{place}: is damaged, {problem}; `spinscreen verify STORE --repair` removes it, the next run "
        "computes it anew."
    )


def missing_of(store: Place, material_ids: Iterable[str]) -> list[str]:
    """Which of some materials are not in the store, although they should be; what they hold is not read."""
    return [
        name
        for name in material_ids
        if not (material_file(store, name).is_file() or is_old_group(store, name))
    ]
