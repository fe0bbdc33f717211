"""Commands for many materials: `spinscreen check | campaign | status | catalog | screen`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from spinscreen.kernels import DEFAULT_DEGENERACY_THRESHOLD, InputError
from spinscreen.materials import check_material, find_materials
from spinscreen.storage import build_catalog, failures, published, screen

from .campaign import Campaign, Outcome, default_workers, run_campaign
from .console import out
from .plan import DEFAULT_MEMORY_BUDGET

if TYPE_CHECKING:
    from distributed import Client

Collection = Annotated[
    str,
    typer.Argument(
        help="A folder tree of Wannier90 calculations, a manifest (.csv or .json with id, path, fermi_level, "
        "spin_ordering and any columns of your own), or 'library'."
    ),
]
Store = Annotated[Path, typer.Argument(help="Zarr store.")]


def check(source: Collection) -> None:
    """Read every material without computing, and list what is missing or broken."""
    materials = find_materials(source)
    broken = 0
    for material in materials:
        problem = check_material(material)
        broken += problem is not None
        out.print(f"{material.id}: {problem or 'good'}", soft_wrap=True, highlight=False)
    out.print(f"{len(materials) - broken} of {len(materials)} can be computed")
    if broken:
        raise typer.Exit(1)


def campaign(
    source: Collection,
    store: Annotated[Path, typer.Option(help="Zarr store; what it has already is not computed again.")],
    kmesh: Annotated[
        int | None, typer.Option(min=1, help="Points per periodic axis. Default: spacing 0.1/angstrom.")
    ] = None,
    half_width: Annotated[float, typer.Option(help="Scan about each Fermi level, eV.")] = 2.0,
    energies: Annotated[int, typer.Option(min=1, help="Points of the scan.")] = 201,
    temperature: Annotated[float, typer.Option(help="K.")] = 0.0,
    degeneracy_threshold: Annotated[
        float, typer.Option(help="Bands closer than this (eV) are one level.")
    ] = DEFAULT_DEGENERACY_THRESHOLD,
    broadening: Annotated[float, typer.Option(help="eta (eV) of the conventional curvature.")] = 0.0,
    quantities: Annotated[str | None, typer.Option(help="Names with commas between.")] = None,
    attempts: Annotated[int, typer.Option(min=1, help="How often a failing material is tried.")] = 2,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Local worker processes; 0: this process. Default: all cores.")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a running Dask scheduler.")] = None,
    memory_budget: Annotated[str, typer.Option(help="Per worker.")] = DEFAULT_MEMORY_BUDGET,
) -> None:
    """Compute many materials into one store. Stopped at any moment, run it again: it goes on."""
    names = None if quantities is None else tuple(word.strip() for word in quantities.split(","))
    job = Campaign(
        find_materials(source),
        kmesh,
        half_width,
        energies,
        temperature,
        degeneracy_threshold,
        broadening,
        names,
        attempts,
        memory_budget,
    )
    with _cluster(workers, scheduler) as client, Progress(console=out) as progress:
        task = progress.add_task("materials", total=len(job.materials))

        def seen(outcome: Outcome) -> None:
            progress.update(task, advance=1)
            if outcome.error is not None:
                progress.console.print(f"{outcome.id}: {outcome.error}", soft_wrap=True, highlight=False)

        report = run_campaign(job, store, client, seen)
    out.print(
        f"{report.count('computed')} computed, {report.count('present')} there already, "
        f"{report.count('failed')} failed; next: spinscreen screen {store}"
    )
    if report.failures:
        raise typer.Exit(1)


def _cluster(workers: int | None, scheduler: str | None) -> AbstractContextManager[Client | None]:
    from .cli import cluster

    if scheduler is None:
        return cluster(default_workers() if workers is None else workers)
    from distributed import Client

    try:
        return Client(scheduler, timeout=10)
    except OSError as problem:
        raise InputError(f"--scheduler: no Dask scheduler answers at {scheduler} ({problem}).") from None


def status(store: Store) -> None:
    """Show what a store holds and what failed, with the reason."""
    out.print(f"{len(published(store))} results in {store}")
    for name, error in failures(store).items():
        out.print(f"failed: {name}: {error}", soft_wrap=True, highlight=False)


def catalog(store: Store) -> None:
    """Bring the catalog up to date with the results in a store."""
    found = build_catalog(store)
    out.print(f"{found.sizes['material']} materials, {len(found.data_vars)} columns and arrays")


def screen_store(
    store: Store,
    where: Annotated[
        str | None, typer.Option(help="For example 'gap < 0.05 and abs(conserved_xy_z) > 100'.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Expression, the largest first: 'abs(conserved_xy_z_max)'.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Rows to keep.")] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to show, with commas between.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the table as JSON records.")] = None,
) -> None:
    """Filter and sort the materials of a store."""
    chosen = None if columns is None else [word.strip() for word in columns.split(",")]
    found = screen(store, where, sort, top, chosen)
    if csv is not None:
        found.to_csv(csv)
    if json is not None:
        found.reset_index().to_json(json, orient="records", indent=1)
    table = Table(title=f"{len(found)} materials", title_justify="left")
    for column in ("material", *found.columns):
        table.add_column(str(column), overflow="fold")
    for name, row in found.iterrows():
        cells = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in row]
        table.add_row(str(name), *cells)
    out.print(table)


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    for name, command in (
        ("check", check),
        ("campaign", campaign),
        ("status", status),
        ("catalog", catalog),
        ("screen", screen_store),
    ):
        app.command(name=name)(command)
