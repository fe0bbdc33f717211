"""Commands for many materials: `spinscreen init | check | submit | status | catalog | screen`."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spinscreen.kernels import InputError
from spinscreen.materials import Source, check_new_manifest, find_materials, write_manifest
from spinscreen.storage import Store, build_catalog, campaigns, checked_store, screen

from ..batch import driver_script, submit_driver, worker_script
from ..calculation import Calculation
from ..campaign import Campaign, Outcome
from ..clusters import local_engine, open_cluster
from ..configuration import CampaignCalculation, CampaignFile, campaign_settings, read_campaign_file, template
from ..driver import CampaignReport, run_campaign
from ..preview import Preview, preview_material
from .log import driver_log
from .numbers import counted
from .options import takes_settings
from .progress import progress_bar
from .reading import Coupling, Lattice, Settings, SpinDegeneracy, SpinOrdering
from .screening import screen_store
from .terminal import one_line, out

Collection = Annotated[
    str,
    typer.Argument(
        help="A folder tree of Wannier90 calculations, a manifest (.csv, .json or .yaml with id, path, "
        "fermi_level, electrons, spin_ordering, spin_degeneracy, soc, lattice and any columns of your own), "
        "or 'library'."
    ),
]
#: Names of results that `status` lists.
_MOST_NAMES = 40

StorePath = Annotated[Path, typer.Argument(help="Zarr store.")]


def init(
    file: Annotated[Path, typer.Argument(help="Campaign file to write.")] = Path("campaign.toml"),
) -> None:
    """Write a campaign file with every setting explained."""
    try:
        with file.open("x") as stream:
            stream.write(template())
    except FileExistsError:
        raise InputError(f"{file}: is there already, expected a new name; it was not touched.") from None
    except OSError as problem:
        raise InputError(f"{file}: cannot be written ({problem.strerror}).") from None
    out.say(f"written: {file}; next: spinscreen submit {file} --dry-run")


@takes_settings(Calculation, ["fermi_level", "electrons"])
def check(
    source: Collection,
    settings: Settings,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes that read; 0: this one.")] = 0,
    spin_ordering: SpinOrdering = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
    lattice: Lattice = None,
    write: Annotated[
        Path | None,
        typer.Option(help="Manifest (.csv) to write, with empty cells for what can be given."),
    ] = None,
) -> None:
    """Read every material without computing anything.

    Says what is broken, missing and assumed, and what will be computed.
    """
    reading = {"spin_ordering": spin_ordering, "soc": soc, "spin_degeneracy": spin_degeneracy}
    reading |= {"lattice": lattice, **settings}
    materials = _materials(source, {name: value for name, value in reading.items() if value is not None})
    if write is not None:
        check_new_manifest(write, materials)
    previews: dict[str, Preview] = {}
    with (
        local_engine(workers) as engine,
        progress_bar(out, "reading", len(materials), "materials", transient=True) as progress,
    ):
        for material, done in engine.map(preview_material, materials, nested=True):
            previews[material.id] = done.result()
            for line in str(previews[material.id]).split("\n"):
                out.say(one_line(line))
            progress(1)
    broken = sum(preview.check.error is not None for preview in previews.values())
    out.print(f"{len(materials) - broken} of {len(materials)} can be computed")
    if write is not None:
        checks = [previews[material.id].check for material in materials]
        write_manifest(write, materials, checks)
        out.say(f"written: {write}; next: fill in what is missing, then spinscreen submit {write}")
    if broken:
        raise typer.Exit(1)


@takes_settings(CampaignCalculation, unset=True)
def submit(
    campaign: Annotated[
        str,
        typer.Argument(
            help="Campaign file (.toml, see `spinscreen init`), or a source as in `spinscreen check`."
        ),
    ],
    settings: dict[str, Any],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting that goes before the file's: calculation.kmesh=24. Repeatable."
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Same as --set source=...")] = None,
    store: Annotated[str | None, typer.Option(help="Same as --set store=...")] = None,
    workers: Annotated[int | None, typer.Option(help="Same as --set cluster.workers=...")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a running scheduler; --set cluster.kind, cluster.address.")
    ] = None,
    spin_ordering: SpinOrdering = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
    lattice: Lattice = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings and job script, and do nothing.")
    ] = False,
    as_job: Annotated[
        bool, typer.Option("--as-job", help="Submit the driver itself as a batch job and return.")
    ] = False,
) -> None:
    """Compute many materials into one store.

    Stopped at any moment, run it again: it goes on. Settings given here go before those of the file.
    """
    given = {
        "source": source,
        "store": store,
        **{f"calculation.{name}": value for name, value in settings.items()},
        "reading.spin_ordering": spin_ordering,
        "reading.soc": soc,
        "reading.spin_degeneracy": spin_degeneracy,
        "reading.lattice": lattice,
        "cluster.workers": workers,
        "cluster.kind": None if scheduler is None else "scheduler",
        "cluster.address": scheduler,
    }
    all_changes = [
        *(changes or []),
        *(
            f"{name}={json_format.dumps(value, default=list)}"
            for name, value in given.items()
            if value is not None
        ),
    ]
    whole = (
        read_campaign_file(Path(campaign), all_changes)
        if campaign.endswith(".toml")
        else campaign_settings({"source": campaign}, all_changes, "submit")
    )
    if dry_run:
        _show(whole, as_job)
    elif as_job:
        script = _driver_script(whole)
        out.say(submit_driver(whole.cluster, script, _logs(whole)))
    else:
        _run(whole)


def _materials(source: str, reading: dict[str, Any]) -> tuple[Source, ...]:
    """Raises InputError where one of many materials would be told what is of one alone."""
    found = find_materials(source, **reading)
    own = next((name for name in ("lattice", "fermi_level", "electrons") if name in reading), None)
    if own is not None and len(found) > 1:
        raise InputError(
            f"--{own.replace('_', '-')}: {source} holds {len(found)} materials, expected one; name one of "
            f"them, or put {own} into a column of a manifest, which `spinscreen check --write` begins."
        )
    return found


def _logs(settings: CampaignFile) -> Path:
    return Path(f"{settings.store}.logs").resolve()


def _driver_script(settings: CampaignFile) -> str:
    """The same command, complete in itself: what this process was told may be gone when the job starts."""
    words = [word for word in sys.argv[1:] if word not in ("--as-job", "--dry-run")]
    command = [sys.executable, "-m", "spinscreen.workflows.cli", *words]
    return driver_script(settings.cluster, command, _logs(settings))


def _show(settings: CampaignFile, as_job: bool) -> None:
    materials = _materials(settings.source, settings.reading.given)
    out.say(one_line(f"{counted(len(materials), 'material')} from {settings.source} into {settings.store}"))
    out.say(json_format.dumps(settings.model_dump(mode="json", exclude={"source", "store"}), indent=2))
    if as_job:
        typer.echo(_driver_script(settings))
    if settings.cluster.is_batch:
        typer.echo(worker_script(settings.cluster, _logs(settings)))


def _run(settings: CampaignFile) -> None:
    job = Campaign(_materials(settings.source, settings.reading.given), settings.calculation)
    place = Store.at(settings.store)
    if place.exists:
        # One that cannot be written will do where nothing is to be computed.
        place.check_place()
    else:
        checked_store(settings.store)
    logs = _logs(settings)
    with (
        open_cluster(settings.cluster, logs, out.say) as cluster,
        driver_log(logs),
        progress_bar(out, "campaign", len(job.materials), "materials") as progress,
    ):
        if cluster.dashboard is not None:
            out.say(f"dashboard: {cluster.dashboard}")
        if cluster.notice is not None:
            out.say(cluster.notice)

        def seen(outcome: Outcome) -> None:
            progress(1)
            if outcome.error is not None:
                out.say(one_line(f"{outcome.id}: {outcome.error}"))

        # Where nothing is said of reading, a campaign is the one that it was before that could be said.
        left_out = {"store"} if settings.reading.given else {"store", "reading"}
        record = settings.model_dump(mode="json", exclude=left_out)
        report = run_campaign(job, settings.store, cluster.engine, seen, record=record)
    advice = "status" if report.failures else "screen"
    out.say(
        f"{report.count('computed')} computed, {report.count('present')} there already, "
        f"{report.count('failed')} failed; next: spinscreen {advice} {settings.store}"
    )
    if report.count("computed") and not cluster.engine.grows:
        out.print(
            f"{report.seconds:.1f} s, {report.overhead:.0%} of the workers' time for scheduling and waiting"
        )
    if told := _doubts(report, settings.store, logs):
        out.say(one_line(told))
    if len(report.failures) < len(report.outcomes):
        _tell_unknown_levels(settings.store)
    for first, *others in report.shared:
        told = f"{', '.join(others)}: equal to {first} in model and settings, one result that has its name"
        out.say(one_line(told))
    for outcome in report.outcomes:
        if outcome.called is not None:
            told = f"{outcome.id}: there already as {outcome.called}, its id before its folder changed"
            out.say(one_line(told))
    for told in report.damaged:
        out.say(one_line(told))
    if report.failures or report.damaged:
        raise typer.Exit(1)


def _doubts(report: CampaignReport, store: str, logs: Path) -> str | None:
    """How many of the computed ones are not to be trusted as they are, and where it says why."""
    doubtful = [one for one in report.outcomes if one.converged is False or one.warnings]
    if not doubtful:
        return None
    unconverged, warned = len(report.unconverged), len(report.warned)
    first = doubtful[0].material_id
    return (
        f"of {report.count('computed')} computed {unconverged} {'is' if unconverged == 1 else 'are'} "
        f"unconverged, {warned} {'has' if warned == 1 else 'have'} warnings; why: "
        f"spinscreen show {store} {first}, or all in {logs}"
    )


def _tell_unknown_levels(store: str) -> None:
    unknown = screen(store, "fermi_level != fermi_level", columns=["name"])["name"]
    if len(unknown):
        some = ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")
        out.say(
            f"{len(unknown)} without a Fermi level ({one_line(some)}): columns that refer to it are empty; "
            "give fermi_level or electrons in a manifest, or put the scf output beside the model"
        )


def status(store: StorePath) -> None:
    """Show what a store holds, what ran, and what failed and why."""
    place = Store.at(store)
    if not place.exists:
        raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
    results = sorted(place.results)
    out.say(f"{counted(len(results), 'result')} in {store}")
    for name in results[:_MOST_NAMES]:
        out.say(one_line(f"  {name}"))
    if len(results) > _MOST_NAMES:
        out.say(f"  and {len(results) - _MOST_NAMES} more: spinscreen screen {store} --all --columns name")
    for name in place.damaged:
        out.say(one_line(f"damaged: {place.file(name)}: run its campaign again, which computes it anew"))
    for name, record in campaigns(store).items():
        origin = record["settings"].get("source", "given in Python")
        told = f"first run {record['first_run']}, source {origin}, spinscreen {record['spinscreen_version']}"
        out.say(one_line(f"campaign {name}: {told}"))
    failed = place.failure_records
    for record in failed:
        origin = f" (campaign {record['campaign']})" if record.get("campaign") else ""
        out.say(one_line(f"failed: {record['id']}{origin}: {record['error']}"))
    if failed:
        out.say(f"{len(failed)} failed; mend them and run the same `spinscreen submit` again")


def catalog(store: StorePath) -> None:
    """Bring the catalog up to date with the results in a store."""
    found = build_catalog(store)
    out.say(f"{counted(found.sizes['material'], 'material')}, {len(found.data_vars)} columns and arrays")
    for told in found.attrs.get("damaged", ()):
        out.say(one_line(told))
    if found.attrs.get("damaged"):
        raise typer.Exit(1)


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this module on the command line."""
    for name, command in (
        ("init", init),
        ("check", check),
        ("submit", submit),
        ("status", status),
        ("catalog", catalog),
        ("screen", screen_store),
    ):
        app.command(name=name)(command)
