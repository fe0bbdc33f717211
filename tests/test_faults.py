"""Real processes killed with kill -9 at random moments, full disks, read-only stores: nothing is lost."""

from __future__ import annotations

import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import campaigns
import cloudpickle
import dask
import pytest
from campaigns import dask_processes, driver_code, kill, numbers, start_driver, write_manifest
from command_line import spinscreen, spinscreen_process
from distributed import Client

from spinscreen.materials import find_materials
from spinscreen.storage import build_catalog, failures, screen
from spinscreen.workflows import run_campaign

SETTINGS = "kmesh=36, scan_points=41"
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
            assert driver.wait(timeout=90) in (0, 3, 4)
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
    assert not list(tmp_path.rglob(".partial"))


def test_a_material_that_kills_its_worker_is_recorded_and_stops_nothing(tmp_path, manifest):
    cloudpickle.register_pickle_by_value(campaigns)
    good = find_materials(manifest)[:3]
    store = tmp_path / "results.zarr"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        Client(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client,
    ):
        job = campaigns.campaign([good[0], campaigns.DeadlySource("deadly"), *good[1:]])
        report = run_campaign(job, store, client)
    assert [outcome.id for outcome in report.failures] == ["deadly"]
    # What its neighbours had done may be forgotten with the worker, and is then found in the store.
    assert report.count("computed") + report.count("present") == len(good)
    assert "its worker was killed" in failures(store)["deadly"]


def submit(manifest: Path, store: Path, *options: str, limit: int | None = None):
    """`spinscreen submit` as a user runs it; limit : bytes that a file may have, of a process of its own."""
    words = ("submit", str(manifest), "--store", str(store), "--kmesh", "36",
             "--set", "calculation.scan_points=41", *options)  # fmt: skip
    if limit is None:
        return spinscreen(*words)
    prepare = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    return spinscreen_process(*words, preexec_fn=prepare)


def assert_one_message(shown: subprocess.CompletedProcess, reason: str) -> None:
    assert shown.returncode == 2, shown.stdout + shown.stderr
    assert reason in shown.stderr
    assert "Traceback" not in shown.stderr + shown.stdout
    assert shown.stderr.count("error:") == 1


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_refused_write_is_one_message_and_changes_nothing(tmp_path, manifest, undisturbed, workers):
    """The kernel refuses files of more than 5 kB: smaller than an array of a material."""
    store = tmp_path / "results.zarr"
    assert_one_message(submit(manifest, store, "--workers", workers, limit=5000), "File too large")
    assert numbers(store) == {}
    assert submit(manifest, store, "--workers", "0").returncode == 0
    assert numbers(store) == undisturbed


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own, whose options the test changes; needs root."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip("a file system of limited size can only be mounted by root: mount refused")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_full_disk_is_one_message_and_leaves_what_is_published(small_disk, manifest, undisturbed, workers):
    store = small_disk("size=320k") / "results.zarr"
    assert_one_message(submit(manifest, store, "--workers", workers), "No space left on device")
    kept = numbers(store)
    assert 0 < len(kept) < len(undisturbed)
    assert kept.items() <= undisturbed.items()
    small_disk("remount,size=100m")
    shown = submit(manifest, store, "--workers", workers)
    assert f"{len(kept)} there already, 0 failed" in shown.stdout
    assert numbers(store) == undisturbed


def test_a_read_only_store_is_one_message_and_can_be_screened(small_disk, manifest, undisturbed):
    store = small_disk("size=100m") / "results.zarr"
    assert submit(manifest, store, "--workers", "0").returncode == 0
    small_disk("remount,ro")
    shown = submit(manifest, store, "--workers", "0", "--set", "calculation.broadening=0.1")
    assert_one_message(shown, "Read-only file system")
    assert numbers(store) == undisturbed
    assert len(screen(store)) == len(undisturbed)
    # Nothing to compute, nothing to write.
    assert f"{len(undisturbed)} there already" in submit(manifest, store, "--workers", "0").stdout
