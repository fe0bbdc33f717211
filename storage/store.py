"""The Zarr store: every material a group of its own, complete or not there at all."""

from __future__ import annotations

import errno
import shutil
import uuid
import warnings
from pathlib import Path

import xarray as xr
import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from spinscreen.kernels import InputError

MATERIALS = "materials"
CATALOG = "catalog"


def material_group(material_id: str) -> str:
    """Path of a material's group inside a store."""
    return f"{MATERIALS}/{material_id}"


def is_published(store: str | Path, material_id: str) -> bool:
    """True where the store has a complete result under this id."""
    return (Path(store) / material_group(material_id) / "zarr.json").is_file()


def published(store: str | Path) -> tuple[str, ...]:
    """Ids of the materials in a store, sorted; none where the store does not exist yet."""
    folder = Path(store) / MATERIALS
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.parent.name for entry in folder.glob("*/zarr.json")))


def publish(dataset: xr.Dataset, store: str | Path, material_id: str) -> bool:
    """Write a material beside the store, then rename it into place: readers see all of it or nothing.

    Returns False, and changes nothing, where the id is already published. Raises InputError where the
    store cannot be written; what was published before stays whole.
    """
    target = Path(store) / material_group(material_id)
    if is_published(store, material_id):
        return False
    partial = partial_folder(store) / f"{material_id}-{uuid.uuid4().hex}"
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        prepare_store(Path(store))
        _write(dataset, partial)
        partial.rename(target)
    except OSError as problem:
        if problem.errno in (errno.ENOTEMPTY, errno.EEXIST) and is_published(store, material_id):
            return False
        raise InputError(
            f"{store}: cannot be written ({problem.strerror or problem}); what it held is untouched, free "
            "space or choose another --store."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        remove_if_empty(partial.parent)
    return True


def _write(dataset: xr.Dataset, folder: Path) -> None:
    """Write a dataset of some arrays; through memory, since Zarr is twice as slow on many small files."""
    content: dict[str, Buffer] = {}
    with warnings.catch_warnings():
        # A published group never changes, so metadata consolidated in it stays true.
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
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
        raise InputError(f"{store}: is a file, expected a folder for the Zarr store.")
    if store.is_dir() and any(store.iterdir()):
        raise InputError(f"{store}: is a folder with other content, expected a Zarr v3 store or a new name.")
    beside = partial_folder(store)
    beside.mkdir(parents=True, exist_ok=True)
    skeleton = beside / f"empty-{uuid.uuid4().hex}"
    zarr.open_group(skeleton, mode="w-", zarr_format=3).create_group(MATERIALS)
    try:
        skeleton.rename(store)
    except OSError as problem:
        shutil.rmtree(skeleton, ignore_errors=True)
        # Another driver was faster; any other problem is the caller's to tell.
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def partial_folder(store: str | Path) -> Path:
    """Where things are written before they are renamed into the store: beside it, on the same file system."""
    return Path(f"{Path(store)}.partial")


def remove_if_empty(folder: Path) -> None:
    """Remove the partial folder once nothing is being written."""
    try:
        folder.rmdir()
    except OSError:
        # Another driver is writing there, or it is gone already.
        return


def open_store(path: str | Path) -> xr.DataTree:
    """All of a store as a lazy tree: /materials/<id>, and /catalog where it was built.

    Raises InputError where there is no store. A single material opens with
    `xr.open_zarr(path, group="materials/<id>", consolidated=False)` alone.
    """
    if not (Path(path) / "zarr.json").is_file():
        raise InputError(f"{path}: no Zarr store found there; `spinscreen run ... --store` makes one.")
    # Opened by its own path, a group finds the metadata consolidated in it: one small file to read.
    groups = {
        f"/{material_group(name)}": xr.open_zarr(Path(path) / material_group(name), consolidated=True)
        for name in published(path)
    }
    if (Path(path) / CATALOG / "zarr.json").is_file():
        groups[f"/{CATALOG}"] = xr.open_zarr(Path(path) / CATALOG, consolidated=True)
    return xr.DataTree.from_dict(groups or {f"/{MATERIALS}": xr.Dataset()})
