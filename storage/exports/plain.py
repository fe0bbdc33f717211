"""Values and units of a catalog row as any program takes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..catalog.shown_units import unit_of
from ..results import CatalogRow, column_units


def plain(value: Any) -> Any:
    """A number, truth value or text of Python itself; None for what is not finite."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dimension_of(row: CatalogRow) -> int:
    """How many axes of a material repeat; 3 where a result of the first versions does not say."""
    return int(row.columns.get("dimension", 3))


def units_by_column(row: CatalogRow) -> dict[str, str]:
    """Column -> unit of its number; texts, pure counts and the user's own columns have none."""
    found = {name: _unit(row, name) for name in row.columns}
    return {name: unit for name, unit in found.items() if unit is not None}


def has_unit_of_dimension(row: CatalogRow, column: str) -> bool:
    """True where crystals, layers and chains have the column in different units."""
    dimension = dimension_of(row)
    return column not in row.headings and unit_of(column, dimension, row.observables) is not None


def _unit(row: CatalogRow, column: str) -> str | None:
    if column in row.headings:
        # A column of the user is what the user says.
        return None
    return unit_of(column, dimension_of(row), row.observables) or column_units(column)
