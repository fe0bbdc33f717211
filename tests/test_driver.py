"""The driver: bounded work in flight, large materials on all workers, partial sums that survive."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from campaigns import campaign, dask_processes, kill, numbers, wait_until, write_manifest
from distributed import Client

from spinscreen.materials import find_materials, library
from spinscreen.storage import Checkpoints
from spinscreen.workflows import compute, execution, make_settings, run_campaign
from spinscreen.workflows.computing import silent
from spinscreen.workflows.dask_engine import engine_of
from spinscreen.workflows.flight import in_flight
from spinscreen.workflows.plan import make_plan

MANY = 3_000


def test_what_is_in_flight_is_bounded_and_the_driver_stays_small(tmp_path):
    """Thousands of tasks through a driver of its own, that counts how far ahead it gets."""
    code = (
        "import json\n"
        "from distributed import Client\n"
        "from spinscreen.workflows.flight import in_flight\n"
        "if __name__ == '__main__':\n"
        "    taken, done, ahead = 0, 0, 0\n"
        "    def items():\n"
        "        global taken\n"
        f"        for taken in range(1, {MANY} + 1):\n"
        "            yield taken\n"
        "    with Client(n_workers=2, threads_per_worker=1, dashboard_address='127.0.0.1:0') as client:\n"
        "        def submit(i): return client.submit(abs, -i, pure=False)\n"
        "        for item, future in in_flight(client, submit, items()):\n"
        "            assert future.result() == item\n"
        "            ahead = max(ahead, taken - done)\n"
        "            done += 1\n"
        "    peak = next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
        "    print(json.dumps([done, ahead, int(peak)]))\n"
    )
    script = tmp_path / "driver.py"
    script.write_text(code)
    shown = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    done, ahead, kilobytes = eval(shown.stdout)
    assert done == MANY
    # Two per worker thread.
    assert ahead <= 4
    assert kilobytes < 2**20


def test_an_adaptive_cluster_is_given_enough_to_grow(client):
    taken = []

    def items():
        for i in range(40):
            taken.append(i)
            yield i

    found = in_flight(client, lambda i: client.submit(abs, i, pure=False), items(), capacity=10)
    next(found)
    assert len(taken) == 20
    found.close()


def test_batches_that_were_kept_are_not_computed_again(tmp_path, monkeypatch):
    model = library.load("WSe2")
    settings = make_settings(model, 60, np.linspace(-1, 1, 5))
    # Lines one by one, and few in a batch: a small mesh has many.
    spans = tuple(settings.mesh.spans(1))
    plan = replace(make_plan(model.operators, settings), spans=spans, kpoints=(60,) * 60, spans_per_batch=4)
    checkpoints = Checkpoints(str(tmp_path / "results.zarr"), settings.material_id(model))
    computed = []
    sum_span = execution.sum_span

    def sums_with(kept=None):
        return execution.run_plan(model.operators, plan, engine_of(None), silent, kept)

    def counting(operators, task, span):
        computed.append(span.start)
        if len(computed) > 40:
            raise KeyboardInterrupt
        return sum_span(operators, task, span)

    monkeypatch.setattr(execution, "sum_span", counting)
    with pytest.raises(KeyboardInterrupt):
        sums_with(checkpoints)
    kept = len(list((tmp_path / "results.zarr").rglob("batch-*.npz")))
    assert kept > 0
    computed.clear()
    monkeypatch.setattr(execution, "sum_span", lambda *a: computed.append(a[2].start) or sum_span(*a))
    resumed = sums_with(checkpoints)
    assert len(computed) == len(spans) - 4 * kept
    whole = sums_with()
    for found, expected in ((resumed.values, whole.values), (resumed.shares, whole.shares)):
        assert found.keys() == expected.keys()
        for term in expected:
            assert found[term].tobytes() == expected[term].tobytes()
    checkpoints.clear()
    assert not list(tmp_path.rglob("batch-*.npz"))


def test_a_large_material_of_a_campaign_spreads_over_all_workers(tmp_path):
    """Its coordinating worker is killed midway; another takes over and finds the batches that were kept."""
    manifest = write_manifest(tmp_path, 2)
    code = (
        "import sys\n"
        "from distributed import Client\n"
        "from spinscreen.materials import find_materials\n"
        "from spinscreen.workflows import Campaign, run_campaign\n"
        f"job = Campaign(find_materials({str(manifest)!r}), kmesh=500, scan_points=5, "
        "quantities=('conserved_hall_conductivity',), spread_after=1)\n"
        f"run_campaign(job, {str(tmp_path / 'r.zarr')!r}, Client(sys.argv[1]))\n"
    )
    with dask_processes(2) as cluster:
        driver = subprocess.Popen([sys.executable, "-c", code, cluster.address], start_new_session=True)
        wait_until(lambda: len(list(tmp_path.rglob("batch-*.npz"))) >= 1, 120)
        kill(cluster.workers.pop(0))
        cluster.workers.append(cluster.start_worker())
        assert driver.wait(timeout=240) == 0
    names = ("conserved_hall_conductivity",)
    here = campaign(find_materials(manifest), kmesh=500, scan_points=5, quantities=names)
    run_campaign(here, tmp_path / "here.zarr")
    assert numbers(tmp_path / "r.zarr") == numbers(tmp_path / "here.zarr")
    assert not list(tmp_path.rglob(".partial"))


def test_a_client_need_not_be_the_default_one(tmp_path):
    with Client(processes=False, set_as_default=False, dashboard_address="127.0.0.1:0") as client:
        job = campaign([source for source in find_materials("library") if source.id == "haldane"])
        assert run_campaign(job, tmp_path / "r.zarr", client).count("computed") == 1
        model = library.load("haldane")
        assert compute(model, 12, 0.0, client=client).equals(compute(model, 12, 0.0))
