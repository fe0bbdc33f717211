"""Where calls run: what every engine does, and the one of this process's threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from concurrent.futures import Future as LocalFuture
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from dask.system import cpu_count
from threadpoolctl import ThreadpoolController

from .flight import IN_FLIGHT, Source
from .workers import is_worker, keep_freed_memory

#: Batches in flight at least: one to work on while the next waits.
BATCHES_IN_FLIGHT = 2

_Sum = TypeVar("_Sum")
_Item = TypeVar("_Item")


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
            return sum_of_pairs(parts, add)

        def computed(item: _Item) -> _Sum:
            part = function(*shared, item)
            done(item)
            return part

        batches = iter(batches)
        first = list(islice(batches, 2))
        batches = chain(first, batches)
        # Of one call, as in most rounds of an adaptive integration, nothing can run beside it.
        if core_count() == 1 or sum(map(len, first)) == 1:
            with _one_thread():
                yield from (sum_of_pairs([computed(item) for item in batch], add) for batch in batches)
            return
        with _pool() as pool:
            for batch in batches:
                waiting.append([(item, pool.submit(function, *shared, item)) for item in batch])
                if len(waiting) == BATCHES_IN_FLIGHT:
                    yield oldest()
            while waiting:
                yield oldest()


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


def sum_of_pairs(parts: Sequence[_Sum], add: Callable[[_Sum, _Sum], _Sum]) -> _Sum:
    """Add neighbours in pairs until one is left."""
    while len(parts) > 1:
        pairs = [add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]
