"""How a job is cut: spans of mesh lines of bounded time, blocks of k points of bounded memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from dask.utils import parse_bytes

from spinscreen.kernels import (
    FULLY_OCCUPIED,
    WHOLE,
    FermiScan,
    InputError,
    IrreducibleMesh,
    LatticeOperators,
    LineSpan,
    SymmetryGroup,
    Task,
    block_size,
    bytes_of_tables,
    bytes_per_kpoint,
    short,
    stacked_count,
    submeshes,
    terms_of,
)

from .settings import Settings

#: Estimated hours on all cores of this machine beyond which somebody should have meant it.
COSTLY_HOURS = 24.0

DEFAULT_MEMORY_BUDGET = "1 GiB"

#: Longest time (s) of one task, and the shortest that is worth the overhead of sending it.
_LONGEST, _SHORTEST = 2.0, 0.05

#: Tasks that a job is cut into if they are not too short or too long: enough to even out many workers.
_TASKS = 64

#: Tasks of a job at most, however long they then are: the driver holds a record of each.
_MOST_TASKS = 100_000

#: Partial sums that a process holds at a time: those of the spans of two batches, and one that grows.
SUMS_HELD = 65

#: Bytes for them that every process has, however small the budget of its work arrays.
LEAST_FOR_SUMS = 256 * 2**20

#: Arrays of the shape (level, Fermi energy) that the occupation of a block of levels needs.
_WINDOWS_HELD = 5

#: Spans whose sums are added up on the workers before one partial sum comes back.
SPANS_PER_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """A job cut into spans; it depends on model and settings alone, so equal jobs add up equal bits.

    kpoints : computed in each span
    """

    task: Task
    spans: tuple[LineSpan, ...]
    kpoints: tuple[int, ...]
    spans_per_batch: int = SPANS_PER_BATCH

    @property
    def kpoint_count(self) -> int:
        """Points that are computed in all."""
        return sum(self.kpoints)

    @property
    def fingerprint(self) -> str:
        """Equal for plans whose batches have equal sums."""
        mesh = self.task.mesh
        cut = [self.spans_per_batch, *((span.start, span.stop) for span in self.spans)]
        operations = [mesh.group.on_kpoints.tolist(), mesh.group.observables.tolist()]
        return hashlib.sha256(json.dumps([cut, self.kpoints, operations]).encode()).hexdigest()

    def batches(self) -> Iterator[Sequence[LineSpan]]:
        for start in range(0, len(self.spans), self.spans_per_batch):
            yield self.spans[start : start + self.spans_per_batch]


def make_plan(
    operators: LatticeOperators,
    settings: Settings,
    memory_budget: str | int = DEFAULT_MEMORY_BUDGET,
    group: SymmetryGroup | None = None,
) -> Plan:
    """Cut a job. Raises InputError where a worker's budget cannot even hold the model and one k point.

    group : operations that the model obeys to rounding; of points that they relate one is computed
    """
    if group is None:
        group = SymmetryGroup.identity(operators.observable_count)
    mesh = IrreducibleMesh.of(settings.mesh, group)
    free = free_bytes(operators, mesh.full.line_length, memory_budget)
    window = _window_bytes(operators, settings.scan)
    block = min(block_size(operators, free), int(free // window))
    sums, most = _bytes_of_sums(operators, settings), max(budget_bytes(memory_budget), LEAST_FOR_SUMS)
    if block < 1 or sums > most:
        raise InputError(
            f"fermi_energy: sums at {len(settings.fermi_energy):,} energies need about {sums / 2**20:,.0f} "
            "MiB, more than memory_budget; expected fewer energies, fewer quantities or more memory."
        )
    terms = terms_of(settings.integrals, settings.temperature)
    split = submeshes(mesh)
    # Errors are left unknown rather than a scan refused that fits without them.
    split = split if split.count * sums <= most else WHOLE
    task = Task(mesh, settings.scan, settings.resolution, terms, block, split)
    per_point = seconds_per_kpoint(operators.size)
    whole = estimated_seconds(operators.size, mesh.full.size // mesh.order)
    target = max(min(max(whole / _TASKS, _SHORTEST), _LONGEST), whole / _MOST_TASKS)
    spans, counts = _spans(mesh, target / per_point)
    return Plan(task, spans, counts)


def _spans(mesh: IrreducibleMesh, points: float) -> tuple[tuple[LineSpan, ...], tuple[int, ...]]:
    """Cut a mesh into spans of about as many points that are computed, and how many each has."""
    if mesh.order == 1:
        length = mesh.full.line_length
        whole = tuple(mesh.full.spans(max(1, round(points / length))))
        return whole, tuple((span.stop - span.start) * length for span in whole)
    spans: list[LineSpan] = []
    found: list[int] = []
    start, held = 0, 0
    for lines, counts in mesh.line_counts():
        for line, count in zip(lines.tolist(), counts.tolist(), strict=True):
            if held and held + count / 2 > points:
                spans.append(LineSpan(start, line))
                found.append(held)
                start, held = line, 0
            held += count
    return (*spans, LineSpan(start, mesh.full.line_count)), (*found, held)


def _bytes_of_sums(operators: LatticeOperators, settings: Settings) -> int:
    """Memory of the partial sums of one sub-mesh: every component at every Fermi energy, several times."""
    return 8 * _components(operators, settings) * len(settings.fermi_energy) * SUMS_HELD


def _components(operators: LatticeOperators, settings: Settings) -> int:
    """Numbers that a level adds to all sums together."""
    lengths = {"observable": operators.observable_count}
    return sum(
        math.prod(lengths.get(dim, 3) for dim in integral.dims) * len(integral.terms)
        for integral in settings.integrals
    )


def _window_bytes(operators: LatticeOperators, scan: FermiScan) -> int:
    """Memory of the occupations of one k point: its levels times the energies within some k_B T."""
    reach = 2 * FULLY_OCCUPIED * scan.thermal_energy
    last = np.searchsorted(scan.energies, scan.energies + reach)
    widest = int((last - np.arange(len(scan.energies))).max()) if reach else 1
    return 8 * operators.size * widest * _WINDOWS_HELD


class CostWarning(UserWarning):
    """A mesh will take more than a day on this machine."""


def estimated_seconds(size: int, kpoints: int) -> float:
    """Rough cost of so many k points on one core."""
    return seconds_per_kpoint(size) * kpoints


def costly(size: int, kpoints: int, cores: int, setting: str = "kmesh") -> str | None:
    """One sentence on k points that would take this many cores more than a day; None for fewer.

    setting : where their number comes from
    """
    hours = estimated_seconds(size, kpoints) / max(1, cores) / 3600
    if hours <= COSTLY_HOURS:
        return None
    days = f"{hours / 24:,.0f} days" if hours > 48 else f"{hours:.0f} hours"
    return (
        f"{setting}: {kpoints:,} k points of {size} Wannier functions take about {days} on {cores} cores, "
        f"expected at most {COSTLY_HOURS:.0f} hours"
    )


def seconds_per_kpoint(size: int) -> float:
    """Rough cost of one k point; only the length of a task and its place depend on it."""
    return 1e-6 * (2 + 0.3 * size**2 + 0.015 * size**3)


def resident_bytes(operators: LatticeOperators) -> int:
    """What a worker holds beside the k points: the R-space matrices, one plane and one line of them."""
    per_matrix = 16 * operators.size**2
    plane = {tuple(row) for row in operators.hamiltonian.translations[:, 1:].tolist()}
    rows = len({row[-1] for row in plane})
    plane_components = 8 + operators.observable_count
    return operators.nbytes + max(
        per_matrix * (len(plane) * plane_components + 2 * rows * (1 + stacked_count(operators))),
        bytes_of_tables(operators),
    )


def budget_bytes(size: str | int, setting: str = "memory_budget") -> int:
    """Bytes of a size such as "1 GiB". Raises InputError that names the setting for anything else."""
    try:
        count = 0 if isinstance(size, bool) else int(parse_bytes(size))
    except (ValueError, TypeError, AttributeError, OverflowError):
        count = 0
    if count < 1:
        raise InputError(f"{setting}: expected a size such as '1 GiB', found {short(size)}.")
    return count


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
