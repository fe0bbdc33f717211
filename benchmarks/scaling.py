"""How cost grows: with k points, with the mesh (memory), with worker processes, with materials."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from distributed import Client
from threadpoolctl import threadpool_limits

from spinscreen.kernels import sum_span
from spinscreen.materials import WannierModel, library
from spinscreen.storage import publish
from spinscreen.workflows import compute, make_settings
from spinscreen.workflows.clusters import local_cluster
from spinscreen.workflows.plan import make_plan

from .cases import FERMI_ENERGIES, SEA, side_by_side

MATERIALS = 300


def cost_of_mesh(model: WannierModel, points: tuple[int, ...] = (12, 24, 48)) -> dict[int, float]:
    """Microseconds per k point of whole meshes, on one thread: flat if the cost is linear."""
    found = {}
    for count in points:
        settings = make_settings(model, count, _energies(model), quantities=SEA)
        plan = make_plan(model.operators, settings)
        best = side_by_side(
            {"mesh": lambda plan=plan: [sum_span(model.operators, plan.task, s) for s in plan.spans]}, 2
        )
        found[count] = 1e6 * best["mesh"] / settings.mesh.size
    return found


def peak_memory(size: int, points: int, seconds: float = 20.0) -> float:
    """Peak MiB of a fresh process that works on a mesh for some seconds, all of Python included."""
    code = (
        "import time\n"
        "from benchmarks.cases import SEA, models\n"
        "from spinscreen.kernels import sum_span\n"
        "from spinscreen.workflows import make_settings\n"
        "from spinscreen.workflows.plan import make_plan\n"
        f"operators = (model := models(({size},))[{size}]).operators\n"
        f"settings = make_settings(model, {points}, [0.0], quantities=SEA)\n"
        "del model\n"
        "plan = make_plan(operators, settings)\n"
        "end = time.time() + "
        f"{seconds}\n"
        "for span in plan.spans:\n"
        "    sum_span(operators, plan.task, span)\n"
        "    if time.time() > end: break\n"
        # The high-water mark of this program; getrusage would count the parent's before exec.
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
        env={**__import__("os").environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    return float(shown.stdout.split()[-1]) / 1024


#: A mesh on so many cores, in a fresh process that sees no others.
_ON_CORES = """
import os, sys, time
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))
from benchmarks.cases import SEA, models
from benchmarks.scaling import _energies
from spinscreen.workflows import compute
model = models((18,))[18]
compute(model, 8, _energies(model), quantities=SEA, symmetrize="off")
started = time.perf_counter()
compute(model, int(sys.argv[2]), _energies(model), quantities=SEA, symmetrize="off")
print(time.perf_counter() - started)
"""


def workers_and_overhead(model: WannierModel, points: int = 48, rounds: int = 4) -> dict[str, float]:
    """Seconds by the clock of one mesh: kernel alone, threads, worker processes; the best of some rounds."""
    energies = _energies(model)
    settings = make_settings(model, points, energies, quantities=SEA)
    plan = make_plan(model.operators, settings)

    def kernel() -> float:
        started = time.perf_counter()
        with threadpool_limits(1):
            for span in plan.spans:
                sum_span(model.operators, plan.task, span)
        return time.perf_counter() - started

    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        found.setdefault("kernel", []).append(kernel())
        for count in (1, 2):
            found.setdefault(f"{count} threads", []).append(_with_threads(count, points))
            found.setdefault(f"{count} workers", []).append(_with_workers(count, model, points))
    return {name: min(seconds) for name, seconds in found.items()}


def _with_threads(count: int, points: int) -> float:
    shown = subprocess.run(
        [sys.executable, "-c", _ON_CORES, str(count), str(points)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return float(shown.stdout.split()[-1])


def _with_workers(count: int, model: WannierModel, points: int) -> float:
    energies = _energies(model)
    with local_cluster(count) as client:
        compute(model, 8, energies, quantities=SEA, symmetrize="off", client=client)
        started = time.perf_counter()
        compute(model, points, energies, quantities=SEA, symmetrize="off", client=client)
        return time.perf_counter() - started


def many_materials(count: int = MATERIALS, workers: int = 2) -> dict[str, float]:
    """Seconds for many six-band monolayers at 60 x 60, as pure kernels, through Dask, and with a store."""
    model = library.load("WSe2")
    settings = make_settings(model, 60, _energies(model), quantities=SEA)
    plan = make_plan(model.operators, settings)

    def kernels(part: int) -> float:
        started = time.perf_counter()
        with threadpool_limits(1):
            for _ in range(part):
                for span in plan.spans:
                    sum_span(model.operators, plan.task, span)
        return time.perf_counter() - started

    with (
        Client(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        store = str(Path(folder) / "results.zarr")
        pure = max(client.gather(client.map(kernels, [count // workers] * workers, pure=False)))
        started = time.perf_counter()
        client.gather(client.map(_one_material, range(count), store=None, pure=False))
        computed = time.perf_counter() - started
        started = time.perf_counter()
        client.gather(client.map(_one_material, range(count), store=store, pure=False))
        published = time.perf_counter() - started
    return {"count": count, "pure kernels": pure, "through Dask": computed, "with a Zarr store": published}


def _one_material(number: int, store: str | None) -> int:
    model = library.load("WSe2", spin_orbit=0.2 + 1e-6 * number)
    dataset = compute(model, 60, _energies(model), quantities=SEA)
    if store is not None:
        publish(dataset, store, f"material-{number}")
    return number


def _energies(model: WannierModel) -> np.ndarray:
    return (model.fermi_level or 0.0) + np.linspace(-7, 7, FERMI_ENERGIES)
