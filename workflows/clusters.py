"""Where a campaign runs: local processes, a running scheduler, or jobs of SLURM, PBS or LSF."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import dask
from dask.system import cpu_count
from distributed import Client, LocalCluster, Security

from spinscreen.kernels import InputError

from .batch import batch_cluster
from .configuration import Cluster
from .dask_engine import engine_of
from .encryption import own_security, scheduler_security, temporary_security
from .engine import Engine
from .liveness import Tell, warn

#: What the user must know of lost workers and schedulers is said once, by the driver, without tracebacks.
_QUIET = ("distributed", "tornado", "asyncio", "dask_jobqueue", "bokeh")

#: Seconds for a page of the dashboard, bytes of it that are read, and what it says where there are no pages.
_PATIENCE, _PAGE_BYTES, _WITHOUT_PAGES = 2.0, 10_000, b"<p>Dask needs bokeh"


#: How often Dask looks at event loops, at what workers do, and at the load of the machine. By itself it
#: takes 3 % of a core for the scheduler and as much for each worker, of the cores that compute.
_SELDOM = {
    "distributed.admin.tick.interval": "200ms",
    "distributed.worker.profile.interval": "200ms",
    "distributed.admin.system-monitor.interval": "2s",
}


@dataclass(frozen=True)
class Running:
    """A cluster that can be used.

    notice : a sentence for the user; dashboard : its address
    """

    engine: Engine
    notice: str | None = None
    dashboard: str | None = None


@contextmanager
def open_cluster(cluster: Cluster, logs: Path, tell: Tell = warn) -> Iterator[Running]:
    """Start or join what the settings name, and end what was started.

    logs : folder for the output of batch jobs
    tell : gets a sentence for each worker that is refused, and when none is left
    Raises InputError where no scheduler answers or the batch system is not there.
    """
    if cluster.kind == "local":
        with local_cluster(cluster.workers, cluster) as client:
            dashboard = None if client is None else _dashboard(client, cluster)
            yield Running(engine_of(client, tell, cluster.worker_timeout), dashboard=dashboard)
        return
    quiet_dask()
    if cluster.kind == "scheduler":
        with _joined(cluster) as client:
            engine = engine_of(client, tell, cluster.worker_timeout)
            yield Running(engine, _open_door(str(cluster.address)), _working(client.dashboard_link))
    else:
        with batch_cluster(cluster, logs) as batch, Client(batch) as client:
            capacity = cluster.maximum_jobs * cluster.cores
            engine = engine_of(client, tell, cluster.worker_timeout, capacity)
            yield Running(engine, dashboard=_dashboard(client, cluster))


@contextmanager
def local_engine(workers: int | None) -> Iterator[Engine]:
    """Worker processes on this machine, or the threads of this process; as `local_cluster`."""
    with local_cluster(workers) as client:
        yield engine_of(client)


@contextmanager
def local_cluster(workers: int | None, cluster: Cluster | None = None) -> Iterator[Client | None]:
    """Single-threaded worker processes on this machine, encrypted; none at all for 0.

    workers : by default one per core that affinity and control groups leave to this process
    Raises InputError where they cannot be started.
    """
    count = cpu_count() if workers is None else workers
    if not count:
        yield None
        return
    quiet_dask()
    cluster = cluster or Cluster()
    try:
        with dask.config.set(_seldom()):
            started = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                dashboard_address=cluster.dashboard_address,
                scheduler_port=cluster.scheduler_port,
                security=own_security(cluster) or temporary_security(),
                silence_logs=logging.CRITICAL,
                preload=[*dask.config.get("distributed.worker.preload"), "spinscreen.workflows.workers"],
            )
    except (RuntimeError, OSError, TimeoutError) as problem:
        raise InputError(
            f"Dask: a worker ended while it started ({problem}); was it killed, most likely out of memory? "
            "Run again, with fewer --workers if it does not help."
        ) from None
    with started, Client(started) as client:
        yield client


def _seldom() -> dict[str, str]:
    """`_SELDOM`, but for what the user has set."""
    usual = dask.config.merge(*dask.config.defaults)
    return {
        key: value
        for key, value in _SELDOM.items()
        if dask.config.get(key) == dask.config.get(key, config=usual)
    }


def _dashboard(client: Client, cluster: Cluster) -> str | None:
    """Where it listens; Dask would name the scheduler's host, which may not be the loopback address."""
    host = cluster.dashboard_address.rpartition(":")[0]
    if host in ("", "0.0.0.0"):
        return _working(client.dashboard_link)
    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    return None if port is None else _working(f"http://{host}:{port}/status")


def _working(address: str | None) -> str | None:
    """The address where it shows pages from here; without bokeh Dask answers with advice to install it."""
    if not address or not address.startswith(("http://", "https://")):
        return None
    # Never by way of a proxy: it is this machine or one beside it.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(address, timeout=_PATIENCE) as answer:
            page = answer.read(_PAGE_BYTES)
    except (OSError, HTTPException, ValueError):
        return None
    return None if _WITHOUT_PAGES in page else address


def quiet_dask() -> None:
    """Silence the logs of Dask in this process."""
    for name in [*_QUIET, *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _joined(cluster: Cluster) -> Client:
    security: Security | None = scheduler_security(cluster)
    try:
        return Client(cluster.address, timeout=10, security=security)
    except (OSError, ValueError, TypeError, RuntimeError) as problem:
        raise InputError(
            f"cluster.address: no Dask scheduler answers at {cluster.address} ({problem})."
        ) from None


def _open_door(address: str) -> str | None:
    if address.startswith("tls://"):
        return None
    return (
        f"warning: {address} is not encrypted and asks for no key, so anyone who can reach that port can run "
        "code as you; see docs/clusters.md for tls://"
    )
