"""Commands for one material; those for many of them are in `campaign`."""

from __future__ import annotations

from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr
from rich.table import Table

from spinscreen.kernels import KMesh, fast_path, k_path, points_side_by_side
from spinscreen.materials import (
    library,
)
from spinscreen.storage import (
    build_catalog,
    check_figure,
    draw_bands,
    draw_curve,
    figure_of,
    material_file,
    read_material,
    save_figure,
)

from ..calculation import PER_BAND, Calculation
from ..clusters import local_engine
from ..computing import sample_of
from ..evaluating import evaluate
from ..publication import Targets, Work
from ..settings import complete_kmesh
from ..streaming import stream_bands
from ..text import mesh_of_text, names_of_text, window_of_text
from .arguments import (
    Window,
    as_options,
    attempts,
    color_labels,
    confirm_cost,
    knows_level,
    path_corners,
)
from .campaign import add_commands
from .console import (
    model_table,
    quantities_markdown,
    quantities_table,
    superconductor_table,
    symmetry_table,
    trial_orbitals_table,
)
from .export import add_export_command
from .fermi import add_fermi_command
from .options import takes_settings
from .page import add_page_commands
from .progress import progress_bar
from .reading import (
    Coupling,
    Lattice,
    Settings,
    Source,
    SpinDegeneracy,
    SpinOrdering,
    Yes,
    read_source,
)
from .results import answers_table, result_table, shown_energy
from .store import add_store_commands
from .stored import add_stored_commands, say_warnings
from .terminal import err, one_line, out

app = typer.Typer(
    epilog="Start with `spinscreen demo`; then `spinscreen info FOLDER` on your own Wannier90 folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"spinscreen {version('spinscreen')}")
        raise typer.Exit


@app.callback()
def spinscreen(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Conserved currents of nonconserved quantities from Wannier models."""


Workers = Annotated[
    int | None, typer.Option(min=0, help="Dask worker processes; 0 or none: threads of this one.")
]


@app.command()
@takes_settings(Calculation, ["fermi_level", "electrons"])
def info(
    source: Source,
    settings: Settings,
    spin_ordering: SpinOrdering = None,
    lattice: Lattice = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
) -> None:
    """Show what a model holds, where it is from, what was assumed."""
    calculation = Calculation(**settings)
    _, model = read_source(source, spin_ordering, lattice, soc, spin_degeneracy)
    out.print(model_table(calculation.prepare(model)))
    if model.trial_orbitals is not None:
        out.print(trial_orbitals_table(model.trial_orbitals))
    out.print(symmetry_table(model))
    path, points = fast_path(), points_side_by_side(model.operators)
    compiled = f"compiled, {points} k points at a time" if points > 1 else "matrices of one k point at a time"
    told = compiled if path.compiled else "plain Python, some hundred times slower"
    out.say(one_line(f"kernels: {told} ({path.reason})"))


@app.command()
@takes_settings(Calculation)
def run(
    source: Source,
    settings: Settings,
    store: Annotated[Path | None, typer.Option(help="Zarr store to publish the result in.")] = None,
    spin_ordering: SpinOrdering = None,
    lattice: Lattice = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
    workers: Workers = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the Hall conductivities, or what is there, into this .png, .pdf or .svg."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Compute one material, print its values at the Fermi level.

    With a store, they are published there, and what is there already is not computed again.
    """
    calculation, targets = Calculation(**settings), Targets.checked(store, plot)
    work = Work.of(*read_source(source, spin_ordering, lattice, soc, spin_degeneracy), calculation)
    if targets.store is not None and work.is_published(targets.store):
        out.say(f"{store} already holds {work.material_id} with these settings: nothing to do.")
        out.say(f"its values: spinscreen show {store} {work.material_id}")
        stored = read_material(targets.store, work.material_id)
        say_warnings(stored)
        if plot is not None:
            _draw(stored, plot)
        return
    setting = "budget" if work.settings.is_adaptive else "kmesh"
    confirm_cost(work.model, work.rough_kpoints, yes, setting)
    if calculation.pairing is not None:
        _announce(superconductor_table(work.model, calculation.reduced_gap), targets)
    _announce(model_table(work.model), targets)
    if work.model.fermi_level is None and len(work.settings.fermi_energy) > 1:
        _announce(
            "note: no file says the Fermi level: the scan is computed, values at the level will be missing; "
            "give --fermi-level or --electrons to have them",
            targets,
        )
    with (
        local_engine(workers or 0) as engine,
        progress_bar(out, work.model.name, work.most_kpoints) as progress,
    ):
        dataset = work.result(engine, targets.store, progress)
    _show(work, dataset, targets)


def _show(work: Work, dataset: xr.Dataset, targets: Targets) -> None:
    """Print and draw what is published already."""
    file = None if targets.store is None else material_file(targets.store, work.material_id)
    with attempts("" if file is None else f"; the result is published: {file}") as attempt:
        if targets.store is not None:
            attempt(build_catalog, targets.store)
        here = shown_energy(dataset)
        if isinstance(here, str):
            attempt(out.say, one_line(here))
        else:
            sample = sample_of(work.model, work.settings.temperature)
            if (answers := answers_table(here, sample)) is not None:
                attempt(out.print, answers)
            attempt(out.print, result_table(here, sample))
        if "mesh_note" in dataset.attrs:
            attempt(out.say, f"note: {dataset.attrs['mesh_note']}")
        if file is not None:
            attempt(out.say, f'published: xr.open_zarr("zip::{file}")')
        if targets.plot is not None:
            attempt(_draw, dataset, targets.plot)


def _announce(known: Table | str, targets: Targets) -> None:
    """Print what is known before the work. It goes on without a reader if its result is stored."""
    try:
        if isinstance(known, str):
            out.say(known)
        else:
            out.print(known)
    except (OSError, SystemExit):
        if targets.store is None:
            raise


def _draw(dataset: xr.Dataset, plot: Path) -> None:
    save_figure(figure_of(draw_curve(dataset)), plot)
    out.say(f"drawn: {plot}")


@app.command()
@takes_settings(Calculation, [name for name in PER_BAND if name != "memory_budget"])
def bands(
    source: Source,
    settings: Settings,
    path: Annotated[
        str | None,
        typer.Option(
            help="Special points, for example 'G 0 0 0, X 0.5 0 0.5, L 0.5 0.5 0.5', with | where the path "
            "goes on elsewhere. Default: kpoint_path of the .win, else lines of high symmetry.",
        ),
    ] = None,
    color: Annotated[
        str,
        typer.Option(
            help="Quantity and component: texture:spin_z, berry_curvature:z, conserved_curvature:z_z, "
            "proper_curvature:xy_z. Without a component the largest; energy for lines of one colour."
        ),
    ] = "texture:spin_z",
    output: Annotated[
        Path, typer.Option("--output", "--save", help="Figure to draw (.png, .pdf, .svg).")
    ] = Path("bands.png"),
    window: Window = None,
    points: Annotated[int, typer.Option(min=2, help="k points per segment.")] = 100,
    spin_ordering: SpinOrdering = None,
    lattice: Lattice = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
) -> None:
    """Draw bands along a path, coloured by a texture or a curvature."""
    check_figure(output, "--output")
    energies = window_of_text(window)
    _, model = read_source(source, spin_ordering, lattice, soc, spin_degeneracy)
    if energies is not None and not knows_level(model, settings):
        err.complain(
            f"no file says the Fermi level of {model.name}, --window is about 0 eV; give --fermi-level or "
            "--electrons to have it about the level",
            "warning",
        )
    name = color.partition(":")[0]
    corners = path_corners(path, model)
    dataset = evaluate(
        model,
        k_path(corners, model.lattice, points),
        ["energy", name] if name != "energy" else ["energy"],
        **settings,
    )
    labels = None if name == color else color_labels(dataset[name], color)
    with as_options():
        ax = draw_bands(dataset, name, labels, window=energies)
    save_figure(figure_of(ax), output)
    out.say(f"drawn: {output}")


@app.command()
@takes_settings(Calculation, PER_BAND)
def stream(
    source: Source,
    settings: Settings,
    store: Annotated[Path, typer.Option(help="Zarr store; the values go to its group /bands.")],
    kmesh: Annotated[
        str | None,
        typer.Option(help="Mesh: 48, or 48,48,48, or 60,60,1. Default: spacing 0.1/angstrom, Gamma-centred."),
    ] = None,
    quantities: Annotated[
        str, typer.Option(help="Values per k and band, see `spinscreen quantities`.")
    ] = "energy,texture",
    spin_ordering: SpinOrdering = None,
    lattice: Lattice = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
    workers: Workers = None,
    yes: Yes = False,
) -> None:
    """Stream values per k and band on a mesh into a store.

    Stopped at any moment, run it again: it goes on.
    """
    targets = Targets.checked(store)
    _, model = read_source(source, spin_ordering, lattice, soc, spin_degeneracy)
    mesh = complete_kmesh(model, None if kmesh is None else mesh_of_text(kmesh))
    confirm_cost(model, KMesh(mesh).size, yes)
    with (
        local_engine(workers or 0) as engine,
        progress_bar(out, model.name, int(np.prod(mesh))) as progress,
    ):
        name = stream_bands(
            model,
            mesh,
            targets.store or store,
            names_of_text(quantities),
            engine,
            progress=progress,
            **settings,
        )
    out.say(f'published: xr.open_zarr("{store}", group="bands/{name}", consolidated=False)')


@app.command(name="texture", hidden=True)
@wraps(stream)
def texture(**given: Any) -> None:
    """The name that `stream` had in the last version."""
    err.complain("texture is called stream now; the old name goes away", "warning")
    stream(**given)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where store and figure go.")] = Path("spinscreen-demo"),
    workers: Annotated[int | None, typer.Option(min=1, help="Dask workers. Default: one per core.")] = None,
) -> None:
    """Compute and rank ten built-in materials in half a minute.

    On a local Dask cluster; leaves a store and a figure.
    """
    from .demo import run_demo

    run_demo(folder, workers, out)


@app.command(name="library")
def show_library() -> None:
    """List the built-in models with their literature."""
    table = Table(title="built-in models", title_justify="left")
    for column in ("name", "functions", "observables", "source"):
        table.add_column(column, overflow="fold")
    for name in library.names():
        model = library.load(name)
        spins = " ".join(model.observables) or "none"
        table.add_row(name, str(model.size), spins, library.reference(name).splitlines()[0])
    out.print(table)


@app.command(name="quantities")
def show_quantities(
    markdown: Annotated[bool, typer.Option(help="Print the page docs/quantities.md.")] = False,
) -> None:
    """List what can be computed."""
    if markdown:
        typer.echo(quantities_markdown())
    else:
        out.print(quantities_table())


add_commands(app)
add_stored_commands(app)
add_page_commands(app)
add_store_commands(app)
add_export_command(app)
add_fermi_command(app)
