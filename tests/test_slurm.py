"""A campaign on a real SLURM: worker jobs come with the work, one is cancelled midway, nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from campaigns import driver_code, numbers, start_driver, wait_until, write_manifest

from spinscreen.storage import build_catalog, failures, published

TOOLS = Path(__file__).resolve().parents[2] / "shared" / "tools"
COUNT = 24

# One cluster for all tests of this file.
pytestmark = pytest.mark.xdist_group("slurm")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Mapping[str, str]]:
    """Environment of a single-node SLURM on loopback."""
    missing = [name for name in ("sbatch", "slurmctld", "munged") if shutil.which(name, path=_path()) is None]
    if missing:
        pytest.skip(
            f"SLURM is not installed ({', '.join(missing)} not found): apt-get install slurm-wlm munge"
        )
    if not (TOOLS / "start-slurm.sh").is_file():
        pytest.skip(f"the script that starts SLURM is not at {TOOLS}")
    # Sockets need a short path.
    folder = Path(os.path.realpath("/tmp")) / f"slurm-{os.getpid()}"
    started = subprocess.run(
        ["sh", str(TOOLS / "start-slurm.sh"), str(folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "SLURMLOOP_CPUS": "2"},
    )  # fmt: skip
    if started.returncode:
        pytest.skip(f"SLURM does not start here: {started.stderr.strip().splitlines()[-1]}")
    try:
        yield {
            **os.environ,
            "SLURM_CONF": str(folder / "etc" / "slurm.conf"),
            # dask-jobqueue writes its defaults there when it is imported.
            "DASK_CONFIG": str(tmp_path_factory.mktemp("dask")),
        }
    finally:
        subprocess.run(["sh", str(TOOLS / "stop-slurm.sh"), str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return write_manifest(tmp_path_factory.mktemp("many"), COUNT)


@pytest.fixture(scope="module")
def settings_file(manifest) -> Path:
    file = manifest.parent / "campaign.toml"
    file.write_text(
        'source = "list.json"\n'
        "[calculation]\nkmesh = 48\nenergies = 41\n"
        '[cluster]\nkind = "slurm"\nqueue = "debug"\nmemory = "1500 MiB"\nmaximum_jobs = 2\n'
        'walltime = "00:10:00"\ndriver_walltime = "00:10:00"\n'
    )
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, manifest) -> dict:
    store = tmp_path_factory.mktemp("undisturbed") / "results.zarr"
    assert start_driver(driver_code(manifest, store, "kmesh=48, scan_points=41")).wait() == 0
    return numbers(store)


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "spinscreen.workflows.cli", *map(str, words)]


def running_jobs(slurm: Mapping[str, str], name: str) -> list[str]:
    shown = subprocess.run(
        ["squeue", "-h", "-t", "R", "-n", name, "-o", "%A"],
        env=slurm,
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()


def test_a_refused_job_ends_the_campaign_with_the_words_of_slurm(tmp_path, slurm, settings_file):
    options = ("--store", tmp_path / "results.zarr", "--set", "cluster.queue=nowhere")
    for how in ((), ("--as-job",)):
        shown = subprocess.run(
            command("submit", settings_file, *options, *how),
            env=slurm, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 2, shown.stdout
        assert "sbatch: refused the job (sbatch: error: invalid partition specified: nowhere" in shown.stderr
        assert "Traceback" not in shown.stderr


def test_a_campaign_survives_a_cancelled_worker_job(tmp_path, slurm, settings_file, undisturbed):
    # The output of jobs goes to a folder beside it, whose name is quoted in their scripts.
    store = tmp_path / "a 'quoted' 100% folder" / "results.zarr"
    store.parent.mkdir()
    driver = subprocess.Popen(
        command("submit", settings_file, "--store", store), env=slurm, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: running_jobs(slurm, "spinscreen-worker") and len(published(store)) >= 2)
    cancelled = running_jobs(slurm, "spinscreen-worker")[0]
    before = len(published(store))
    subprocess.run(["scancel", cancelled], env=slurm, check=True)
    shown, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, shown
    assert before < COUNT
    assert failures(store) == {}
    assert numbers(store) == undisturbed
    assert build_catalog(store).sizes["material"] == COUNT
    wait_until(lambda: not running_jobs(slurm, "spinscreen-worker"))
    logs = store.with_name("results.zarr.logs")
    told = "".join(log.read_text() for log in logs.glob("spinscreen-worker-*.err"))
    assert "tls://" in told
    assert "tcp://" not in told
    # The keys of the jobs are gone: beside their output lies the log of the driver alone.
    kinds = {re.sub(r"-[0-9T]+\.(err|out|log)$", "", file.name) for file in logs.iterdir()}
    assert kinds == {"spinscreen-worker", "driver"}


def test_the_driver_can_be_a_job_itself(tmp_path, slurm, settings_file, undisturbed):
    store = tmp_path / "results.zarr"
    shown = subprocess.run(
        command("submit", settings_file, "--store", store, "--as-job"),
        env=slurm, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "Submitted batch job" in shown.stdout
    wait_until(lambda: (store / "catalog" / "zarr.json").is_file(), seconds=180)
    assert numbers(store) == undisturbed
