"""Failed materials, recorded in the store beside the published ones."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import zarr

from .store import partial_folder, prepare_store, remove_if_empty

FAILURES = "failures"


def record_failure(store: str | Path, name: str, error: str) -> None:
    """Record why a material failed, instead of an older record. Raises InputError where there is no store."""
    root = Path(store)
    beside = partial_folder(root) / f"failure-{uuid.uuid4().hex}"
    prepare_store(root)
    target = root / FAILURES / name
    try:
        zarr.open_group(root / FAILURES, mode="a", zarr_format=3)
        zarr.open_group(beside, mode="w-", zarr_format=3, attributes={"error": error})
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        remove_if_empty(beside.parent)


def forget_failure(store: str | Path, name: str) -> None:
    """Take back the record of a material that went well after all."""
    shutil.rmtree(Path(store) / FAILURES / name, ignore_errors=True)


def failures(store: str | Path) -> dict[str, str]:
    """Error of each failed material."""
    folder = Path(store) / FAILURES
    if not folder.is_dir():
        return {}
    return {
        entry.parent.name: str(zarr.open_group(entry.parent, mode="r").attrs["error"])
        for entry in sorted(folder.glob("*/zarr.json"))
    }
