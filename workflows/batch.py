"""Workers and drivers as jobs of SLURM, PBS or LSF: their scripts, their submission, what is refused."""

from __future__ import annotations

import asyncio
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from shutil import which
from typing import Any
from unittest import mock

import dask
from distributed import Client, Security
from distributed.core import Status

from spinscreen.kernels import InputError

from .configuration import Cluster
from .encryption import security_of_files, security_of_jobs
from .liveness import WorkersLostError

#: Batch systems and their classes in dask-jobqueue.
_BATCH = {"slurm": "SLURMJob", "pbs": "PBSJob", "lsf": "LSFJob"}

#: Share of a job's wall time, and seconds at most, that its workers leave before the end.
_MARGIN = (0.1, 300)

#: Seconds of waiting work for which another job is asked for.
_TARGET_DURATION = "500ms"

#: Refusals in a row that end a campaign without workers, and the longest pause between two tries, seconds.
_REFUSALS, _LONGEST_PAUSE = 5, 60.0

#: NumPy reads these when it is imported, before the worker's set-up can speak to it.
_ONE_BLAS_THREAD = ("export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",)

#: The command line silences Dask on the user's terminal; in the output of a job one looks for what it says.
_HEARD = ("unset DASK_LOGGING__DISTRIBUTED DASK_LOGGING__ASYNCIO",)

#: Scheduler and folder of keys in a script that is only shown.
_SHOWN_SCHEDULER, _SHOWN_FOLDER = "tls://DRIVER:PORT", "tls-OF-THIS-RUN"


class Submissions:
    """Submits jobs one at a time, and remembers what was refused.

    A refused job is tried again after pauses that double, not at each of the adaptive cluster's looks.
    """

    def __init__(self, command: Sequence[str], logs: Path) -> None:
        self._command, self._logs = command, logs
        self._lock = asyncio.Lock()
        self._accepted = self._refused = 0
        self._not_before = 0.0
        self._words: str | None = None

    async def submit(self, script: str) -> str:
        """What the batch system answers. Raises InputError where it refuses, or has refused a moment ago."""
        async with self._lock:
            if self._words is not None and time.monotonic() < self._not_before:
                raise InputError(self._words)
            try:
                answer = await asyncio.to_thread(_submit, self._command, script)
            except InputError as refusal:
                self._words = str(refusal)
                self._not_before = time.monotonic() + min(2.0**self._refused, _LONGEST_PAUSE)
                self._refused += 1
                raise
            self._accepted, self._refused, self._words = self._accepted + 1, 0, None
            return answer

    def forget_refused(self, client: Client) -> None:
        """Dask takes a job that was refused for one that waits, and would not ask for another."""
        cluster = client.cluster

        def forget() -> None:
            for name, job in list(cluster.workers.items()):
                if job.job_id is None:
                    job.status = Status.failed
                    del cluster.workers[name]
                    cluster.worker_spec.pop(name, None)

        cluster.loop.add_callback(forget)

    def check(self, client: Client) -> None:
        """Called while no worker is there. Raises WorkersLostError where none can be expected."""
        hopeless = not self._accepted or self._refused >= _REFUSALS
        if self._words is not None and hopeless and not _waiting(client):
            raise WorkersLostError(self._words)

    def waiting(self, client: Client) -> str:
        """What to say while there is no worker."""
        refused = "" if self._words is None else f"; {self._words}"
        return (
            f"{_waiting(client)} jobs wait in the queue or have ended without a word; "
            f"their output is in {self._logs}{refused}"
        )


def _waiting(client: Client) -> int:
    return sum(job.job_id is not None for job in client.cluster.workers.values())


@contextmanager
def batch_cluster(cluster: Cluster, logs: Path) -> Iterator[Any]:
    """An adaptive cluster of worker jobs, encrypted; ends them all.

    logs : folder for the output of jobs
    Raises InputError where the batch system is not there.
    """
    job_class = _job_class(cluster.kind)
    command = _submit_command(cluster.kind)
    make_folder(logs)
    with security_of_jobs(cluster, Path(cluster.tls_folder or logs)) as security:
        from dask_jobqueue import JobQueueCluster

        submissions = Submissions(command, logs)
        batch = JobQueueCluster(
            job_cls=job_class,
            submissions=submissions,
            security=security,
            scheduler_options={
                "dashboard_address": cluster.dashboard_address,
                "port": cluster.scheduler_port,
            },
            **_job_options(cluster, logs),
        )
        batch.submissions = submissions
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


def make_folder(logs: Path) -> None:
    """Raises InputError where the folder cannot be made."""
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(
            f"{logs}: cannot be made ({problem.strerror}), expected a folder for the output of jobs."
        ) from None


@lru_cache
def _job_class(kind: str) -> Any:
    """The class of dask-jobqueue, with `_CarefulJob` before it."""
    if kind not in _BATCH:
        raise InputError(
            f"cluster.kind: {kind!r} has no job script, expected one of {', '.join(_BATCH)}; for example "
            "--set cluster.kind=slurm."
        )
    try:
        with _import_alone():
            from dask_jobqueue import lsf, pbs, slurm
    except ImportError:
        raise InputError(
            f"cluster.kind: {kind!r} needs dask-jobqueue, which is not installed; pip install "
            "'spinscreen[cluster]'."
        ) from None
    base = getattr({"slurm": slurm, "pbs": pbs, "lsf": lsf}[kind], _BATCH[kind])
    return type(base.__name__, (_CarefulJob, base), {})


@contextmanager
def _import_alone() -> Iterator[None]:
    """Nothing but an import: dask-jobqueue would also write a file of comments into the user's configuration,
    and turn Ctrl-C into an end without a word.
    """
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with mock.patch.object(dask.config, "ensure_file"):
            yield
    finally:
        signal.signal(signal.SIGINT, interrupt)


class _CarefulJob:
    """What is changed about the jobs of dask-jobqueue."""

    def __init__(
        self,
        *arguments: Any,
        submissions: Submissions | None = None,
        security: Security | None = None,
        worker_extra_args: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self._submissions = submissions
        words = [*worker_extra_args, *_tls_words(security)]
        quoted = [shlex.quote(word) for word in words]
        super().__init__(*arguments, worker_extra_args=quoted, **options)  # type: ignore[call-arg]

    async def _submit_job(self, script: str) -> str:
        assert self._submissions is not None
        return await self._submissions.submit(Path(script).read_text())

    async def close(self) -> None:
        await super().close()  # type: ignore[misc]
        # A job that was refused has no other end.
        self.status = Status.closed


def _tls_words(security: Security | None) -> list[str]:
    if security is None:
        return []
    files = security.get_tls_config_for_role("worker")
    named = {"ca-file": files["ca_file"], "cert": files["cert"], "key": files["key"]}
    return [word for name, path in named.items() if path for word in (f"--tls-{name}", path)]


def _submit_command(kind: str) -> list[str]:
    command = shlex.split(_job_class(kind).submit_command)
    if which(command[0]) is None:
        raise InputError(
            f"cluster.kind: {kind!r} submits with {command[0]!r}, which is not found here; run on a login "
            "node of the cluster, or look at the script with --dry-run."
        )
    return command


def _submit(command: Sequence[str], script: str) -> str:
    try:
        answer = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    except OSError as problem:
        raise InputError(f"{command[0]}: cannot be run ({problem.strerror}).") from None
    if answer.returncode:
        words = " ".join((answer.stderr.strip() or answer.stdout.strip()).split())
        raise InputError(f"{command[0]}: refused the job ({words}); see cluster settings.")
    return answer.stdout.strip()


def _job_options(cluster: Cluster, logs: Path) -> dict[str, Any]:
    """Keywords of dask-jobqueue for one worker job."""
    return {
        **_header_options(cluster, "spinscreen-worker", cluster.walltime, cluster.cores, logs),
        "cores": cluster.cores,
        "processes": cluster.cores,
        "memory": cluster.memory,
        "interface": cluster.interface,
        "python": shlex.quote(cluster.python or sys.executable),
        "job_script_prologue": [*_ONE_BLAS_THREAD, *_HEARD, *cluster.prologue],
        # Its pages need no password, so nobody else may see them.
        "worker_extra_args": [*_lifetime(cluster.walltime), "--dashboard-address", "127.0.0.1:0"],
    }


def _header_options(cluster: Cluster, name: str, walltime: str, cores: int, logs: Path) -> dict[str, Any]:
    lsf = cluster.kind == "lsf"
    account = None if cluster.account is None else cluster.account if lsf else shlex.quote(cluster.account)
    return {
        "job_name": name,
        "queue": None if cluster.queue is None else shlex.quote(cluster.queue),
        # dask-jobqueue quotes the project of LSF itself.
        "project" if lsf else "account": account,
        "walltime": walltime.rsplit(":", 1)[0] if lsf else walltime,
        "job_extra_directives": [*_log_directives(cluster.kind, name, logs), *cluster.directives],
        **({} if cluster.request_memory else _without_memory(cluster.kind, cores)),
    }


def _log_directives(kind: str, name: str, logs: Path) -> list[str]:
    """Where output goes. dask-jobqueue would not quote the path, and make the folder on a mere look."""
    if kind == "pbs":
        return [f"{stream} {shlex.quote(f'{logs}/')}" for stream in ("-e", "-o")]
    # A percent sign begins a pattern; SLURM takes two for one.
    folder = str(logs).replace("%", "%%") if kind == "slurm" else str(logs)
    return [
        f"{stream} {shlex.quote(f'{folder}/{name}-%J.{suffix}')}"
        for stream, suffix in (("-e", "err"), ("-o", "out"))
    ]


def _without_memory(kind: str, cores: int) -> dict[str, Any]:
    if kind == "pbs":
        return {"resource_spec": f"select=1:ncpus={cores}"}
    skipped = dask.config.get(f"jobqueue.{kind}.job-directives-skip", None) or ()
    return {"job_directives_skip": [*skipped, "#SBATCH --mem=" if kind == "slurm" else "#BSUB -M"]}


def _lifetime(walltime: str) -> list[str]:
    """Workers hand back their work and leave, not all at once, before the batch system kills them."""
    hours, minutes, seconds = (int(part) for part in walltime.split(":"))
    whole = 3600 * hours + 60 * minutes + seconds
    margin = min(_MARGIN[0] * whole, _MARGIN[1])
    return ["--lifetime", f"{whole - margin:.0f}s", "--lifetime-stagger", f"{margin / 2:.0f}s"]


def worker_script(cluster: Cluster, logs: Path) -> str:
    """The script of a worker's job, as it would be submitted. Raises InputError without a batch system."""
    keys = Path(cluster.tls_folder or logs) / _SHOWN_FOLDER
    security = security_of_files(
        cluster.tls_ca_file or str(keys / "ca_file.pem"),
        cluster.tls_cert or str(keys / "cert.pem"),
        cluster.tls_key if cluster.tls_cert else str(keys / "key.pem"),
    )
    options = _job_options(cluster, logs)
    return _job(cluster, {**options, "security": security, "protocol": "tls://"}).job_script()


def driver_script(cluster: Cluster, command: Sequence[str], logs: Path) -> str:
    """The script of a job that is itself the driver: `command` on one core."""
    options = _header_options(cluster, "spinscreen-driver", cluster.driver_walltime, 1, logs)
    job = _job(cluster, {**options, "cores": 1, "memory": "2 GiB"})
    lines = [job.shebang, "", job.job_header, *_ONE_BLAS_THREAD, *cluster.prologue]
    # Some batch systems start jobs at home, where relative paths lead astray.
    return "\n".join([*lines, f"cd {shlex.quote(str(Path.cwd()))}", shlex.join(command), ""])


def _job(cluster: Cluster, options: dict[str, Any]) -> Any:
    job_class = _job_class(cluster.kind)
    # A folder of the user's own configuration of Dask would be made on a mere look.
    with dask.config.set({f"jobqueue.{cluster.kind}.log-directory": None}):
        return job_class(scheduler=_SHOWN_SCHEDULER, name="spinscreen", **options)


def submit_driver(cluster: Cluster, script: str, logs: Path) -> str:
    """Submit a driver's script; returns what the batch system answers. Raises InputError if it refuses."""
    command = _submit_command(cluster.kind)
    make_folder(logs)
    return _submit(command, script)
