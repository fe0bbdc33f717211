"""Portions: several small materials in one task, each of them as safe as alone."""

from __future__ import annotations

import operator
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import campaigns
import cloudpickle
import dask
import pytest
from campaigns import DeadlySource, campaign, numbers, write_manifest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.materials import find_materials
from spinscreen.storage import failures, published
from spinscreen.workflows import portions as module
from spinscreen.workflows import run_campaign
from spinscreen.workflows.campaign import Outcome
from spinscreen.workflows.clusters import local_cluster
from spinscreen.workflows.dask_engine import engine_of
from spinscreen.workflows.portions import Finished, Portions, run_portion


def outcome(name: str, seconds: float) -> Outcome:
    return Outcome(name, "computed", seconds=seconds)


@given(
    count=st.integers(0, 200),
    workers=st.integers(1, 50),
    seconds=st.floats(1e-4, 10),
    slow=st.integers(1, 7),
    together=st.booleans(),
)
def test_every_material_is_sent_until_it_is_done_and_once_done_never_again(
    count, workers, seconds, slow, together
):
    names = [f"m{i}" for i in range(count)]
    waiting = Portions(names, SimpleNamespace(workers=workers), together)
    done: list[str] = []
    large: set[str] = set()
    while (portion := next(waiting, None)) is not None:
        assert portion
        assert together or len(portion) == 1
        # Of each portion the time is up after some, and every third material is one that wants to be alone.
        now, left = portion[:slow], portion[slow:]
        alone = [name for name in now if len(portion) > 1 and int(name[1:]) % 3 == 0]
        large |= set(alone)
        finished = [name for name in now if name not in alone]
        done += finished
        outcomes = tuple(outcome(name, seconds) for name in finished)
        waiting.learn(Finished(outcomes, tuple(left), tuple(alone)))
        assert all(len(portion) == 1 for name in finished if name in large)
    assert sorted(done) == sorted(names)


def test_portions_take_a_second_and_longer_on_a_large_cluster():
    for workers, seconds in ((2, 1.0), (10_000, 50.0)):
        waiting = Portions(range(10_000_000), SimpleNamespace(workers=workers), together=True)
        sizes = []
        for _ in range(30):
            sizes.append(len(next(waiting)))
            waiting.learn(Finished((outcome("m", 0.25),)))
        assert sizes[0] == 1
        # At most four times as many as before: the first materials may be small by chance.
        assert all(later <= 4 * sooner for sooner, later in pairwise(sizes))
        assert sizes[-1] == round(seconds / 0.25)


def test_a_portion_ends_when_its_time_is_up_and_leaves_large_ones(tmp_path, monkeypatch):
    found = {"a": outcome("a", 0.1), "large": None, "b": outcome("b", 0.1), "c": outcome("c", 0.1)}

    def slowly(job, source, store, record, alone):
        time.sleep(0.02)
        return outcome(source, 0.0) if alone else found[source]

    monkeypatch.setattr(module, "run_material", slowly)
    whole = run_portion(campaign([]), tmp_path, "", 10.0, tuple(found))
    assert [one.id for one in whole.outcomes] == ["a", "b", "c"]
    assert (whole.left, whole.large) == ((), ("large",))
    cut = run_portion(campaign([]), tmp_path, "", 0.0, tuple(found))
    assert [one.id for one in cut.outcomes] == ["a"]
    assert cut.left == ("large", "b", "c")
    assert run_portion(campaign([]), tmp_path, "", 10.0, ("large",)).outcomes[0].id == "large"


@pytest.fixture(scope="module")
def pair():
    # A task is lost with the first worker that it kills, so that this takes two workers and not eight.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), local_cluster(2) as client:
        yield client


def test_who_kills_its_worker_in_a_portion_is_found_and_costs_no_other(tmp_path, pair, monkeypatch):
    cloudpickle.register_pickle_by_value(campaigns)
    good = find_materials(write_manifest(tmp_path, 12))
    # Portions of six from the beginning, the culprit in the midst of one.
    monkeypatch.setattr(Portions, "__next__", six_at_a_time)
    job = campaign([*good[:4], DeadlySource("deadly", tmp_path), *good[4:]])
    report = run_campaign(job, tmp_path / "r.zarr", pair)
    assert [one.id for one in report.failures] == ["deadly"]
    assert "its worker was killed again and again" in failures(tmp_path / "r.zarr")["deadly"]
    assert report.count("computed") + report.count("present") == 12
    assert len(published(tmp_path / "r.zarr")) == 12
    run_campaign(campaign(good), tmp_path / "here.zarr")
    assert numbers(tmp_path / "r.zarr") == numbers(tmp_path / "here.zarr")


def six_at_a_time(self: Portions):
    left = self._waiting
    if not left:
        raise StopIteration
    return tuple(left.popleft() for _ in range(min(6, len(left))))


class Busy:
    """How many spans were computed at a time, by threads of this process."""

    lock = threading.Lock()
    now = most = 0


def span(number: int) -> int:
    with Busy.lock:
        Busy.now += 1
        Busy.most = max(Busy.most, Busy.now)
    time.sleep(0.05)
    with Busy.lock:
        Busy.now -= 1
    return number


def test_a_material_that_is_cut_into_many_spans_keeps_a_large_cluster_busy():
    with Client(processes=False, n_workers=2, threads_per_worker=12, dashboard_address=None) as client:
        batches = [tuple(range(start, start + 4)) for start in range(0, 160, 4)]
        engine = engine_of(client)
        sums = list(engine.sum_in_order(span, batches, operator.add, done=lambda item: None))
    assert sums == [sum(batch) for batch in batches]
    # Two batches would be eight.
    assert Busy.most > 12
