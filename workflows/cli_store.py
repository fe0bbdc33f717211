"""Commands that look after a store: `spinscreen verify | migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from spinscreen.storage import migrate, verify

from .console import out
from .settings import Settings

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
        out.print(f"{damage.place}: {damage.reason}", soft_wrap=True, highlight=False, markup=False)
    if not found:
        out.print("all that is stored is what was written")
        return
    out.print(
        f"{len(found)} damaged, removed: run the same campaign again, then `spinscreen catalog {store}`"
        if repair
        else f"{len(found)} damaged: `spinscreen verify {store} --repair` removes them",
        soft_wrap=True,
        markup=False,
    )
    raise typer.Exit(0 if repair else 1)


def migrate_store(store: Store) -> None:
    """Rewrite a store of an older version, one file a material; nothing is computed again."""
    done = migrate(store, present_id)
    for told in done.left:
        out.print(told, soft_wrap=True, highlight=False, markup=False)
    out.print(f"{done.rewritten} materials rewritten, {len(done.left)} could not be read and were left")
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
