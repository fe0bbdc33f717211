"""`spinscreen export`: results of a store as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinscreen.kernels import InputError
from spinscreen.storage import EXPORTS, Store, check_file, export_results

from ..text import names_of_text
from .terminal import one_line, out


def export(
    store: Annotated[Path, typer.Argument(help="Zarr store.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, one line of JSON each.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="optimade: JSON lines for an OPTIMADE server; records: all numbers of each material at its "
            "Fermi level, as `screen_one` returns them.",
        ),
    ] = "optimade",
    where: Annotated[str | None, typer.Option(help="Materials to take, as for `spinscreen screen`.")] = None,
    quality: Annotated[
        str | None,
        typer.Option(help="Results to take, with commas between: converged, unconverged, unknown."),
    ] = None,
    latest: Annotated[
        bool,
        typer.Option("--latest/--all", help="Of each material its newest result alone, or all of them."),
    ] = True,
) -> None:
    """Write the results of a store for other programs."""
    if form not in EXPORTS:
        raise InputError(f"--format: expected one of {', '.join(EXPORTS)}, found {form!r}.")
    check_file(output, "--output")
    place = Store.at(store)
    if not place.exists:
        raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
    kept = None if quality is None else names_of_text(quality)
    chosen = place.screen(where, columns=["name"], quality=kept, latest=latest, mixed=True)
    done = export_results(place, [str(name) for name in chosen.index], output, form)
    for told in done.left:
        out.say(one_line(told))
    out.say(one_line(f"written: {output}, {done.written} materials"))
    if done.left:
        raise typer.Exit(1)


def add_export_command(app: typer.Typer) -> None:
    """Put the command of this module on the command line."""
    app.command(name="export")(export)
