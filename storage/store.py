"""The Zarr store: every material a group of its own, complete or not there at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from spinscreen.kernels import InputError

MATERIALS = "materials"
BANDS = "bands"
CATALOG = "catalog"


class StoreError(InputError):
    """The store itself cannot be written: no material's fault, so a campaign stops and says so once."""


@contextmanager
def writing(store: str | Path) -> Iterator[None]:
    """Turn whatever the file system refuses (disk full, read-only, no permission) into one sentence."""
    try:
        yield
    except OSError as problem:
        raise StoreError(
            f"{store}: cannot be written ({problem.strerror or problem}); what it held is untouched, free "
            "space or choose another store, then run the same again."
        ) from None


def material_group(material_id: str) -> str:
    """Path of a material's group inside a store."""
    return f"{MATERIALS}/{material_id}"


def is_published(store: str | Path, material_id: str) -> bool:
    """True where the store has a complete result under this id."""
    return (Path(store) / material_group(material_id) / "zarr.json").is_file()


def published(store: str | Path) -> tuple[str, ...]:
    """Ids of the materials in a store, sorted; none where the store does not exist yet."""
    return _group_names(Path(store) / MATERIALS)


def _group_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(
        # Twice as fast as Path, which counts with many thousand groups.
        sorted(e.name for e in os.scandir(folder) if os.access(f"{e.path}/zarr.json", os.F_OK))
    )


def published_stamps(store: str | Path) -> frozenset[str]:
    """Attribute `source_stamp` of all published materials, to know them again without reading their files."""
    folder = Path(store) / MATERIALS
    found = set()
    for name in published(store):
        # Much faster than opening the group.
        attributes = json.loads((folder / name / "zarr.json").read_bytes())["attributes"]
        found.add(str(attributes.get("source_stamp")))
    return frozenset(found)


def publish(dataset: xr.Dataset, store: str | Path, material_id: str) -> bool:
    """Write a material beside the store, then rename it into place: readers see all of it or nothing.

    Returns False, and changes nothing, where the id is already published. Raises StoreError where the
    store cannot be written; what was published before stays whole.
    """
    if is_published(store, material_id):
        return False
    with writing(store), written_beside(store, material_id) as partial:
        prepare_store(Path(store))
        _write(dataset, partial)
        return put_in_place(partial, Path(store) / material_group(material_id))


def put_in_place(partial: Path, target: Path) -> bool:
    """Rename a finished group into the store. False where another driver was faster."""
    try:
        partial.rename(target)
    except OSError as problem:
        if problem.errno in (errno.ENOTEMPTY, errno.EEXIST) and (target / "zarr.json").is_file():
            return False
        raise
    return True


def _write(dataset: xr.Dataset, folder: Path) -> None:
    """Write a dataset of some arrays; through memory, since Zarr is twice as slow on many small files."""
    content: dict[str, Buffer] = {}
    with consolidating():
        dataset.to_zarr(MemoryStore(content), mode="w", zarr_format=3, consolidated=True)
    for key, value in content.items():
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(value.to_bytes())


def prepare_store(store: Path) -> None:
    """Make an empty store, complete when it appears, unless there is one."""
    if (store / MATERIALS / "zarr.json").is_file():
        return
    if store.exists() and not store.is_dir():
        raise StoreError(f"{store}: is a file, expected a folder for the Zarr store.")
    if store.is_dir() and any(store.iterdir()) and not (store / MATERIALS / "zarr.json").is_file():
        raise StoreError(f"{store}: is a folder with other content, expected a Zarr v3 store or a new name.")
    with writing(store), written_beside(store, "empty") as skeleton:
        zarr.open_group(skeleton, mode="a", zarr_format=3).create_group(MATERIALS)
        put_in_place(skeleton, store)


def partial_folder(store: str | Path) -> Path:
    """Where things are written before they are renamed into the store: beside it, on the same file system."""
    return Path(f"{Path(store)}.partial")


@contextmanager
def written_beside(store: str | Path, label: str) -> Iterator[Path]:
    """A new folder beside the store, to be renamed into it; what is left of it goes, whatever happens."""
    folder = partial_folder(store) / f"{label}-{uuid.uuid4().hex}"
    try:
        _make_folder(folder)
        yield folder
    finally:
        remove_partial(folder)


def remove_partial(*folders: Path) -> None:
    """Remove folders that lie beside a store, and the folder around them once nothing is being written."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            # Another driver is writing there, or it is gone already.
            folder.parent.rmdir()


@contextmanager
def consolidating() -> Iterator[None]:
    """Consolidate without a warning: a group that is in place never changes, so its metadata stay true."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        yield


def put_record(store: str | Path, group: str, name: str, attributes: Mapping[str, Any]) -> None:
    """Write a group of attributes alone, instead of an older one of that name. Raises StoreError."""
    root = Path(store)
    with writing(root), written_beside(root, "record") as beside:
        prepare_store(root)
        zarr.open_group(root / group, mode="a", zarr_format=3)
        zarr.open_group(beside, mode="a", zarr_format=3, attributes=dict(attributes))
        shutil.rmtree(root / group / name, ignore_errors=True)
        put_in_place(beside, root / group / name)


def records(store: str | Path, group: str) -> dict[str, dict[str, Any]]:
    """Attributes of everything that `put_record` wrote into a group, by name."""
    folder = Path(store) / group
    return {name: dict(zarr.open_group(folder / name, mode="r").attrs) for name in _group_names(folder)}


def _make_folder(folder: Path, tries: int = 10) -> None:
    try:
        folder.mkdir(parents=True)
    except FileNotFoundError:
        # Another driver removed the empty parent between two steps.
        if not tries:
            raise
        _make_folder(folder, tries - 1)


def open_store(path: str | Path) -> xr.DataTree:
    """All of a store as a lazy tree: /materials/<id>, /bands/<id>, and /catalog where it was built.

    A group is opened when it is first asked for, so a store of many thousand opens at once. Raises InputError
    where there is no store. A single material opens with
    `xr.open_zarr(path, group="materials/<id>", consolidated=False)` alone.
    """
    root = Path(path)
    if not (root / "zarr.json").is_file():
        raise InputError(f"{path}: no Zarr store found there; `spinscreen run ... --store` makes one.")
    tree = _StoreNode()
    for name in (MATERIALS, BANDS):
        members = _group_names(root / name)
        if members or name == MATERIALS:
            tree[name] = _StoreNode()
            node = tree.children[name]
            # Not by assignment, which would open them all to compare their coordinates.
            node._children = {member: _LazyNode.at(root / name / member, node) for member in members}
    if (root / CATALOG / "zarr.json").is_file():
        tree[CATALOG] = xr.DataTree(xr.open_zarr(root / CATALOG, consolidated=True))
    return tree


class _StoreNode(xr.DataTree):  # type: ignore[no-untyped-call, unused-ignore]
    """A node above many lazy ones; xarray's HTML view would open all of them to count what they hold."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


class _LazyNode(xr.DataTree):  # type: ignore[no-untyped-call, unused-ignore]
    """A tree node whose group is opened when anything in it is first asked for.

    xarray keeps the data of a node in slots; here they stay empty until then. Opened by its own path, a group
    finds the metadata consolidated in it: one small file to read.
    """

    __slots__ = ("_folder",)

    @classmethod
    def at(cls, folder: Path, parent: xr.DataTree) -> _LazyNode:
        node = object.__new__(cls)
        node._folder = folder
        node._name = folder.name
        node._parent = parent
        node._children = {}
        return node

    def __getattr__(self, name: str) -> Any:
        if name in _NODE_DATA:
            self._set_node_data(xr.open_zarr(self._folder, consolidated=True))
            return object.__getattribute__(self, name)
        return super().__getattr__(name)


#: Slots of `xarray.DataTree` that hold what a node contains.
_NODE_DATA = frozenset(
    {"_data_variables", "_node_coord_variables", "_node_dims", "_node_indexes"}
    | {"_encoding", "_attrs", "_close"}
)
