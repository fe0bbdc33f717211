"""What the command line prints: tables, progress bars, one-line errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import xarray as xr
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from spinscreen.kernels import QUANTITIES, InputError, Integral
from spinscreen.materials import TrialOrbitals, WannierModel, superconducting_state, symmetry_deviation
from spinscreen.materials.spin import check_orderings
from spinscreen.materials.symmetry import group_name
from spinscreen.storage import Component, at_level, error_name, in_natural_units, is_error, place_of_level

from ..execution import Progress as Report
from .numbers import with_error
from .terminal import one_line

#: Components smaller than this share of the largest are left out of a table.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class _Bar:
    """Moves a bar of k points, and says in front of it how the largest error bar shrinks."""

    progress: Progress
    task: TaskID
    label: str

    def __call__(self, kpoints: int) -> None:
        self.progress.update(self.task, advance=kpoints)

    def aim(self, bar: float, tolerance: float) -> None:
        told = f"{100 * bar:.2g}" if bar < 1 else "over 100"
        self.progress.update(self.task, description=f"{self.label}: {told} % -> {100 * tolerance:.2g} %")


@contextmanager
def progress_bar(console: Console, label: str, total: int) -> Iterator[Report]:
    """A bar over k points; gives the function that moves it."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("k points"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console)
    task = progress.add_task(one_line(label), total=total)
    # A bar that cannot be drawn, on a full disk or for a reader who has gone, stops no work.
    with suppress(OSError, SystemExit):
        progress.start()
    try:
        yield _Bar(progress, task, one_line(label))
    finally:
        with suppress(OSError, SystemExit):
            progress.stop()


#: Rows of a table of Wannier functions.
MOST_FUNCTIONS = 120


def model_table(model: WannierModel) -> Table:
    """What was read, what was assumed, and how well each spinor order fits."""
    table = Table(title=one_line(model.name), show_header=False, title_justify="left")
    axes = [f"a{i + 1}" for i, repeats in enumerate(model.periodic) if repeats]
    unit = {1: "angstrom", 2: "angstrom^2", 3: "angstrom^3"}[model.dimension]
    rows = {
        "Wannier functions": str(model.size),
        "R vectors": str(len(model.translations)),
        "periodic along": f"{', '.join(axes)} ({model.dimension}D)",
        "cell": f"{model.cell_measure:.4f} {unit}",
        "atoms": " ".join(atom.symbol for atom in model.atoms) or "unknown",
        "Fermi level": "unknown" if model.fermi_level is None else f"{model.fermi_level:.4f} eV",
        "observables": ", ".join(model.observables) or "none",
    }
    for name, size in model.provenance.removed.items():
        rows[f"made Hermitian: {name}"] = f"up to {size:.2g} removed"
    for note in model.provenance.notes:
        label, _, text = note.partition(": ")
        rows[label if text else "note"] = text or note
    if model.trial_orbitals is None and model.provenance.without_trial_orbitals:
        rows["trial orbitals"] = f"unknown: {model.provenance.without_trial_orbitals}"
    if model.size % 2 == 0:
        for test in check_orderings(model.hamiltonian, model.centres):
            label, _, text = str(test).partition(": ")
            rows[f"spinors {label}?"] = text
    for path, digest in model.provenance.files:
        rows[path.rsplit("/", 1)[-1]] = f"sha256 {digest[:16]}..."
    for label, text in rows.items():
        table.add_row(one_line(label), one_line(text))
    return table


def trial_orbitals_table(trial: TrialOrbitals) -> Table:
    """What each Wannier function is made of: the leading trial orbitals, with their weights."""
    table = Table(title="Trial orbitals, |<w|g>|^2", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("leading trial orbitals")
    for number in range(min(len(trial), MOST_FUNCTIONS)):
        shares = ", ".join(f"{label} {weight:.2f}" for label, weight in trial.leading(number))
        table.add_row(str(number + 1), one_line(shares))
    if len(trial) > MOST_FUNCTIONS:
        table.add_row("", f"and {len(trial) - MOST_FUNCTIONS} more: model.trial_orbitals.leading(...)")
    return table


def symmetry_table(model: WannierModel) -> Table:
    """The group that a model obeys, and how far it is from its average over that of its crystal."""
    table = Table(title="symmetry", show_header=False, title_justify="left")
    obeyed = model.symmetry_group
    name = group_name(obeyed, model.lattice)
    table.add_row("obeyed to rounding", one_line(f"{name}, {obeyed.order} operations"))
    try:
        found = symmetry_deviation(model)
    except InputError as problem:
        table.add_row("group of the crystal", one_line(str(problem).removeprefix("symmetrize: ")))
        return table
    rows = {
        "group of the crystal": f"{found.name}, {found.order} of {found.candidates} operations",
        "H differs by": f"{found.hamiltonian:.2g} eV, rms {found.hamiltonian_rms:.2g} eV",
        "positions differ by": f"{found.position:.2g} angstrom, rms {found.position_rms:.2g}",
        "observables differ by": f"{found.observables:.2g}, rms {found.observables_rms:.2g}",
        "levels it makes one": f"split by {found.splitting:.2g} eV (median), at most "
        f"{found.largest_splitting:.2g} eV",
        "bands on the path": f"move by up to {found.band:.2g} eV when it is averaged away",
        "what to do": found.advice,
    }
    for label, text in rows.items():
        table.add_row(label, one_line(text))
    return table


def superconductor_table(model: WannierModel, gap: float) -> Table:
    """Gap, nodes and Chern number of a superconductor; on a coarse mesh for a real material."""
    state = superconducting_state(model, 24 if model.dimension < 3 else 12)
    table = Table(title=one_line(model.name), show_header=False, title_justify="left")
    table.add_row("pairing amplitude", f"{gap:.6g} eV at this temperature")
    table.add_row("smallest excitation", f"{state.gap:.6g} eV")
    nodes = [" ".join(f"{x:.4f}" for x in node) for node in state.nodes[:6]]
    table.add_row("nodes found (reduced k)", "; ".join(nodes) or "none")
    if state.chern_number is not None:
        table.add_row("Bogoliubov Chern number", str(state.chern_number))
    return table


#: Shown among the answers where it is not zero.
_OF_A_SURFACE = "accumulation_coefficient"

#: The answers to "what spin current": variable, heading, and what it is.
_ANSWERS = (
    ("conventional_hall_conductivity", "T4", "conventional, what most codes print, for comparison"),
    ("conserved_hall_conductivity", "T6", "conserved, in the packet picture of Xiao and Niu"),
    (
        "conserved_hall_conductivity_sensitivity",
        "T6 +-",
        "change of T6 at 4 times the degeneracy_threshold: not small, T6 is a number about the threshold",
    ),
    ("proper_hall_conductivity", "T14", "the full linear response of the conserved current"),
    (_OF_A_SURFACE, "T15", "what a gradient of the field builds up; zero in a gap"),
)


def answers_table(here: xr.Dataset) -> Table | None:
    """The Hall conductivities of each observable side by side, a row for each component that any of them has;
    None where fewer than two were computed.

    here : at one Fermi energy
    """
    present = _answers_of(here)
    if not present:
        return None
    numbers = {name: _with_errors(here, name) for name, _, _ in present}
    unit = in_natural_units(here[present[0][0]])[1]
    table = Table(
        title=f"{one_line(here.attrs['model_name'])} at {_level_of(here)}, {unit}",
        title_justify="left",
        caption="\n".join(f"{heading}: {name}\n    {told}" for name, heading, told in present),
        caption_justify="left",
    )
    table.add_column("component", no_wrap=True)
    for _, heading, _ in present:
        table.add_column(heading, justify="right", no_wrap=True)
    largest = max(float(np.abs(values).max(initial=0.0)) for values, _ in numbers.values())
    dims = here[present[0][0]]
    for place in _independent(dims):
        row = [(float(values[place]), errors, place) for values, errors in numbers.values()]
        if any(abs(value) > _NEGLIGIBLE * largest for value, _, _ in row):
            observable, *axes = (str(dims[d].values[i]) for d, i in zip(dims.dims, place, strict=True))
            table.add_row(f"{observable} {''.join(axes)}", *(_shown(*cell, largest) for cell in row))
    return table


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


def _shown(value: float, errors: np.ndarray | None, place: tuple[int, ...], largest: float) -> str:
    error = None if errors is None else float(errors[place])
    if abs(value) <= 1e-6 * largest and not (error or 0.0) > 1e-6 * largest:
        return "0"
    return with_error(value, error)


def _level_of(here: xr.Dataset) -> str:
    """The energy of a table, and that it stands for the Fermi level where it does."""
    energy, level = float(here["fermi_energy"]), here.attrs.get("fermi_level")
    if level is None:
        return f"{energy:.4f} eV"
    if place_of_level([energy], float(level)) is None:
        return f"{energy:.4f} eV (Fermi level {float(level):.4f} eV)"
    return f"the Fermi level, {energy:.4f} eV"


def shown_energy(dataset: xr.Dataset) -> xr.Dataset | str:
    """The dataset at the Fermi level, or at its one energy; else the sentence why there is no such table."""
    here = at_level(dataset)
    if here is not None:
        return here
    energies = dataset["fermi_energy"].values
    if len(energies) == 1:
        return dataset.isel(fermi_energy=0)
    scan = f"{len(energies)} energies from {energies.min():g} to {energies.max():g} eV"
    level = dataset.attrs.get("fermi_level")
    if level is None:
        return (
            f"no table of values at the Fermi level, which is unknown ({scan} were computed); give "
            "--fermi-level or --electrons"
        )
    return f"no table of values at the Fermi level, {float(level):g} eV: {scan} were computed"


def result_table(here: xr.Dataset) -> Table:
    """Every integral at one Fermi energy, but for those that stand side by side in `answers_table`."""
    apart = {name for name, _, _ in _answers_of(here)}
    title = f"{one_line(here.attrs['model_name'])} at {_level_of(here)}"
    both = (
        "of one spin of two, but for numbers of electrons" if here.attrs.get("spin_degeneracy") == 2 else None
    )
    table = Table(title=title, title_justify="left", caption=both, caption_justify="left")
    table.add_column("quantity")
    table.add_column("component")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for name in here.data_vars:
        if name in apart or is_error(name):
            continue
        values = here[name]
        numbers, errors = _with_errors(here, str(name))
        unit = in_natural_units(values)[1]
        if values.attrs.get("independent_components") == "":
            table.add_row(str(name), "all", "0 by symmetry", unit)
            continue
        for label, place in _components(values, numbers):
            error = None if errors is None else float(errors[place])
            table.add_row(str(name), label, with_error(float(numbers[place]), error), unit)
            name, unit = "", ""
    return table


def _components(values: xr.DataArray, numbers: np.ndarray) -> Iterator[tuple[str, tuple[int, ...]]]:
    largest = np.abs(numbers).max(initial=0.0)
    for place in _independent(values):
        if abs(float(numbers[place])) <= _NEGLIGIBLE * largest and numbers.size > 1:
            continue
        labels = [str(values[d].values[i]) for d, i in zip(values.dims, place, strict=True)]
        observable = labels.pop(0) if "observable" in values.dims else ""
        yield f"{observable} {''.join(labels)}".strip(), place


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


def ranked_table(results: list[tuple[xr.Dataset, tuple[str, str, str]]]) -> Table:
    """Materials by the largest conserved Hall conductivity of their scan, beside the conventional one."""
    observable, current, field = results[0][1]
    table = Table(
        title=f"Hall conductivity of {observable}, {current}{field}, conventional and conserved",
        title_justify="left",
    )
    columns = (
        "material",
        "conv.\nat E_F",
        "cons.\nat E_F",
        "conv.\nat peak",
        "cons.\nat peak",
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
    names = ("conventional_hall_conductivity", "conserved_hall_conductivity")
    columns = [_with_errors(own, name) for name in names]
    shown = [
        with_error(float(values[n]), None if errors is None else float(errors[n]))
        for n in (at, peak)
        for values, errors in columns
    ]
    distance = f"{dataset['fermi_energy'].values[peak] - level:+.2f}"
    elapsed = f"{dataset.attrs['elapsed_seconds']:.1f}"
    return float(np.abs(conserved[peak])), [str(dataset.attrs["model_name"]), *shown, distance, unit, elapsed]


#: Columns of the reference of quantities.
_REFERENCE = ("name", "what", "theory", "dims", "unit (3D)", "unit (2D)")


def _reference_rows() -> Iterator[tuple[str, ...]]:
    for quantity in QUANTITIES.values():
        if isinstance(quantity, Integral):
            dims, units = (*quantity.dims, "fermi_energy"), quantity.unit.in_dimension
        else:
            dims, units = ("k", *quantity.dims, "band"), {3: quantity.units, 2: quantity.units}
        yield quantity.name, quantity.long_name, quantity.theory, ", ".join(dims), units[3], units[2]


def quantities_table() -> Table:
    """The registry."""
    table = Table(title="quantities", title_justify="left")
    for column in _REFERENCE:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in _reference_rows():
        table.add_row(*row)
    return table


def quantities_markdown() -> str:
    """The registry as the page docs/quantities.md."""
    lines = [
        "# Quantities",
        "",
        "Made from the registry by `spinscreen quantities --markdown > docs/quantities.md`.",
        "`{theta}` is the unit of the observable (hbar for spin). Names with a dim `k` go to `evaluate`,",
        "names with `fermi_energy` to `compute`. Formulas and signs: [physics](physics.md).",
        "",
        "| " + " | ".join(_REFERENCE) + " |",
        "|" + "---|" * len(_REFERENCE),
    ]
    lines += ["| `" + row[0] + "` | " + " | ".join(row[1:]) + " |" for row in _reference_rows()]
    return "\n".join(lines)
