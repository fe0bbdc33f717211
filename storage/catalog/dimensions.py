"""Crystals, layers and chains of one catalog apart, each in its own units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError, short

from ..observables import Observables
from ..results import TENSORS, tensor_unit_of, unit_of


def of_dimension(catalog: xr.Dataset, dimension: int) -> xr.Dataset:
    """The materials of one dimension, with units that pint knows: in a catalog of several a conductivity has
    none, as it is in S/cm for crystals and in S for layers.

    dimension : 3 crystals, 2 layers, 1 chains
    Raises InputError for another number, and where the catalog does not know dimensions.
    """
    if dimension not in (1, 2, 3):
        raise InputError(f"dimension: expected 1, 2 or 3, found {short(dimension)}.")
    if "dimension" not in catalog:
        raise InputError("of_dimension: the catalog has no column 'dimension'; build it anew.")
    found = catalog.isel(material=np.flatnonzero(np.asarray(catalog["dimension"].values) == dimension))
    known = Observables.in_dataset(catalog)
    for name, values in found.data_vars.items():
        if (unit := _unit(str(name), values, dimension, known)) is not None:
            kept = {key: told for key, told in values.attrs.items() if key != "units_by_dimension"}
            found[name].attrs = kept | {"units": unit}
    return found


def _unit(name: str, values: xr.DataArray, dimension: int, known: Observables) -> str | None:
    """None for columns of the user, and where the unit does not depend on the dimension."""
    if name in TENSORS.values():
        return tensor_unit_of(name, dimension, known)
    return None if "heading" in values.attrs else unit_of(name, dimension, known)
