"""What ran: the settings of every campaign on a store, beside its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .store import put_record, records

CAMPAIGNS = "campaigns"


def record_campaign(store: str | Path, settings: Mapping[str, Any]) -> str:
    """Keep the settings of a campaign, once; returns their id. Raises StoreError as `publish` does."""
    text = json.dumps([version("spinscreen"), settings], sort_keys=True, default=str)
    name = hashlib.sha256(text.encode()).hexdigest()[:10]
    if (Path(store) / CAMPAIGNS / name / "zarr.json").is_file():
        return name
    attributes = {
        "settings": json.loads(text)[1],
        "spinscreen_version": version("spinscreen"),
        "first_run": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    put_record(store, CAMPAIGNS, name, attributes)
    return name


def campaigns(store: str | Path) -> dict[str, dict[str, Any]]:
    """Settings, version and time of the first run of each campaign on a store."""
    return records(store, CAMPAIGNS)
