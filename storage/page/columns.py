"""What the page says of each column of the table: its unit for crystals, layers and chains, what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import QUANTITIES, Integral

from ..catalog import scalar_columns
from ..catalog.shown_units import shown_units_of
from ..observables import Observables, short_name
from ..results import TENSORS, rounding_of

#: Columns that the table begins with, those that there are; components follow.
_FIRST = ("formula", "space_group", "gap")

#: Kinds of which the usual component is shown, in their order.
_KINDS = ("conventional", "conserved", "proper")

#: Kinds of columns that have one for each component of a tensor.
_BY_COMPONENT = (*TENSORS, "ratio", "spin_hall_angle", "magnetization")

#: Endings of columns that stand and fall with the value that they are about.
_BESIDE = ("_error", "_sensitivity")


def described_columns(table: xr.Dataset, names: Sequence[str]) -> list[dict[str, Any]]:
    """Of each column: name, heading of the user, whether it is a text, name of its error column, units as
    [factor, unit, size that may be rounding] by dimension of the material.
    """
    units = shown_units_of(table, names)
    return [
        {
            "name": name,
            "heading": table[name].attrs.get("heading"),
            "text": table[name].dtype.kind not in "fiub",
            "error": f"{name}_error" if f"{name}_error" in names else None,
            "units": {str(d): list(shown) for d, shown in units.get(name, {}).items()},
        }
        for name in names
    ]


def first_columns(table: xr.Dataset) -> list[str]:
    """Columns that are shown until others are chosen: three answers for the usual component."""
    known = scalar_columns(table)
    usual = usual_component(table)
    wanted = [*_FIRST, *(f"{kind}_{usual}" for kind in _KINDS), f"conserved_{usual}_max", "quality"]
    given = [name for name in known if "heading" in table[name].attrs]
    return [name for name in dict.fromkeys((*wanted, *given[:4])) if name in known]


def usual_component(table: xr.Dataset) -> str:
    """The component of the spin Hall conductivity that is the largest in most materials, else xy_z."""
    known = scalar_columns(table)
    spins = [short_name(n) for n in Observables.in_dataset(table).names if n != short_name(n)]
    endings = [f"{a}{b}_{spin}" for spin in reversed(spins) for a in "xyz" for b in "xyz"]
    for kind in _KINDS:
        there = [ending for ending in endings if f"{kind}_{ending}" in known]
        sizes = np.array([np.abs(table[f"{kind}_{ending}"].values) for ending in there])
        told = np.nan_to_num(sizes) if len(sizes) else np.zeros((1, 0))
        told = told[:, told.max(axis=0) > 0]
        if told.size:
            # Of components that are equal by symmetry the first; rounding decides nothing.
            largest = (told > 0.999 * told.max(axis=0)).argmax(axis=0)
            return there[int(np.bincount(largest).argmax())]
    return "xy_z"


def told_columns(table: xr.Dataset) -> list[str]:
    """All columns but those of components that are rounding, with their errors, in every material."""
    found = list(scalar_columns(table))
    kinds = tuple(f"{kind}_" for kind in _BY_COMPONENT)
    ours = [name for name in found if name.startswith(kinds) and "heading" not in table[name].attrs]
    known = table["dimension"].values if "dimension" in table else np.zeros(table.sizes["material"])
    dimensions = np.nan_to_num(known).astype(int).tolist()

    def vanishes(name: str) -> bool:
        limits = np.array([rounding_of(name.partition("_")[0], dimension) for dimension in dimensions])
        return bool((np.nan_to_num(np.abs(table[name].values)) <= limits).all())

    beside: dict[str, list[str]] = {}
    for name in ours:
        beside.setdefault(_stem_of(name), []).append(name)
    gone = {name for names in beside.values() if all(map(vanishes, names)) for name in names}
    return [name for name in found if name not in gone]


def _stem_of(name: str) -> str:
    """The column that one stands beside, or itself."""
    for ending in _BESIDE:
        name = name.removesuffix(ending)
    return name


def column_values(table: xr.Dataset, name: str) -> NDArray[np.float64] | list[str]:
    """The values of a column: numbers, or texts."""
    values = table[name].values
    if values.dtype.kind in "fiub":
        return values.astype(float)
    return [str(value) for value in values]


def quantities_told() -> Mapping[str, Mapping[str, str]]:
    """Name of each integral -> what it is, as texts of the page."""
    return {
        q.name: {"title": q.long_name, "theory": q.theory, "comment": q.comment}
        for q in QUANTITIES.values()
        if isinstance(q, Integral)
    }
