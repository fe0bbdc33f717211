"""What is measured: models of realistic size, the full job, and the floor that no arrangement avoids."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinscreen.kernels import (
    LatticeOperators,
    LineSpan,
    MeshPoints,
    Task,
    mesh_blocks,
    sum_span,
)
from spinscreen.kernels.lanes import planes
from spinscreen.materials import WannierModel, library, load_model
from spinscreen.materials.model import hermitian_part, opposite_rows
from spinscreen.workflows import make_settings
from spinscreen.workflows.plan import make_plan

#: Real Pt, 18 functions, where the reference data are.
PLATINUM = Path(__file__).resolve().parents[2] / "shared" / "data" / "Pt"

FERMI_ENERGIES = 141

#: T2, T4-T7 at T = 0; T1-T9 at 300 K.
SEA = (
    "anomalous_hall_conductivity",
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "torque_dipole_conductivity",
)
SEA_AND_SURFACE = (*SEA, "dipole_surface_conductivity", "drude_weight")


def random_model(size: int) -> WannierModel:
    """H, A and three spin components on the 93 R vectors of a 4 x 4 x 4 Wigner-Seitz cell."""
    rng = np.random.default_rng(size)
    axis = np.arange(-2, 3)
    vectors = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = vectors[(vectors**2).sum(axis=1) <= 8]
    decay = np.exp(-1.5 * np.linalg.norm(vectors, axis=1))[:, None, None, None]
    opposite = opposite_rows(vectors)

    def operator(components: int, scale: float) -> np.ndarray:
        shape = (len(vectors), components, size, size)
        matrices = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        return hermitian_part(scale * decay * matrices, opposite)[0]

    spin = operator(3, 0.1)
    return WannierModel(
        f"random-{size}",
        4.0 * np.eye(3),
        vectors,
        operator(1, 3.0)[:, 0],
        operator(3, 0.1),
        observables={f"spin_{axis}": spin[:, s] for s, axis in enumerate("xyz")},
        fermi_level=0.0,
    )


def models(sizes: tuple[int, ...]) -> dict[int, WannierModel]:
    """Library models, Pt and random models by number of Wannier functions."""
    known: dict[int, Callable[[], WannierModel]] = {
        2: lambda: library.load("lattice_dirac"),
        6: lambda: library.load("WSe2"),
    }
    if PLATINUM.is_dir():
        known[18] = lambda: load_model(PLATINUM, fermi_level=17.0)
    return {size: known.get(size, lambda size=size: random_model(size))() for size in sizes}


@dataclass(frozen=True, eq=False)
class Job:
    """A stretch of lines of a 48-point-per-axis mesh and the task on it."""

    operators: LatticeOperators
    task: Task
    span: LineSpan

    @property
    def kpoints(self) -> int:
        return len(self.points.line)

    @property
    def points(self) -> MeshPoints:
        return self.task.mesh.points(self.span)


def job(model: WannierModel, quantities: tuple[str, ...], temperature: float, seconds: float = 0.2) -> Job:
    """About `seconds` of work: 141 Fermi energies over 14 eV about the Fermi level."""
    points = 48 if model.dimension == 3 else 240
    energies = (model.fermi_level or 0.0) + np.linspace(-7, 7, FERMI_ENERGIES)
    settings = make_settings(model, points, energies, temperature=temperature, quantities=quantities)
    plan = make_plan(model.operators, settings)
    whole = len(plan.spans) * (plan.spans[0].stop - plan.spans[0].start)
    per_line = max(_seconds(model.operators, plan.task), 1e-6)
    mesh = plan.task.mesh.full
    # Within one plane of the mesh, which is kept from run to run: `plane_seconds` is its cost.
    lines = int(min(max(seconds / per_line, 1), mesh.shape[mesh.axis_order[1]], whole))
    return Job(model.operators, plan.task, LineSpan(0, lines))


def plane_seconds(work: Job, rounds: int = 3) -> float:
    """Processor time per k point of sums over R along the first axis, which are made once for a plane."""
    mesh = work.task.mesh.full
    order = list(mesh.axis_order)
    spent = []
    for number in range(rounds):
        started = time.process_time()
        # Another plane each time: the last one is kept.
        planes(work.operators, order, 0.1 + 0.01 * number, False)
        spent.append(time.process_time() - started)
    return min(spent) / (mesh.line_length * mesh.shape[order[1]])


def _seconds(operators: LatticeOperators, task: Task) -> float:
    # The first call of a process loads or compiles machine code.
    sum_span(operators, task, LineSpan(0, 1))
    started = time.perf_counter()
    sum_span(operators, task, LineSpan(0, 1))
    return time.perf_counter() - started


def run_job(work: Job) -> None:
    sum_span(work.operators, work.task, work.span)


def floor_functions(work: Job, count: int) -> dict[str, Callable[[], None]]:
    """Eigh alone and the 27 matrix products of the job, batched, on `count` of its k points."""
    size = work.operators.size
    blocks, found = [], 0
    for bloch in mesh_blocks(work.operators, work.task.mesh.full, work.points, count):
        blocks.append(bloch.hamiltonian)
        found += len(bloch.hamiltonian)
        if found >= count:
            break
    hamiltonian = np.concatenate(blocks)[:count]
    rng = np.random.default_rng(0)
    shape = (len(hamiltonian), 9, size, size)
    operators = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    states = operators[:, :1].copy()
    adjoint = states.conj().swapaxes(2, 3).copy()

    def products() -> None:
        rotated = adjoint @ (operators @ states)
        operators @ rotated

    def eigenproblem() -> None:
        np.linalg.eigh(hamiltonian)

    return {"eigh": eigenproblem, "27 products": products}


def side_by_side(functions: Mapping[str, Callable[[], None]], rounds: int = 7) -> dict[str, float]:
    """Best processor time of each in seconds, which other work on the machine disturbs least.

    Rounds alternate, so that all see the same machine.
    """
    best = dict.fromkeys(functions, np.inf)
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.process_time()
            function()
            best[name] = min(best[name], time.process_time() - started)
    return best


def children_seconds() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor() -> str:
    """What this machine says its processor is, how many of its cores are ours, and its vectors."""
    told = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    facts = {name.strip(): text.strip() for name, text in told.items()}
    vectors = "AVX-512" if "avx512f" in facts.get("flags", "").split() else "no AVX-512"
    return f"{facts.get('model name', platform.machine())}, {cores()} cores, {vectors}"


def cores() -> int:
    return os.cpu_count() or 1
