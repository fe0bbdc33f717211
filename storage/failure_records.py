"""Failed materials, recorded in the store beside the published ones."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .files.whole import group_name, hashed, read_json
from .place import Place

_FOLDER = "failures"


def record_failure(store: Place, label: str, error: str, campaign: str = "", path: str | None = None) -> None:
    """Record why a material failed, in place of its older record of the same campaign.

    label : the material's id, any text; campaign : id of its settings and source, as `record_campaign` gave
    it; path : where the material lies, None for one without files. Raises StoreError as `publish` does.
    """
    place = store.bound()
    content = {
        "id": label,
        "error": error,
        "campaign": campaign,
        "path": None if path is None else str(path),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    place.record(record_of(place, label, campaign), content)


def forget_failure(store: Place, label: str, campaign: str = "") -> None:
    """Take back the record of a material that went well after all."""
    file = record_of(store, label, campaign)
    if file.exists():
        store.remove(file)


def forget_absent(store: Place, campaign: str, labels: Collection[str]) -> None:
    """Take back records of a campaign whose source has no such material any more."""
    for file, record in _records(store):
        if record.get("campaign") == campaign and record.get("id") not in labels:
            store.remove(file)


def failures(store: Place) -> dict[str, str]:
    """Error of each failed material, the newest where several campaigns failed on one."""
    found = sorted(_records(store), key=lambda entry: str(entry[1].get("time")))
    return {str(record["id"]): str(record["error"]) for _, record in found}


def failure_records(store: Place) -> list[dict[str, Any]]:
    """Every record: id, error, campaign, path, time; a material that failed in two campaigns has two."""
    return [record for _, record in _records(store)]


def _records(store: Place) -> list[tuple[Path, dict[str, Any]]]:
    folder = store.path / _FOLDER
    if not folder.is_dir():
        return []
    found = []
    for place in sorted(folder.iterdir()):
        record = _old_record(place) if place.is_dir() else read_json(place)
        # What cannot be read blocks nothing: `verify` names it.
        if record is not None and {"id", "error"} <= set(record) and not place.name.startswith("."):
            found.append((place, record))
    return found


def _old_record(folder: Path) -> dict[str, Any] | None:
    """A record of version 1: a Zarr group with one attribute, named after the material."""
    content = read_json(folder / "zarr.json")
    attributes = None if content is None else content.get("attributes")
    return {"id": folder.name, **attributes} if isinstance(attributes, dict) else None


def record_of(store: Place, label: str, campaign: str) -> Path:
    """The file of a failure record."""
    # The hash also where the label is a safe name: one label, several campaigns.
    return store.path / _FOLDER / f"{group_name(label)}-{hashed([label, campaign])}.json"
