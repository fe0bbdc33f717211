"""A driver that waits looks after its workers: some are lost, some refused, some tasks overdue."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, LocalCluster, as_completed

from spinscreen.kernels import SpinscreenError

from .configuration import DEFAULT_WORKER_TIMEOUT
from .workers import is_worker, topic

#: Called with a sentence for the user.
Tell = Callable[[str], None]

#: Seconds between two looks, and seconds that one look may wait for a future.
_LOOK_AGAIN, _NAP = 1.0, 0.1

#: Seconds without any worker after which that is said.
_TELL_AFTER = 10.0

#: Refused workers that end a campaign on jobs of its own while none is there that fits: jobs are all alike.
_REFUSALS = 5

#: Seconds between two tries to start the lost workers of a local cluster anew.
_REVIVE_AFTER = 5.0


class WorkersLostError(SpinscreenError):
    """No worker is left and none comes back; what was published is whole, and the same command goes on."""


def warn(sentence: str) -> None:
    """Tell a user of Python."""
    warnings.warn(sentence, RuntimeWarning, stacklevel=2)


class Watch:
    """What a driver knows of its workers.

    tell : gets a sentence for each worker that is refused, and when none is left
    patience : seconds without any worker after which `look` raises
    """

    def __init__(self, client: Client, tell: Tell = warn, patience: float = DEFAULT_WORKER_TIMEOUT) -> None:
        self._client, self._tell, self._patience = client, tell, patience
        self._next_look = self._revived = 0.0
        self._alone_since: float | None = None
        self._told_alone = self._had_one = False
        self._refused: dict[str, str] = {}
        self._seen = 0
        self.overdue: set[str] = set()
        # Of what earlier drivers saw, the refused workers that are still there count.
        self._read_events(set(client.nthreads()))

    def look(self) -> None:
        """Look after the workers, once a second at most. Raises WorkersLostError."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_AGAIN
        # A scheduler that does not answer is noticed by the futures.
        with suppress(OSError):
            self._read_events()
            if set(self._client.nthreads()) - set(self._refused):
                self._alone_since, self._told_alone, self._had_one = None, False, True
            else:
                self._mourn(now)
            self._revive(now)

    def cancel_overdue(self, futures: Sequence[Future]) -> None:
        """Take tasks back whose worker has said that they are overdue, and is about to end."""
        if self.overdue and (overdue := [future for future in futures if future.key in self.overdue]):
            self._client.cancel(overdue)

    def _read_events(self, present: Container[str] | None = None) -> None:
        events = self._client.get_events(topic())
        for _, event in events[self._seen :]:
            if "overdue" in event:
                self.overdue.add(event["overdue"])
            elif event["worker"] not in self._refused and (present is None or event["worker"] in present):
                self._refused[event["worker"]] = event["refused"]
                self._tell(event["refused"])
        self._seen = len(events)

    def _mourn(self, now: float) -> None:
        """No worker that may compute is there."""
        self._alone_since = self._alone_since or now
        alone = now - self._alone_since
        submissions = getattr(self._client.cluster, "submissions", None)
        refused = [*self._refused.values()]
        hopeless = len(refused) >= _REFUSALS or not self._had_one
        if submissions is not None:
            submissions.check(self._client)
        if refused and (alone > self._patience or (submissions is not None and hopeless)):
            raise WorkersLostError(f"Dask: {refused[-1]}")
        if submissions is None and alone > self._patience:
            raise WorkersLostError(
                f"Dask: no worker for {alone:.0f} s (were they killed, most likely out of memory, or "
                "interrupted?); what was published is whole, run the same command again to go on."
            )
        if alone > _TELL_AFTER and not self._told_alone:
            self._told_alone = True
            waiting = f"waiting for one for {self._patience:.0f} s at most"
            self._tell(
                f"no worker is there; {waiting if submissions is None else submissions.waiting(self._client)}"
            )

    def _revive(self, now: float) -> None:
        """Start workers of a local cluster anew whose nanny is gone too, which Dask itself does not."""
        cluster = self._client.cluster
        if hasattr(cluster, "submissions"):
            cluster.submissions.forget_refused(self._client)
        if isinstance(cluster, LocalCluster) and now - self._revived > _REVIVE_AFTER:
            self._revived = now
            cluster.scale(len(cluster.worker_spec))


class OverdueError(Exception):
    """A task did not end within its limit of time."""


@dataclass(frozen=True)
class Finished:
    """A future that has finished, and goes on being looked after.

    What a worker computed is lost with it if nobody has fetched it, and is then computed again.
    """

    future: Future
    watch: Watch | None

    def result(self) -> Any:
        """Raises what the task raised, OverdueError, and WorkersLostError."""
        if self.watch is None:
            return self.future.result()
        while self.future.key not in self.watch.overdue:
            try:
                return self.future.result(timeout=_LOOK_AGAIN)
            except TimeoutError:
                if self.future.status == "error":
                    raise
                self.watch.look()
        self.future.cancel()
        raise OverdueError


def watch_of(client: Client) -> Watch | None:
    """Looks after the workers; not from inside one of them, whose driver does."""
    return None if is_worker() else Watch(client)


def finished(futures: as_completed, watch: Watch | None) -> Iterator[Finished]:
    """Futures as they finish, with a look after the workers while none does."""
    while not futures.is_empty():
        if futures.has_ready():
            yield Finished(next(futures), watch)
        else:
            with futures.thread_condition:
                if not futures.has_ready():
                    futures.thread_condition.wait(_NAP)
            if watch is not None:
                watch.look()
                watch.cancel_overdue(list(futures.futures))
