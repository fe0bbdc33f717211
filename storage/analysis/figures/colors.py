"""Scales of colours: spins between their limits, curvatures over their decades, other values as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...observables import is_spin
from ..natural_units import printed_unit
from ..units import units_of_one
from .style import decades_of

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

#: Values per k that have poles where levels meet, by a part of their names: their colours are logarithmic.
_WITH_POLES = ("curvature", "dipole", "moment", "field_texture")

#: Largest over smallest value that a logarithmic scale tells from zero.
_DECADES = 1e3

#: Share of values that a scale spans; the rest has the colour of its end.
_SPANNED, _SPANNED_OF_POLES = 0.98, 0.995

#: Values per k, in eV, angstrom and hbar, that are rounding: a scale does not make them colourful.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class ColorScale:
    """norm : about zero; extend : "both" where values lie beyond it, else "neither"; label : of its bar
    decades : powers of ten that a logarithmic bar shows, both signs; () on a linear one
    """

    norm: Normalize
    extend: str
    label: str
    decades: tuple[int, ...] = ()


def color_scale(values: xr.DataArray, chosen: str = "") -> ColorScale:
    """The scale of one component of values per k.

    values : with the attributes and the scalar coordinates of a dataset; chosen : labels of the component
    """
    from matplotlib.colors import Normalize, SymLogNorm

    numbers = np.abs(values.values[np.isfinite(values.values)])
    units = printed_unit(units_of_one(values))
    spin = values.name == "texture" and is_spin(chosen)
    named = chosen.replace("_", " ") if spin else ""
    words = named or " ".join(filter(None, (str(values.attrs.get("long_name", values.name)), chosen)))
    label = f"{words} ({units})" if units not in ("", "1") else words
    poles = any(part in str(values.name) for part in _WITH_POLES)
    if spin:
        return ColorScale(Normalize(-0.5, 0.5), "neither", label)
    limit = max(_largest(numbers, _SPANNED_OF_POLES if poles else _SPANNED), _ROUNDING)
    # Beyond by rounding is not beyond.
    extend = "both" if numbers.size and numbers.max() > limit * (1 + 1e-6) else "neither"
    if not poles:
        return ColorScale(Normalize(-limit, limit), extend, label)
    linear = max(limit / _DECADES, float(np.median(numbers)) if numbers.size else 0.0)
    if linear > limit / 10:
        return ColorScale(Normalize(-limit, limit), extend, label)
    norm = SymLogNorm(linear, linscale=0.5, vmin=-limit, vmax=limit)
    return ColorScale(norm, extend, label, decades_of(linear, limit))


def _largest(numbers: NDArray, share: float) -> float:
    if not numbers.size:
        return 1.0
    return float(np.quantile(numbers, share)) or float(numbers.max())
