"""The one registry of quantities: what can be computed, under which name, with which dims and unit.

A quantity is declared once, in the file of its family: formula, unit and record together. Schema, command
line, documentation and planner derive from what is collected here; docs/developing/add-a-quantity.md says how
to add one. An observable (spin, orbital, charge ...) is data on the model, not a quantity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ..errors import InputError
from . import equilibrium, field_induced, hall, levels, nernst, proper, surface, texture
from .field_induced import has_net_torque
from .record import (
    CONDUCTANCE,
    BandQuantity,
    Integral,
    Kernel,
    Quantity,
    Sample,
    Term,
    Unit,
    antisymmetric,
)

#: Families in the order in which tables show them.
FAMILIES = (levels, texture, hall, proper, surface, nernst, field_induced, equilibrium)

_RECORDS: list[Quantity] = [record for family in FAMILIES for record in family.RECORDS]

BAND_QUANTITIES = tuple(record for record in _RECORDS if isinstance(record, BandQuantity))

INTEGRALS = tuple(record for record in _RECORDS if isinstance(record, Integral))

QUANTITIES: Mapping[str, Quantity] = {
    **{q.name: q for q in BAND_QUANTITIES},
    **{q.name: q for q in INTEGRALS},
}

#: Labels of the dim `part` of quantities whose terms are stored side by side.
PARTS: Mapping[str, tuple[str, ...]] = {q.name: q.parts for q in INTEGRALS if q.parts}


def find_quantity(name: str) -> Quantity:
    """The record of a name. Raises InputError with the nearest known name."""
    try:
        return QUANTITIES[name]
    except KeyError:
        near = [known for known in QUANTITIES if name and name in known]
        near = near or get_close_matches(name, QUANTITIES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "see `spinscreen quantities`."
        raise InputError(f"quantities: {name!r} is not a known quantity; {hint}") from None


def band_quantities(names: Iterable[str]) -> tuple[BandQuantity, ...]:
    """Records for values per k and band. Raises InputError for an unknown name or an integral."""
    found = [find_quantity(name) for name in names]
    for quantity in found:
        if isinstance(quantity, Integral):
            raise InputError(
                f"quantities: {quantity.name!r} is an integral over the Brillouin zone, expected a value "
                "per k and band; use compute() for it."
            )
    return tuple(q for q in found if isinstance(q, BandQuantity))


def integrals(names: Iterable[str]) -> tuple[Integral, ...]:
    """Records for Brillouin-zone integrals. Raises InputError for an unknown name or a per-k value."""
    found = [find_quantity(name) for name in names]
    for quantity in found:
        if isinstance(quantity, BandQuantity):
            raise InputError(
                f"quantities: {quantity.name!r} is a value per k and band, expected a Brillouin-zone "
                "integral; use evaluate() for it."
            )
    return tuple(q for q in found if isinstance(q, Integral))


__all__ = [
    "BAND_QUANTITIES",
    "CONDUCTANCE",
    "FAMILIES",
    "INTEGRALS",
    "PARTS",
    "QUANTITIES",
    "BandQuantity",
    "Integral",
    "Kernel",
    "Quantity",
    "Sample",
    "Term",
    "Unit",
    "antisymmetric",
    "band_quantities",
    "find_quantity",
    "has_net_torque",
    "integrals",
]
