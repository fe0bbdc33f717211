"""Calls on the workers of a Dask cluster; which engine a caller gets. Nobody else sees a client."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, Semaphore, as_completed, worker_client
from distributed.comm import CommClosedError

from spinscreen.kernels import InputError, SpinscreenError, short

from .configuration import DEFAULT_WORKER_TIMEOUT
from .engine import BATCHES_IN_FLIGHT, Engine, LocalEngine, Result, sum_of_pairs
from .flight import IN_FLIGHT, in_flight
from .liveness import Finished, OverdueError, Tell, Watch, finished, warn
from .workers import is_worker, quietly, result_of, set_up_workers, share, topic, within

log = logging.getLogger("spinscreen.engine")

#: Worker threads for each large material that is computed at a time, if its matrices are small (as many as
#: the shortest has spans), and such materials at most.
_THREADS_OF_ONE, _MOST_TOGETHER = 64, 4

#: Seconds between two looks at the size of the cluster.
_LOOK_AGAIN = 5.0

#: Priority of the parts of a material that has begun, before materials that have not.
_FIRST = 10

_Sum = TypeVar("_Sum")
_Item = TypeVar("_Item")


class SchedulerLostError(SpinscreenError):
    """The Dask scheduler is gone; what was published is whole, and the same command goes on."""


class WorkerKilledError(SpinscreenError):
    """Whichever worker took a call was killed, again and again."""


def engine_of(
    client: Client | Engine | None,
    tell: Tell = warn,
    patience: float = DEFAULT_WORKER_TIMEOUT,
    capacity: int = 0,
) -> Engine:
    """The threads of this process for None, the workers of a client; an engine is one already.

    tell, patience, capacity : as for `DaskEngine`
    Raises InputError for anything else.
    """
    if isinstance(client, Engine):
        return client
    if client is None:
        return LocalEngine()
    if not isinstance(client, Client):
        raise InputError(
            f"client: expected a Client of Dask, an Engine, or None for the threads of this process, found "
            f"{short(client)}."
        )
    return DaskEngine(client, tell, patience, capacity)


@contextmanager
def engine_of_task(large: bool, light: bool = False) -> Iterator[Engine]:
    """On a worker: the whole cluster for a large material, whose k points spread; itself for a small one.

    One large material at a time, as workers hold its matrices; several `light` ones where they are too few to
    keep a large cluster busy one by one. Unlike a lock, a semaphore is free again when its holder is killed.
    """
    if large and is_worker():
        with worker_client() as client:
            engine = DaskEngine(client)
            together = min(engine.threads // _THREADS_OF_ONE, _MOST_TOGETHER) if light else 1
            name = f"spinscreen-large-material-{max(1, together)}"
            with Semaphore(max_leases=max(1, together), name=name):
                yield engine
    else:
        yield LocalEngine()


class DaskEngine(Engine):
    """The admitted workers of a Dask cluster, which is looked after while they work.

    tell : gets a sentence for each worker that is refused, and when none is left
    patience : seconds without any worker after which the work ends, jobs in a queue excepted
    capacity : worker threads that the cluster may grow to, 0 if it does not grow
    Its methods raise WorkersLostError where all workers are refused.
    """

    def __init__(
        self,
        client: Client,
        tell: Tell = warn,
        patience: float = DEFAULT_WORKER_TIMEOUT,
        capacity: int = 0,
    ) -> None:
        self._client, self._tell, self._patience, self._capacity = client, tell, patience, capacity
        self._last_sent: tuple[tuple[Any, ...], list[Future]] = ((), [])

    @property
    def threads(self) -> int:
        return max(1, sum(self._client.nthreads().values()))

    @property
    def workers(self) -> int:
        return self.threads

    @property
    def is_remote(self) -> bool:
        return True

    @property
    def grows(self) -> bool:
        return self._capacity > 0

    @cached_property
    def _where(self) -> dict[str, Any]:
        """Keywords of `submit` that send a call to admitted workers only."""
        return set_up_workers(self._client)

    @cached_property
    def _watch(self) -> Watch | None:
        # A task that spreads is on a worker, after which its driver looks.
        return None if is_worker() else Watch(self._client, self._told, self._patience)

    def _told(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self._tell(sentence)

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[_Item],
        *,
        shared: tuple[Any, ...] = (),
        nested: bool = False,
        limit: float | None = None,
    ) -> Iterator[tuple[_Item, Result]]:
        around = (quietly,) if limit is None else (within, limit, topic())
        how = {"pure": False, **self._where}
        sent = self._sent(shared)
        if shared:
            how["priority"] = _FIRST

        def submit(item: _Item) -> Future:
            return self._client.submit(*around, function, *sent, item, **how)

        with self.alive():
            for item, one in in_flight(self._client, submit, items, self._capacity, self._watch):
                yield item, _Answer(self, one)

    def sum_in_order(
        self,
        function: Callable[..., _Sum],
        batches: Iterable[Sequence[_Item]],
        add: Callable[[_Sum, _Sum], _Sum],
        *,
        shared: tuple[Any, ...] = (),
        done: Callable[[_Item], None],
    ) -> Iterator[_Sum]:
        how = {"pure": False, "priority": _FIRST, **self._where}
        tasks = sum(map(len, batches)) if isinstance(batches, Sequence) else None
        client, sent = self._client, self._sent(shared, tasks)
        waiting: deque[tuple[dict[Future, _Item], Future]] = deque()

        width, looked = 0, -_LOOK_AGAIN

        def room() -> int:
            """Parts that keep all workers busy."""
            nonlocal width, looked
            if time.monotonic() - looked > _LOOK_AGAIN:
                width, looked = self.threads, time.monotonic()
            return IN_FLIGHT * width

        def submit(batch: Sequence[_Item]) -> None:
            parts = {client.submit(function, *sent, item, **how): item for item in batch}
            total = sum_of_pairs(list(parts), lambda a, b: client.submit(add, a, b, **how))
            waiting.append((parts, total))

        def oldest() -> _Sum:
            parts, total = waiting[0]
            for part in finished(as_completed(parts, loop=client.loop), self._watch):
                done(parts[part.future])
            (whole,) = finished(as_completed([total], loop=client.loop), self._watch)
            found: _Sum = _Answer(self, whole).result()
            waiting.popleft()
            return found

        try:
            for batch in batches:
                submit(batch)
                # The whole cluster works on it, however large it is.
                while len(waiting) >= BATCHES_IN_FLIGHT and sum(len(parts) for parts, _ in waiting) >= room():
                    yield oldest()
            while waiting:
                yield oldest()
        finally:
            client.cancel([future for parts, _ in waiting for future in parts])

    def _sent(self, shared: tuple[Any, ...], tasks: int | None = None) -> list[Future]:
        _ = self._where  # workers that are not admitted get nothing
        # Work in rounds shares the same values in each of them.
        if shared is not self._last_sent[0]:
            self._last_sent = (shared, [share(self._client, value, tasks) for value in shared])
        return self._last_sent[1]

    @contextmanager
    def alive(self) -> Iterator[None]:
        try:
            yield
        except (SpinscreenError, KilledWorker, OverdueError):
            raise
        except Exception as problem:
            lost = isinstance(problem, CancelledError | CommClosedError | TimeoutError)
            if self._client.status == "running" and not lost:
                raise
            raise SchedulerLostError(
                "Dask: the scheduler of this campaign is gone (was it killed, or did its wall time end?); "
                "what was published is whole, run the same command again to go on."
            ) from None


@dataclass(frozen=True)
class _Answer:
    """What came of a call on a worker."""

    engine: DaskEngine
    done: Finished

    def result(self) -> Any:
        try:
            with self.engine.alive():
                return result_of(self.done)
        except KilledWorker:
            raise WorkerKilledError(
                "Dask: the workers that computed this were killed again and again, most likely out of "
                "memory; give them more memory, or a smaller memory_budget or kmesh."
            ) from None
