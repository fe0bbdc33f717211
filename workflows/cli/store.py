"""Commands that look after a store: `spinscreen verify | migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from spinscreen.storage import migrate, verify

from ..settings import Settings
from .terminal import one_line, out

Store = Annotated[Path, typer.Argument(help="Zarr store.")]


def verify_store(
    store: Store,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Remove what is damaged, so that the next run computes it anew."),
    ] = False,
) -> None:
    """Check everything in a store against its digests, and name what is damaged."""
    found = verify(store, repair)
    for damage in found:
        told = damage.reason if str(damage.place) in damage.reason else f"{damage.place}: {damage.reason}"
        out.say(one_line(told))
    if not found:
        out.say("all that is stored is what was written")
        return
    left = sum(not damage.removable for damage in found)
    if len(found) > left:
        out.say(
            f"{len(found) - left} damaged, mended: results among them are removed, run their campaign again"
            if repair
            else f"{len(found) - left} damaged: `spinscreen verify {store} --repair` mends or removes them"
        )
    if left:
        out.say(f"{left} could not be read and may be whole; they are never removed")
    raise typer.Exit(1 if left or not repair else 0)


def migrate_store(store: Store) -> None:
    """Rewrite a store of an older version, one file a material; nothing is computed again."""
    done = migrate(store, present_id)
    for told in done.left:
        out.say(one_line(told))
    out.say(f"{done.rewritten} materials rewritten, {len(done.left)} could not be read and were left")
    if done.left:
        raise typer.Exit(1)


def present_id(dataset: xr.Dataset, name: str) -> str:
    """Name under which a run looks for a result now; `name` where the result does not say what it is of."""
    attributes = dataset.attrs
    try:
        x, y, z = attributes["k_mesh"]
        settings = Settings(
            (int(x), int(y), int(z)),
            tuple(dataset["fermi_energy"].values.tolist()),
            float(attributes["temperature"]),
            float(attributes["degeneracy_threshold"]),
            float(attributes["broadening"]),
            tuple(map(str, dataset.data_vars)),
        )
        return settings.id_of(str(attributes["model_name"]), str(attributes["model_hash"]))
    except (KeyError, TypeError, ValueError):
        return name


def add_store_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    app.command(name="verify")(verify_store)
    app.command(name="migrate")(migrate_store)
