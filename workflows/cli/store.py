"""Commands that look after a store: `spinscreen verify | migrate | merge | remove`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from spinscreen.kernels import InputError
from spinscreen.storage import Store as StoredPlace
from spinscreen.storage import is_error, migrate, verify

from ..settings import Settings
from .numbers import counted
from .terminal import one_line, out

Store = Annotated[Path, typer.Argument(help="Zarr store.")]


def verify_store(
    store: Store,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Remove what is damaged, so that the next run computes it anew."),
    ] = False,
) -> None:
    """Check a store against its digests, and name what is damaged."""
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
    """Rewrite a store of an older version.

    One file a material; nothing is computed again.
    """
    done = migrate(store, present_id)
    for told in done.left:
        out.say(one_line(told))
    out.say(
        f"{counted(done.rewritten, 'material')} rewritten, {len(done.left)} could not be read and were left"
    )
    if done.left:
        raise typer.Exit(1)


def remove(
    store: Store,
    names: Annotated[
        list[str], typer.Argument(help="Results, by id or by name where that is one: Pt, Pt-0123456789.")
    ],
    every: Annotated[bool, typer.Option("--all", help="All results of each name, not only the one.")] = False,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Of each name all results but the newest.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Without a question.")] = False,
) -> None:
    """Remove results from a store, for ever.

    The next run computes them anew.
    """
    place = StoredPlace.at(store)
    if not place.exists:
        raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
    found: dict[str, None] = {}
    for name in names:
        ids = place.ids_of(name)[1:] if superseded else place.ids_of(name)
        if len(ids) > 1 and not (every or superseded):
            raise InputError(
                f"{name}: is {len(ids)} results ({', '.join(ids)}); expected the id of one, or --all or "
                "--superseded; nothing was removed."
            )
        found |= dict.fromkeys(ids)
    if not found:
        out.say("nothing to remove")
        return
    told = one_line(f"{', '.join(found)} of {store}")
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(
                f"remove: {told} would be gone for ever; expected --yes where nobody can answer."
            )
        if not typer.confirm(f"Remove {told} for ever?", err=True):
            raise typer.Exit(1)
    place.remove_results(tuple(found))
    out.say(f"removed: {told}")


def merge(
    store: Store,
    others: Annotated[list[Path], typer.Argument(help="Stores to copy from; they stay as they are.")],
) -> None:
    """Copy into a store what others hold and it lacks.

    Refused where one id has different numbers.
    """
    left = 0
    for other in others:
        done = StoredPlace.at(store).merge(other)
        for told in done.left:
            out.say(one_line(told))
        left += len(done.left)
        out.say(one_line(f"{other}: {len(done.copied)} copied, {done.present} there already"))
    if left:
        raise typer.Exit(1)


def present_id(dataset: xr.Dataset, name: str) -> str:
    """Name under which a run looks for a result now; `name` where the result does not say what it is of."""
    attributes = dataset.attrs
    if "components" in attributes:
        # Only this version makes such results, so they are where a run looks.
        return name
    try:
        x, y, z = attributes["k_mesh"]
        # Meshes of version 1 were Gamma-centred.
        shift_x, shift_y, shift_z = attributes.get("k_shift", (0.0, 0.0, 0.0))
        settings = Settings(
            (int(x), int(y), int(z)),
            tuple(dataset["fermi_energy"].values.tolist()),
            float(attributes["temperature"]),
            float(attributes["degeneracy_threshold"]),
            float(attributes["broadening"]),
            tuple(str(variable) for variable in dataset.data_vars if not is_error(str(variable))),
            kshift=(float(shift_x), float(shift_y), float(shift_z)),
        )
        return settings.id_of(str(attributes["model_name"]), str(attributes["model_hash"]))
    except (KeyError, TypeError, ValueError):
        return name


def add_store_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    app.command(name="verify")(verify_store)
    app.command(name="migrate")(migrate_store)
    app.command(name="merge")(merge)
    app.command(name="remove")(remove)
