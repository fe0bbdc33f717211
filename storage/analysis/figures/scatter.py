"""Materials against each other: two columns of the catalog, in the colour of a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import QUANTITIES, InputError, short

from ...component import Component
from ...observables import short_name
from ..natural_units import natural_unit, printed_unit
from .labels import label_of_observable, plain, symbol
from .style import (
    COLORS,
    COLUMN,
    GUIDE,
    STYLE,
    add_colorbar,
    decades_of,
    figure_class,
    figure_of,
    signed_ticks,
    styled_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Materials that are still labelled.
_LABELLED = 40

#: Share of the largest value below which axes are linear.
_LINEAR = 1e-3

#: Largest over usual value from which an axis is logarithmic.
_DECADES = 20.0

#: Powers of ten with either sign that there is room for along an axis.
_WRITTEN = {"x": 2, "y": 4}

#: Words that a column may have and colours can still tell apart.
_MOST_WORDS = len(COLORS)

_KINDS = {3: "crystals", 2: "layers", 1: "chains"}


@dataclass(frozen=True, eq=False)
class _Column:
    """values, bars : (material,) in `unit`; bars are None where no errors are known"""

    values: NDArray[np.float64]
    bars: NDArray[np.float64] | None
    unit: str

    @property
    def largest(self) -> float:
        return float(np.nanmax(np.abs(self.values), initial=0.0)) or 1.0

    @property
    def spans_decades(self) -> bool:
        sizes = np.abs(self.values[np.isfinite(self.values) & (self.values != 0)])
        return sizes.size > 0 and float(sizes.max()) > _DECADES * float(np.median(sizes))


def draw_scatter(
    catalog: xr.Dataset,
    component: str = "xy_z",
    *,
    x: str | None = None,
    y: str | None = None,
    color: str | None = None,
    dimension: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Conserved against conventional Hall conductivity at the Fermi level, one point per material.

    component : "xy_z" or "z_xy" for the current of spin_z along x in a field along y
    x, y : other columns in place of the two; color : a column of numbers or words
    dimension : 2 or 3 where the catalog has both, whose units differ
    Axes are linear near zero and logarithmic beyond; where signs are opposite the ground is tinted. Bars are
    the errors. Raises InputError without matplotlib, where the catalog lacks a column, and where dimensions
    are mixed.
    """
    shown = Component.parse(component)
    names = (x or f"conventional_{shown}", y or f"conserved_{shown}")
    for name in (*names, *([color] if color else [])):
        if name not in catalog:
            raise InputError(
                f"plot_scatter: {short(name)} is not in the catalog, expected a column, or a component "
                "such as 'xy_z'."
            )
    rows = _of_dimension(catalog, dimension)
    one = _one_dimension(rows)
    columns = [_column(rows, name, one) for name in names]
    with styled_axes(ax, 3.0) as drawn:
        _scale(drawn, columns)
        _points(drawn, rows, columns, color)
        for axis, name, column in zip((drawn.xaxis, drawn.yaxis), names, columns, strict=True):
            axis.set_label_text(_named(rows, name, shown, column.unit))
        if rows.sizes["material"] <= _LABELLED:
            _name_points(drawn, rows["name"].values.tolist(), columns)
    return drawn


def plot_scatter(catalog: xr.Dataset, component: str = "xy_z", **columns: Any) -> Figure:
    """Figure of `draw_scatter`, one panel for each dimension in the catalog: their units differ."""
    dimensions = _dimensions(catalog)
    if len(dimensions) < 2 or columns.get("dimension") is not None:
        return figure_of(draw_scatter(catalog, component, **columns))
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = figure_class()(figsize=(COLUMN * len(dimensions), 3.0), layout="compressed")
        for ax, dimension in zip(figure.subplots(1, len(dimensions)), dimensions, strict=True):
            draw_scatter(catalog, component, **columns, dimension=dimension, ax=ax)
            ax.set_title(_KINDS[dimension])
    return figure


def _dimensions(catalog: xr.Dataset) -> list[int]:
    if "dimension" not in catalog:
        return []
    found = np.asarray(catalog["dimension"].values, dtype=float)
    return sorted({int(d) for d in found if d in _KINDS}, reverse=True)


def _of_dimension(catalog: xr.Dataset, dimension: int | None) -> xr.Dataset:
    found = _dimensions(catalog)
    if dimension is None and len(found) > 1:
        raise InputError(
            f"plot_scatter: the catalog has materials of dimensions {' and '.join(map(str, found))}, whose "
            "units differ; expected dimension=."
        )
    if dimension is None:
        return catalog
    if dimension not in found:
        raise InputError(
            f"plot_scatter: no material has the dimension {short(dimension)}, expected one of {found}."
        )
    return catalog.isel(material=np.flatnonzero(np.asarray(catalog["dimension"].values, float) == dimension))


def _one_dimension(rows: xr.Dataset) -> int:
    return next(iter(_dimensions(rows)), 3)


def _unit(rows: xr.Dataset, name: str, dimension: int) -> tuple[float, str]:
    """Factor and unit of a column."""
    # The catalog knows figures, which know the catalog.
    from ...observables import Observables
    from ...results import unit_of

    if "heading" in rows[name].attrs:
        return 1.0, ""
    unit = unit_of(name, dimension, Observables.in_dataset(rows)) or str(rows[name].attrs.get("units", ""))
    return natural_unit("" if unit == "1" else unit)


def _column(rows: xr.Dataset, name: str, dimension: int) -> _Column:
    values = rows[name].values
    if values.dtype.kind not in "biuf" or rows[name].dims != ("material",):
        raise InputError(f"plot_scatter: expected a column of numbers, found {name}.")
    factor, unit = _unit(rows, name, dimension)
    bars = None
    if f"{name}_error" in rows:
        bars = np.nan_to_num(rows[f"{name}_error"].values.astype(float) * factor)
    return _Column(values.astype(float) * factor, bars, unit)


def _scale(ax: Axes, columns: Sequence[_Column]) -> None:
    """Axes alike where their units are, with equal values and opposite signs marked; else each its own."""
    x, y = columns
    if x.unit != y.unit or not x.unit:
        for letter, column in (("x", x), ("y", y)):
            if column.spans_decades:
                _make_logarithmic(ax, letter, column.values)
        return
    numbers = np.concatenate([x.values, y.values])
    for letter in "xy":
        low, high = _make_logarithmic(ax, letter, numbers)
    ax.plot([low, high], [low, high], color=GUIDE, linewidth=0.7, zorder=0)
    for across, bottom, top in (((low, 0), 0, high), ((0, high), low, 0)):
        ax.fill_between(across, bottom, top, color=COLORS[1], alpha=0.08, linewidth=0, zorder=0)


def _make_logarithmic(ax: Axes, letter: str, values: NDArray) -> tuple[float, float]:
    """An axis, "x" or "y", that is linear near zero and logarithmic beyond; returns its limits."""
    largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    linear = _LINEAR * largest
    low = -4 * largest if np.nanmin(values, initial=0.0) < 0 else -linear
    high = 4 * largest if np.nanmax(values, initial=0.0) > 0 else linear
    ticks = signed_ticks(decades_of(linear, largest, _WRITTEN[letter]))
    axis = ax.xaxis if letter == "x" else ax.yaxis
    getattr(ax, f"set_{letter}scale")("symlog", linthresh=linear, linscale=0.4)
    axis.set_ticks(list(ticks), labels=list(ticks.values()))
    axis.set_ticks([], minor=True)
    # Ticks widen an axis that does not reach them.
    ax.set(**{f"{letter}lim": (low, high)})
    return low, high


def _points(ax: Axes, rows: xr.Dataset, columns: Sequence[_Column], color: str | None) -> None:
    x, y = columns
    ax.errorbar(x.values, y.values, y.bars, x.bars, fmt="none", ecolor="0.5", elinewidth=0.7, zorder=1)
    look: dict[str, Any] = {"s": 16, "zorder": 2, "edgecolors": "white", "linewidths": 0.4}
    if color is None:
        ax.scatter(x.values, y.values, color=COLORS[0], **look)
        return
    given = rows[color].values
    if given.dtype.kind in "biuf":
        column = _column(rows, color, _one_dimension(rows))
        drawn = ax.scatter(x.values, y.values, c=column.values, cmap="viridis", **look)
        words = color.replace("_", " ")
        add_colorbar(ax, drawn, f"{words} ({printed_unit(column.unit)})" if column.unit else words)
        return
    told = [str(word) for word in given]
    known = sorted(set(told))
    if len(known) > _MOST_WORDS:
        raise InputError(
            f"plot_scatter: {color} has {len(known)} different words, expected at most {_MOST_WORDS} for "
            "colours."
        )
    for word, hue in zip(known, COLORS, strict=False):
        mine = np.array([one == word for one in told])
        ax.scatter(x.values[mine], y.values[mine], color=hue, label=plain(word) or "none", **look)
    ax.legend(title=color.replace("_", " "))


def _name_points(ax: Axes, names: Sequence[object], columns: Sequence[_Column]) -> None:
    """Names beside their points, moved apart where adjustText is installed."""
    x, y = (column.values for column in columns)
    kept = np.isfinite(x) & np.isfinite(y)
    look: dict[str, Any] = {"fontsize": 6.0, "parse_math": False, "zorder": 3}
    texts = [
        ax.text(a, b, str(name), **look)
        for name, a, b in zip(np.array(names)[kept], x[kept], y[kept], strict=True)
    ]
    if not texts or find_spec("adjustText") is None:
        return
    from adjustText import adjust_text

    # Texts are placed on what the layout leaves of the figure.
    figure_of(ax).draw_without_rendering()
    adjust_text(texts, x[kept], y[kept], ax=ax, arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.5})


def _named(rows: xr.Dataset, name: str, shown: Component, unit: str) -> str:
    """A column as an axis calls it: "conserved" with its symbol, another one by its words."""
    kind, _, rest = name.partition("_")
    words = name.replace("_", " ")
    if rest == str(shown) and f"{kind}_hall_conductivity" in QUANTITIES:
        words = f"{kind} {symbol('conductivity', short_name(label_of_observable(rows, shown)), shown.axes)}"
    return f"{words} ({printed_unit(unit)})" if unit else words
