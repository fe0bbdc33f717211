"""The driver of a campaign: keeps the workers busy, bounds what is in flight, records what fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client

from spinscreen.materials import Source
from spinscreen.storage import (
    Store,
    StoreError,
    forget_absent,
    forget_failure,
    missing_of,
    published,
    published_stamps,
    record_campaign,
    record_failure,
    update_catalog,
)

from .campaign import Campaign, Outcome
from .configuration import DEFAULT_WORKER_TIMEOUT
from .dask_engine import SchedulerLostError, WorkerKilledError, engine_of
from .engine import Engine, Result
from .liveness import OverdueError, Tell, WorkersLostError, warn
from .notebook import notebook_progress
from .portions import Finished, Portions, run_portion

log = logging.getLogger("spinscreen.driver")

#: Files up to which the driver looks at all of them itself, and how many a worker looks at together.
_FEW, _TOGETHER = 10_000, 512

#: Calls a function with each of some pieces; what it returns comes in their order.
EachOf = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]

_Piece = TypeVar("_Piece")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class CampaignReport:
    """How all materials ended.

    seconds : wall time of the computation, without the catalog; threads : of all workers, at its end
    damaged : a sentence for each result in the store that is not what was written, of other campaigns: what
        is damaged of this one was computed anew
    """

    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    threads: int = 1
    damaged: tuple[str, ...] = ()

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def unconverged(self) -> tuple[Outcome, ...]:
        """Materials that were computed, whose errors are not within the tolerance."""
        return tuple(outcome for outcome in self.outcomes if outcome.converged is False)

    @property
    def warned(self) -> tuple[Outcome, ...]:
        """Materials that were computed and of which something is to be known."""
        return tuple(outcome for outcome in self.outcomes if outcome.warnings)

    @property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """Ids of sources with equal models and settings, which share one result: first whose name it has."""
        found: dict[str, list[str]] = {}
        for outcome in sorted(self.outcomes, key=lambda outcome: outcome.status != "computed"):
            if outcome.material_id is not None and outcome.called is None:
                found.setdefault(outcome.material_id, []).append(outcome.id)
        return tuple(tuple(ids) for ids in found.values() if len(ids) > 1)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.count(status)} {status}" for status in ("computed", "present", "failed"))
        return f"{counts} in {self.seconds:.1f} s"

    @property
    def overhead(self) -> float:
        """Share of the workers' time that went into scheduling and waiting, not into materials."""
        busy = sum(outcome.seconds for outcome in self.outcomes)
        return 1 - busy / (self.seconds * self.threads) if self.seconds > 0 else 0.0


def _progress_of(campaign: Campaign) -> Callable[[Outcome], None]:
    """A bar in a notebook, elsewhere nothing."""
    bar = notebook_progress(len(campaign.materials))

    def move(outcome: Outcome) -> None:
        if bar is not None:
            bar(1)

    return move


def run_campaign(
    campaign: Campaign,
    store: str | Path,
    client: Client | Engine | None = None,
    progress: Callable[[Outcome], None] | None = None,
    capacity: int = 0,
    record: Mapping[str, Any] | None = None,
    worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
    tell: Tell = warn,
) -> CampaignReport:
    """Compute what is missing of a campaign and bring the catalog up to date.

    What is published under the same model and settings is not computed again, so a campaign that was killed
    at any moment goes on when it is run again, and ends with the same numbers. A failing material is tried
    `attempts` times, recorded in the store with its error, and does not stop the others; one that kills its
    worker is tried again alone. Several small materials are one task of a second or so; a large one spreads
    its k points over all workers.

    client : a Dask client or an `Engine`; None uses the threads of this process
    progress : called with each material that has ended; None shows a bar in a notebook, else nothing
    capacity : worker threads that an adaptive cluster may grow to; twice as many materials are in flight
    record : settings to be kept in the store, by default the campaign's own
    worker_timeout : seconds without any worker after which the campaign ends, jobs in a queue excepted
    tell : gets a sentence for each worker that is refused, and when none is left; these three of a client
    Raises StoreError where the store cannot be written, SchedulerLostError where the scheduler is gone,
    WorkersLostError where no worker is left, InputError where all are refused.

    >>> from tempfile import TemporaryDirectory
    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.workflows import Campaign, run_campaign
    >>> campaign = Campaign(find_materials("library")[:2], kmesh=4, scan_points=3)
    >>> with TemporaryDirectory() as folder:
    ...     first = run_campaign(campaign, f"{folder}/results.zarr")
    ...     again = run_campaign(campaign, f"{folder}/results.zarr")
    >>> first.count("computed"), again.count("computed"), again.count("present")
    (2, 0, 2)
    """
    root = Store.at(store).opened()
    root.sweep()
    name = record_campaign(root, campaign.record if record is None else record)
    forget_absent(root, name, {source.id for source in campaign.materials})
    engine = engine_of(client, tell, worker_timeout, capacity)
    tell_of = progress or _progress_of(campaign)
    job = _Job(engine, campaign.model_copy(update={"materials": ()}), root, name)
    outcomes, started = [], time.perf_counter()
    known, unknown = _known(job, campaign.materials)
    log.info(
        "campaign %s: %d materials, %d known, into %s", name, len(campaign.materials), len(known), root.path
    )
    damaged: Sequence[str] = ()
    with _noted(name), engine.alive():
        for outcome in chain(known, job.outcomes(unknown)):
            outcomes.append(outcome)
            _log(outcome)
            tell_of(outcome)
        seconds, threads = time.perf_counter() - started, engine.workers
        _check_published(root, outcomes)
        if any(outcome.status != "failed" for outcome in outcomes):
            damaged = update_catalog(root, partial(_of_each, engine))
    ended = tuple(sorted(outcomes, key=lambda outcome: outcome.id))
    report = CampaignReport(ended, seconds, threads, tuple(damaged))
    log.info("campaign %s: %s", name, report)
    return report


def _check_published(store: Store, outcomes: Sequence[Outcome]) -> None:
    """What is counted as computed is there, also after a store was moved, deleted or unmounted."""
    store.check()
    lost = missing_of(store, (outcome.material_id for outcome in outcomes if outcome.material_id is not None))
    if lost:
        raise StoreError(
            f"{store.path}: {len(lost)} results that were published are not there any more, the first is "
            f"{lost[0]}; was something removed meanwhile? Run the same again."
        )


def _known(job: _Job, materials: Sequence[Source]) -> tuple[list[Outcome], list[Source]]:
    """Materials that are published and unchanged since, which need not even be read; and the others."""
    stamps = published_stamps(job.store, job.each_of(len(published(job.store))))
    if not stamps:
        return [], list(materials)
    known, unknown = [], []
    on_disk = sum(source.path is not None for source in materials)
    pieces = [materials[at : at + _TOGETHER] for at in range(0, len(materials), _TOGETHER)]
    found = chain.from_iterable(job.each_of(on_disk)(partial(_stamps, job.template), pieces))
    for source, stamp in zip(materials, found, strict=True):
        if stamp in stamps:
            forget_failure(job.store, source.id, job.record)
            known.append(Outcome(source.id, "present"))
        else:
            unknown.append(source)
    return known, unknown


def _stamps(template: Campaign, materials: Sequence[Source]) -> list[str | None]:
    return [template.stamp(source) for source in materials]


@dataclass(frozen=True)
class _Job:
    """A campaign that runs: how its materials are computed, and what came of each."""

    engine: Engine
    template: Campaign
    store: Store
    record: str

    def each_of(
        self, files: int
    ) -> Callable[[Callable[[_Piece], _Found], Sequence[_Piece]], Iterator[_Found]]:
        """How so many files are looked at: few here, as workers may yet be waiting in a queue."""
        return partial(_of_each, self.engine) if files > _FEW and self.engine.is_remote else map

    def outcomes(self, materials: Iterable[Source]) -> Iterator[Outcome]:
        """Raises StoreError, SchedulerLostError, WorkersLostError, InputError where all are refused."""
        suspects: list[Source] = []
        # Values per k are written span by span, each its own task: one such material is enough for one.
        portions = Portions(
            materials, self.engine, self.engine.is_remote and self.template.band_kmesh is None
        )
        for portion, done in self._run(portions):
            try:
                found: Finished = done.result()
            except (StoreError, SchedulerLostError, WorkersLostError):
                raise
            except OverdueError:
                if len(portion) == 1:
                    yield self._overdue(portion[0])
                else:
                    suspects += portion
            except Exception:  # its worker was killed, or the task itself could not be sent or received
                suspects += portion
            else:
                portions.learn(found)
                yield from found.outcomes
        for suspect in suspects:
            log.warning("%s: ended with its worker, tried again alone", suspect.id)
            # Alone, so that a material is not blamed for what its neighbour on the worker did.
            for _, done in self._run(Portions([suspect], self.engine, together=False)):
                yield self._last_outcome(suspect, done)

    def _run(self, portions: Portions) -> Iterator[tuple[tuple[Source, ...], Result]]:
        task = partial(run_portion, self.template, self.store, self.record, portions.seconds)
        limit = self.template.material_timeout
        # One that begins when the time of its portion is nearly up has all of its own.
        limit = None if limit is None else limit + portions.seconds
        return self.engine.map(task, portions, nested=True, limit=limit)

    def _overdue(self, source: Source) -> Outcome:
        error = (
            f"it took longer than material_timeout = {self.template.material_timeout:g} s and its worker was "
            "started anew (does the file server hang, or is one of its files a pipe?)"
        )
        return self._failed(source, error)

    def _last_outcome(self, source: Source, done: Result) -> Outcome:
        try:
            (outcome,) = done.result().outcomes
        except (StoreError, SchedulerLostError, WorkersLostError):
            raise
        except OverdueError:
            return self._overdue(source)
        except WorkerKilledError:
            error = (
                "its worker was killed again and again, most likely out of memory: give the workers more "
                "memory, or a smaller memory_budget or kmesh"
            )
            return self._failed(source, error)
        except Exception as problem:
            return self._failed(source, f"{type(problem).__name__}: {problem}")
        assert isinstance(outcome, Outcome)
        return outcome

    def _failed(self, source: Source, error: str) -> Outcome:
        record_failure(self.store, source.id, error, self.record, source.path)
        return Outcome(source.id, "failed", error)


def _of_each(
    engine: Engine, function: Callable[[_Piece], _Found], pieces: Iterable[_Piece]
) -> Iterator[_Found]:
    """What a function makes of each piece, by whatever computes, in their order."""
    early: dict[int, _Found] = {}
    wanted = 0
    for _, done in engine.map(partial(_numbered, function), enumerate(pieces)):
        number, found = done.result()
        early[number] = found
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


def _numbered(function: Callable[[_Piece], _Found], numbered: tuple[int, _Piece]) -> tuple[int, _Found]:
    number, piece = numbered
    return number, function(piece)


@contextmanager
def _noted(name: str) -> Iterator[None]:
    """Whatever ends a campaign early is in the log."""
    try:
        yield
    except Exception as problem:
        log.error("campaign %s: ended by %s: %s", name, type(problem).__name__, problem)
        raise


def _log(outcome: Outcome) -> None:
    if outcome.error is None:
        verdict = {True: ", converged", False: ", unconverged", None: ""}[outcome.converged]
        log.info("%s: %s in %.1f s%s", outcome.id, outcome.status, outcome.seconds, verdict)
        for told in outcome.warnings:
            # Not above what it is logged with: in Python nobody asked for a line of each material.
            log.info("%s: warning: %s", outcome.id, told)
    else:
        log.warning("%s: %s: %s", outcome.id, outcome.status, outcome.error)
