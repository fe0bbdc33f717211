"""Attributes that every format can hold: netCDF knows texts, numbers and plain lists of numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

#: Whole numbers beyond this do not fit into netCDF 3.
_LARGEST = 2**31 - 1


def portable(value: Any) -> Any:
    """An attribute as xarray writes it to Zarr, netCDF 3 and netCDF 4 alike.

    Truth values become 1 and 0, nested lists of numbers one list, several texts a text with a line for each,
    a mapping a text of JSON.
    """
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False)
    if isinstance(value, list | tuple | np.ndarray):
        flat = np.asarray(value).ravel()
        if flat.dtype.kind not in "biuf":
            return "\n".join(map(str, flat))
        return [portable(one) for one in flat.tolist()]
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool):
        return int(plain)
    return float(plain) if isinstance(plain, int) and abs(plain) > _LARGEST else plain


def make_portable(dataset: xr.Dataset) -> None:
    """All attributes of a dataset and its variables as `portable` has them, in place."""
    for attributes in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values())):
        for name, value in attributes.items():
            attributes[name] = portable(value)


def texts_of(value: Any) -> tuple[str, ...]:
    """Several texts of an attribute: its lines, or the list that earlier versions stored; None has none."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.split("\n")) if value else ()
    return tuple(map(str, value))


def mapping_of(value: Any) -> Mapping[str, Any]:
    """A mapping of an attribute: its JSON, or what earlier versions stored; None is an empty one."""
    return json.loads(value) if isinstance(value, str) else value or {}


def vectors_of(value: Any) -> np.ndarray:
    """Vectors of an attribute, (n, 3): one list of numbers, or what earlier versions stored."""
    return np.reshape(np.asarray(value, dtype=float), (-1, 3))
