"""Figures of stored results, units on every axis."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from spinscreen.kernels import CONDUCTANCE, InputError

from ..attributes import texts_of
from ..component import Component
from ..fermi_level import at_level, level_of
from ..observables import Observables, short_name
from ..schema import error_name
from .units import units_of_one

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Share of the largest value below which all components at the Fermi level are rounding.
_ROUNDING = 1e-6

#: Materials that are still labelled in a scatter plot.
_LABELLED = 40

_CURVES = (
    ("conventional_hall_conductivity", "conventional", "-"),
    ("conserved_hall_conductivity", "conserved, packet picture", "--"),
    ("proper_hall_conductivity", "full response", "-."),
)


def new_figure() -> type:
    """Matplotlib's class of figures. Raises InputError where it is not installed."""
    try:
        # The class itself, not pyplot: no display and no global list of figures is touched.
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "plot: matplotlib is not installed, expected it for figures; pip install 'spinscreen[plot]'."
        ) from None
    return Figure


def figure_suffixes() -> frozenset[str]:
    """Endings of files that figures can be drawn into. Raises InputError without matplotlib."""
    return frozenset(new_figure()().canvas.get_supported_filetypes())


def check_hall(names: Iterable[str]) -> None:
    """Raise InputError where none of the names is a Hall conductivity that `plot_hall` draws."""
    given, drawn = list(names), [name for name, _, _ in _CURVES]
    if not set(drawn) & set(given):
        raise InputError(
            f"plot: expected {', '.join(drawn[:-1])} or {drawn[-1]} in the dataset, found "
            f"{', '.join(given) or 'nothing'}."
        )


def hall_variable(dataset: xr.Dataset) -> xr.DataArray:
    """The first of the Hall conductivities of an observable. Raises InputError where there is none."""
    check_hall(map(str, dataset.data_vars))
    return dataset[next(name for name, _, _ in _CURVES if name in dataset)]


def largest_component(dataset: xr.Dataset) -> Component:
    """The component that is largest at the Fermi level: of T4, else of T6, else of T14.

    Of those from which the others follow by symmetry, where the dataset names them (attribute
    `independent_components`). In the whole scan where that does not contain the level, or all components
    vanish at it. Raises InputError where the dataset has no Hall conductivity of an observable.
    """
    scan = _of_independent(hall_variable(dataset))
    here, largest = at_level(dataset), abs(scan).max("fermi_energy")
    at = None if here is None else abs(_of_independent(here[scan.name]))
    # What is left of a component by rounding is no answer.
    vanishes = at is None or not float(at.max()) > _ROUNDING * float(largest.max())
    values = largest if at is None or vanishes else at
    place = np.unravel_index(int(np.argmax(values.values)), values.shape)
    observable, current, field = (
        str(values[dim].values[i]) for dim, i in zip(values.dims, place, strict=True)
    )
    return Component(observable, current + field)


def _of_independent(values: xr.DataArray) -> xr.DataArray:
    """The values with 0 in the place of components that symmetry forbids or that follow from others."""
    named = str(values.attrs.get("independent_components", ""))
    if not named:
        return values
    kept = xr.zeros_like(values)
    try:
        for name in named.split(", "):
            labels = Component.of(values, name).labels(tuple(map(str, values.dims)))
            kept.loc[labels] = values.loc[labels]
    except InputError:
        # Of observables that somebody named anew, nothing is known.
        return values
    return kept


def chosen_component(dataset: xr.Dataset, component: Component | Sequence[str] | str | None) -> Component:
    """A component as the user named it, by default the largest. Raises InputError."""
    if component is None:
        return largest_component(dataset)
    if isinstance(component, str):
        return Component.of(hall_variable(dataset), component)
    if isinstance(component, Component):
        return component
    observable, current, field = component
    return Component(observable, current + field)


def plot_hall(dataset: xr.Dataset, component: Component | Sequence[str] | str | None = None) -> Figure:
    """Conventional, conserved and full Hall conductivity (T4, T6, T14) against Fermi energy, what there is.

    component : "xy_z" or "z_xy", or labels (observable, current_axis, field_axis); by default the largest at
        the Fermi level
    Errors are drawn as bands, 2D results in units of e/(2 pi). Raises InputError without matplotlib or a Hall
    conductivity.
    """
    shown = chosen_component(dataset, component)
    label = _label(dataset, shown)
    # Energies may come in any order, a line is drawn from left to right.
    dataset = dataset.sortby("fermi_energy")
    figure = new_figure()(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for name, text, style in _CURVES:
        if name not in dataset:
            continue
        numbers, units = in_natural_units(shown.select(dataset[name]))
        marker = "o" if dataset.sizes["fermi_energy"] == 1 else None
        (line,) = ax.plot(dataset["fermi_energy"], numbers, style, label=text, marker=marker)
        if error_name(name) in dataset:
            bars, _ = in_natural_units(shown.select(dataset[error_name(name)]))
            band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0}
            ax.fill_between(dataset["fermi_energy"], numbers - bars, numbers + bars, **band)
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    level = level_of(dataset)
    if level is not None:
        ax.axvline(float(level), color="0.6", linewidth=0.8, linestyle=":", label="Fermi level")
    ax.set_xlabel("Fermi energy (eV)")
    ax.set_ylabel(f"{_symbol(short_name(label), shown.axes)} ({units})")
    ax.set_title(
        f"{dataset.attrs.get('model_name', '')}: Hall conductivity of {label}, "
        f"levels resolved to {1e3 * float(dataset.attrs['degeneracy_threshold']):g} meV",
        fontsize="medium",
        parse_math=False,
    )
    ax.legend()
    return figure


def _label(dataset: xr.Dataset, component: Component) -> str:
    """What the figure calls the observable of a component."""
    name = str(component.observable)
    facts = Observables.in_dataset(dataset).facts.get(name)
    return name if facts is None else facts.label


def in_natural_units(values: xr.DataArray) -> tuple[np.ndarray, str]:
    """Numbers and unit to show: 2D Hall conductivities in e/(2 pi), everything else as stored.

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
    if units == "(hbar/e) S":
        return 2 * np.pi / CONDUCTANCE, "e/2π"
    return 1.0, units.replace("hbar", "ħ")


def plot_bands(
    dataset: xr.Dataset, color_by: str, selection: Mapping[str, Hashable], fermi_level: float | None
) -> Figure:
    """Bands along a path, coloured by one component of a per-band quantity.

    dataset : of `evaluate` on a k path; color_by : variable; selection : labels for its other dims
    """
    figure = new_figure()(figsize=(6.4, 4.6), layout="constrained")
    ax = figure.subplots()
    shift = fermi_level or 0.0
    distance = dataset["distance"].values
    values = dataset[color_by].sel(selection).values
    breaks = [int(number) for number in np.atleast_1d(dataset["distance"].attrs.get("breaks", ()))]
    for piece in pairwise((0, *breaks, len(distance))):
        shown = slice(*piece)
        ax.plot(
            distance[shown], dataset["energy"].values[shown] - shift, color="0.85", linewidth=0.6, zorder=0
        )
    # Curvatures have poles; the colour follows the bulk of the values.
    limit = float(np.quantile(np.abs(values), 0.95)) or float(np.abs(values).max()) or 1.0
    points = ax.scatter(
        np.repeat(distance, values.shape[1]),
        (dataset["energy"].values - shift).ravel(),
        c=values.ravel(),
        s=4,
        cmap="coolwarm",
        vmin=-limit,
        vmax=limit,
    )
    chosen = " ".join(str(label) for label in selection.values())
    units = str(dataset[color_by].attrs["units"]).replace("hbar", "ħ").replace("angstrom", "Å")
    bar = figure.colorbar(points, extend="both")
    bar.set_label(f"{dataset[color_by].attrs['long_name']} {chosen} ({units})", parse_math=False)
    ticks = np.atleast_1d(dataset["distance"].attrs["tick_positions"])
    ax.set_xticks(ticks, texts_of(dataset["distance"].attrs["tick_labels"]), parse_math=False)
    for tick in ticks:
        ax.axvline(tick, color="0.8", linewidth=0.8, zorder=0)
    ax.set_xlim(distance[0], distance[-1])
    ax.set_ylabel("energy (eV)" if fermi_level is None else "energy - Fermi level (eV)")
    ax.set_title(str(dataset.attrs.get("model_name", "")), fontsize="medium", parse_math=False)
    return figure


def plot_scatter(catalog: xr.Dataset, component: str = "xy_z") -> Figure:
    """Conserved against conventional Hall conductivity at the Fermi level, one point per material.

    component : "xy_z" or "z_xy" for the current of spin_z along x in a field along y
    Axes are linear near zero and logarithmic beyond. Raises InputError where the catalog lacks the columns.
    """
    shown = Component.parse(component)
    names = [f"{kind}_{shown}" for kind in ("conventional", "conserved")]
    for name in names:
        if name not in catalog:
            raise InputError(
                f"plot_scatter: {name!r} is not in the catalog, expected a component such as 'xy_z'."
            )
    x, y = (catalog[name].values for name in names)
    figure = new_figure()(figsize=(5.6, 5.0), layout="constrained")
    ax = figure.subplots()
    largest = float(np.nanmax(np.abs([x, y]), initial=0.0)) or 1.0
    near_zero = largest * 1e-3
    ax.plot([-largest, largest], [-largest, largest], color="0.8", linewidth=0.8, zorder=0)
    across, along = (
        catalog[f"{name}_error"].fillna(0).values if f"{name}_error" in catalog else None for name in names
    )
    ax.errorbar(x, y, along, across, fmt="o", markersize=4, elinewidth=0.8)
    if catalog.sizes["material"] <= _LABELLED:
        for name, a, b in zip(catalog["name"].values, x, y, strict=True):
            ax.annotate(
                str(name),
                (a, b),
                fontsize="x-small",
                xytext=(3, 3),
                textcoords="offset points",
                parse_math=False,
            )
    ax.set_xscale("symlog", linthresh=near_zero)
    ax.set_yscale("symlog", linthresh=near_zero)
    units = " or ".join(sorted(_hall_units(catalog)))
    symbol = _symbol(short_name(_label(catalog, shown)), shown.axes)
    ax.set_xlabel(f"conventional {symbol} ({units})")
    ax.set_ylabel(f"conserved {symbol} ({units})")
    return figure


def _symbol(upper: str, axes: str) -> str:
    """Sigma with indices; an observable of the user's may have a name that is no mathematics."""
    if not (upper + axes).isalnum():
        # Inside \mathrm{} a tilde is a space.
        words = "".join(c if c.isalnum() else " " for c in upper).split()
        upper, axes = rf"\mathrm{{{'~'.join(words)}}}", "".join(filter(str.isalnum, axes))
    return rf"$\sigma^{{{upper}}}_{{{axes}}}$"


def _hall_units(catalog: xr.Dataset) -> set[str]:
    """Units of the Hall conductivities in a catalog: S/cm of crystals, S of layers, or both."""
    suffix = {3: "S/cm", 2: "S", 1: "S cm"}
    return {f"(ħ/e) {suffix[int(d)]}" for d in np.unique(catalog["dimension"].values)}
