"""Calls on threads of this process and on a cluster: the same, and bounded."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import sqrt
from operator import add, mul, truediv
from threading import Barrier, get_ident

import pytest

from spinscreen.kernels.bands import BlochBands, LazyVertex
from spinscreen.kernels.lanes import LaneBands, LaneVertex, SummedOperators
from spinscreen.kernels.occupations import Occupations
from spinscreen.kernels.unlocked import cached_property
from spinscreen.workflows import DaskEngine, Engine, LocalEngine
from spinscreen.workflows.dask_engine import engine_of


@pytest.fixture(params=["threads", "cluster"])
def engine(request) -> Engine:
    if request.param == "threads":
        return LocalEngine()
    return DaskEngine(request.getfixturevalue("client"))


@pytest.mark.parametrize("nested", [False, True])
def test_each_item_is_called_once(engine, nested):
    found = {item: done.result() for item, done in engine.map(mul, range(20), shared=(3,), nested=nested)}
    assert found == {item: 3 * item for item in range(20)}


def test_what_a_call_raises_comes_with_its_result(engine):
    for nested in (False, True):
        for _, done in engine.map(sqrt, [-1], nested=nested):
            with pytest.raises(ValueError, match="math domain error"):
                done.result()


def test_results_may_lead_to_more_calls(engine):
    """As an integration does that refines where it must."""
    for nested in (False, True):
        todo, found = deque([1]), []
        for item, done in engine.map(partial(mul, 2), todo, nested=nested):
            found.append(item)
            if done.result() < 50:
                todo.extend([done.result(), done.result() + 1])
        assert sorted(found) == list(range(1, 50))


def test_sums_are_in_order_and_equal_bit_by_bit(engine):
    batches = [range(start, start + 7) for start in range(1, 36, 7)]
    seen: list[int] = []
    sums = engine.sum_in_order(truediv, batches, add, shared=(1.1,), done=seen.append)
    expected = LocalEngine().sum_in_order(truediv, batches, add, shared=(1.1,), done=lambda item: None)
    assert list(sums) == list(expected)
    assert sorted(seen) == list(range(1, 36))


def test_one_call_runs_where_it_is_asked_for():
    """A round of an adaptive integration: a pool for it costs more than the call."""
    for batches, is_here in (([[1]], True), ([[1, 2]], False), ([[1], [2]], False)):
        threads = LocalEngine().sum_in_order(_thread, batches, set.union, done=lambda item: None)
        expected = is_here or LocalEngine().threads == 1
        assert (set.union(*threads) == {get_ident()}) is expected


def _thread(item: int) -> set[int]:
    return {get_ident()}


def test_what_is_in_flight_is_bounded(engine):
    taken = []

    def items():
        for item in range(200):
            taken.append(item)
            yield item

    ahead = 0
    for count, _ in enumerate(engine.map(partial(mul, 1), items())):
        ahead = max(ahead, len(taken) - count)
    assert len(taken) == 200
    # Two for each thread.
    assert ahead <= 2 * engine.threads


class _Block:
    """Of k points, one for each thread."""

    met = Barrier(2)

    @cached_property
    def value(self) -> int:
        """Known when two threads are here at the same time."""
        return self.met.wait(timeout=20) >= 0


def test_threads_do_not_wait_for_each_other_at_properties():
    """Before Python 3.12 all instances share the lock of a property of functools."""
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda block: block.value, [_Block(), _Block()])) == [True, True]
    for kind in (BlochBands, LaneBands, LaneVertex, LazyVertex, Occupations, SummedOperators):
        found = [value for value in vars(kind).values() if hasattr(value, "attrname")]
        assert found
        assert all(isinstance(value, cached_property) for value in found)


def test_an_engine_is_one_already(engine):
    assert engine_of(engine) is engine
    assert isinstance(engine_of(None), LocalEngine)
