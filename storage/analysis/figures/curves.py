"""Integrals against the Fermi energy: every quantity, with its error, over the energies that matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import QUANTITIES, InputError, Integral

from ...component import Component
from ...fermi_level import level_of
from ...schema import error_name
from ..components import HALL, NERNST, check_hall, chosen_component, chosen_quantities
from ..natural_units import in_natural_units
from .labels import axis_label, energy_label, label_of_observable, symbol
from .style import COLORS, FAINT, GUIDE, figure_of, styled_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Share of what is as good as zero that is rounding.
_ROUNDING = 1e-3

_STYLES = ("-", "--", "-.", ":")

#: Fewer points than these have no bulk that one could stand out of.
_FEW = 20

#: A value is beyond the axis where it is so many times farther from the bulk than the bulk is wide; the bulk
#: is all but a twentieth at either end.
_BEYOND = 4.0

_BULK = (0.05, 0.95)

#: Room that a note of two lines takes in a corner, and its distance from the axes, as shares of their sides.
_NOTE, _OFF = (0.35, 0.2), 0.06


@dataclass(frozen=True, eq=False)
class _Curve:
    """energy, value, error : (energy,); error is 0 where none is known"""

    label: str
    energy: NDArray[np.float64]
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    style: str
    color: str


def draw_curve(
    dataset: xr.Dataset,
    quantity: str | Sequence[str] | None = None,
    component: Component | Sequence[str] | str | None = None,
    *,
    window: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One component of Brillouin-zone integrals against the Fermi energy, errors as bands.

    quantity : one or several of one unit: names in full, or "conserved", "anomalous", "dos", "magnetization";
        "hall" and "nernst" for the three answers side by side (T4, T6, T14; T10); by default "hall", else the
        first integral
    component : "xy_z" or "z_xy", or labels (observable, current_axis, field_axis); by default the largest at
        the Fermi level of those that symmetry leaves independent
    window : eV, energies that are shown, counted from the Fermi level where that is known
    Energies are counted from the Fermi level, 2D Hall conductivities are in e/(2 pi). Values far beyond all
    others are left out of the axis, which then says so. Raises InputError without matplotlib, for what the
    dataset lacks, and for quantities of several units.
    """
    names = chosen_quantities(dataset, quantity)
    shown = chosen_component(dataset, component, names[0])
    units = _common_unit(dataset, names, shown)
    level = level_of(dataset)
    from matplotlib.ticker import MaxNLocator

    curves = list(_curves(_windowed(dataset, level, window), names, shown, level))
    with styled_axes(ax, 2.9 if len(curves) > 1 else 2.5) as drawn:
        for curve in curves:
            _draw(drawn, curve)
        drawn.axhline(0, color=FAINT, linewidth=0.7, zorder=0)
        if level is not None:
            drawn.axvline(0, color=GUIDE, linewidth=0.7, linestyle=":", zorder=0)
        _limit(drawn, curves)
        _show_nothing(drawn, curves, _smallest(dataset, names[0]))
        drawn.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        drawn.set_xlabel(energy_label(level is not None))
        drawn.set_ylabel(axis_label(dataset, names[0], shown, units))
        _entitle(drawn, dataset, names, shown)
        if len(curves) > 1:
            # Beside the lines only in axes of the user, who may have no room below them.
            below: dict[str, Any] = (
                {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2} if ax is None else {}
            )
            drawn.legend(title=_remark(dataset, names), **below)
    return drawn


def plot_hall(dataset: xr.Dataset, component: Component | Sequence[str] | str | None = None) -> Figure:
    """Figure of the Hall conductivities of an observable (T4, T6, T14), what there is; see `draw_curve`.

    Raises InputError without matplotlib or a Hall conductivity.
    """
    check_hall(map(str, dataset.data_vars))
    return figure_of(draw_curve(dataset, "hall", component))


def _common_unit(dataset: xr.Dataset, names: Sequence[str], shown: Component) -> str:
    units = {in_natural_units(_selected(dataset, name, shown))[1]: name for name in names}
    if len(units) > 1:
        told = ", ".join(f"{name} in {unit}" for unit, name in units.items())
        raise InputError(f"plot: expected quantities of one unit in one figure, found {told}.")
    return next(iter(units))


def _selected(dataset: xr.Dataset, name: str, shown: Component) -> xr.DataArray:
    """One component of a variable, dims (fermi_energy) or (part, fermi_energy). Raises InputError."""
    values = dataset[name]
    free = set(map(str, values.dims)) - {"part", "fermi_energy"}
    labels = shown.labels(tuple(map(str, values.dims)))
    if free != set(labels):
        raise InputError(
            f"component: {str(shown) or 'none'} is no component of {name}, which has the dims "
            f"{', '.join(sorted(free)) or 'of no component'}."
        )
    return values.sel(labels)


def _windowed(dataset: xr.Dataset, level: float | None, window: tuple[float, float] | None) -> xr.Dataset:
    # Energies may come in any order, a line is drawn from left to right.
    dataset = dataset.sortby("fermi_energy")
    if window is None:
        return dataset
    relative = dataset["fermi_energy"].values - (level or 0.0)
    inside = (relative >= window[0]) & (relative <= window[1])
    if not inside.any():
        raise InputError(
            f"window: expected one that contains some of the energies from {relative.min():g} to "
            f"{relative.max():g} eV, found {window[0]:g} to {window[1]:g} eV."
        )
    return dataset.isel(fermi_energy=np.flatnonzero(inside))


def _curves(
    dataset: xr.Dataset, names: Sequence[str], shown: Component, level: float | None
) -> Iterator[_Curve]:
    energy = dataset["fermi_energy"].values - (level or 0.0)
    looks = zip(_STYLES * 9, COLORS * 9, strict=False)
    for name in names:
        values = _selected(dataset, name, shown)
        bars = (
            _selected(dataset, error_name(name), shown)
            if error_name(name) in dataset
            else xr.zeros_like(values)
        )
        if "part" not in values.dims:
            yield _curve(_called(name, dataset), energy, values, bars, *next(looks))
            continue
        for part in values["part"].values:
            one = values.sel(part=part)
            if not one.isnull().all():
                yield _curve(str(part), energy, one, bars.sel(part=part), *next(looks))
        # Errors of parts may be correlated: their sum is the bar that holds in any case.
        yield _curve("total", energy, values.sum("part", keep_attrs=True), bars.sum("part"), "-", "black")


def _curve(
    label: str, energy: NDArray, values: xr.DataArray, bars: xr.DataArray, style: str, color: str
) -> _Curve:
    numbers, _ = in_natural_units(values)
    error, _ = in_natural_units(bars.assign_attrs(values.attrs))
    return _Curve(label, energy, numbers, np.nan_to_num(error), style, color)


def _called(name: str, dataset: xr.Dataset) -> str:
    """What a curve is called beside others."""
    return (HALL | NERNST).get(name) or str(dataset[name].attrs.get("long_name", name.replace("_", " ")))


def _draw(ax: Axes, curve: _Curve) -> None:
    known = curve.error > 0
    if len(curve.energy) == 1:
        bars = curve.error if known.any() else None
        ax.errorbar(curve.energy, curve.value, bars, fmt="o", color=curve.color, label=curve.label, capsize=2)
        return
    ax.plot(curve.energy, curve.value, curve.style, color=curve.color, label=curve.label)
    if known.any():
        low, high = curve.value - curve.error, curve.value + curve.error
        ax.fill_between(curve.energy, low, high, color=curve.color, alpha=0.2, linewidth=0)


def _limit(ax: Axes, curves: Sequence[_Curve]) -> None:
    """An axis that shows the bulk of the values; what is beyond it is counted and marked."""
    ends = np.concatenate([c.value + sign * c.error for c in curves for sign in (-1, 1)])
    ends = ends[np.isfinite(ends)]
    if len(curves[0].energy) < _FEW or len(ends) == 0:
        return
    low, high = np.quantile(ends, _BULK)
    reach = _BEYOND * (high - low)
    inside = ends[(ends >= low - reach) & (ends <= high + reach)]
    if reach == 0 or len(inside) == len(ends):
        return
    bottom, top = min(inside.min(), 0.0), max(inside.max(), 0.0)
    margin = 0.08 * (top - bottom)
    bottom, top = bottom - margin, top + margin
    ax.set_ylim(bottom, top)
    told = []
    for curve in curves:
        beyond = (curve.value < bottom) | (curve.value > top)
        if beyond.any():
            edge = np.where(curve.value[beyond] > top, top, bottom)
            for place, marker in ((top, "^"), (bottom, "v")):
                at = curve.energy[beyond][edge == place]
                ax.plot(at, np.full(len(at), place), marker, color=curve.color, clip_on=False, markersize=3)
            told.append(curve.value[beyond])
    if told:
        values = np.concatenate(told)
        farthest = values[np.abs(values).argmax()]
        text = f"{len(values)} beyond the axis,\nup to {farthest:.2g}"
    else:
        text = "error bars\nbeyond the axis"
    _write_where_free(ax, curves, text)


def _write_where_free(ax: Axes, curves: Sequence[_Curve], text: str) -> None:
    """Two lines in the corner through which fewest points of the curves go, off the marks of the axes."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    x = np.concatenate([(curve.energy - left) / (right - left) for curve in curves])
    y = np.concatenate([(curve.value - bottom) / (top - bottom) for curve in curves])

    def crowd(corner: tuple[int, int]) -> int:
        return int(((abs(x - corner[0]) < _NOTE[0]) & (abs(y - corner[1]) < _NOTE[1])).sum())

    x_end, y_end = min(((0, 0), (1, 0), (0, 1), (1, 1)), key=crowd)
    ax.text(
        1 - _OFF if x_end else _OFF,
        1 - _OFF if y_end else _OFF,
        text,
        transform=ax.transAxes,
        fontsize="x-small",
        color="0.35",
        ha="right" if x_end else "left",
        va="top" if y_end else "bottom",
        linespacing=1.0,
    )


def _smallest(dataset: xr.Dataset, name: str) -> float:
    """What is as good as zero, in the unit that is drawn; 0 where nobody knows."""
    quantity, dimension = QUANTITIES.get(name), int(dataset.attrs.get("dimension", 3))
    if not isinstance(quantity, Integral):
        return 0.0
    stored = xr.DataArray(quantity.unit.smallest.get(dimension, 0.0), attrs=dataset[name].attrs)
    return float(in_natural_units(stored)[0])


def _show_nothing(ax: Axes, curves: Sequence[_Curve], smallest: float) -> None:
    """Rounding is a line at zero, not a figure of its own."""
    largest = max(float(np.nanmax(np.abs(c.value) + c.error, initial=0.0)) for c in curves)
    if largest < _ROUNDING * smallest:
        ax.set_ylim(-smallest, smallest)


def _entitle(ax: Axes, dataset: xr.Dataset, names: Sequence[str], shown: Component) -> None:
    material = str(dataset.attrs.get("model_name", ""))
    what = str(dataset[names[0]].attrs.get("long_name", names[0].replace("_", " ")))
    if set(names) <= set(HALL) and shown.observable is not None:
        what = f"Hall conductivity of {label_of_observable(dataset, shown)}"
    elif set(names) <= set(NERNST) and shown.observable is not None:
        what = f"Nernst conductivity of {label_of_observable(dataset, shown)}"
    elif material and not symbol(names[0], "", shown.axes):
        # The axis says it in words.
        what = ""
    if all(dataset[name].attrs.get("independent_components") == "" for name in names):
        what = f"{what}, 0 by symmetry" if what else "0 by symmetry"
    if any(dataset[name].attrs.get("converged") == 0 for name in names):
        what = ", ".join(filter(None, (what, "not\N{NO-BREAK SPACE}converged")))
    ax.set_title(": ".join(filter(None, (material, what))), parse_math=False, wrap=True)


def _remark(dataset: xr.Dataset, names: Sequence[str]) -> str | None:
    """What numbers of the packet picture hang on."""
    threshold = dataset.attrs.get("degeneracy_threshold")
    if threshold is None or not any("conserved" in name for name in names):
        return None
    return f"levels resolved to {1e3 * float(threshold):g} meV"
