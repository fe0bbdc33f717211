"""Failed materials, recorded in the store beside the published ones."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .files import group_name, hashed, read_json
from .store import Store

_FOLDER = "failures"


def record_failure(
    store: str | Path | Store, label: str, error: str, campaign: str = "", path: str | None = None
) -> None:
    """Record why a material failed, in place of its older record of the same campaign.

    label : the material's id, any text; campaign : id of its settings and source, as `record_campaign` gave
    it; path : where the material lies, None for one without files. Raises StoreError as `publish` does.
    """
    place = Store.at(store)
    if place.identity is None:
        place = place.opened()
    content = {
        "id": label,
        "error": error,
        "campaign": campaign,
        "path": None if path is None else str(path),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    place.record(_file(place, label, campaign), content)


def forget_failure(store: str | Path | Store, label: str, campaign: str = "") -> None:
    """Take back the record of a material that went well after all."""
    place = Store.at(store)
    file = _file(place, label, campaign)
    if file.exists():
        place.remove(file)


def forget_absent(store: str | Path | Store, campaign: str, labels: Collection[str]) -> None:
    """Take back records of a campaign whose source has no such material any more."""
    place = Store.at(store)
    for file, record in _records(place):
        if record.get("campaign") == campaign and record.get("id") not in labels:
            place.remove(file)


def failures(store: str | Path | Store) -> dict[str, str]:
    """Error of each failed material, the newest where several campaigns failed on one."""
    found = sorted(_records(Store.at(store)), key=lambda entry: str(entry[1].get("time")))
    return {str(record["id"]): str(record["error"]) for _, record in found}


def _records(store: Store) -> list[tuple[Path, dict[str, Any]]]:
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


def _file(store: Store, label: str, campaign: str) -> Path:
    # The hash also where the label is a safe name: one label, several campaigns.
    return store.path / _FOLDER / f"{group_name(label)}-{hashed([label, campaign])}.json"
