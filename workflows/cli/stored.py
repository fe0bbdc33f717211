"""Commands for one result that is stored already: `spinscreen show | plot`."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr
from rich.table import Table

from spinscreen.kernels import InputError, Sample
from spinscreen.storage import (
    CatalogRow,
    Store,
    at_level,
    check_figure,
    draw_curve,
    figure_of,
    read_row,
    save_figure,
)
from spinscreen.storage.attributes import texts_of, vectors_of
from spinscreen.storage.fermi_level import why_missing
from spinscreen.storage.results.rows import quality_of

from ..telling import warnings_of
from ..text import names_of_text, window_of_text
from .arguments import Window, as_options
from .results import answers_table, result_table, shown_energy
from .terminal import one_line, out

StorePath = Annotated[Path, typer.Argument(help="Zarr store.")]
Name = Annotated[
    str, typer.Argument(help="A material in it, with or without the key of its settings: Pt, Pt-0123456789.")
]

Level = Annotated[
    float | None,
    typer.Option(
        "--fermi-level",
        help="eV, of the energies that were scanned, instead of the level that is stored or where none is.",
    ),
]

#: Attributes that tell what was computed, with their units.
_TOLD = {
    "computed": "",
    "spinscreen_version": "",
    "campaign": "",
    "evaluations": "k points",
    "tolerance": "",
    "temperature": "K",
    "degeneracy_threshold": "eV",
    "broadening": "eV",
}


def show(store: StorePath, name: Name, fermi_level: Level = None) -> None:
    """Show a stored result and its values at the Fermi level."""
    place = _opened(store)
    found = _newest(place, name)
    stored = place.read(found)
    dataset = _levelled(stored, fermi_level)
    out.print(_settings_table(stored, read_row(place, found)))
    for note in texts_of(dataset.attrs.get("model_notes")):
        out.say(one_line(f"assumed: {note}"))
    here = shown_energy(dataset, "--fermi-level") if "fermi_energy" in dataset.dims else "no integrals in it"
    if isinstance(here, str):
        out.say(one_line(here))
    else:
        sample = sample_of_result(dataset)
        if (answers := answers_table(here, sample)) is not None:
            out.print(answers)
        out.print(result_table(here, sample))
    say_warnings(dataset)
    if "mesh_note" in dataset.attrs:
        out.say(one_line(f"note: {dataset.attrs['mesh_note']}"))
    out.say(f'all of it: xr.open_zarr("zip::{place.file(found)}")')


def plot(
    store: StorePath,
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "--save", help="Figure to draw (.png, .pdf, .svg). Default: NAME-hall.png."),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(
            help="hall, nernst, anomalous, accumulation, dos, magnetization, or names as `spinscreen "
            "quantities` lists them, several of one unit with commas. Default: hall, else the first."
        ),
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="Such as xy_z; default: the largest at the Fermi level.")
    ] = None,
    window: Window = None,
    fermi_level: Level = None,
) -> None:
    """Draw what is stored against the Fermi energy, with errors."""
    if output is not None:
        check_figure(output, "--output")
    place = _opened(store)
    found = _newest(place, name)
    dataset = _levelled(place.read(found), fermi_level)
    if output is None:
        # Of one material, which its figure is replaced by; the key says nothing to a reader.
        label, _, key = found.rpartition("-")
        output = Path(f"{label or key}-{(quantity or 'hall').replace(',', '-')}.png")
        check_figure(output, "--output")
    with as_options():
        chosen = None if quantity is None else names_of_text(quantity)
        ax = draw_curve(dataset, chosen, component, window=window_of_text(window))
    save_figure(figure_of(ax), output)
    out.say(f"drawn: {output}")


def say_warnings(dataset: xr.Dataset) -> None:
    """What was warned about while a stored result was computed."""
    for told in warnings_of(dataset):
        out.say(one_line(f"warning: {told}"))


def _opened(store: Path) -> Store:
    place = Store.at(store)
    if not place.exists:
        raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
    return place


def _levelled(dataset: xr.Dataset, level: float | None) -> xr.Dataset:
    """With another Fermi level (eV). Raises InputError where the scan has no energy at it."""
    if level is None:
        return dataset
    if "fermi_energy" not in dataset.dims:
        raise InputError(
            "--fermi-level: has no effect on a result without integrals, expected one with some."
        )
    if at_level(dataset, level) is None:
        told = why_missing(dataset["fermi_energy"].values, level, "it")
        raise InputError(f"--fermi-level: expected an energy of the scan, found {level:g} eV: {told}.")
    return dataset.assign_attrs(fermi_level=level)


def _newest(place: Store, name: str) -> str:
    found, *others = place.ids_of(name)
    if others:
        out.say(one_line(f"{found} is the newest of {len(others) + 1}; the others: {', '.join(others)}"))
    return found


def _settings_table(dataset: xr.Dataset, row: CatalogRow) -> Table:
    attributes = dataset.attrs
    table = Table(title=one_line(row.material), title_justify="left", show_header=False)
    level = attributes.get("fermi_level")
    rows = {
        "material": attributes.get("material", attributes.get("model_name")),
        # As `screen` calls them: what the user gave never stands for what was computed.
        **{name: _plain(row.columns[name]) for name in row.headings},
        "Fermi level": "unknown" if level is None else f"{float(level):.4f} eV",
        "k mesh": "x".join(map(str, attributes.get("k_mesh", ("adaptive",)))),
        "quality": quality_of(attributes),
    }
    told = {n.replace("_", " "): f"{attributes[n]} {unit}" for n, unit in _TOLD.items() if n in attributes}
    for label, text in (rows | told).items():
        table.add_row(one_line(label), one_line(text).strip())
    return table


def _plain(value: Any) -> Any:
    """A whole number without a fraction of nothing."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def sample_of_result(dataset: xr.Dataset) -> Sample:
    """What rounding is judged by; the cell as large as it may be, as nobody says which axes of it repeat: no
    number is taken for rounding that may be none.
    """
    dimension = int(dataset.attrs["dimension"])
    lattice = vectors_of(dataset.attrs["lattice"])
    sides = [lattice[list(axes)] for axes in combinations(range(3), dimension)]
    measure = max(float(np.sqrt(np.linalg.det(side @ side.T))) for side in sides)
    electrons = int(dataset.attrs.get("spin_degeneracy", 1))
    return Sample(dimension, measure, float(dataset.attrs["temperature"]), spin_degeneracy=electrons)


def add_stored_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    app.command(name="show")(show)
    app.command(name="plot")(plot)
