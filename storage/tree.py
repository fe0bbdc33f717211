"""All of a store as one lazy `xarray.DataTree`: a node is opened when anything in it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Any

import xarray as xr

from spinscreen.kernels import InputError

from .band_stream import read_bands
from .catalog import open_catalog
from .files.zipped import ZippedStore
from .place import BANDS, CATALOG, MATERIALS, Place, StoreLike, group_names
from .results import published, read_material


def open_store(path: StoreLike) -> xr.DataTree:
    """All of a store as a lazy tree: /materials/<id>, /bands/<id>, and /catalog where it was built.

    path : the store, or a copy of it in one .zip file
    A node is opened when it is first asked for, so a store of many thousand opens at once; a material is
    checked against its digest then. Raises InputError where there is no store, and from a damaged node.
    A single material opens with `xr.open_zarr("zip::results.zarr/materials/<id>.zip")` alone.

    >>> from tempfile import TemporaryDirectory
    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.storage import open_store
    >>> from spinscreen.workflows import Campaign, run_campaign
    >>> campaign = Campaign(find_materials("library")[:2], kmesh=4, scan_points=3)
    >>> with TemporaryDirectory() as folder:
    ...     _ = run_campaign(campaign, f"{folder}/results.zarr")
    ...     tree = open_store(f"{folder}/results.zarr")
    ...     print(len(tree["materials"]), tree["catalog"].sizes["material"])
    2 2
    """
    zipped = None if isinstance(path, Place) else ZippedStore.at(path)
    if zipped is not None:
        materials, bands = zipped.materials(), zipped.bands()
    else:
        store = Place.at(path)
        if not store.exists:
            raise InputError(f"{path}: no Zarr store found there; `spinscreen run ... --store` makes one.")
        materials = {name: _reading(store, name) for name in published(store)}
        bands = {name: _opening(store, name) for name in group_names(store.bands_folder)}
    tree = _StoreNode()
    _attach(tree, MATERIALS, materials)
    if bands:
        _attach(tree, BANDS, bands)
    # None yet, or damaged: the materials are there all the same.
    with suppress(InputError):
        tree[CATALOG] = xr.DataTree(open_catalog(path))
    return tree


def _attach(tree: xr.DataTree, name: str, members: dict[str, Callable[[], xr.Dataset]]) -> None:
    tree[name] = _StoreNode()
    node = tree.children[name]
    # Not by assignment, which would open them all to compare their coordinates.
    node._children = {member: _LazyNode.of(member, read, node) for member, read in members.items()}


def _reading(store: Place, name: str) -> Callable[[], xr.Dataset]:
    return lambda: read_material(store, name)


def _opening(store: Place, name: str) -> Callable[[], xr.Dataset]:
    return lambda: read_bands(store, name)


class _StoreNode(xr.DataTree):  # type: ignore[no-untyped-call, unused-ignore]
    """A node above many lazy ones; xarray's HTML view would open all of them to count what they hold."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


class _LazyNode(xr.DataTree):  # type: ignore[no-untyped-call, unused-ignore]
    """A tree node that is read when anything in it is first asked for.

    xarray keeps the data of a node in slots; here they stay empty until then.
    """

    __slots__ = ("_read",)

    @classmethod
    def of(cls, name: str, read: Callable[[], xr.Dataset], parent: xr.DataTree) -> _LazyNode:
        node = object.__new__(cls)
        node._read = read
        node._name = name
        node._parent = parent
        node._children = {}
        return node

    def __getattr__(self, name: str) -> Any:
        if name in _NODE_DATA:
            self._set_node_data(self._read())
            return object.__getattribute__(self, name)
        return super().__getattr__(name)


#: Slots of `xarray.DataTree` that hold what a node contains.
_NODE_DATA = frozenset(
    {"_data_variables", "_node_coord_variables", "_node_dims", "_node_indexes"}
    | {"_encoding", "_attrs", "_close"}
)
