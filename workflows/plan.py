"""How a job is cut: spans of mesh lines of bounded time, blocks of k points of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dask.utils import parse_bytes

from spinscreen.kernels import (
    InputError,
    KMesh,
    LatticeOperators,
    LineSpan,
    Task,
    block_size,
    bytes_per_kpoint,
    stacked_count,
    terms_of,
)

from .settings import Settings

DEFAULT_MEMORY_BUDGET = "1 GiB"

#: Longest time (s) of one task, and the shortest that is worth the overhead of sending it.
_LONGEST, _SHORTEST = 2.0, 0.05

#: Tasks that a job is cut into if they are not too short or too long: enough to even out many workers.
_TASKS = 64

#: Spans whose sums are added up on the workers before one partial sum comes back.
_SPANS_PER_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """A job cut into spans; it depends on model and settings alone, so equal jobs add up equal bits."""

    task: Task
    spans: tuple[LineSpan, ...]

    def batches(self) -> Iterator[Sequence[LineSpan]]:
        for start in range(0, len(self.spans), _SPANS_PER_BATCH):
            yield self.spans[start : start + _SPANS_PER_BATCH]


def make_plan(
    operators: LatticeOperators, settings: Settings, memory_budget: str | int = DEFAULT_MEMORY_BUDGET
) -> Plan:
    """Cut a job. Raises InputError where a worker's budget cannot even hold the model and one k point."""
    mesh = settings.mesh
    free = free_bytes(operators, mesh.line_length, memory_budget)
    task = Task(
        mesh,
        settings.scan,
        settings.resolution,
        terms_of(settings.integrals, settings.temperature),
        block_size(operators, free),
    )
    per_line = seconds_per_kpoint(operators.size) * mesh.line_length
    target = min(max(per_line * mesh.line_count / _TASKS, _SHORTEST), _LONGEST)
    return Plan(task, tuple(mesh.spans(max(1, round(target / per_line)))))


def estimated_seconds(size: int, mesh: KMesh) -> float:
    """Rough cost of a whole mesh on one core."""
    return seconds_per_kpoint(size) * mesh.size


def seconds_per_kpoint(size: int) -> float:
    """Rough cost of one k point; only the length of a task and its place depend on it."""
    return 1e-6 * (2 + 0.3 * size**2 + 0.015 * size**3)


def resident_bytes(operators: LatticeOperators) -> int:
    """What a worker holds beside the k points: the R-space matrices, one plane and one line of them."""
    per_matrix = 16 * operators.size**2
    plane = {tuple(row) for row in operators.hamiltonian.translations[:, 1:].tolist()}
    rows = len({row[-1] for row in plane})
    plane_components = 8 + operators.observable_count
    return operators.nbytes + per_matrix * (
        len(plane) * plane_components + 2 * rows * (1 + stacked_count(operators))
    )


def budget_bytes(size: str | int, setting: str = "memory_budget") -> int:
    """Bytes of a size such as "1 GiB". Raises InputError that names the setting for anything else."""
    try:
        return int(parse_bytes(size))
    except ValueError:
        raise InputError(f"{setting}: expected a size such as '1 GiB', found {size!r}.") from None


def free_bytes(operators: LatticeOperators, line_length: int, memory_budget: str | int) -> float:
    budget = budget_bytes(memory_budget)
    free = budget - resident_bytes(operators)
    least = bytes_per_kpoint(operators)
    if free < least:
        needed = (resident_bytes(operators) + least) / 2**20
        raise InputError(
            f"memory_budget: {budget / 2**20:.0f} MiB per worker cannot hold this model, expected at least "
            f"{needed:.0f} MiB; give each worker more memory."
        )
    return free
