"""Workers that do not belong, jobs that are refused, workers that are gone: a sentence each, never a hang."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import campaigns
import cloudpickle
import dask
import pytest
from campaigns import campaign, dask_processes, numbers, wait_until, write_manifest
from distributed import Client

import spinscreen.kernels
from spinscreen.materials import find_materials
from spinscreen.storage import failures, published
from spinscreen.workflows import WorkersLostError, run_campaign
from spinscreen.workflows.admission import Admission, difference, fingerprint
from spinscreen.workflows.clusters import _seldom, local_cluster

#: A worker in whose environment spinscreen cannot be imported.
WITHOUT = (
    "-c",
    "import sys; sys.modules['spinscreen'] = None\nfrom distributed.cli.dask_worker import main\nmain()",
)

#: What a batch system does with a job: runs it, one at a time, and refuses all after the first.
ONE_JOB = """#!/bin/sh
echo call >> "$0.calls"
if [ -e "$0.script" ]; then echo "sbatch: error: own quota reached" >&2; exit 1; fi
cat > "$0.script"
setsid sh "$0.script" > "$0.log" 2>&1 &
echo $! > "$0.pid"
echo "Submitted batch job 1"
"""

REFUSING = """#!/bin/sh
echo call >> "$0.calls"
echo "sbatch: error: own site filter: ask per core" >&2
exit 1
"""

QUEUEING = """#!/bin/sh
echo "Submitted batch job 1"
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return write_manifest(tmp_path_factory.mktemp("many"), 8)


@pytest.fixture(scope="module")
def other_version(tmp_path_factory) -> dict[str, str]:
    """Environment of a worker whose spinscreen differs by one line."""
    top = tmp_path_factory.mktemp("other")
    for room in ("kernels", "materials", "storage", "workflows"):
        source = Path(spinscreen.kernels.__file__).parents[1] / room
        shutil.copytree(source, top / "spinscreen" / room, ignore=shutil.ignore_patterns("__pycache__"))
    with (top / "spinscreen" / "kernels" / "mesh.py").open("a") as file:
        file.write("\n# a line more\n")
    return {"PYTHONPATH": str(top)}


def submit(source: Path, store: Path, *options: str, **how) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "spinscreen.workflows.cli", "submit", str(source), "--store", str(store),
         "--kmesh", "36", "--set", "calculation.scan_points=21", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **how,
    )  # fmt: skip


def ended(driver: subprocess.Popen, code: int) -> str:
    """What it said. Three minutes mean that it hangs: nothing here waits for longer than seconds."""
    try:
        out, error = driver.communicate(timeout=180)
    finally:
        if driver.poll() is None:
            campaigns.kill(driver)
    assert "Traceback" not in out + error, error
    assert driver.returncode == code, out + error
    return out + error


def test_workers_that_differ_never_compute_and_are_named(tmp_path, manifest, other_version):
    store = tmp_path / "results.zarr"
    with dask_processes(0) as cluster, Client(cluster.address) as client:
        cluster.workers.append(cluster.start_worker(WITHOUT))
        cluster.workers.append(cluster.start_worker(environment=other_version))
        client.wait_for_workers(2)
        # None that fits: the campaign ends, and the workers, which may be another's, stay.
        shown = ended(submit(manifest, store, "--scheduler", cluster.address), 2)
        assert "is refused: " in shown
        assert len(client.nthreads()) == 2
        assert not published(store)
        # One that comes later and fits does all.
        cluster.workers.append(cluster.start_worker())
        client.wait_for_workers(3)
        shown = ended(submit(manifest, store, "--scheduler", cluster.address), 0)
        assert "anyone who can reach that port can run code as you" in shown
        assert "spinscreen is not installed there" in shown
        assert "it has spinscreen 0.1.0, code " in shown
        assert shown.count("is refused: ") == 2
    assert failures(store) == {}
    assert len(published(store)) == 8


def test_workers_may_come_later_and_are_compared_then(tmp_path, manifest, other_version):
    store = tmp_path / "results.zarr"
    with dask_processes(0) as cluster, Client(cluster.address) as client:
        driver = submit(manifest, store, "--scheduler", cluster.address)
        wait_until(lambda: (store / "campaigns").is_dir())
        cluster.workers.append(cluster.start_worker(environment=other_version))
        client.wait_for_workers(1)
        cluster.workers.append(cluster.start_worker())
        shown = ended(driver, 0)
        assert shown.count("is refused: it has spinscreen 0.1.0, code ") == 1
    assert failures(store) == {}
    assert len(published(store)) == 8


def test_the_plugin_travels_as_text_and_compares_what_decides():
    ours = fingerprint()
    plugin = Admission(ours, Path(sys.modules[Admission.__module__].__file__).read_text(), False)
    copy = pickle.loads(pickle.dumps(plugin))
    assert type(copy) is not Admission
    assert (copy.name, copy.expected, copy.closes) == (plugin.name, ours, False)
    assert difference(ours, ours) is None
    assert "it has numpy 1.0, the driver numpy" in difference(ours, {**ours, "numpy": "1.0"})
    assert "it has Python 3.1, the driver" in difference(ours, {**ours, "Python": "3.1", "code": "x"})
    assert "spinscreen is not installed there" in difference(ours, {**ours, "code": "none"})


@pytest.fixture
def batch(tmp_path) -> Iterator:
    """Makes an sbatch of a script, and the environment in which it is found."""
    tools = tmp_path / "tools"
    tools.mkdir()

    def make(script: str) -> dict[str, str]:
        for name, text in (("sbatch", script), ("scancel", "#!/bin/sh\n")):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        return {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "DASK_CONFIG": str(tmp_path / "dask"),
            "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1s",
        }

    yield make
    end_job(tools)


def end_job(tools: Path) -> None:
    if (pid := tools / "sbatch.pid").is_file():
        with suppress(ProcessLookupError):
            os.killpg(int(pid.read_text()), signal.SIGKILL)


SLURM = ("--set", "cluster.kind=slurm", "--set", "cluster.maximum_jobs=4")


def test_a_refused_job_is_one_trial_and_one_sentence(tmp_path, manifest, batch):
    driver = submit(manifest, tmp_path / "results.zarr", *SLURM, env=batch(REFUSING))
    shown = ended(driver, 2)
    assert "sbatch: refused the job (sbatch: error: own site filter: ask per core)" in shown
    assert (tmp_path / "tools" / "sbatch.calls").read_text().count("call") == 1


def test_a_job_of_an_encrypted_cluster_runs_and_refusals_after_its_end_end_the_campaign(tmp_path, batch):
    """The first job works, in a folder with blanks and quotes; it is killed, and no other is accepted."""
    place = tmp_path / "a 'quoted' place"
    place.mkdir()
    source, store = write_manifest(place, 200), place / "results.zarr"
    driver = submit(source, store, *SLURM, env=batch(ONE_JOB))
    wait_until(lambda: len(published(store)) >= 2, 120)
    (keys,) = (place / "results.zarr.logs").glob("tls-*")
    assert keys.stat().st_mode & 0o077 == 0
    end_job(tmp_path / "tools")
    shown = ended(driver, 2)
    assert "sbatch: refused the job (sbatch: error: own quota reached)" in shown
    # The first job; meanwhile, and after its end, tries whose pauses double.
    assert (tmp_path / "tools" / "sbatch.calls").read_text().count("call") < 15
    assert not list((place / "results.zarr.logs").glob("tls-*"))
    assert numbers(store)
    script = (tmp_path / "tools" / "sbatch.script").read_text()
    assert "--protocol tls://" in script


def test_ctrl_c_while_jobs_wait_in_the_queue_is_no_traceback(tmp_path, manifest, batch):
    store = tmp_path / "results.zarr"
    driver = submit(manifest, store, *SLURM, env=batch(QUEUEING))
    wait_until(lambda: (store / "campaigns").is_dir())
    assert driver.stdout is not None
    # It says that it waits, and for what.
    lines = iter(driver.stdout.readline, "")
    assert any("4 jobs wait in the queue or have ended without a word" in line for line in lines)
    driver.send_signal(signal.SIGINT)
    ended(driver, 130)


def test_a_worker_killed_while_it_starts_is_one_sentence(tmp_path, manifest):
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__PRELOAD": f"['{deadly}']"}
    driver = submit(manifest, tmp_path / "results.zarr", "--workers", "1", env=environment)
    assert "a worker ended while it started" in ended(driver, 2)


@pytest.fixture(scope="module")
def local() -> Iterator[Client]:
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}), local_cluster(1) as client:
        yield client


def test_a_local_cluster_looks_at_itself_seldom_unless_the_user_says_how_often(local):
    tick, profile = "distributed.admin.tick.interval", "distributed.worker.profile.interval"
    before = dask.config.get(tick)
    (found,) = local.run(lambda: [dask.config.get(tick), dask.config.get(profile)]).values()
    assert found == ["200ms", "200ms"]
    assert dask.config.get(tick) == before
    with dask.config.set({tick: "33ms"}):
        assert tick not in _seldom()
        assert profile in _seldom()


def test_lost_workers_of_a_local_cluster_are_started_anew(tmp_path, manifest, local):
    local.retire_workers(list(local.nthreads()))
    wait_until(lambda: not local.nthreads())
    told: list[str] = []
    report = run_campaign(campaign(find_materials(manifest)), tmp_path / "r.zarr", local, tell=told.append)
    assert report.count("computed") == 8
    assert len(local.nthreads()) == 1


def test_a_material_that_never_ends_is_recorded_and_stops_nothing(tmp_path, manifest, local):
    cloudpickle.register_pickle_by_value(campaigns)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    good = find_materials(manifest)[:3]
    # Ten seconds: a fresh worker may have to import and compile before its first material.
    job = campaign([good[0], campaigns.StuckSource("stuck", pipe), *good[1:]], material_timeout=10)
    report = run_campaign(job, tmp_path / "r.zarr", local)
    assert [outcome.id for outcome in report.failures] == ["stuck"]
    assert report.count("computed") + report.count("present") == 3
    assert "it took longer than material_timeout = 10 s" in failures(tmp_path / "r.zarr")["stuck"]


def test_a_scheduler_without_workers_ends_the_campaign(tmp_path, manifest):
    with dask_processes(0) as cluster, Client(cluster.address) as client:
        job = campaign(find_materials(manifest))
        with pytest.raises(WorkersLostError, match=r"no worker for \d+ s"):
            run_campaign(job, tmp_path / "r.zarr", client, worker_timeout=2)
        # All of them killed midway.
        cluster.workers.append(cluster.start_worker())
        job = campaign(find_materials(manifest), kmesh=150)

        def kill_it(_: object) -> None:
            while cluster.workers:
                campaigns.kill(cluster.workers.pop())

        with pytest.raises(WorkersLostError, match="run the same command again"):
            run_campaign(job, tmp_path / "r.zarr", client, kill_it, worker_timeout=2)
    assert published(tmp_path / "r.zarr")


def test_workers_and_threads_follow_affinity():
    code = (
        "from spinscreen.workflows.clusters import local_cluster\n"
        "from spinscreen.workflows.engine import core_count\n"
        "if __name__ == '__main__':\n"
        "    with local_cluster(None) as client:\n"
        "        print(core_count(), len(client.nthreads()))\n"
    )
    core = min(os.sched_getaffinity(0))
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    assert shown.stdout.split() == ["1", "1"]
