"""Units in which tables show a column: each row in that of its dimension, as figures do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from spinscreen.kernels import Integral, find_quantity

from ..analysis.natural_units import natural_unit
from ..observables import Observables, facts_of, short_name
from ..place import StoreLike
from ..results import TENSORS, column_units, rounding_of
from .reading import open_catalog

#: Endings of columns that have the unit of what is before them.
_ENDINGS = ("_error", "_max")


class ShownUnit(NamedTuple):
    """factor : from the number that is stored to the one that is shown
    rounding : size of a shown number that may be what rounding leaves of zero
    """

    factor: float
    unit: str
    rounding: float = 0.0


def shown_units(store: StoreLike, columns: Sequence[str]) -> Mapping[str, Mapping[int, ShownUnit]]:
    """Column -> dimension of a material -> factor and unit to show; columns without units are left out."""
    catalog = open_catalog(store)
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
    return ShownUnit(factor, name, factor * rounding_of(column.partition("_")[0], dimension))


def unit_of(column: str, dimension: int, known: Observables) -> str | None:
    """Unit in which a column is stored for materials of one dimension; None where it has no unit of its own.

    known : observables of the catalog
    """
    stem = column
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    kind = stem.partition("_")[0]
    variable = "circulation_magnetization" if kind == "magnetization" else TENSORS.get(kind)
    if variable is None:
        return None
    quantity = find_quantity(variable)
    assert isinstance(quantity, Integral)
    # Of two that fit, such as "z" and "my_z", the longer.
    named = max((n for n in known.names if stem.endswith(f"_{short_name(n)}")), key=len, default=None)
    theta = "Theta" if named is None else known.facts.get(named, facts_of(named)).unit
    return quantity.unit.in_dimension[dimension].format(theta=theta).replace("(e/e) ", "")


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
