"""Units of the columns and tensors of the catalog, and what is no more than rounding in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spinscreen.kernels import Integral, find_quantity

from ..observables import Observables, facts_of, short_name

#: Short names of tensors in column names.
TENSORS: Mapping[str, str] = {
    "conserved": "conserved_hall_conductivity",
    "conventional": "conventional_hall_conductivity",
    "proper": "proper_hall_conductivity",
    "accumulation": "accumulation_coefficient",
    "anomalous": "anomalous_hall_conductivity",
}

#: Short names of tensors -> what says how much each depends on the degeneracy threshold.
SENSITIVITIES: Mapping[str, str] = {"conserved": "conserved_hall_conductivity_sensitivity"}

#: Endings of columns that have the unit of what is before them.
_ENDINGS = ("_error", "_max", "_sensitivity")

#: Share of what is as good as zero in its unit that may be rounding.
ROUNDING = 1e-5

#: The same below which tables show 0 for a number and its error: digits of what a gap makes zero say nothing.
SHOWN_AS_ZERO = 1e-3

#: Units of columns that are not components of a tensor.
_UNITS = {
    "fermi_level": "eV",
    "gap": "eV",
    "degeneracy_threshold": "eV",
    "broadening": "eV",
    "symmetry_deviation": "eV",
    "pair_splitting": "eV",
    "scan_minimum": "eV",
    "scan_maximum": "eV",
    "temperature": "K",
    "elapsed_seconds": "s",
    "carrier_density": "1",
    "carrier_density_error": "1",
    "largest_share_of_one_kpoint": "1",
    "symmetry_residual": "1",
}


def column_units(name: str) -> str | None:
    """Unit of a scalar column, None for texts and for columns of the user."""
    if name in _UNITS:
        return _UNITS[name]
    variable = _variable_of(name.partition("_")[0])
    if variable is not None:
        return tensor_units(variable)
    return "1" if name.startswith(("ratio_", "spin_hall_angle_")) else None


def _variable_of(kind: str) -> str | None:
    """The tensor of which columns are components, by what their names begin with."""
    return "circulation_magnetization" if kind == "magnetization" else TENSORS.get(kind)


def tensor_units(variable: str) -> str:
    """Unit by dimension: crystals, layers and chains share a catalog. Theta is the observable's unit."""
    quantity = find_quantity(variable)
    assert isinstance(quantity, Integral)
    by_dimension = quantity.unit.in_dimension
    return ", ".join(f"{by_dimension[d].format(theta='Theta')} in {d}D" for d in (3, 2, 1))


def hall_units(theta: str) -> Mapping[float, str]:
    """Unit of Hall conductivities of an observable with the unit `theta`, by dimension."""
    quantity = find_quantity(TENSORS["conserved"])
    assert isinstance(quantity, Integral)
    return {dimension: unit.format(theta=theta) for dimension, unit in quantity.unit.in_dimension.items()}


def unit_of(column: str, dimension: int, known: Observables) -> str | None:
    """Unit in which a column is stored for materials of one dimension; None where it has no unit of its own.

    known : observables of the catalog
    """
    stem = column
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    variable = _variable_of(stem.partition("_")[0])
    if variable is None:
        return None
    # Of two that fit, such as "z" and "my_z", the longer.
    named = max((n for n in known.names if stem.endswith(f"_{short_name(n)}")), key=len, default=None)
    theta = "Theta" if named is None else known.facts.get(named, facts_of(named)).unit
    return _in_dimension(variable, dimension, theta)


def tensor_unit_of(variable: str, dimension: int, known: Observables) -> str:
    """Unit of a tensor of the catalog for materials of one dimension; with Theta where its observables have
    several.
    """
    return _in_dimension(variable, dimension, known.common_unit)


def _in_dimension(variable: str, dimension: int, theta: str) -> str:
    quantity = find_quantity(variable)
    assert isinstance(quantity, Integral)
    return quantity.unit.in_dimension[dimension].format(theta=theta).replace("(e/e) ", "")


def rounding_of(kind: str, dimension: Any) -> float:
    """Size of a tensor's numbers, in its stored unit, that may be what rounding leaves of zero; 0 where that
    is not known.

    kind : as in the names of columns; dimension : of the material
    """
    variable = _variable_of(kind)
    quantity = None if variable is None else find_quantity(variable)
    smallest = quantity.unit.smallest if isinstance(quantity, Integral) else {}
    return ROUNDING * smallest.get(dimension, 0.0)
