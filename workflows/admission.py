"""Which workers may compute: those whose code and libraries are the driver's.

This file travels to the workers as text and is run there, also where spinscreen is not installed or Python is
another: nothing but the standard library and distributed may be imported.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin

#: Folders of the package whose sources decide about numbers and how they are stored.
_ROOMS = ("kernels", "materials", "storage", "workflows")

#: Packages that must agree; another distributed or dask does not understand the same messages.
_PACKAGES = ("spinscreen", "numpy", "scipy", "dask", "distributed")

#: Tasks ask for one unit of a resource that admitted workers have in plenty.
_PLENTY = 1e9

#: Rebuilds the plugin from text. Pickled code would need the same Python.
_REBUILD = (
    "(lambda space: (exec(source, space), space['Admission'](*arguments))[1])({'__name__': 'admission'})"
)


def fingerprint() -> dict[str, str]:
    """What must be equal on driver and worker: versions, and a hash of the sources ("code")."""
    found = {"Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    return {**found, "code": _code_hash()}


def _code_hash() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        try:
            spec = find_spec(f"spinscreen.{room}")
        except ImportError:
            spec = None
        if spec is None or spec.origin is None:
            return "none"
        folder = Path(spec.origin).parent
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".c")):
            digest.update(f"{room}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def difference(expected: dict[str, str], found: dict[str, str]) -> str | None:
    """What a refused worker is told: both versions and what to do; None for a worker that fits."""
    if found["code"] == "none":
        return (
            f"spinscreen is not installed there (Python at {sys.executable}); install spinscreen "
            f"{expected['spinscreen']} in that environment"
        )
    unlike = [name for name in expected if found.get(name) != expected[name]]
    if not unlike:
        return None
    told = [name for name in unlike if name != "code"] or ["spinscreen", "code"]
    theirs = ", ".join(f"{name} {found.get(name)}" for name in told)
    ours = ", ".join(f"{name} {expected[name]}" for name in told)
    return f"it has {theirs}, the driver {ours}; start workers from the driver's environment"


class Admission(WorkerPlugin):
    """Compares a worker that registers with the driver; gives the resource `name` to one that fits.

    Tasks ask for that resource, so a worker that is refused never computes. Refusals are events of the topic
    `name` at the scheduler.
    expected : fingerprint of the driver; source : text of this file
    closes : whether a refused worker ends, because its cluster is ours
    """

    idempotent = True

    def __init__(self, expected: dict[str, str], source: str, closes: bool) -> None:
        self.expected, self.source, self.closes = expected, source, closes
        self.name = "spinscreen-" + hashlib.sha256(repr(sorted(expected.items())).encode()).hexdigest()[:12]

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.expected, self.source, self.closes)
        return eval, (_REBUILD, {"source": self.source, "arguments": arguments})

    async def setup(self, worker: Any) -> None:
        """Called on each worker when the driver comes, or when it registers later."""
        try:
            # What is imported stays, whatever is installed over it later: the first look counts.
            if not hasattr(worker, "spinscreen_fingerprint"):
                worker.spinscreen_fingerprint = fingerprint()
            refusal = difference(self.expected, worker.spinscreen_fingerprint)
            if refusal is None:
                importlib.import_module("spinscreen.workflows.workers").prepare_worker()
        except Exception as problem:
            refusal = f"spinscreen cannot be used there ({type(problem).__name__}: {problem})"
        if refusal is None:
            await self._admit(worker)
            return
        told = f"worker {worker.address} is refused: {refusal}."
        await worker.scheduler.log_event(topic=self.name, msg={"refused": told, "worker": worker.address})
        if self.closes:
            worker.loop.add_callback(worker.close, reason="refused by spinscreen")

    async def _admit(self, worker: Any) -> None:
        await worker.set_resources(**{self.name: _PLENTY})
        # The scheduler looks for tasks that wait for a resource only when a worker's status changes.
        running = worker.status
        worker.status = type(running).paused
        worker.status = running
