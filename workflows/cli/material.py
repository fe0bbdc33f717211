"""Commands for one material; those for many of them are in `campaign`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr
from rich.table import Table

from spinscreen.kernels import DEFAULT_DEGENERACY_THRESHOLD, InputError, KMesh, checked_temperature, k_path
from spinscreen.materials import (
    PAIRINGS,
    SpinOrderingWarning,
    WannierModel,
    bcs_gap,
    library,
    load_model,
)
from spinscreen.storage import (
    Checkpoints,
    check_figure,
    check_hall,
    checked_store,
    is_published,
    material_file,
    plot_bands,
    plot_hall,
    publish,
    read_material,
    save_figure,
)

from ..clusters import local_cluster
from ..computing import compute_settings, evaluate
from ..plan import DEFAULT_MEMORY_BUDGET
from ..preparation import prepared_model
from ..settings import Settings, complete_kmesh, make_settings
from ..streaming import stream_bands
from .arguments import attempts, confirm_cost, parse_energies, parse_mesh, parse_names, path_corners
from .campaign import add_commands
from .console import (
    model_table,
    progress_bar,
    quantities_markdown,
    quantities_table,
    result_table,
    superconductor_table,
)
from .store import add_store_commands
from .terminal import out

app = typer.Typer(
    help="Conserved currents of nonconserved quantities from Wannier models.",
    epilog="Start with `spinscreen demo`; then `spinscreen info FOLDER` on your own Wannier90 folder.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str,
    typer.Argument(
        help="Folder, seedname or file of a Wannier90 calculation, a saved model (.hdf5), or the name of a "
        "built-in model (see `spinscreen library`).",
    ),
]
SpinOrdering = Annotated[
    str | None,
    typer.Option(
        help="Order of the spinors where there is no .chk + .spn: interlaced (up, down, up, down ...), block "
        "(all up, then all down) or none. Found by a test if not given.",
    ),
]
Threshold = Annotated[
    float,
    typer.Option(help="Bands closer than this (eV) are one level. Physical: stored with results."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Go on without a question, however long it will take.")]
Quantities = Annotated[
    str | None,
    typer.Option(help="Names with commas between, see `spinscreen quantities`. Default: all that apply."),
]


def read_source(source: str, spin_ordering: str | None = None) -> WannierModel:
    """A model from files or, where no file has that name, from the library. Raises InputError."""
    if source in library.names() and not Path(source).exists():
        return library.load(source)
    options = {} if spin_ordering is None else {"spin_ordering": spin_ordering}
    with warnings.catch_warnings():
        # The tables print the assumption with its measured violations.
        warnings.simplefilter("ignore", SpinOrderingWarning)
        return load_model(source, **options)


@app.command()
def info(source: Source, spin_ordering: SpinOrdering = None) -> None:
    """Show what a model holds, where it comes from, and what was assumed about its spins."""
    out.print(model_table(read_source(source, spin_ordering)))


@app.command()
def run(
    source: Source,
    store: Annotated[Path | None, typer.Option(help="Zarr store to publish the result in.")] = None,
    kmesh: Annotated[
        str | None,
        typer.Option(help="Mesh: 48, or 48,48,48, or 60,60,1. Default: spacing 0.1/angstrom."),
    ] = None,
    fermi_energy: Annotated[
        str | None,
        typer.Option(
            help="eV: one value 18.4, a list 18.4,18.5, or start:stop:step. Default: 2 eV about the Fermi "
            "level, or all bands where that is unknown.",
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="K; Fermi-surface and Nernst quantities need one above 0.")
    ] = 0.0,
    degeneracy_threshold: Threshold = DEFAULT_DEGENERACY_THRESHOLD,
    broadening: Annotated[
        float, typer.Option(help="eta (eV) of the conventional curvature; the peers' smearing.")
    ] = 0.0,
    quantities: Quantities = None,
    spin_ordering: SpinOrdering = None,
    pairing: Annotated[
        str | None,
        typer.Option(help=f"Make it a superconductor: {', '.join(PAIRINGS)}. Charge is then an observable."),
    ] = None,
    gap: Annotated[float, typer.Option(help="Amplitude of the pairing at T = 0 (eV).")] = 1e-3,
    chemical_potential: Annotated[
        float | None, typer.Option(help="eV, of a superconductor. Default: the Fermi level.")
    ] = None,
    charge: Annotated[
        bool, typer.Option(help="Add the observable charge = -1: T11 is then the orbital magnetization.")
    ] = False,
    orbital: Annotated[
        bool,
        typer.Option(help="Add the orbital angular momentum, from the projections of the .win."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Dask worker processes; 0 or none: threads of this one.")
    ] = None,
    memory_budget: Annotated[str, typer.Option(help="Per worker.")] = DEFAULT_MEMORY_BUDGET,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the Hall conductivities into this .png, .pdf or .svg.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Compute Brillouin-zone integrals, publish them in a store, and print them at the Fermi level."""
    mesh, energies = parse_mesh(kmesh), parse_energies(fermi_energy)
    place = None if store is None else checked_store(store)
    if plot is not None:
        check_figure(plot, "--plot")
    temperature = checked_temperature(temperature)
    model = prepared_model(
        read_source(source, spin_ordering),
        charge=charge,
        orbital=orbital,
        pairing=pairing,
        gap=gap,
        chemical_potential=chemical_potential,
        temperature=temperature,
    )
    names = parse_names(quantities)
    settings = make_settings(model, mesh, energies, temperature, degeneracy_threshold, broadening, names)
    if plot is not None:
        check_hall(settings.quantities)
    material_id = settings.material_id(model)
    if place is not None and is_published(place, material_id):
        out.say(f"{store} already holds {material_id} with these settings: nothing to do.")
        if plot is not None:
            _draw(read_material(place, material_id), plot)
        return
    confirm_cost(model, settings.mesh, yes)
    if pairing is not None:
        _announce(superconductor_table(model, bcs_gap(gap, temperature)), place)
    _announce(model_table(model), place)
    dataset = _computed(model, settings, place, workers or 0, memory_budget)
    file = None if place is None else material_file(place, material_id)
    with attempts("" if file is None else f"; the result is published: {file}") as attempt:
        attempt(out.print, result_table(dataset, _reference_energy(model, dataset["fermi_energy"].values)))
        if file is not None:
            attempt(out.say, f'published: xr.open_zarr("zip::{file}")')
        if plot is not None:
            attempt(_draw, dataset, plot)


def _computed(
    model: WannierModel, settings: Settings, store: Path | None, workers: int, memory_budget: str
) -> xr.Dataset:
    """The result, published before anything is said of it: a terminal that fails must not cost it."""
    material_id = settings.material_id(model)
    checkpoints = None if store is None else Checkpoints(store, material_id)
    with local_cluster(workers) as client, progress_bar(out, model.name, settings.mesh.size) as progress:
        dataset = compute_settings(model, settings, client, memory_budget, progress, checkpoints)
        if store is not None:
            publish(dataset, store, material_id)
    if checkpoints is not None:
        checkpoints.clear()
    return dataset


def _announce(table: Table, store: Path | None) -> None:
    """Print what is known before the work. It goes on without a reader if its result is stored."""
    try:
        out.print(table)
    except (OSError, SystemExit):
        if store is None:
            raise


def _draw(dataset: xr.Dataset, plot: Path) -> None:
    save_figure(plot_hall(dataset), plot)
    out.say(f"drawn: {plot}")


@app.command()
def bands(
    source: Source,
    path: Annotated[
        str | None,
        typer.Option(
            help="Special points, for example 'G 0 0 0, X 0.5 0 0.5, L 0.5 0.5 0.5'. Default: kpoint_path "
            "of the .win, else a path along the reciprocal axes.",
        ),
    ] = None,
    color: Annotated[
        str,
        typer.Option(
            help="Quantity and component: texture:spin_z, berry_curvature:z, conserved_curvature:spin_z,z."
        ),
    ] = "texture:spin_z",
    output: Annotated[Path, typer.Option(help="Figure to draw (.png, .pdf, .svg).")] = Path("bands.png"),
    points: Annotated[int, typer.Option(min=2, help="k points per segment.")] = 100,
    degeneracy_threshold: Threshold = DEFAULT_DEGENERACY_THRESHOLD,
    spin_ordering: SpinOrdering = None,
) -> None:
    """Draw bands along a path, coloured by a texture or a curvature."""
    check_figure(output, "--output")
    model = read_source(source, spin_ordering)
    name, _, component = color.partition(":")
    corners = path_corners(path, source, model)
    dataset = evaluate(
        model,
        k_path(corners, model.lattice, points),
        ["energy", name] if name != "energy" else ["energy"],
        degeneracy_threshold=degeneracy_threshold,
    )
    dims = [dim for dim in dataset[name].dims if dim not in ("k", "band")]
    chosen = [word for word in component.split(",") if word]
    if len(chosen) != len(dims) or any(
        label not in dataset[dim].values for dim, label in zip(dims, chosen, strict=False)
    ):
        choices = "; ".join(f"{dim}: {', '.join(dataset[dim].values)}" for dim in dims) or "none"
        raise InputError(
            f"--color: expected {name}:{','.join(map(str, dims))} with labels from {choices}, found "
            f"{color!r}."
        )
    figure = plot_bands(
        dataset, name, {str(dim): label for dim, label in zip(dims, chosen, strict=True)}, model.fermi_level
    )
    save_figure(figure, output)
    out.say(f"drawn: {output}")


@app.command()
def texture(
    source: Source,
    store: Annotated[Path, typer.Option(help="Zarr store; the values go to its group /bands.")],
    kmesh: Annotated[str | None, typer.Option(help="Mesh, as for `spinscreen run`.")] = None,
    quantities: Annotated[
        str, typer.Option(help="Values per k and band, see `spinscreen quantities`.")
    ] = "energy,texture",
    degeneracy_threshold: Threshold = DEFAULT_DEGENERACY_THRESHOLD,
    spin_ordering: SpinOrdering = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Dask worker processes; 0 or none: threads of this one.")
    ] = None,
    memory_budget: Annotated[str, typer.Option(help="Per worker.")] = DEFAULT_MEMORY_BUDGET,
    yes: Yes = False,
) -> None:
    """Stream values per k and band on a whole mesh into a store; stopped at any moment, it goes on."""
    counts, place = parse_mesh(kmesh), checked_store(store)
    model = read_source(source, spin_ordering)
    mesh = complete_kmesh(model, counts)
    confirm_cost(model, KMesh(mesh), yes)
    with (
        local_cluster(workers or 0) as client,
        progress_bar(out, model.name, int(np.prod(mesh))) as progress,
    ):
        name = stream_bands(
            model,
            mesh,
            place,
            parse_names(quantities) or (),
            client,
            degeneracy_threshold=degeneracy_threshold,
            memory_budget=memory_budget,
            progress=progress,
        )
    out.say(f'published: xr.open_zarr("{store}", group="bands/{name}", consolidated=False)')


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where store and figure go.")] = Path("spinscreen-demo"),
    workers: Annotated[int | None, typer.Option(min=1, help="Dask workers. Default: one per core.")] = None,
) -> None:
    """Compute built-in materials on a local Dask cluster, rank them, write a store and a figure."""
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
add_store_commands(app)


def _reference_energy(model: WannierModel, energies: np.ndarray) -> float:
    if model.fermi_level is not None and energies.min() <= model.fermi_level <= energies.max():
        return model.fermi_level
    return float(np.median(energies))
