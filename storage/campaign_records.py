"""What ran: the settings of every campaign on a store, beside its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zarr

from .store import prepare_store, put_in_place, writing, written_beside

CAMPAIGNS = "campaigns"


def record_campaign(store: str | Path, settings: Mapping[str, Any]) -> str:
    """Keep the settings of a campaign, once; returns their id. Raises StoreError as `publish` does."""
    root = Path(store)
    text = json.dumps([version("spinscreen"), settings], sort_keys=True, default=str)
    name = hashlib.sha256(text.encode()).hexdigest()[:10]
    if (root / CAMPAIGNS / name / "zarr.json").is_file():
        return name
    attributes = {
        "settings": json.loads(text)[1],
        "spinscreen_version": version("spinscreen"),
        "first_run": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with writing(root), written_beside(root, "campaign") as beside:
        prepare_store(root)
        zarr.open_group(root / CAMPAIGNS, mode="a", zarr_format=3)
        zarr.open_group(beside, mode="a", zarr_format=3, attributes=attributes)
        put_in_place(beside, root / CAMPAIGNS / name)
    return name


def campaigns(store: str | Path) -> dict[str, dict[str, Any]]:
    """Settings, version and time of the first run of each campaign on a store."""
    return {
        entry.parent.name: dict(zarr.open_group(entry.parent, mode="r").attrs)
        for entry in sorted((Path(store) / CAMPAIGNS).glob("*/zarr.json"))
    }
