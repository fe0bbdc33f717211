"""Units of stored arrays: conversion, and the unit of one observable among several."""

from __future__ import annotations

from functools import cache
from typing import Any

import xarray as xr

from spinscreen.kernels import InputError


def unit_registry() -> Any:
    """The `pint.UnitRegistry` of all units here: pint's own know all but Theta, the unit of observables of
    several kinds in one variable, and cell, in units of earlier versions.

    For pint-xarray: `dataset.pint.quantify(unit_registry=unit_registry())`.
    """
    return _registry()


@cache
def _registry() -> Any:
    # A tenth of a second, which only those pay who convert.
    from pint import UnitRegistry

    registry: Any = UnitRegistry(force_ndarray_like=True)
    registry.define("cell = [unit_cell]")
    registry.define("Theta = [observable]")
    return registry


def units_of_one(values: xr.DataArray) -> str:
    """Unit of an array; where observables of several units share a variable, that of the one selected."""
    units = str(values.attrs.get("units", ""))
    if "Theta" in units and "observable_unit" in values.coords and values["observable_unit"].ndim == 0:
        return units.replace("Theta", str(values["observable_unit"].values)).replace("(e/e) ", "")
    return units


def converted(values: xr.DataArray, units: str) -> xr.DataArray:
    """The array in other units, for example "(hbar/e) S/m", "e/(2 pi)", "A/m".

    Raises InputError where a unit is unknown or of another dimension.
    """
    stored = units_of_one(values)
    registry = _registry()
    try:
        ratio = registry.parse_expression(stored or "1") / registry.parse_expression(units)
        factor = float(getattr(ratio, "to", lambda _: ratio)("dimensionless"))
    except Exception as problem:  # pint raises a family of errors, and Python's own for bad syntax
        told = str(problem).splitlines()[0]
        raise InputError(
            f"units: {stored!r} of {values.name!r} cannot be converted to {units!r} ({told}); expected a "
            "unit of the same kind, for example '(hbar/e) S/m' for a spin Hall conductivity."
        ) from None
    found = values * factor
    found.attrs = {**values.attrs, "units": units}
    return found
