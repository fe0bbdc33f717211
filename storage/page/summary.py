"""What the page knows before a material is opened: campaigns, failures, and what columns the table has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from ..campaign_records import campaigns
from ..catalog.screening import with_made_columns
from ..catalog.superseded import superseded
from ..failure_records import failure_records
from ..place import Place, StoreLike
from ..schema import REFERENCES
from .columns import described_columns, first_columns, quantities_told, usual_component

#: Columns that filters need beside those that are shown.
_MADE = "elements"


def with_elements(table: xr.Dataset) -> xr.Dataset:
    """The table with the column `elements`, which filters on elements look at."""
    return with_made_columns(table, (_MADE,))


def name_of(store: StoreLike) -> str:
    """How the user calls a store."""
    return str(store.path if isinstance(store, Place) else store)


def summary(place: Place, shown_as: str, table: xr.Dataset, columns: Sequence[str]) -> dict[str, Any]:
    """For JSON; shown_as : how the user calls the store; columns : those of the table that the page has."""
    first = [name for name in first_columns(table) if name in columns]
    return {
        "store": shown_as,
        "version": version("spinscreen"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "cite": REFERENCES,
        "campaigns": [{"id": name, **record} for name, record in campaigns(place).items()],
        "failures": failure_records(place),
        "damaged": list(table.attrs.get("damaged", ())),
        "quantities": quantities_told(),
        "ids": [str(name) for name in table["material"].values],
        "newest": newest(table).tolist(),
        "columns": described_columns(table, columns),
        "first": first,
        "usual": usual_component(table),
    }


def newest(table: xr.Dataset) -> np.ndarray:
    """True for rows that no newer result of the same material supersedes."""
    rows = np.arange(table.sizes["material"])
    return ~np.isin(rows, superseded(table, rows))
