"""Real processes killed with kill -9 at random moments, full disks, read-only stores: nothing is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from campaigns import campaign, dask_processes, driver_code, kill, numbers, start_driver, write_manifest

from spinscreen.materials import find_materials
from spinscreen.storage import StoreError, build_catalog, failures, open_store, publish, published
from spinscreen.workflows import run_campaign

SETTINGS = "kmesh=36, energies=41"
COUNT = 16


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return write_manifest(tmp_path_factory.mktemp("many"), COUNT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, manifest) -> dict:
    store = tmp_path_factory.mktemp("undisturbed") / "results.zarr"
    assert start_driver(driver_code(manifest, store, SETTINGS)).wait() == 0
    found = numbers(store)
    assert len(found) == COUNT
    return found


def assert_whole(store: Path) -> None:
    """Whatever is published can be read to the last number."""
    if (store / "zarr.json").is_file():
        numbers(store)


@pytest.mark.parametrize("seed", range(3))
def test_a_driver_killed_at_any_moment_loses_nothing(tmp_path, manifest, undisturbed, seed):
    store = tmp_path / "results.zarr"
    code = driver_code(manifest, store, SETTINGS)
    rng = random.Random(seed)
    for _ in range(3):
        driver = start_driver(code)
        time.sleep(rng.uniform(1.0, 3.0))
        kill(driver)
        assert_whole(store)
    assert start_driver(code).wait() == 0
    assert numbers(store) == undisturbed
    assert build_catalog(store).sizes["material"] == COUNT


@pytest.mark.parametrize("seed", range(3))
def test_workers_killed_at_any_moment_lose_nothing(tmp_path, manifest, undisturbed, seed):
    store = tmp_path / "results.zarr"
    rng = random.Random(seed)
    with dask_processes() as cluster:
        driver = start_driver(driver_code(manifest, store, SETTINGS, cluster.address))
        time.sleep(1.5)
        for _ in range(3):
            time.sleep(rng.uniform(0.1, 1.0))
            kill(cluster.workers.pop(rng.randrange(len(cluster.workers))))
            cluster.workers.append(cluster.start_worker())
            assert_whole(store)
        assert driver.wait() == 0
    assert failures(store) == {}
    assert numbers(store) == undisturbed


@pytest.mark.parametrize("seed", range(3))
def test_a_scheduler_killed_at_any_moment_loses_nothing(tmp_path, manifest, undisturbed, seed):
    store = tmp_path / "results.zarr"
    rng = random.Random(seed)
    for _ in range(2):
        with dask_processes() as cluster:
            driver = start_driver(driver_code(manifest, store, SETTINGS, cluster.address))
            time.sleep(1.5 + rng.uniform(0.1, 1.5))
            kill(cluster.scheduler)
            # The driver says so and ends, however far it was; it does not wait for ever.
            assert driver.wait(timeout=90) in (0, 1, 3)
            assert_whole(store)
    with dask_processes() as cluster:
        assert start_driver(driver_code(manifest, store, SETTINGS, cluster.address)).wait() == 0
    assert failures(store) == {}
    assert numbers(store) == undisturbed


@pytest.mark.parametrize("seed", range(2))
def test_a_driver_of_a_cluster_killed_at_any_moment_loses_nothing(tmp_path, manifest, undisturbed, seed):
    store = tmp_path / "results.zarr"
    rng = random.Random(seed)
    with dask_processes() as cluster:
        code = driver_code(manifest, store, SETTINGS, cluster.address)
        for _ in range(2):
            driver = start_driver(code)
            time.sleep(1.5 + rng.uniform(0.1, 1.5))
            kill(driver)
            assert_whole(store)
        assert start_driver(code).wait() == 0
    assert numbers(store) == undisturbed


def test_two_drivers_on_one_store_neither_repeat_nor_corrupt(tmp_path, manifest, undisturbed):
    store = tmp_path / "results.zarr"
    drivers = [start_driver(driver_code(manifest, store, SETTINGS)) for _ in range(2)]
    assert [driver.wait() for driver in drivers] == [0, 0]
    assert numbers(store) == undisturbed
    assert build_catalog(store).sizes["material"] == COUNT
    assert not list(tmp_path.glob("*.partial"))
