"""How much is in flight: as many calls as keep all workers busy, however many there are in all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from distributed import Client, Future, as_completed

from .liveness import Finished, Watch, finished, watch_of

#: Calls in flight per worker thread: one to compute, one waiting.
IN_FLIGHT = 2

#: Seconds between two looks at the size of the cluster.
_LOOK_AGAIN = 5.0

_Item = TypeVar("_Item")


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
    source = Source(items)
    pending: dict[Future, _Item] = {}
    running = as_completed(loop=client.loop)
    limit, looked = 0, -_LOOK_AGAIN
    watch = watch or watch_of(client)

    def top_up() -> None:
        nonlocal limit, looked
        if time.monotonic() - looked > _LOOK_AGAIN:
            with suppress(OSError):
                limit = IN_FLIGHT * max(1, capacity, sum(client.nthreads().values()))
            looked = time.monotonic()
        while len(pending) < limit and (next_one := source.take(1)):
            future = submit(next_one[0])
            pending[future] = next_one[0]
            running.add(future)

    try:
        top_up()
        while pending:
            for done in finished(running, watch):
                yield pending.pop(done.future), done
                top_up()
    finally:
        with suppress(Exception):  # the scheduler may be the reason for leaving
            client.cancel(list(pending))


class Source:
    """Items to be taken a few at a time; a deque may have grown since it was empty."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._growing = items if isinstance(items, deque) else None
        self._items = iter(()) if self._growing is not None else iter(items)

    def take(self, count: int) -> list[Any]:
        if self._growing is None:
            return list(islice(self._items, max(0, count)))
        return [self._growing.popleft() for _ in range(min(max(0, count), len(self._growing)))]
