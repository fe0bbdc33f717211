"""What ran: the settings of every campaign on a store, beside its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .files.whole import hashed, read_json
from .place import Place

_FOLDER = "campaigns"


def record_campaign(store: Place, settings: Mapping[str, Any]) -> str:
    """Keep the settings of a campaign, once; returns their id. Raises StoreError as `publish` does."""
    place = store.bound()
    name = hashed([version("spinscreen"), settings])
    file = file_of(place, name)
    if read_json(file) is None:
        content = {
            "settings": json.loads(json.dumps(settings, default=str)),
            "spinscreen_version": version("spinscreen"),
            "first_run": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        place.record(file, content)
    return name


def file_of(store: Place, name: str) -> Path:
    """The file of a campaign's record."""
    return store.path / _FOLDER / f"{name}.json"


def campaigns(store: Place) -> dict[str, dict[str, Any]]:
    """Settings, version and time of the first run of each campaign on a store, by its id."""
    folder = store.path / _FOLDER
    found = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        record = read_json(place / "zarr.json") if place.is_dir() else read_json(place)
        if record is not None and place.is_dir():
            # A group of version 1.
            record = record.get("attributes")
        # What cannot be read blocks nothing: `verify` names it.
        if isinstance(record, dict) and "settings" in record and not place.name.startswith("."):
            found[place.name.removesuffix(".json")] = record
    return found
