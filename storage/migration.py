"""From a store of version 1, a folder of files for each material, to the present one; nothing is computed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from spinscreen.kernels import InputError

from .catalog import build_catalog
from .files.whole import make_folder, write_whole, writing
from .place import CATALOG, Place, group_names, root_metadata
from .results import published, read_file, read_material, write_material
from .schema import SCHEMA_VERSION

#: Name of a result in the new store, from its dataset.
Renaming = Callable[[xr.Dataset, str], str]


@dataclass(frozen=True)
class Migration:
    """Materials that were rewritten, and the sentences of those that could not be read and were left."""

    rewritten: int
    left: tuple[str, ...]


def same_name(_: xr.Dataset, name: str) -> str:
    """A result's own name."""
    return name


def migrate(place: Place, rename: Renaming = same_name) -> Migration:
    """Rewrite every material of an older store as one sealed file; stopped at any moment, it goes on.

    rename : gives the id under which a run looks for the result now; a result's own by default
    The old group goes when the new file is on the disk. One that is damaged is left where it is. Bands,
    failures and campaigns are read as they are. Raises InputError where there is no store, StoreError where
    it cannot be written.
    """
    if not place.exists:
        raise InputError(f"{place.path}: no Zarr store found there.")
    if place.version < SCHEMA_VERSION:
        with writing(place.path):
            make_folder(place.partial)
            root = root_metadata(uuid.uuid4().hex)
            write_whole(place.path / "zarr.json", root, place.partial, replace=True)
            # Its rows bear the old names.
            place.remove(place.path / CATALOG)
    place = place.opened()
    rewritten, left = 0, []
    for name in group_names(place.materials):
        old = place.materials / name
        try:
            dataset = read_material(place, name).load()
        except Exception as problem:  # whatever a damaged group leads to
            left.append(f"{old}: cannot be read ({type(problem).__name__}: {problem})")
            continue
        dataset.attrs["schema_version"] = SCHEMA_VERSION
        new = rename(dataset, name)
        write_material(dataset, place, new)
        # Read once more: the old files go only when the new one holds all of it.
        if not read_file(place, new).equals(dataset):
            left.append(f"{old}: {new} is there already with other numbers, both were left")
            continue
        place.remove(old)
        rewritten += 1
    place.tidy()
    if published(place):
        build_catalog(place)
    return Migration(rewritten, tuple(left))
