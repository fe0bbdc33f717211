"""Units in which tables show a column: each row in that of its dimension, as figures do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..analysis.natural_units import natural_unit
from ..observables import Observables
from ..place import StoreLike
from ..results import column_units, rounding_of
from ..results import unit_of as unit_of
from ..results.units import ROUNDING, SHOWN_AS_ZERO
from .reading import open_catalog


class ShownUnit(NamedTuple):
    """factor : from the number that is stored to the one that is shown
    rounding : size of a number, with its error, up to which 0 is shown for it
    """

    factor: float
    unit: str
    rounding: float = 0.0


def shown_units(store: StoreLike, columns: Sequence[str]) -> Mapping[str, Mapping[int, ShownUnit]]:
    """Column -> dimension of a material -> factor and unit to show; columns without units are left out."""
    return shown_units_of(open_catalog(store), columns)


def shown_units_of(catalog: xr.Dataset, columns: Sequence[str]) -> Mapping[str, Mapping[int, ShownUnit]]:
    """The same for a catalog that is open."""
    known = Observables.in_dataset(catalog)
    dimensions = _dimensions(catalog)
    units = {c: _given_or_computed(catalog, c) for c in columns}
    return {
        column: {d: _shown(column, d, unit_of(column, d, known) or unit) for d in dimensions}
        for column, unit in units.items()
        if unit is not None
    }


def _shown(column: str, dimension: int, unit: str) -> ShownUnit:
    factor, name = natural_unit(unit)
    rounding = rounding_of(column.partition("_")[0], dimension) * SHOWN_AS_ZERO / ROUNDING
    return ShownUnit(factor, name, factor * rounding)


def _given_or_computed(catalog: xr.Dataset, column: str) -> str | None:
    if column not in catalog or "heading" in catalog[column].attrs:
        # A column of the user is what the user says.
        return None
    unit = column_units(column)
    return None if unit == "1" else unit


def _dimensions(catalog: xr.Dataset) -> list[int]:
    if "dimension" not in catalog:
        return []
    found = np.asarray(catalog["dimension"].values, dtype=float)
    return sorted({int(d) for d in found if d in (1, 2, 3)})
