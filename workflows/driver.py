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
from .execution import in_flight, quietly, result_of, set_up_workers

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
) -> CampaignReport:
    """Compute what is missing of a campaign, one task per material, and bring the catalog up to date.

    What is published under the same model and settings is not computed again, so a campaign that was killed
    at any moment goes on when it is run again, and ends with the same numbers. A failing material is tried
    `attempts` times, recorded in the store with its error, and does not stop the others; one that kills its
    worker is tried again alone. A large material spreads its k points over all workers.

    capacity : worker threads that an adaptive cluster may grow to; twice as many materials are in flight
    record : settings to be kept in the store, by default the campaign's own
    Raises StoreError where the store cannot be written, SchedulerLostError where the scheduler is gone.
    """
    root = Store.at(store).opened()
    root.sweep()
    name = record_campaign(root, campaign.calculation if record is None else record)
    forget_absent(root, name, {source.id for source in campaign.materials})
    template = campaign.model_copy(update={"materials": ()})
    outcomes, started = [], time.perf_counter()
    known, unknown = _known(template, campaign.materials, root, name)
    found = (
        (run_material(template, source, root, name) for source in unknown)
        if client is None
        else _on_cluster(client, template, unknown, root, name, capacity)
    )
    with _scheduler_alive(client):
        for outcome in chain(known, found):
            outcomes.append(outcome)
            progress(outcome)
        seconds = time.perf_counter() - started
        threads = 1 if client is None else max(1, sum(client.nthreads().values()))
        _check_published(root, outcomes)
        if any(outcome.status != "failed" for outcome in outcomes):
            build_catalog(root, *([] if client is None else [_row_reader(client)]))
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


def _on_cluster(
    client: Client,
    template: Campaign,
    materials: Sequence[MaterialSource],
    store: Store,
    name: str,
    capacity: int,
) -> Iterator[Outcome]:
    set_up_workers(client)

    def submit(source: MaterialSource) -> Future:
        return client.submit(quietly, run_material, template, source, store, name, pure=False)

    suspects = []
    for source, future in in_flight(client, submit, materials, capacity):
        try:
            yield _result(client, future)
        except KilledWorker:
            suspects.append(source)
        except (StoreError, SchedulerLostError):
            raise
        except Exception as problem:  # the task itself could not be sent or received
            yield _failed(store, name, source, f"{type(problem).__name__}: {problem}")
    for source in suspects:
        # Alone, so that a material is not blamed for what its neighbour on the worker did.
        try:
            yield _result(client, submit(source))
        except KilledWorker:
            error = (
                "its worker was killed again and again, most likely out of memory: give the workers more "
                "memory, or a smaller memory_budget or kmesh"
            )
            yield _failed(store, name, source, error)


def _failed(store: Store, name: str, source: MaterialSource, error: str) -> Outcome:
    record_failure(store, source.id, error, name, source.path)
    return Outcome(source.id, "failed", error)


def _result(client: Client, future: Future) -> Outcome:
    with _scheduler_alive(client):
        return result_of(future)


@contextmanager
def _scheduler_alive(client: Client | None) -> Iterator[None]:
    """Turn the many ways in which a client notices that its scheduler is dead into one sentence."""
    try:
        yield
    except (InputError, KilledWorker):
        raise
    except Exception as problem:
        lost = isinstance(problem, CancelledError | CommClosedError | TimeoutError)
        if client is None or (client.status == "running" and not lost):
            raise
        raise SchedulerLostError(
            "Dask: the scheduler of this campaign is gone (was it killed, or did its wall time end?); what "
            "was published is whole, run the same command again to go on."
        ) from None


def _row_reader(client: Client) -> Callable[[str, Sequence[str]], Iterable[CatalogRow | str]]:
    def read(store: str, names: Sequence[str]) -> Iterable[CatalogRow | str]:
        pieces = [names[i : i + _ROWS_PER_TASK] for i in range(0, len(names), _ROWS_PER_TASK)]
        for rows in client.gather([client.submit(_read_some, store, piece, pure=False) for piece in pieces]):
            yield from rows

    return read


def _read_some(store: str, names: Sequence[str]) -> list[CatalogRow | str]:
    return list(read_rows(store, names))
