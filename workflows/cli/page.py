"""Commands for the page of a store: `spinscreen report | serve`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from spinscreen.storage import PageServer, write_report

from ..text import names_of_text
from .terminal import err, one_line, out

StorePath = Annotated[Path, typer.Argument(help="Zarr store.")]


def report(
    store: StorePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="File of HTML to write.")] = Path(
        "report.html"
    ),
    where: Annotated[
        str | None, typer.Option(help="As of `screen`, for example 'gap < 0.05'; default: everything.")
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(help="Results to keep, with commas between: converged, unconverged, unknown."),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="Only what this campaign computed: its id, or its beginning.")
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest/--all", help="Of each material its newest result alone, or all of them.")
    ] = True,
) -> None:
    """Write a page to browse and share.

    One file with table, map and curves, that needs no network.
    """
    kept = None if quality is None else names_of_text(quality)
    done = write_report(store, output, where, kept, campaign, latest, _tracked)
    for told in done.damaged:
        err.complain(told, "warning")
    out.say(one_line(f"written: {done.path}, {done.materials} materials, {done.size / 1e6:.1f} MB"))
    if done.left_out:
        out.say(
            f"{done.left_out} curves of small components had no room; `spinscreen serve` shows all; values "
            "at the Fermi level are all there"
        )


def _tracked(names: Sequence[str]) -> Iterable[str]:
    yield from track(names, "reading", console=err, transient=True, disable=not err.is_terminal)


def serve(
    store: StorePath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: one that is free.")] = 0,
    host: Annotated[
        str, typer.Option(help="Interface; another than loopback lets other machines in.")
    ] = "127.0.0.1",
) -> None:
    """Show the same page live, of a store of any size.

    Until Ctrl-C; new results appear by themselves.
    """
    server = PageServer(store, host, port)
    out.say(server.address)
    out.say("open it in a browser; Ctrl-C ends it")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        out.say("stopped")
    finally:
        server.server_close()


def add_page_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    app.command(name="report")(report)
    app.command(name="serve")(serve)
