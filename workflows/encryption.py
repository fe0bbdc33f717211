"""Who may talk to a cluster: TLS between driver, scheduler and workers, by keys of this run or own ones."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Security

from spinscreen.kernels import InputError

from .configuration import Cluster

#: Settings that name files, and what they must hold.
_FILES = {"tls_ca_file": "certificates", "tls_cert": "a certificate", "tls_key": "a key"}


def temporary_security() -> Security:
    """Keys that live as long as this run and in the memory of its processes only."""
    return Security.temporary()


def own_security(cluster: Cluster) -> Security | None:
    """Certificates of the settings; None where none are given. Raises InputError where they do not fit."""
    if cluster.tls_ca_file is None:
        return None
    for name, content in _FILES.items():
        _check_file(name, getattr(cluster, name), content)
    security = security_of_files(str(cluster.tls_ca_file), str(cluster.tls_cert), cluster.tls_key)
    try:
        security.get_connection_args("client")
    except (OSError, ssl.SSLError, ValueError) as problem:
        raise InputError(
            f"cluster.tls_cert: expected a certificate in PEM format with its key (tls_key) and tls_ca_file "
            f"that signed it, found files that do not fit ({problem})."
        ) from None
    return security


def _check_file(name: str, path: str | None, content: str) -> None:
    if path is None:
        return
    try:
        with Path(path).open("rb"):
            return
    except OSError as problem:
        raise InputError(
            f"cluster.{name}: {path}: cannot be read ({problem.strerror}), expected a file with {content}."
        ) from None


def security_of_files(ca_file: str, cert: str, key: str | None) -> Security:
    """One certificate in all roles; its key may be in the same file."""
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=ca_file,
        **{f"tls_{role}_cert": cert for role in roles},
        **({} if key is None else {f"tls_{role}_key": key for role in roles}),
    )


@contextmanager
def security_of_jobs(cluster: Cluster, parent: Path) -> Iterator[Security]:
    """Own certificates, or keys of this run in a folder that nobody else can enter and that goes with it.

    parent : where that folder is made. Raises InputError where it cannot be.
    """
    if (own := own_security(cluster)) is not None:
        yield own
        return
    temporary = temporary_security().get_tls_config_for_role("worker")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        # mkdtemp makes it for this user alone, whatever the umask says.
        folder = tempfile.TemporaryDirectory(prefix="tls-", dir=parent, ignore_cleanup_errors=True)
    except OSError as problem:
        raise InputError(
            f"{parent}: no folder for the keys of this run can be made there ({problem.strerror}); "
            "see cluster.tls_folder."
        ) from None
    with folder as name:
        files = {role: Path(name) / f"{role}.pem" for role in ("ca_file", "cert", "key")}
        for role, file in files.items():
            file.touch(mode=0o600)
            file.write_text(temporary[role])
        yield security_of_files(*map(str, files.values()))


def scheduler_security(cluster: Cluster) -> Security | None:
    """What a client needs to join a running scheduler. Raises InputError without certificates for tls://."""
    security = own_security(cluster)
    encrypted = str(cluster.address).startswith("tls://")
    if security is None and encrypted and not Security().get_tls_config_for_role("client")["ca_file"]:
        raise InputError(
            f"cluster.address: {cluster.address} is encrypted, expected the certificates of that scheduler "
            "in tls_ca_file, tls_cert and tls_key."
        )
    return security
