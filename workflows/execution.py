"""Running a plan: on threads of this process or on a Dask cluster, with the same sums in the same order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future as LocalFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

from dask.system import cpu_count
from distributed import Client, Future, as_completed
from threadpoolctl import threadpool_limits

from spinscreen.kernels import LatticeOperators, LineSpan, PartialSums, add_sums, sum_span
from spinscreen.storage import Checkpoints

from .liveness import Finished, Watch, finished, watch_of
from .plan import Plan
from .workers import is_worker, set_up_workers, share

#: Called with the number of k points that are done since the last call.
Progress = Callable[[int], None]

#: Batches of spans in flight: one to work on while the next waits, however large the mesh.
_BATCHES_IN_FLIGHT = 2

#: Tasks in flight per worker thread: one to compute, one waiting.
_IN_FLIGHT = 2

#: Seconds between two looks at the size of the cluster.
_LOOK_AGAIN = 5.0

#: Priority of the spans of a material that has begun, before materials that have not.
FIRST = 10

_Sum = TypeVar("_Sum")
_Item = TypeVar("_Item")


def run_plan(
    operators: LatticeOperators,
    plan: Plan,
    client: Client | None,
    progress: Progress,
    checkpoints: Checkpoints | None = None,
) -> PartialSums:
    """Sums over the whole mesh. The order of additions follows the plan, not the workers.

    checkpoints : where the job keeps the sums of its batches, and finds those of an earlier try
    """
    batches = list(plan.batches())
    missing = [n for n in range(len(batches)) if _kept(checkpoints, plan, n) is None]
    progress(
        sum(_kpoints(plan, span) for n in set(range(len(batches))) - set(missing) for span in batches[n])
    )
    wanted = [batches[n] for n in missing]
    computed = (
        _on_threads(operators, plan, wanted, progress)
        if client is None
        else _on_cluster(client, operators, plan, wanted, progress)
    )
    total: PartialSums | None = None
    for n in range(len(batches)):
        part = None if n in missing else _kept(checkpoints, plan, n)
        if part is None:
            part = next(computed)
            if checkpoints is not None:
                checkpoints.save(n, [part[term] for term in plan.task.terms])
        total = part if total is None else add_sums(total, part)
    assert total is not None
    return total


def _kept(checkpoints: Checkpoints | None, plan: Plan, batch: int) -> PartialSums | None:
    arrays = None if checkpoints is None else checkpoints.load(batch)
    return None if arrays is None else dict(zip(plan.task.terms, arrays, strict=True))


def _tree(parts: Sequence[_Sum], add: Callable[[_Sum, _Sum], _Sum]) -> _Sum:
    """Add neighbours in pairs until one is left."""
    while len(parts) > 1:
        pairs = [add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]


def _kpoints(plan: Plan, span: LineSpan) -> int:
    return (span.stop - span.start) * plan.task.mesh.line_length


def core_count() -> int:
    """All cores of this process, but one inside a Dask worker: there the tasks run side by side already.

    Those that affinity and control groups leave it, not those of the machine.
    """
    return 1 if is_worker() else cpu_count()


def _on_threads(
    operators: LatticeOperators, plan: Plan, batches: Sequence[Sequence[LineSpan]], progress: Progress
) -> Iterator[PartialSums]:
    # A worker's threads were limited when it was set up, which costs more than a small material.
    limited = nullcontext() if is_worker() else threadpool_limits(1)
    with limited, ThreadPoolExecutor(core_count()) as pool:
        waiting: deque[list[tuple[LineSpan, LocalFuture[PartialSums]]]] = deque()

        def oldest() -> PartialSums:
            parts = []
            for span, future in waiting.popleft():
                parts.append(future.result())
                progress(_kpoints(plan, span))
            return _tree(parts, add_sums)

        try:
            for batch in batches:
                waiting.append([(s, pool.submit(sum_span, operators, plan.task, s)) for s in batch])
                if len(waiting) == _BATCHES_IN_FLIGHT:
                    yield oldest()
            while waiting:
                yield oldest()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_cluster(
    client: Client,
    operators: LatticeOperators,
    plan: Plan,
    batches: Sequence[Sequence[LineSpan]],
    progress: Progress,
) -> Iterator[PartialSums]:
    where = set_up_workers(client)
    shared = share(client, operators)
    watch = watch_of(client)
    waiting: deque[tuple[dict[Future, LineSpan], Future]] = deque()

    def submit(batch: Sequence[LineSpan]) -> None:
        how: dict[str, Any] = {"pure": False, "priority": FIRST, **where}
        spans = {client.submit(sum_span, shared, plan.task, s, **how): s for s in batch}
        total = _tree(list(spans), lambda a, b: client.submit(add_sums, a, b, **how))
        waiting.append((spans, total))

    def oldest() -> PartialSums:
        spans, total = waiting[0]
        for part in finished(as_completed(spans, loop=client.loop), watch):
            progress(_kpoints(plan, spans[part.future]))
        (whole,) = finished(as_completed([total], loop=client.loop), watch)
        sums: PartialSums = whole.result()
        waiting.popleft()
        return sums

    try:
        for batch in batches:
            submit(batch)
            if len(waiting) == _BATCHES_IN_FLIGHT:
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        client.cancel([future for spans, _ in waiting for future in spans])


def in_flight(
    client: Client,
    submit: Callable[[_Item], Future],
    items: Iterable[_Item],
    capacity: int = 0,
    watch: Watch | None = None,
) -> Iterator[tuple[_Item, Finished]]:
    """Finished futures as they come, with their items; a bounded number is in flight, however many there are.

    capacity : worker threads to expect where the cluster grows with its load
    watch : looks after the workers
    Raises WorkersLostError where no worker is left and none comes back.
    """
    waiting = iter(items)
    pending: dict[Future, _Item] = {}
    running = as_completed(loop=client.loop)
    limit, looked = 0, -_LOOK_AGAIN
    exhausted = False
    watch = watch or watch_of(client)

    def top_up() -> None:
        nonlocal limit, looked, exhausted
        if time.monotonic() - looked > _LOOK_AGAIN:
            with suppress(OSError):
                limit = _IN_FLIGHT * max(1, capacity, sum(client.nthreads().values()))
            looked = time.monotonic()
        while not exhausted and len(pending) < limit:
            try:
                item = next(waiting)
            except StopIteration:
                exhausted = True
                break
            future = submit(item)
            pending[future] = item
            running.add(future)

    try:
        top_up()
        for done in finished(running, watch):
            yield pending.pop(done.future), done
            top_up()
    finally:
        with suppress(Exception):  # the scheduler may be the reason for leaving
            client.cancel(list(pending))
