"""The driver of a campaign: keeps the workers busy, bounds what is in flight, records what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.comm import CommClosedError

from spinscreen.kernels import InputError
from spinscreen.materials import MaterialSource
from spinscreen.storage import (
    CatalogRow,
    Store,
    StoreError,
    build_catalog,
    forget_absent,
    forget_failure,
    missing_of,
    published_stamps,
    read_rows,
    record_campaign,
    record_failure,
)

from .campaign import Campaign, Outcome, run_material
from .configuration import DEFAULT_WORKER_TIMEOUT
from .execution import in_flight
from .liveness import Finished, OverdueError, Tell, Watch, WorkersLostError, warn
from .workers import result_of, set_up_workers, topic, within

#: As `build_catalog` takes it.
RowReader = Callable[[str, Sequence[str]], Iterable[CatalogRow | str]]

#: Catalog rows that one task reads.
_ROWS_PER_TASK = 8


class SchedulerLostError(InputError):
    """The Dask scheduler is gone; what was published is whole, and the same command goes on."""


@dataclass(frozen=True)
class CampaignReport:
    """How all materials ended.

    seconds : wall time of the computation, without the catalog; threads : of all workers, at its end
    """

    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    threads: int = 1

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def overhead(self) -> float:
        """Share of the workers' time that went into scheduling and waiting, not into materials."""
        busy = sum(outcome.seconds for outcome in self.outcomes)
        return 1 - busy / (self.seconds * self.threads) if self.seconds > 0 else 0.0


def _unseen(outcome: Outcome) -> None:
    """Progress that nobody looks at."""


def run_campaign(
    campaign: Campaign,
    store: str | Path,
    client: Client | None = None,
    progress: Callable[[Outcome], None] = _unseen,
    capacity: int = 0,
    record: Mapping[str, Any] | None = None,
    worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
    tell: Tell = warn,
) -> CampaignReport:
    """Compute what is missing of a campaign, one task per material, and bring the catalog up to date.

    What is published under the same model and settings is not computed again, so a campaign that was killed
    at any moment goes on when it is run again, and ends with the same numbers. A failing material is tried
    `attempts` times, recorded in the store with its error, and does not stop the others; one that kills its
    worker is tried again alone. A large material spreads its k points over all workers.

    capacity : worker threads that an adaptive cluster may grow to; twice as many materials are in flight
    record : settings to be kept in the store, by default the campaign's own
    worker_timeout : seconds without any worker after which the campaign ends, jobs in a queue excepted
    tell : gets a sentence for each worker that is refused, and when none is left
    Raises StoreError where the store cannot be written, SchedulerLostError where the scheduler is gone,
    WorkersLostError where no worker is left, InputError where all are refused.

    >>> from tempfile import TemporaryDirectory
    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.workflows import Campaign, run_campaign
    >>> campaign = Campaign(find_materials("library")[:2], kmesh=4, energies=3)
    >>> with TemporaryDirectory() as folder:
    ...     first = run_campaign(campaign, f"{folder}/results.zarr")
    ...     again = run_campaign(campaign, f"{folder}/results.zarr")
    >>> first.count("computed"), again.count("computed"), again.count("present")
    (2, 0, 2)
    """
    root = Store.at(store).opened()
    root.sweep()
    name = record_campaign(root, campaign.calculation if record is None else record)
    forget_absent(root, name, {source.id for source in campaign.materials})
    template = campaign.model_copy(update={"materials": ()})
    outcomes, started = [], time.perf_counter()
    known, unknown = _known(template, campaign.materials, root, name)
    with _scheduler_alive(client):
        found: Iterator[Outcome]
        readers: list[RowReader] = []
        if client is None:
            found = (run_material(template, source, root, name) for source in unknown)
        else:
            where = set_up_workers(client)
            watch = Watch(client, tell, worker_timeout)
            found = _on_cluster(_Job(client, template, root, name, watch, where), unknown, capacity)
            readers = [_row_reader(client, watch, where)]
        for outcome in chain(known, found):
            outcomes.append(outcome)
            progress(outcome)
        seconds = time.perf_counter() - started
        threads = 1 if client is None else max(1, sum(client.nthreads().values()))
        _check_published(root, outcomes)
        if any(outcome.status != "failed" for outcome in outcomes):
            build_catalog(root, *readers)
    return CampaignReport(tuple(sorted(outcomes, key=lambda outcome: outcome.id)), seconds, threads)


def _check_published(store: Store, outcomes: Sequence[Outcome]) -> None:
    """What is counted as computed is there, also after a store was moved, deleted or unmounted."""
    store.check()
    lost = missing_of(store, (outcome.material_id for outcome in outcomes if outcome.material_id is not None))
    if lost:
        raise StoreError(
            f"{store.path}: {len(lost)} results that were published are not there any more, the first is "
            f"{lost[0]}; was something removed meanwhile? Run the same again."
        )


def _known(
    template: Campaign, materials: Sequence[MaterialSource], store: Store, name: str
) -> tuple[list[Outcome], list[MaterialSource]]:
    """Materials that are published and unchanged since, which need not even be read; and the others."""
    stamps = published_stamps(store)
    known, unknown = [], []
    for source in materials:
        if stamps and template.stamp(source) in stamps:
            forget_failure(store, source.id, name)
            known.append(Outcome(source.id, "present"))
        else:
            unknown.append(source)
    return known, unknown


@dataclass(frozen=True)
class _Job:
    """A campaign on a cluster: how a material is submitted, and what came of it."""

    client: Client
    template: Campaign
    store: Store
    record: str
    watch: Watch
    where: Mapping[str, Any]

    def submit(self, source: MaterialSource) -> Future:
        arguments = (run_material, self.template, source, self.store, self.record)
        limit = self.template.material_timeout
        return self.client.submit(within, limit, topic(), *arguments, pure=False, **self.where)

    def outcome(self, source: MaterialSource, done: Finished) -> Outcome:
        """Raises StoreError, SchedulerLostError, WorkersLostError, and whatever kept the task from ending."""
        try:
            with _scheduler_alive(self.client):
                return result_of(done)
        except OverdueError:
            limit = self.template.material_timeout
            error = (
                f"it took longer than material_timeout = {limit:g} s and its worker was started anew (does "
                "the file server hang, or is one of its files a pipe?)"
            )
            return self.failed(source, error)

    def failed(self, source: MaterialSource, error: str) -> Outcome:
        record_failure(self.store, source.id, error, self.record, source.path)
        return Outcome(source.id, "failed", error)


def _on_cluster(job: _Job, materials: Sequence[MaterialSource], capacity: int) -> Iterator[Outcome]:
    suspects = []
    for source, done in in_flight(job.client, job.submit, materials, capacity, job.watch):
        try:
            yield job.outcome(source, done)
        except (StoreError, SchedulerLostError, WorkersLostError):
            raise
        except Exception:  # its worker was killed, or the task itself could not be sent or received
            suspects.append(source)
    for suspect in suspects:
        # Alone, so that a material is not blamed for what its neighbour on the worker did.
        for source, done in in_flight(job.client, job.submit, [suspect], watch=job.watch):
            try:
                yield job.outcome(source, done)
            except KilledWorker:
                error = (
                    "its worker was killed again and again, most likely out of memory: give the workers more "
                    "memory, or a smaller memory_budget or kmesh"
                )
                yield job.failed(source, error)
            except (StoreError, SchedulerLostError, WorkersLostError):
                raise
            except Exception as problem:
                yield job.failed(source, f"{type(problem).__name__}: {problem}")


@contextmanager
def _scheduler_alive(client: Client | None) -> Iterator[None]:
    """Turn the many ways in which a client notices that its scheduler is dead into one sentence."""
    try:
        yield
    except (InputError, KilledWorker, OverdueError):
        raise
    except Exception as problem:
        lost = isinstance(problem, CancelledError | CommClosedError | TimeoutError)
        if client is None or (client.status == "running" and not lost):
            raise
        raise SchedulerLostError(
            "Dask: the scheduler of this campaign is gone (was it killed, or did its wall time end?); what "
            "was published is whole, run the same command again to go on."
        ) from None


def _row_reader(client: Client, watch: Watch, where: Mapping[str, Any]) -> RowReader:
    def read(store: str, names: Sequence[str]) -> Iterable[CatalogRow | str]:
        pieces = [names[i : i + _ROWS_PER_TASK] for i in range(0, len(names), _ROWS_PER_TASK)]

        def submit(piece: Sequence[str]) -> Future:
            return client.submit(_read_some, store, piece, pure=False, **where)

        reading = in_flight(client, submit, pieces, watch=watch)
        found = {piece[0]: rows.result() for piece, rows in reading}
        for piece in pieces:
            yield from found[piece[0]]

    return read


def _read_some(store: str, names: Sequence[str]) -> list[CatalogRow | str]:
    return list(read_rows(store, names))
