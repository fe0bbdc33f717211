"""Where calls run: threads of this process or workers of a Dask cluster. Nobody else sees a client."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from concurrent.futures import Future as LocalFuture
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Protocol, TypeVar

from dask.system import cpu_count
from distributed import Client, Future, KilledWorker, Semaphore, as_completed, worker_client
from distributed.comm import CommClosedError
from threadpoolctl import ThreadpoolController

from spinscreen.kernels import InputError, SpinscreenError, short

from .configuration import DEFAULT_WORKER_TIMEOUT
from .flight import IN_FLIGHT, Source, in_flight
from .liveness import Finished, OverdueError, Tell, Watch, finished, warn
from .workers import is_worker, keep_freed_memory, quietly, result_of, set_up_workers, share, topic, within

log = logging.getLogger("spinscreen.engine")

#: Batches in flight at least: one to work on while the next waits.
_BATCHES_IN_FLIGHT = 2

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


class Result(Protocol):
    """What came of a call."""

    def result(self) -> Any:
        """What it returned. Raises what it raised, OverdueError beyond its limit, WorkerKilledError."""


def core_count() -> int:
    """All cores of this process, but one inside a Dask worker: there the tasks run side by side already.

    Those that affinity and control groups leave it at its start, not those of the machine.
    """
    return 1 if is_worker() else _cores()


_cores = cache(cpu_count)


class Engine(ABC):
    """Runs calls in parallel, and bounds what is in flight."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Calls that run at the same time now."""

    @property
    def workers(self) -> int:
        """Nested calls that run at the same time now."""
        return 1

    @property
    def is_remote(self) -> bool:
        """Whether calls are sent to other processes, which takes time for each."""
        return False

    @property
    def grows(self) -> bool:
        """Whether workers come and go with the load."""
        return False

    @abstractmethod
    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[_Item],
        *,
        shared: tuple[Any, ...] = (),
        nested: bool = False,
        limit: float | None = None,
    ) -> Iterator[tuple[_Item, Result]]:
        """function(*shared, item) for each item, in the order in which the calls end.

        items : taken as there is room for them, so there may be any number; more may be added to a deque
            while results come, for work that follows from results
        shared : sent to every worker once
        nested : whether each call uses all threads of its process by itself
        limit : seconds after which a worker that does not end a call is ended, where there are workers
        Raises WorkersLostError where no worker is left, SchedulerLostError where the scheduler is gone.
        """

    @abstractmethod
    def sum_in_order(
        self,
        function: Callable[..., _Sum],
        batches: Iterable[Sequence[_Item]],
        add: Callable[[_Sum, _Sum], _Sum],
        *,
        shared: tuple[Any, ...] = (),
        done: Callable[[_Item], None],
    ) -> Iterator[_Sum]:
        """The sum of function(*shared, item) over each batch, batch by batch.

        Neighbours are added in pairs until one is left: equal batches give equal bits, whoever computes them.
        done : called with each item that has been computed
        Raises as `map`, and what a call raises.
        """

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Turn the many ways in which a dead scheduler is noticed into SchedulerLostError."""
        yield


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


class LocalEngine(Engine):
    """Threads of this process, one for each core."""

    @property
    def threads(self) -> int:
        return core_count()

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[_Item],
        *,
        shared: tuple[Any, ...] = (),
        nested: bool = False,
        limit: float | None = None,
    ) -> Iterator[tuple[_Item, Result]]:
        source = Source(items)
        call = partial(function, *shared)
        if nested or core_count() == 1:
            with nullcontext() if nested else _one_thread():
                while batch := source.take(1):
                    yield batch[0], _called(call, batch[0])
            return
        with _pool() as pool:
            pending: dict[LocalFuture[Any], _Item] = {}
            while True:
                for item in source.take(IN_FLIGHT * core_count() - len(pending)):
                    pending[pool.submit(call, item)] = item
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), future

    def sum_in_order(
        self,
        function: Callable[..., _Sum],
        batches: Iterable[Sequence[_Item]],
        add: Callable[[_Sum, _Sum], _Sum],
        *,
        shared: tuple[Any, ...] = (),
        done: Callable[[_Item], None],
    ) -> Iterator[_Sum]:
        waiting: deque[list[tuple[_Item, LocalFuture[_Sum]]]] = deque()

        def oldest() -> _Sum:
            parts = []
            for item, future in waiting.popleft():
                parts.append(future.result())
                done(item)
            return _tree(parts, add)

        def computed(item: _Item) -> _Sum:
            part = function(*shared, item)
            done(item)
            return part

        if core_count() == 1:
            with _one_thread():
                yield from (_tree([computed(item) for item in batch], add) for batch in batches)
            return
        with _pool() as pool:
            for batch in batches:
                waiting.append([(item, pool.submit(function, *shared, item)) for item in batch])
                if len(waiting) == _BATCHES_IN_FLIGHT:
                    yield oldest()
            while waiting:
                yield oldest()


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
            total = _tree(list(parts), lambda a, b: client.submit(add, a, b, **how))
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
                while (
                    len(waiting) >= _BATCHES_IN_FLIGHT and sum(len(parts) for parts, _ in waiting) >= room()
                ):
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


@cache
def _libraries() -> ThreadpoolController:
    """The BLAS that NumPy and SciPy have loaded: looking for it costs more than a small material.

    Called once before this process computes, when memory is made ready as well.
    """
    keep_freed_memory()
    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[Any]:
    """One BLAS thread; those of a worker were limited when it was set up."""
    return nullcontext() if is_worker() else _libraries().limit(limits=1)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """A thread for each core, each with one BLAS thread; what waits is dropped when the work is left."""
    with _one_thread(), ThreadPoolExecutor(core_count()) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _called(function: Callable[[_Item], Any], item: _Item) -> LocalFuture[Any]:
    future: LocalFuture[Any] = LocalFuture()
    try:
        future.set_result(function(item))
    except Exception as problem:
        future.set_exception(problem)
    return future


def _tree(parts: Sequence[_Sum], add: Callable[[_Sum, _Sum], _Sum]) -> _Sum:
    """Add neighbours in pairs until one is left."""
    while len(parts) > 1:
        pairs = [add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]
