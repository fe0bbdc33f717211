"""Nobody but the user talks to a cluster: TLS on every port, against clients that hold no key."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from campaigns import dask_processes
from command_line import spinscreen
from distributed import Client, Security

from spinscreen.kernels import InputError
from spinscreen.storage import published
from spinscreen.workflows.clusters import local_cluster
from spinscreen.workflows.configuration import Cluster
from spinscreen.workflows.encryption import own_security, security_of_jobs

#: Asks each address for its identity without a key, and with a key of its own; prints what answered.
STRANGER = """
import asyncio, os, sys
from distributed import Security
from distributed.core import rpc

async def ask(address, security):
    async with rpc(address, connection_args=security.get_connection_args("client")) as remote:
        return await remote.identity()

async def main(addresses, tell):
    for address in addresses:
        host = address.partition("://")[2]
        for security in (Security(), Security.temporary()):
            for scheme in ("tcp", "tls"):
                try:
                    await asyncio.wait_for(ask(f"{scheme}://{host}", security), 5)
                except Exception:
                    continue
                if tell: print("answered:", scheme, host)

uid = int(sys.argv[1])
if uid != os.getuid():
    # Modules that are imported at first use may lie in a folder that is closed to the other user.
    asyncio.run(main(sys.argv[2:], tell=False))
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
asyncio.run(main(sys.argv[2:], tell=True))
"""


@pytest.fixture(scope="module")
def local():
    with local_cluster(1) as client:
        yield client


def addresses(client: Client) -> list[str]:
    (nanny,) = client.cluster.workers.values()
    return [client.cluster.scheduler_address, nanny.address, nanny.worker_address]


def strangers_that_are_answered(uid: int, ports: list[str]) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", STRANGER, str(uid), *ports], capture_output=True, text=True, check=True
    )
    return shown.stdout


def test_scheduler_nanny_and_worker_of_a_local_cluster_speak_tls_on_loopback(local):
    found = addresses(local)
    assert all(address.startswith("tls://127.0.0.1:") for address in found)
    (nanny,) = local.cluster.workers.values()
    listening = [
        c.laddr.ip
        for process in (psutil.Process(), psutil.Process(nanny.pid))
        for c in process.net_connections(kind="tcp")
        if c.status == psutil.CONN_LISTEN
    ]
    # Also the pages of scheduler and worker.
    assert len(listening) >= 5
    assert set(listening) == {"127.0.0.1"}


def test_a_client_without_the_key_is_refused(local):
    assert strangers_that_are_answered(os.getuid(), addresses(local)) == ""
    # With the key it is let in.
    with Client(local.cluster.scheduler_address, security=local.cluster.security) as other:
        assert other.submit(abs, -1).result() == 1


def test_another_user_is_refused(local):
    if os.getuid() != 0:
        pytest.skip("only root can act as another user")
    assert strangers_that_are_answered(65534, addresses(local)) == ""


def test_the_stranger_of_these_tests_is_answered_without_tls():
    with dask_processes(0) as cluster:
        assert "answered: tcp" in strangers_that_are_answered(os.getuid(), [cluster.address])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("certificates")
    content = Security.temporary().get_tls_config_for_role("worker")
    files = {"tls_ca_file": "ca_file", "tls_cert": "cert", "tls_key": "key"}
    for setting, role in files.items():
        (folder / f"{setting}.pem").write_text(content[role])
    return {setting: str(folder / f"{setting}.pem") for setting in files}


def submit(store: Path, address: str, settings: dict[str, str]) -> subprocess.CompletedProcess:
    changes = [word for name, value in settings.items() for word in ("--set", f"cluster.{name}={value}")]
    words = ("submit", "library", "--store", str(store), "--kmesh", "3", "--scheduler", address)
    return spinscreen(*words, *changes)


def test_a_scheduler_with_certificates_of_the_user(tmp_path, certificates):
    store = tmp_path / "results.zarr"
    words = [w for name, path in certificates.items() for w in (f"--{name.replace('_', '-')}", path)]
    with dask_processes(1, words) as cluster:
        assert cluster.address.startswith("tls://")
        assert strangers_that_are_answered(os.getuid(), [cluster.address]) == ""
        without = submit(store, cluster.address, {})
        assert without.returncode == 2
        assert "is encrypted, expected the certificates" in without.stderr
        shown = submit(store, cluster.address, certificates)
    assert shown.returncode == 0, shown.stderr
    assert "not encrypted" not in shown.stdout
    assert published(store)


def test_certificates_that_do_not_fit_are_named(tmp_path, certificates):
    missing = Cluster(**{**certificates, "tls_key": str(tmp_path / "none.pem")})
    with pytest.raises(InputError, match=r"cluster\.tls_key: .*none\.pem: cannot be read"):
        own_security(missing)
    other = tmp_path / "other.pem"
    other.write_text(Security.temporary().tls_worker_key)
    with pytest.raises(InputError, match=r"cluster\.tls_cert: expected a certificate .* do not fit"):
        own_security(Cluster(**{**certificates, "tls_key": str(other)}))


def test_keys_of_batch_jobs_are_in_a_folder_of_the_user_alone_and_go_with_the_run(tmp_path):
    with security_of_jobs(Cluster(), tmp_path / "logs") as security:
        files = security.get_tls_config_for_role("worker")
        paths = [Path(files[role]) for role in ("ca_file", "cert", "key")]
        (folder,) = {path.parent for path in paths}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert not list((tmp_path / "logs").iterdir())
