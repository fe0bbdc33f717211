"""Portions of materials: one task for several small ones, so that no cluster waits for its driver."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spinscreen.materials import Source
from spinscreen.storage import Store

from .campaign import Campaign, Outcome, run_material
from .engine import Engine
from .flight import IN_FLIGHT

#: Seconds that a portion takes at least.
_SHORTEST = 1.0

#: Seconds of a portion for each worker: driver and scheduler take half of that for a task, and need the rest.
_PER_WORKER = 0.005

#: Seconds between two looks at the size of the cluster.
_LOOK_AGAIN = 5.0

#: Materials of a portion at most, and how many times more than of the one before.
_MOST, _GROWTH = 512, 4

#: Weight of the last portion in the mean time of a material.
_LATEST = 0.3


@dataclass(frozen=True)
class Finished:
    """What came of a portion.

    left : materials for which there was no time; large : those that need the whole cluster, each alone
    """

    outcomes: tuple[Outcome, ...]
    left: tuple[Source, ...] = ()
    large: tuple[Source, ...] = ()


class Portions:
    """Materials to be sent, as many at a time as take about as long as a task should.

    together : whether several may go as one task
    An iterator that has ended goes on when something is put back.
    """

    def __init__(self, materials: Iterable[Source], engine: Engine, together: bool) -> None:
        self._waiting, self._alone = deque(materials), deque[Source]()
        self._engine, self._together = engine, together
        self._size, self._seconds = 1, 0.0
        self._workers, self._looked = engine.workers, time.monotonic()

    @property
    def seconds(self) -> float:
        """How long a task should take."""
        return max(_SHORTEST, _PER_WORKER * self._workers)

    def __iter__(self) -> Portions:
        return self

    def __next__(self) -> tuple[Source, ...]:
        if self._alone:
            return (self._alone.popleft(),)
        if not self._waiting:
            raise StopIteration
        # Of the last ones each worker gets its share.
        share = -(-len(self._waiting) // (IN_FLIGHT * self._workers))
        return tuple(self._waiting.popleft() for _ in range(min(self._size, share)))

    def learn(self, found: Finished) -> None:
        """Take back what a portion left, and make the next ones as long as a task should take."""
        self._waiting.extendleft(reversed(found.left))
        self._alone.extend(found.large)
        if not self._together or not found.outcomes:
            return
        if time.monotonic() - self._looked > _LOOK_AGAIN:
            self._workers, self._looked = self._engine.workers, time.monotonic()
        mean = sum(outcome.seconds for outcome in found.outcomes) / len(found.outcomes)
        self._seconds = _LATEST * mean + (1 - _LATEST) * self._seconds if self._seconds else mean
        fitting = int(self.seconds / max(self._seconds, 1e-6))
        self._size = max(1, min(fitting, _GROWTH * self._size, _MOST))


def run_portion(
    campaign: Campaign, store: Store, record: str, seconds: float, portion: Sequence[Source]
) -> Finished:
    """Compute and publish materials one by one until the time is up, a large one only where it is alone.

    seconds : after which no other one is begun. Raises StoreError.
    """
    started, outcomes, large = time.perf_counter(), list[Outcome](), list[Source]()
    for number, source in enumerate(portion):
        if number and time.perf_counter() - started > seconds:
            return Finished(tuple(outcomes), tuple(portion[number:]), tuple(large))
        outcome = run_material(campaign, source, store, record, alone=len(portion) == 1)
        if outcome is None:
            large.append(source)
        else:
            outcomes.append(outcome)
    return Finished(tuple(outcomes), (), tuple(large))
