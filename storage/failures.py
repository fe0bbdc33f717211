"""Failed materials, recorded in the store beside the published ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import zarr

from .store import prepare_store, put_in_place, writing, written_beside

FAILURES = "failures"


def record_failure(store: str | Path, name: str, error: str) -> None:
    """Record why a material failed, instead of an older record. Raises StoreError as `publish` does."""
    root = Path(store)
    with writing(root), written_beside(root, "failure") as beside:
        prepare_store(root)
        zarr.open_group(root / FAILURES, mode="a", zarr_format=3)
        zarr.open_group(beside, mode="a", zarr_format=3, attributes={"error": error})
        shutil.rmtree(root / FAILURES / name, ignore_errors=True)
        put_in_place(beside, root / FAILURES / name)


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
