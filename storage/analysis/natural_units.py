"""Units as figures and tables show them."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from spinscreen.kernels import CONDUCTANCE

from .units import units_of_one

#: In two dimensions, what a filled band carries per winding.
_QUANTA = {"(hbar/e) S": "e/2π", "S": "e²/h"}

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def in_natural_units(values: xr.DataArray) -> tuple[np.ndarray, str]:
    """Numbers and unit to show: 2D Hall conductivities in e/(2 pi) and e^2/h, everything else as stored.

    Where observables of several units share a variable, each is in its own, and the unit names them.
    """
    units = units_of_one(values)
    if "Theta" in units and {"observable", "observable_unit"} <= {*values.dims, *values.coords}:
        axis = values.get_axis_num("observable")
        each = [in_natural_units(values.isel(observable=i)) for i in range(values.shape[axis])]
        names: dict[str, list[str]] = {}
        for name, (_, unit) in zip(values["observable"].values, each, strict=True):
            names.setdefault(unit, []).append(str(name))
        first, *others = names
        told = [first, *(f"{unit} of {', '.join(names[unit])}" for unit in others)]
        return np.stack([numbers for numbers, _ in each], axis), "; ".join(told)
    factor, unit = natural_unit(units)
    return values.values if factor == 1 else values.values * 2 * np.pi / CONDUCTANCE, unit


def natural_unit(units: str) -> tuple[float, str]:
    """Factor and unit to show for what is stored in a unit."""
    if units in _QUANTA:
        return 2 * np.pi / CONDUCTANCE, _QUANTA[units]
    return 1.0, units.replace("hbar", "ħ")


def printed_unit(units: str) -> str:
    """A unit as figures print it: ħ Å² for hbar angstrom^2."""
    plain = units.replace("hbar", "ħ").replace("angstrom", "Å")
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_SUPERSCRIPTS), plain)
