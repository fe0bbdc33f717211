"""Where a campaign runs: local processes, a running scheduler, or jobs of SLURM, PBS or LSF."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

from distributed import Client

from spinscreen.kernels import InputError

from .configuration import Cluster

#: Batch systems and their classes in dask-jobqueue.
_BATCH = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}

#: Share of a job's wall time, and seconds at most, that its workers leave before the end.
_MARGIN = (0.1, 300)

#: Seconds of waiting work for which another job is asked for.
_TARGET_DURATION = "500ms"


@dataclass(frozen=True)
class Running:
    """A cluster that can be used.

    client : None for this process alone; capacity : worker threads that it may grow to, 0 if it does not
    """

    client: Client | None
    capacity: int = 0


@contextmanager
def open_cluster(cluster: Cluster, logs: Path) -> Iterator[Running]:
    """Start or join what the settings name, and end what was started.

    logs : folder for the output of batch jobs
    Raises InputError where no scheduler answers or the batch system is not there.
    """
    # What the user must know of a lost scheduler is said once, by the driver.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    if cluster.kind == "local":
        with local_cluster(cluster.workers) as client:
            yield Running(client)
    elif cluster.kind == "scheduler":
        with _joined(str(cluster.address)) as client:
            yield Running(client)
    else:
        with _batch_cluster(cluster, logs) as batch, Client(batch) as client:
            yield Running(client, cluster.maximum_jobs * cluster.cores)


@contextmanager
def local_cluster(workers: int | None) -> Iterator[Client | None]:
    """Single-threaded worker processes on this machine, one per core if None; none at all for 0."""
    count = (os.cpu_count() or 1) if workers is None else workers
    if not count:
        yield None
        return
    # Any free port for the dashboard: runs beside each other do not quarrel over 8787.
    with Client(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        yield client


def _joined(address: str) -> Client:
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError) as problem:
        raise InputError(f"cluster.address: no Dask scheduler answers at {address} ({problem}).") from None


@contextmanager
def _batch_cluster(cluster: Cluster, logs: Path) -> Iterator[Any]:
    batch_class = _batch_class(cluster.kind)
    _check_command(cluster.kind, shlex.split(batch_class.job_cls.submit_command)[0])
    batch = batch_class(**_job_options(cluster, logs), scheduler_options={"dashboard_address": ":0"})
    try:
        # Unlike `scale`, which never replaces a job that is lost.
        batch.adapt(
            minimum_jobs=cluster.minimum_jobs,
            maximum_jobs=cluster.maximum_jobs,
            target_duration=_TARGET_DURATION,
        )
        yield batch
    finally:
        batch.close()


def _batch_class(kind: str) -> Any:
    if kind not in _BATCH:
        raise InputError(
            f"cluster.kind: {kind!r} has no job script, expected one of {', '.join(_BATCH)}; for example "
            "--set cluster.kind=slurm."
        )
    try:
        import dask_jobqueue
    except ImportError:
        raise InputError(
            f"cluster.kind: {kind!r} needs dask-jobqueue, which is not installed; pip install "
            "'spinscreen[cluster]'."
        ) from None
    return getattr(dask_jobqueue, _BATCH[kind])


def _check_command(kind: str, command: str) -> None:
    if which(command) is None:
        raise InputError(
            f"cluster.kind: {kind!r} submits with {command!r}, which is not found here; run on a login node "
            "of the cluster, or look at the script with --dry-run."
        )


def _job_options(cluster: Cluster, logs: Path) -> dict[str, Any]:
    """Keywords of dask-jobqueue for one worker job."""
    return {
        **_header_options(cluster, cluster.walltime, logs),
        "job_name": "spinscreen-worker",
        "cores": cluster.cores,
        "processes": cluster.cores,
        "memory": cluster.memory,
        "interface": cluster.interface,
        "python": cluster.python or sys.executable,
        "job_script_prologue": [*_ONE_BLAS_THREAD, *cluster.prologue],
        "worker_extra_args": _lifetime(cluster.walltime),
    }


#: NumPy reads these when it is imported, before the worker's set-up can speak to it.
_ONE_BLAS_THREAD = ("export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",)


def _header_options(cluster: Cluster, walltime: str, logs: Path) -> dict[str, Any]:
    lsf = cluster.kind == "lsf"
    return {
        "queue": cluster.queue,
        "project" if lsf else "account": cluster.account,
        "walltime": walltime.rsplit(":", 1)[0] if lsf else walltime,
        "job_extra_directives": list(cluster.directives),
        "log_directory": str(logs),
        **({"use_stdin": True} if lsf else {}),
    }


def _lifetime(walltime: str) -> list[str]:
    """Workers hand back their work and leave, not all at once, before the batch system kills them."""
    hours, minutes, seconds = (int(part) for part in walltime.split(":"))
    whole = 3600 * hours + 60 * minutes + seconds
    margin = min(_MARGIN[0] * whole, _MARGIN[1])
    return ["--lifetime", f"{whole - margin:.0f}s", "--lifetime-stagger", f"{margin / 2:.0f}s"]


def worker_script(cluster: Cluster, logs: Path) -> str:
    """The script of a worker's job, as it would be submitted. Raises InputError without a batch system."""
    return _job(cluster, _job_options(cluster, logs)).job_script()


def driver_script(cluster: Cluster, command: Sequence[str], logs: Path) -> str:
    """The script of a job that is itself the driver: `command` on one core."""
    job = _job(
        cluster,
        {
            **_header_options(cluster, cluster.driver_walltime, logs),
            "job_name": "spinscreen-driver",
            "cores": 1,
            "memory": "2 GiB",
        },
    )
    lines = [job.shebang, "", job.job_header, *_ONE_BLAS_THREAD, *cluster.prologue]
    # Some batch systems start jobs at home, where relative paths lead astray.
    return "\n".join([*lines, f"cd {shlex.quote(str(Path.cwd()))}", shlex.join(command), ""])


def _job(cluster: Cluster, options: dict[str, Any]) -> Any:
    job_class = _batch_class(cluster.kind).job_cls
    return job_class(scheduler="tcp://DRIVER:PORT", name="spinscreen", **options)


def submit_driver(cluster: Cluster, script: str) -> str:
    """Submit a driver's script; returns what the batch system answers. Raises InputError if it refuses."""
    command = shlex.split(_batch_class(cluster.kind).job_cls.submit_command)
    _check_command(cluster.kind, command[0])
    answer = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise InputError(f"{command[0]}: refused the job ({answer.stderr.strip()}); see cluster settings.")
    return answer.stdout.strip()
