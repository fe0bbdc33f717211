"""What a small material costs around its numbers: from files to row, the catalog of many, starting."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spinscreen.materials import FileSource, library, write_wannier90
from spinscreen.storage import Store
from spinscreen.workflows import Campaign, compute
from spinscreen.workflows.campaign import run_material

from .cases import SEA, children_seconds

#: Materials of each round, and rounds of which the best counts.
_TOGETHER, _ROUNDS = 20, 7

#: Materials of the catalog, which are copies (links) of so many results.
_CATALOG, _RESULTS = 10_000, 100


def small_materials() -> dict[str, float]:
    """Milliseconds of processor time of one small material, seconds of a catalog, of an import, of --help."""
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(place)
        write_wannier90(library.load("kane_mele"), folder / "files")
        tiny, monolayer = library.load("kane_mele"), library.load("WSe2")
        store = Store.at(folder / "results.zarr").opened()
        return {
            "tiny, from files to row, ms": 1e3 * _from_files(folder / "files" / "kane_mele", store),
            "tiny, compute, ms": 1e3 * _best(lambda: compute(tiny, 4, scan_points=21)),
            "monolayer, ms": 1e3 * _best(lambda: compute(monolayer, 60)),
            "monolayer, T2, T4, T6 and T7, ms": 1e3 * _best(lambda: compute(monolayer, 60, quantities=SEA)),
            **_catalog(store, folder),
            "worker, import, s": _started("-c", "import spinscreen.workflows.portions"),
            "--help, s": _started("-m", "spinscreen", "--help"),
        }


def _best(call: Callable[[], object], together: int = 3) -> float:
    call()
    found = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(together):
            call()
        found.append((time.process_time() - started) / together)
    return min(found)


def _from_files(seedname: Path, store: Store) -> float:
    job = Campaign([], kmesh=4, scan_points=21)
    numbers = iter(range(_TOGETHER * (_ROUNDS + 1)))

    def one() -> None:
        source = FileSource(f"m{next(numbers):05d}", str(seedname), {"fermi_level": 0.0})
        outcome = run_material(job, source, store)
        assert outcome is not None
        assert outcome.status == "computed", outcome

    one()
    return _best(one, _TOGETHER - 1)


def _catalog(small: Store, folder: Path) -> dict[str, float]:
    """Of results with a scan of 201 energies: rows and tensors, which workers share, and the rest."""
    store = Store.at(folder / "many.zarr").opened()
    dataset = compute(library.load("WSe2"), kmesh=6)
    for number in range(_RESULTS):
        small.publish(dataset.assign_attrs(elapsed_seconds=1e-3 * number), f"r{number:03d}")
    store.materials.mkdir(exist_ok=True)
    for number in range(_CATALOG):
        store.file(f"m{number:05d}").hardlink_to(small.file(f"r{number % _RESULTS:03d}"))
    rows = 0.0

    def noting(function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Any]:
        nonlocal rows
        for piece in pieces:
            started = time.process_time()
            found = function(piece)
            rows += time.process_time() - started
            yield found

    before, started = _peak(), time.process_time()
    store.update_catalog(noting)
    whole = time.process_time() - started
    return {
        "catalog of 10,000, rows and tensors, s": rows,
        "catalog of 10,000, driver, s": whole - rows,
        "catalog of 10,000, driver, MiB": _peak() - before,
    }


def _peak() -> float:
    """MiB that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _started(*arguments: str) -> float:
    """Seconds of processor time of a fresh interpreter, its compiled modules at hand."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        found = []
        for _ in range(4):
            before = children_seconds()
            subprocess.run(
                [sys.executable, *arguments], check=True, capture_output=True, env={**os.environ, **kept}
            )
            found.append(children_seconds() - before)
    return min(found)
