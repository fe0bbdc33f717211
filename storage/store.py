"""The Zarr store: every material one sealed file, complete or not there at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from spinscreen.kernels import InputError

from .encoding import attributes_in, decode, encode
from .files import (
    StoreError,
    abandoned,
    make_folder,
    read_json,
    remove_inside,
    write_json,
    write_whole,
    writing,
)
from .rows import CatalogRow, make_row, packed_row, unpacked_row
from .schema import SCHEMA_VERSION
from .sealed import DamagedError, read_sealed, seal_of, sealed

MATERIALS = "materials"
BANDS = "bands"
CATALOG = "catalog"

#: Where things are written before they are renamed into place, and partial results are kept.
_PARTIAL = ".partial"

#: What a folder may hold that is to become a store: of a try that was killed, or of the file system itself.
_HARMLESS = {_PARTIAL, "lost+found"}

#: Endings and beginnings of what is written in the folder for partial results before it is put in place;
#: sums and streams, which are used again, have others.
_PASSING = (".new", ".link"), ("catalog-", "bands-", "waste-")

#: Member of a material's file: its row of the catalog, so that a catalog needs no array.
_ROW = "catalog_row"

_SUFFIX = ".zip"


@dataclass(frozen=True)
class Store:
    """A store at a path, which need not exist yet.

    path : resolved, so that links and the working folder do not matter later
    identity : of the store that this one must still be when something is written; None: whatever is there
    """

    path: Path
    identity: str | None = None

    @classmethod
    def at(cls, place: str | Path | Store) -> Store:
        """A store by its path. Raises StoreError for a path that leads nowhere."""
        if isinstance(place, Store):
            return place
        try:
            return cls(Path(place).resolve())
        except (OSError, RuntimeError, ValueError) as problem:
            raise StoreError(f"{place!r}: is no path for a store ({problem}).") from None

    @property
    def partial(self) -> Path:
        """Folder for what is not whole yet, on the store's own file system."""
        return self.path / _PARTIAL

    @property
    def exists(self) -> bool:
        return (self.path / "zarr.json").exists()

    @property
    def version(self) -> int:
        """Schema version of the store, 0 where there is none. Raises StoreError where that cannot be read."""
        root = self.path / "zarr.json"
        if not root.exists():
            return 0
        content = read_json(root)
        if content is None:
            raise StoreError(
                f"{root}: is damaged, expected the metadata of a store; `spinscreen verify {self.path} "
                "--repair` writes it anew, the results beside it are untouched."
            )
        return int(_root_attributes(content).get("schema_version", 1))

    def opened(self) -> Store:
        """The same store, made where it is not there yet, bound to its identity.

        Raises StoreError for a folder with other content, an older store, or a place that cannot be written.
        """
        if self.exists:
            self.check_place()
        else:
            self._make()
        return replace(self, identity=self._identity())

    def check(self) -> None:
        """Raise StoreError where the store is no more the one that was opened."""
        found = self._identity()
        if found is None or self.identity not in (None, found):
            raise StoreError(
                f"{self.path}: the store was moved, replaced, deleted or unmounted meanwhile; nothing was "
                "written. Bring it back, then run the same again."
            )

    def write(self, target: Path, content: bytes) -> bool:
        """Put a whole file into the store; False where the name is taken. Raises StoreError."""
        with writing(self.path):
            self.check()
            make_folder(target.parent)
            return write_whole(target, content, self.partial)

    def record(self, target: Path, content: dict[str, Any]) -> None:
        """Put a small JSON file into the store, in place of an older one. Raises StoreError."""
        with writing(self.path):
            self.check()
            make_folder(target.parent)
            write_json(target, content, self.partial)
        self.tidy()

    def remove(self, *places: Path) -> None:
        """Remove what lies inside the store; raises StoreError for anything else."""
        remove_inside(self.path, *places)

    def tidy(self) -> None:
        """Remove the folder for partial results where it is empty."""
        try:
            self.partial.rmdir()
        except OSError:
            # Something is being written there, or it is gone already.
            return

    def sweep(self) -> None:
        """Remove what a killed driver or worker was about to put in place a day ago or earlier."""
        endings, beginnings = _PASSING
        old = abandoned(self.partial)
        self.remove(*(p for p in old if p.name.endswith(endings) or p.name.startswith(beginnings)))

    def check_place(self) -> None:
        """Raise StoreError for a file, a folder with other content, or a store of an older version."""
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path}: is a file, expected a folder for the Zarr store.")
        if self.exists and self.version < SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: has schema version {self.version}, expected {SCHEMA_VERSION} to write into "
                f"it; `spinscreen migrate {self.path}` rewrites it, nothing is computed again."
            )
        if self.exists or not self.path.is_dir():
            return
        materials = self.path / MATERIALS
        with writing(self.path):
            others = {entry.name for entry in os.scandir(self.path)} - _HARMLESS
            inside = {entry.name for entry in os.scandir(materials)} if materials.is_dir() else set[str]()
        if inside <= {"zarr.json"}:
            others -= {MATERIALS}
        elif "zarr.json" in inside:
            raise StoreError(
                f"{self.path}: its zarr.json is lost, expected it beside the folder {MATERIALS}; `spinscreen "
                f"verify {self.path} --repair` writes it anew, the results are untouched."
            )
        if others:
            raise StoreError(
                f"{self.path}: is a folder with other content ({min(others)!r}), expected a Zarr v3 store or "
                "a new name."
            )

    def _make(self) -> None:
        """Make an empty store; also in a folder that is there, which may be a mount point."""
        self.check_place()
        with writing(self.path):
            make_folder(self.path)
            zarr.open_group(self.path / MATERIALS, mode="a", zarr_format=3)
            # Last: a store is one when it has this file. Of two drivers the first gives it its identity.
            write_whole(self.path / "zarr.json", root_metadata(uuid.uuid4().hex), self.partial)
            self.tidy()

    def _identity(self) -> str | None:
        content = read_json(self.path / "zarr.json")
        return None if content is None else str(_root_attributes(content).get("store_id"))


def root_metadata(identity: str) -> bytes:
    """The root group of a store."""
    attributes = {"schema_version": SCHEMA_VERSION, "store_id": identity}
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=1).encode()


def _root_attributes(content: dict[str, Any]) -> dict[str, Any]:
    found = content.get("attributes")
    return found if isinstance(found, dict) else {}


def material_group(material_id: str) -> str:
    """Path of a material inside the tree of `open_store`."""
    return f"{MATERIALS}/{material_id}"


def material_file(store: str | Path | Store, material_id: str) -> Path:
    """The file of a material: `xr.open_zarr("zip::<this path>")` opens it without spinscreen."""
    return Store.at(store).path / MATERIALS / f"{material_id}{_SUFFIX}"


def is_published(store: str | Path | Store, material_id: str) -> bool:
    """True where the store has a complete result under this id: a file that ends in its seal."""
    return seal_of(material_file(store, material_id)) is not None or is_old_group(store, material_id)


def is_old_group(store: str | Path | Store, material_id: str) -> bool:
    """True for a result as stores of version 1 have it, a folder of many files."""
    return (Store.at(store).path / MATERIALS / material_id / "zarr.json").is_file()


def published(store: str | Path | Store) -> tuple[str, ...]:
    """Ids of the materials in a store, sorted; none where the store does not exist yet."""
    folder = Store.at(store).path / MATERIALS
    if not folder.is_dir():
        return ()
    names = set(group_names(folder))
    # A hidden file is nobody's result: some systems scatter them.
    names |= {
        e.name.removesuffix(_SUFFIX)
        for e in os.scandir(folder)
        if e.name.endswith(_SUFFIX) and not e.name.startswith(".")
    }
    return tuple(sorted(names))


def group_names(folder: Path) -> tuple[str, ...]:
    """Names of the Zarr groups in a folder, sorted."""
    if not folder.is_dir():
        return ()
    return tuple(
        # Twice as fast as Path, which counts with many thousand groups.
        sorted(e.name for e in os.scandir(folder) if os.access(f"{e.path}/zarr.json", os.F_OK))
    )


def published_stamps(store: str | Path | Store) -> frozenset[str]:
    """Fact `source_stamp` of all published materials, to know them again without reading their files."""
    place = Store.at(store)
    seals = (seal_of(material_file(place, name)) for name in published(place))
    return frozenset(seal["source_stamp"] for seal in seals if seal and seal.get("source_stamp"))


def publish(dataset: xr.Dataset, store: str | Path | Store, material_id: str) -> bool:
    """Put a material into the store, in one step: readers see all of it or nothing.

    Returns False, and changes nothing, where the id is already published. Raises StoreError where the
    store cannot be written or is not the one that was opened; what was published before stays whole.
    """
    place = Store.at(store)
    if place.identity is None:
        place = place.opened()
    return not is_old_group(place, material_id) and write_material(dataset, place, material_id)


def write_material(dataset: xr.Dataset, place: Store, material_id: str) -> bool:
    """Write a material's file unless there is one; `publish` for a store that is open."""
    target = material_file(place, material_id)
    if seal_of(target) is not None:
        return False
    if target.exists() and seal_of(target) is None:
        # Cut off by a power loss, and read by nobody. Asked again: another driver may have been faster.
        place.remove(target)
    return place.write(target, _material_bytes(dataset, material_id))


def _material_bytes(dataset: xr.Dataset, material_id: str) -> bytes:
    row = packed_row(make_row(dataset, material_id)) if "fermi_energy" in dataset.coords else None
    members = encode(dataset) | ({} if row is None else {_ROW: row})
    stamp = str(dataset.attrs.get("source_stamp", ""))
    return sealed(members, {"source_stamp": stamp} if stamp else {})


def read_material(store: str | Path | Store, material_id: str) -> xr.Dataset:
    """A published material, checked against its digest.

    Raises InputError where it is damaged or not there.
    """
    if is_old_group(store, material_id):
        return xr.open_zarr(Store.at(store).path / MATERIALS / material_id, consolidated=True)
    return read_file(store, material_id)


def read_file(store: str | Path | Store, material_id: str) -> xr.Dataset:
    """The same of the present version alone."""
    members = _members(store, material_id)
    members.pop(_ROW, None)
    try:
        return decode(members)
    except DamagedError as problem:
        raise damaged(material_file(store, material_id), problem) from None


def read_row(store: str | Path | Store, material_id: str) -> CatalogRow:
    """The catalog row of a material. Raises InputError where it is damaged or not there."""
    if not is_old_group(store, material_id):
        members = _members(store, material_id)
        try:
            row = unpacked_row(members[_ROW], material_id) if _ROW in members else None
        except DamagedError as problem:
            raise damaged(material_file(store, material_id), problem) from None
        if row is not None:
            return row
    try:
        return make_row(read_material(store, material_id).load(), material_id)
    except InputError:
        raise
    except Exception as problem:  # whatever a damaged group of version 1 leads to
        where = Store.at(store).path / MATERIALS / material_id
        raise damaged(where, DamagedError(f"{type(problem).__name__}: {problem}")) from None


def read_attributes(store: str | Path | Store, material_id: str) -> dict[str, Any]:
    """Attributes of a published material. Raises InputError as `read_material`."""
    if is_old_group(store, material_id):
        return dict(read_material(store, material_id).attrs)
    return attributes_in(_members(store, material_id))


def _members(store: str | Path | Store, material_id: str) -> dict[str, bytes]:
    file = material_file(store, material_id)
    try:
        return read_sealed(file)
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


def missing_of(store: str | Path | Store, material_ids: Iterable[str]) -> list[str]:
    """Which of some materials are not in the store, although they should be."""
    return [name for name in material_ids if not is_published(store, name)]
