"""What ran: the settings of every campaign on a store, beside its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .files import hashed, read_json
from .store import Store

_FOLDER = "campaigns"


def record_campaign(store: str | Path | Store, settings: Mapping[str, Any]) -> str:
    """Keep the settings of a campaign, once; returns their id. Raises StoreError as `publish` does."""
    place = Store.at(store)
    if place.identity is None:
        place = place.opened()
    name = hashed([version("spinscreen"), settings])
    file = place.path / _FOLDER / f"{name}.json"
    if read_json(file) is None:
        content = {
            "settings": json.loads(json.dumps(settings, default=str)),
            "spinscreen_version": version("spinscreen"),
            "first_run": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        place.record(file, content)
    return name


def campaigns(store: str | Path | Store) -> dict[str, dict[str, Any]]:
    """Settings, version and time of the first run of each campaign on a store, by its id."""
    folder = Store.at(store).path / _FOLDER
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
