"""What tests of campaigns share: a small job, its numbers bit by bit, real Dask processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from spinscreen.materials import MaterialSource, WannierModel, library, write_wannier90
from spinscreen.storage import open_store, published
from spinscreen.workflows import Campaign

NAMES = ("MoS2", "WS2", "MoSe2", "WSe2")


def campaign(materials, **settings) -> Campaign:
    return Campaign(materials, **({"kmesh": 12, "scan_points": 21} | settings))


def numbers(store: Path) -> dict[str, dict[str, bytes]]:
    """Every number of every material, bit by bit."""
    tree = open_store(store)
    found = {}
    for name in published(store):
        dataset = tree[f"materials/{name}"].to_dataset().load()
        found[name] = {str(v): dataset[v].values.tobytes() for v in dataset.data_vars}
    return found


def write_manifest(folder: Path, count: int) -> Path:
    """A manifest of many materials that are all the same model under different names."""
    write_wannier90(library.load("MoS2"), folder / "files")
    rows = [{"id": f"m{i:03d}", "path": "files/MoS2", "fermi_level": 0.0} for i in range(count)]
    manifest = folder / "list.json"
    manifest.write_text(json.dumps(rows))
    return manifest


def driver_code(manifest: Path, store: Path, settings: str, address: str | None = None) -> str:
    """A driver of its own process; exit code 3 where its scheduler is lost, 4 where it finds none."""
    client = "None" if address is None else f"Client({address!r}, timeout=5)"
    return (
        "import sys\n"
        "from distributed import Client\n"
        "from spinscreen.materials import find_materials\n"
        "from spinscreen.workflows import Campaign, SchedulerLostError, run_campaign\n"
        f"job = Campaign(find_materials({str(manifest)!r}), {settings})\n"
        "try:\n"
        f"    client = {client}\n"
        "except OSError:\n"
        "    sys.exit(4)\n"
        "try:\n"
        f"    report = run_campaign(job, {str(store)!r}, client)\n"
        "except SchedulerLostError:\n"
        "    sys.exit(3)\n"
        "sys.exit(len(report.failures))\n"
    )


class StuckSource(MaterialSource):
    """A material whose file never ends, as on a file server that hangs."""

    def load(self) -> WannierModel:
        with open(self.path) as pipe:  # noqa: PTH123
            pipe.read()
        raise AssertionError


class DeadlySource(MaterialSource):
    """A material that takes its worker down with it, as one does that needs more memory than there is."""

    def load(self) -> WannierModel:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def start_driver(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def kill(process: subprocess.Popen) -> None:
    """kill -9 of a process and all its children, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


#: What a killed worker held is free after seconds, not after half a minute as by default.
_QUICK = {
    **os.environ,
    "DASK_DISTRIBUTED__SCHEDULER__LOCKS__LEASE_TIMEOUT": "3s",
    "DASK_DISTRIBUTED__SCHEDULER__LOCKS__LEASE_VALIDATION_INTERVAL": "1s",
}


#: How a worker is started.
WORKER = ("-m", "distributed.cli.dask_worker")


class DaskProcesses:
    """A scheduler and workers as processes of their own, to be killed one by one."""

    def __init__(self, workers: int, options: Sequence[str] = ()) -> None:
        self.options = options
        self.scheduler = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
             "--dashboard-address", "127.0.0.1:0", "--no-dashboard", *options],
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=_QUICK,
        )  # fmt: skip
        assert self.scheduler.stderr is not None
        for line in self.scheduler.stderr:
            if match := re.search(r"Scheduler at:\s+(t(?:cp|ls)://\S+)", line):
                self.address = match[1]
                break
        self.workers = [self.start_worker() for _ in range(workers)]

    def start_worker(self, start: Sequence[str] = WORKER, environment: Mapping[str, str] | None = None):
        return subprocess.Popen(
            [sys.executable, *start, self.address, "--nthreads", "1",
             "--no-nanny", "--no-dashboard", "--death-timeout", "20", *self.options],
            stderr=subprocess.DEVNULL, start_new_session=True, env={**_QUICK, **(environment or {})},
        )  # fmt: skip

    def stop(self) -> None:
        for process in (self.scheduler, *self.workers):
            if process.poll() is None:
                kill(process)
        if self.scheduler.stderr is not None:
            self.scheduler.stderr.close()


@contextmanager
def dask_processes(workers: int = 2, options: Sequence[str] = ()) -> Iterator[DaskProcesses]:
    """options : of scheduler and workers alike"""
    cluster = DaskProcesses(workers, options)
    try:
        yield cluster
    finally:
        cluster.stop()


def wait_until(condition, seconds: float = 60.0) -> None:
    """Return once the condition holds; what it waits for takes seconds, so a minute means it never comes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
