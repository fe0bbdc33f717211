"""Which component of a quantity per k and band is drawn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError, short

from ...component import Component


def labels_of(values: xr.DataArray, component: str | Mapping[str, Hashable] | None) -> dict[str, Hashable]:
    """Labels of a component by name or dim by dim, by default the one that is largest over most of k.

    Raises InputError.
    """
    if isinstance(component, Mapping):
        return dict(component)
    dims = [str(dim) for dim in values.dims if dim not in ("k", "band")]
    if component is not None:
        found = Component.of(values, component).labels(tuple(map(str, values.dims)))
        return dict(found)
    if not dims:
        return {}
    # Poles would choose by a single point.
    sizes = abs(values).quantile(0.9, [dim for dim in values.dims if dim not in dims])
    place = np.unravel_index(int(np.argmax(sizes.values)), sizes.shape)
    return {str(dim): str(sizes[dim].values[i]) for dim, i in zip(sizes.dims, place, strict=True)}


def per_k(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """A variable with values per k and band. Raises InputError."""
    known = [str(n) for n, values in dataset.data_vars.items() if {"k", "band"} <= set(values.dims)]
    if name not in known:
        raise InputError(f"color: {short(name)} is not in the dataset, expected one of {', '.join(known)}.")
    return dataset[name]
