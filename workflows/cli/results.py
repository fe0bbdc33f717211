"""Tables of results: the answers to "what spin current" side by side, everything else, materials ranked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from rich.console import Group
from rich.table import Table

from spinscreen.kernels import QUANTITIES, Integral, Sample
from spinscreen.storage import (
    Component,
    Observables,
    at_level,
    error_name,
    in_natural_units,
    is_error,
    place_of_level,
)
from spinscreen.storage.attributes import texts_of
from spinscreen.storage.component import AXIS_DIMS
from spinscreen.storage.fermi_level import NEAR, is_level, why_missing
from spinscreen.storage.results.units import SHOWN_AS_ZERO

from .numbers import with_error
from .terminal import one_line

#: Components smaller than this share of the largest are left out of a table.
_NEGLIGIBLE = 1e-3

#: What is negligible is known where its error is below this share of the largest, or as good as zero.
_KNOWN = 0.01

#: Shown among the answers where it is not zero.
_OF_A_SURFACE = "accumulation_coefficient"

#: The answers to "what spin current": variable, heading, and what it is.
_ANSWERS = (
    ("conventional_hall_conductivity", "T4", "what most codes print, for comparison"),
    ("conserved_hall_conductivity", "T6", "in the packet picture of Xiao and Niu"),
    (
        "conserved_hall_conductivity_sensitivity",
        "T6 change",
        "at 4 times the degeneracy_threshold: not small, T6 is a number about the threshold; 0 says no "
        "more than that no two levels lie between the thresholds",
    ),
    ("proper_hall_conductivity", "T14", "the full linear response of the conserved current"),
    (_OF_A_SURFACE, "T15", "what a gradient of the field builds up; zero in a gap"),
)


def answers_table(here: xr.Dataset, sample: Sample) -> Group | None:
    """The Hall conductivities of each observable side by side, a row for each component that any of them has,
    and what each is; None where fewer than two were computed.

    here : at one Fermi energy; sample : of the model
    """
    present = _answers_of(here)
    if not present:
        return None
    numbers = {name: _with_errors(here, name) for name, _, _ in present}
    unit = in_natural_units(here[present[0][0]])[1]
    table = Table(
        title=f"{one_line(here.attrs['model_name'])} at {_level_of(here)}, {unit}",
        title_justify="left",
    )
    table.add_column("component", no_wrap=True)
    for _, heading, _ in present:
        table.add_column(heading, justify="right", no_wrap=True)
    first = here[present[0][0]]
    # Each column and each unit by itself: T6 may be a million times T14, and the charge is no spin.
    largest = {name: _largest(first, values) for name, (values, _) in numbers.items()}
    shown = {place for name in numbers for place in _components(here, name, sample)}
    for place in sorted(shown):
        cells = [
            "0"
            if _is_rounding(here, name, place, sample)
            else _shown(numbers[name], place, float(largest[name][place]))
            for name in numbers
        ]
        table.add_row(_label(first, place), *cells)
    if not shown:
        table.add_row("all", *["0"] * len(numbers))
    captions = Table.grid(padding=(0, 2, 0, 0))
    for label, told in _captions(here, present):
        captions.add_row(f"{label}:", told)
    return Group(table, captions)


def _captions(here: xr.Dataset, present: list[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """What each answer is, and what this one lacks."""
    for name, heading, told in present:
        lacks = getattr(QUANTITIES[name], "note_at_zero", "")
        is_partial = lacks and lacks in here[name].attrs.get("note", "")
        yield heading, f"{name}, {told}{f'; here {lacks}' if is_partial else ''}"
    if _OF_A_SURFACE in texts_of(here.attrs.get("left_out_at_zero_temperature")):
        told = "left out at T = 0 on a plain mesh, as all of a Fermi surface: give a temperature"
        yield "T15", f"{_OF_A_SURFACE}, {told}"
    if any(here[name].attrs.get("net_torque") == "unchecked" for name, _, _ in present):
        check = "T16" if "tolerance" in here.attrs else "T16 above 0 K"
        yield "premise", f"that a field exerts no net torque is unchecked, {check} checks it"


def _largest(values: xr.DataArray, numbers: np.ndarray) -> np.ndarray:
    """The largest size among what has the same unit, of the shape of the numbers."""
    sizes = np.nan_to_num(np.abs(numbers))
    if "observable" not in values.dims or not sizes.size:
        return np.full(sizes.shape, sizes.max(initial=0.0))
    sizes = np.moveaxis(sizes, values.get_axis_num("observable"), 0)
    units = np.array(Observables.in_dataset(values).units)
    found = np.empty_like(sizes)
    for unit in set(units):
        found[units == unit] = sizes[units == unit].max()
    return np.moveaxis(found, 0, values.get_axis_num("observable"))


def _label(values: xr.DataArray, place: tuple[int, ...]) -> str:
    """A component as it is read everywhere, after its part."""
    labels = {dim: str(values[dim].values[i]) for dim, i in zip(values.dims, place, strict=True)}
    observable = labels.get("observable")
    axes = "".join(labels[dim] for dim in AXIS_DIMS if dim in labels)
    component = str(Component(observable, axes)) if axes else observable or ""
    return f"{labels.get('part', '')} {component}".strip()


def _answers_of(here: xr.Dataset) -> list[tuple[str, str, str]]:
    """Those that stand side by side: two at least, else none; the last where there is a Fermi surface."""
    present = [answer for answer in _ANSWERS if answer[0] in here]
    surface = here.get(_OF_A_SURFACE)
    if surface is not None and not (abs(surface) > 0).any():
        present = [answer for answer in present if answer[0] != _OF_A_SURFACE]
    return present if len(present) > 1 else []


def _with_errors(here: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Values to show and their errors, in the same unit; None where an earlier version stored none."""
    values, _ = in_natural_units(here[name])
    bars = here.get(error_name(name))
    return values, None if bars is None else in_natural_units(bars)[0]


def _shown(numbers: tuple[np.ndarray, np.ndarray | None], place: tuple[int, ...], largest: float) -> str:
    values, errors = numbers
    value, error = float(values[place]), None if errors is None else float(errors[place])
    if abs(value) <= 1e-6 * largest and not (error or 0.0) > 1e-6 * largest:
        return "0"
    return with_error(value, error)


def _level_of(here: xr.Dataset) -> str:
    """The energy of a table, and whether it is the Fermi level or one beside it."""
    energy, level = float(here["fermi_energy"]), here.attrs.get("fermi_level")
    if level is None:
        return f"{energy:.4f} eV"
    if is_level(energy, float(level)):
        return f"the Fermi level, {energy:.4f} eV"
    if abs(energy - float(level)) > NEAR:
        return f"{energy:.4f} eV (Fermi level {float(level):.4f} eV)"
    return f"{energy:.4f} eV, the scanned energy next to the Fermi level, {float(level):.4f} eV"


def shown_energy(dataset: xr.Dataset, options: str = "--fermi-level or --electrons") -> xr.Dataset | str:
    """The dataset at the Fermi level, or at its one energy; else the sentence why there is no such table.

    options : that would say where the level is
    """
    here = at_level(dataset)
    if here is not None:
        return here
    energies = dataset["fermi_energy"].values
    if len(energies) == 1:
        return dataset.isel(fermi_energy=0)
    level = dataset.attrs.get("fermi_level")
    if level is None:
        scan = f"{len(energies)} energies from {energies.min():g} to {energies.max():g} eV"
        return (
            f"no table of values at the Fermi level, which is unknown ({scan} were computed); give {options}"
        )
    told = why_missing(energies, float(level), "it")
    return f"no table of values at the Fermi level, {float(level):g} eV: {told}"


def result_table(here: xr.Dataset, sample: Sample) -> Table:
    """Every integral at one Fermi energy, but for those that stand side by side in `answers_table`."""
    apart = {name for name, _, _ in _answers_of(here)}
    title = f"{one_line(here.attrs['model_name'])} at {_level_of(here)}"
    both = (
        "of one spin of two, but for numbers of electrons" if here.attrs.get("spin_degeneracy") == 2 else None
    )
    table = Table(title=title, title_justify="left", caption=both, caption_justify="left")
    table.add_column("quantity", overflow="fold")
    table.add_column("component", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for name in here.data_vars:
        if name in apart or is_error(name):
            continue
        values = here[name]
        numbers, errors = _with_errors(here, str(name))
        if values.attrs.get("independent_components") == "":
            table.add_row(str(name), "all", "0 by symmetry", _unit(values))
            continue
        shown, before = str(name), ""
        for place in _components(here, str(name), sample):
            error = None if errors is None else float(errors[place])
            unit = _unit_at(values, place)
            is_zero = _is_rounding(here, str(name), place, sample)
            number = "0" if is_zero else with_error(float(numbers[place]), error)
            table.add_row(shown, _label(values, place), number, unit if unit != before else "")
            shown, before = "", unit
        if shown:
            table.add_row(shown, "all", "0", _unit(values))
    return table


def _components(here: xr.Dataset, name: str, sample: Sample) -> Iterator[tuple[int, ...]]:
    """Places of what is neither negligible beside others of its unit nor what rounding leaves of zero.

    A zero whose error is neither is no zero that anybody knows.
    """
    values, bars, rounding = here[name], here.get(error_name(name)), _rounding(name, sample)
    numbers, errors = _with_errors(here, name)
    largest = _largest(values, numbers)
    for place in _independent(values):
        size, stored = abs(float(numbers[place])), abs(float(values.values[place]))
        is_told = size > _NEGLIGIBLE * float(largest[place]) and stored > rounding
        if bars is not None and errors is not None:
            bar = float(bars.values[place]) * SHOWN_AS_ZERO
            is_told |= float(errors[place]) > _KNOWN * float(largest[place]) and bar > rounding
        if is_told or not values.dims:
            yield place


def _rounding(name: str, sample: Sample) -> float:
    """Size of a quantity, in its stored unit, up to which it is no more than zero."""
    quantity = QUANTITIES.get(name)
    return SHOWN_AS_ZERO * quantity.absolute_tolerance(sample) if isinstance(quantity, Integral) else 0.0


def _is_rounding(here: xr.Dataset, name: str, place: tuple[int, ...], sample: Sample) -> bool:
    """True where neither a value nor its error is more than zero; an unknown error may be more."""
    bars = here.get(error_name(name))
    sizes = [abs(float(values.values[place])) for values in (here[name], bars) if values is not None]
    return all(size <= _rounding(name, sample) for size in sizes)


def _independent(values: xr.DataArray) -> list[tuple[int, ...]]:
    """Where the components stand from which the others follow; all of them where that is not known."""
    named = values.attrs.get("independent_components")
    if not named or "part" in values.dims or values.ndim == 0:
        return list(np.ndindex(values.shape))
    found = []
    for name in str(named).split(", "):
        labels = Component.of(values, name).labels(tuple(map(str, values.dims)))
        found.append(tuple(values.indexes[dim].get_loc(labels[str(dim)]) for dim in values.dims))
    return sorted(found)


def _unit_at(values: xr.DataArray, place: tuple[int, ...]) -> str:
    if "observable" in values.dims:
        values = values.isel(observable=place[values.get_axis_num("observable")])
    return _unit(values)


def _unit(values: xr.DataArray) -> str:
    return in_natural_units(values)[1].replace("angstrom", "Å")


def ranked_table(results: list[tuple[xr.Dataset, tuple[str, str, str]]]) -> Table:
    """Materials by the largest conserved Hall conductivity of their scan, beside the other two answers."""
    observable, current, field = results[0][1]
    table = Table(
        title=f"Hall conductivity {Component(observable, current + field)}: conventional (T4), conserved "
        "(T6), full (T14)",
        title_justify="left",
    )
    columns = (
        "material",
        "T4\nat E_F",
        "T6\nat E_F",
        "T14\nat E_F",
        "T6\nat peak",
        "peak-E_F\n(eV)",
        "unit",
        "s",
    )
    for column in columns:
        table.add_column(
            column,
            justify="left" if column in ("material", "unit") else "right",
            no_wrap=column == "material",
        )
    rows = [_ranked_row(dataset, component) for dataset, component in results]
    for _, row in sorted(rows, reverse=True):
        table.add_row(*row)
    return table


def _ranked_row(dataset: xr.Dataset, component: tuple[str, str, str]) -> tuple[float, list[str]]:
    observable, current, field = component
    own = dataset.sel(observable=observable, current_axis=current, field_axis=field)
    level = float(dataset.attrs["fermi_level"])
    at = place_of_level(dataset["fermi_energy"].values, level)
    assert at is not None, "the scan contains the level"
    conserved, unit = in_natural_units(own["conserved_hall_conductivity"])
    peak = int(np.abs(conserved).argmax())
    names = ("conventional", "conserved", "proper", "conserved")
    columns = [_with_errors(own, f"{name}_hall_conductivity") for name in names]
    shown = [
        with_error(float(values[n]), None if errors is None else float(errors[n]))
        for n, (values, errors) in zip((at, at, at, peak), columns, strict=True)
    ]
    distance = f"{dataset['fermi_energy'].values[peak] - level:+.2f}"
    elapsed = f"{dataset.attrs['elapsed_seconds']:.1f}"
    return float(np.abs(conserved[peak])), [str(dataset.attrs["model_name"]), *shown, distance, unit, elapsed]
