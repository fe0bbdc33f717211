"""The folder of a store: what may be written into it, and that it is still the one that was opened."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

from .files.whole import (
    StoreError,
    abandoned,
    make_folder,
    read_json,
    remove_inside,
    write_json,
    write_whole,
    writing,
)
from .schema import SCHEMA_VERSION

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


def _resolved(place: str | Path) -> Path:
    """Raises StoreError for a path that leads nowhere."""
    try:
        # As Zarr does, so that both mean one place.
        return Path(place).expanduser().resolve()
    except (OSError, RuntimeError, ValueError, TypeError) as problem:
        raise StoreError(f"{place!r}: no path for a store, cannot be written or read ({problem}).") from None


@dataclass(frozen=True)
class Place:
    """The folder of a store, which need not exist yet; `Store` adds what is in it.

    path : resolved, so that links and the working folder do not matter later
    identity : of the store that this one must still be when something is written; None: whatever is there
    """

    path: Path
    identity: str | None = None

    def __post_init__(self) -> None:
        # Who makes one by hand gives what `at` takes.
        if not isinstance(self.path, Path) or not self.path.is_absolute():
            object.__setattr__(self, "path", _resolved(self.path))

    @classmethod
    def at(cls, place: StoreLike) -> Self:
        """A store by its path. Raises StoreError for a path that leads nowhere."""
        if isinstance(place, cls):
            return place
        if isinstance(place, Place):
            return cls(place.path, place.identity)
        return cls(_resolved(place))

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

    def opened(self) -> Self:
        """The same store, made where it is not there yet, bound to its identity.

        Raises StoreError for a folder with other content, an older store, or a place that cannot be written.
        """
        if self.exists:
            self.check_place()
        else:
            self._make()
        return replace(self, identity=self._identity())

    def bound(self) -> Self:
        """The same store, opened unless it is already; to be written into."""
        return self if self.identity is not None else self.opened()

    @property
    def materials(self) -> Path:
        """Folder of the results."""
        return self.path / MATERIALS

    @property
    def bands_folder(self) -> Path:
        """Folder of the values per k and band."""
        return self.path / BANDS

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
        materials = self.materials
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

    def make_group(self, folder: Path) -> None:
        """An empty Zarr group unless there is one; Zarr itself fails where two drivers make it at once."""
        make_folder(folder)
        write_whole(folder / "zarr.json", _group({}), self.partial)

    def _make(self) -> None:
        """Make an empty store; also in a folder that is there, which may be a mount point."""
        self.check_place()
        with writing(self.path):
            make_folder(self.path)
            self.make_group(self.materials)
            # Last: a store is one when it has this file. Of two drivers the first gives it its identity.
            write_whole(self.path / "zarr.json", root_metadata(uuid.uuid4().hex), self.partial)
            self.tidy()

    def _identity(self) -> str | None:
        content = read_json(self.path / "zarr.json")
        return None if content is None else str(_root_attributes(content).get("store_id"))


#: Whatever names a store: its path, or the store itself.
StoreLike: TypeAlias = str | Path | Place


def root_metadata(identity: str) -> bytes:
    """The root group of a store."""
    return _group({"schema_version": SCHEMA_VERSION, "store_id": identity})


def _group(attributes: dict[str, Any]) -> bytes:
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=1).encode()


def _root_attributes(content: dict[str, Any]) -> dict[str, Any]:
    found = content.get("attributes")
    return found if isinstance(found, dict) else {}


def group_names(folder: Path) -> tuple[str, ...]:
    """Names of the Zarr groups in a folder, sorted."""
    if not folder.is_dir():
        return ()
    return tuple(
        # Only folders are looked into: a file server may have a million files beside them.
        sorted(e.name for e in os.scandir(folder) if e.is_dir() and os.access(f"{e.path}/zarr.json", os.F_OK))
    )
