"""Running a plan: on threads of this process or on a Dask cluster, with the same sums in the same order."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future as LocalFuture
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from distributed import Client, Future, WorkerPlugin, as_completed, get_worker
from threadpoolctl import threadpool_limits

from spinscreen.kernels import LatticeOperators, LineSpan, PartialSums, add_sums, sum_span

from .plan import Plan

#: Called with the number of k points that are done since the last call.
Progress = Callable[[int], None]

#: Batches of spans in flight: one to work on while the next waits, however large the mesh.
_BATCHES_IN_FLIGHT = 2

_Sum = TypeVar("_Sum")


#: mallopt parameters of glibc, and bytes of freed memory to keep for the next block of k.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 64 * 2**20
_LARGEST_MMAP_THRESHOLD = 32 * 2**20


class WorkerSetup(WorkerPlugin):
    """One BLAS thread per worker, k points being what runs in parallel; and work arrays that are reused."""

    name = "spinscreen-worker-setup"

    def setup(self, worker: Any) -> None:
        threadpool_limits(1)
        keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc reuse the work arrays of one block of k for the next.

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_=65536: every freed array goes back to the system and
    is mapped and zeroed anew for the next block, which doubles the cost of a k point.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Another C library: it has its own ways.
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)


def run_plan(
    operators: LatticeOperators, plan: Plan, client: Client | None, progress: Progress
) -> PartialSums:
    """Sums over the whole mesh. The order of additions follows the plan, not the workers."""
    batches = (
        _on_threads(operators, plan, progress)
        if client is None
        else _on_cluster(client, operators, plan, progress)
    )
    total = next(batches)
    for part in batches:
        total = add_sums(total, part)
    return total


def _tree(parts: Sequence[_Sum], add: Callable[[_Sum, _Sum], _Sum]) -> _Sum:
    """Add neighbours in pairs until one is left."""
    while len(parts) > 1:
        pairs = [add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]


def _kpoints(plan: Plan, span: LineSpan) -> int:
    return (span.stop - span.start) * plan.task.mesh.line_length


def _threads() -> int:
    """All cores of this process, but one inside a Dask worker: there the tasks run side by side already."""
    try:
        get_worker()
    except ValueError:
        return os.cpu_count() or 1
    return 1


def _on_threads(operators: LatticeOperators, plan: Plan, progress: Progress) -> Iterator[PartialSums]:
    with threadpool_limits(1), ThreadPoolExecutor(_threads()) as pool:
        waiting: deque[list[tuple[LineSpan, LocalFuture[PartialSums]]]] = deque()

        def oldest() -> PartialSums:
            parts = []
            for span, future in waiting.popleft():
                parts.append(future.result())
                progress(_kpoints(plan, span))
            return _tree(parts, add_sums)

        try:
            for batch in plan.batches():
                waiting.append([(s, pool.submit(sum_span, operators, plan.task, s)) for s in batch])
                if len(waiting) == _BATCHES_IN_FLIGHT:
                    yield oldest()
            while waiting:
                yield oldest()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_cluster(
    client: Client, operators: LatticeOperators, plan: Plan, progress: Progress
) -> Iterator[PartialSums]:
    client.register_plugin(WorkerSetup())
    # Sent to every worker once; tasks refer to it.
    shared = client.scatter(operators, broadcast=True, hash=False)
    waiting: deque[tuple[dict[Future, LineSpan], Future]] = deque()

    def submit(batch: Sequence[LineSpan]) -> None:
        spans = {client.submit(sum_span, shared, plan.task, s, pure=False): s for s in batch}
        total = _tree(list(spans), lambda a, b: client.submit(add_sums, a, b, pure=False))
        waiting.append((spans, total))

    def oldest() -> PartialSums:
        spans, total = waiting[0]
        for future in as_completed(spans):
            progress(_kpoints(plan, spans[future]))
        sums = total.result()
        waiting.popleft()
        return sums

    try:
        for batch in plan.batches():
            submit(batch)
            if len(waiting) == _BATCHES_IN_FLIGHT:
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        client.cancel([future for spans, _ in waiting for future in spans])
