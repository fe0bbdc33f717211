"""What is done on a worker around a task: one BLAS thread, memory that is kept, a limit of time."""

from __future__ import annotations

import ctypes
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Event, Timer
from typing import Any, Protocol, TypeVar

from distributed import Client, Future, Reschedule, get_worker
from threadpoolctl import threadpool_limits

from spinscreen.kernels import InputError
from spinscreen.storage import StoreError

from . import admission

_Result = TypeVar("_Result")

#: mallopt parameters of glibc, and bytes of freed memory to keep for the next block of k.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 64 * 2**20
_LARGEST_MMAP_THRESHOLD = 32 * 2**20

#: Seconds between the word that a task is overdue and the end of its worker: the driver takes the task back.
_GRACE = 5.0


def dask_setup(worker: Any) -> None:
    """A worker of a local cluster leaves Ctrl-C to the driver, which ends it; called as Dask's preload."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare_worker() -> None:
    """One BLAS thread per worker, k points being what runs in parallel; and work arrays that are reused."""
    threadpool_limits(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc reuse the work arrays of one block of k for the next.

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_=65536: every freed array goes back to the system and
    is mapped and zeroed anew for the next block, which doubles the cost of a k point. What glibc does by
    itself elsewhere costs a tenth.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Another C library: it has its own ways.
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)


@lru_cache(maxsize=2)
def _admission(closes: bool) -> admission.Admission:
    source = Path(str(admission.__file__)).read_text(encoding="utf-8")
    return admission.Admission(admission.fingerprint(), source, closes)


def is_worker() -> bool:
    """Whether this is a task on a Dask worker."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


def topic() -> str:
    """Name of the events that workers send to a driver of this code, and of the resource they then have."""
    return _admission(closes=False).name


def set_up_workers(client: Client) -> dict[str, Any]:
    """Admit and prepare all workers, also those that come later; returns keywords for `client.submit`.

    With these a task goes to admitted workers only. Raises InputError where all workers are refused.
    """
    ours = _is_ours(client)
    # A worker that dies in this very moment breaks the call, not the setting.
    with suppress(OSError):
        client.register_plugin(_admission(ours))
    workers = client.scheduler_info(n_workers=-1)["workers"]
    refused = refusals(client)
    if workers and refused and not admitted_workers(client):
        raise InputError(f"Dask: {refused[-1]}")
    # Tasks that are bound to a resource do not wait at the scheduler for workers of a cluster that grows.
    return {} if ours else {"resources": {topic(): 1}}


def _is_ours(client: Client) -> bool:
    """Whether the cluster was started for this run and grows with it: ours, to send workers away."""
    try:
        return get_worker().plugins[topic()].closes
    except (ValueError, KeyError):
        return hasattr(client.cluster, "submissions")


def admitted_workers(client: Client) -> list[str]:
    """Addresses of the workers that may compute."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return [address for address, worker in workers.items() if topic() in worker["resources"]]


def refusals(client: Client) -> list[str]:
    """Why workers were refused, a sentence each."""
    return [event["refused"] for _, event in client.get_events(topic()) if "refused" in event]


def share(client: Client, value: Any, most: int | None = None) -> Future:
    """Send a value to every admitted worker once; tasks refer to it.

    most : tasks that need it; where there are more workers, as many of them get it
    """
    workers = admitted_workers(client)
    if most is not None and len(workers) > most:
        workers = random.sample(workers, max(1, most))
    return client.scatter(value, broadcast=True, hash=False, workers=workers or None)


def quietly(function: Callable[..., _Result], *arguments: object) -> _Result | StoreError:
    """Call on a worker; what stops the whole job comes back as a value, without an alarm in its log."""
    try:
        return function(*arguments)
    except StoreError as problem:
        return problem


class HasResult(Protocol):
    """A future, or what `in_flight` yields for it."""

    def result(self) -> Any: ...


def result_of(future: HasResult) -> Any:
    """What `quietly` returned. Raises the StoreError that it may be."""
    result = future.result()
    if isinstance(result, StoreError):
        raise result
    return result


def within(
    seconds: float, name: str, function: Callable[..., _Result], *arguments: object
) -> _Result | StoreError:
    """`quietly` on an admitted worker, which ends if the call takes longer than `seconds`.

    A thread that is blocked in a read cannot be interrupted; its process can. The driver is told first, by an
    event, so that the task is not given to the next worker. A task that has left its place to others (a
    large material, once it spreads) is not limited.
    name : `topic` of the driver
    """
    worker = get_worker()
    if name not in worker.state.total_resources:
        raise Reschedule
    done = Event()
    timer = Timer(seconds, _give_up, (worker, worker.get_current_task(), name, done))
    timer.daemon = True
    timer.start()
    try:
        return quietly(function, *arguments)
    finally:
        done.set()
        timer.cancel()


def _give_up(worker: Any, key: str, name: str, done: Event) -> None:
    task = worker.state.tasks.get(key)
    if task is None or task.state != "executing":
        return
    worker.log_event(name, {"overdue": key})
    if not done.wait(_GRACE):
        os._exit(1)
