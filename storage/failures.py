"""Failed materials, recorded in the store beside the published ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from .store import put_record, records

FAILURES = "failures"


def record_failure(store: str | Path, name: str, error: str) -> None:
    """Record why a material failed, instead of an older record. Raises StoreError as `publish` does."""
    put_record(store, FAILURES, name, {"error": error})


def forget_failure(store: str | Path, name: str) -> None:
    """Take back the record of a material that went well after all."""
    shutil.rmtree(Path(store) / FAILURES / name, ignore_errors=True)


def failures(store: str | Path) -> dict[str, str]:
    """Error of each failed material."""
    return {name: str(record["error"]) for name, record in records(store, FAILURES).items()}
