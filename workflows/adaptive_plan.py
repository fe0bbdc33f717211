"""How an adaptive integration is cut into tasks; it depends on model and settings alone, not on a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, Integral, LatticeOperators, Sample, block_size
from spinscreen.kernels.adaptive import AdaptiveTask, Box, Cells, Leaves, channels_of, component_shapes
from spinscreen.kernels.quantities import Kernel, Term
from spinscreen.kernels.symmetry import SymmetryGroup

from .plan import (
    DEFAULT_MEMORY_BUDGET,
    LEAST_FOR_SUMS,
    SPANS_PER_BATCH,
    SUMS_HELD,
    budget_bytes,
    free_bytes,
    seconds_per_kpoint,
)
from .settings import Settings

#: K points of a task at most, and seconds that it should take.
_MOST_POINTS, _SECONDS = 2700, 2.0

#: Bytes of the values of the smallest cells that a task holds at a time, as those around them let expect.
_ROW_BYTES = 32 * 2**20

#: Arrays over energies and channels of one point: its value, what may be hidden from it and its bias, for
#: cells that are replaced and those that replace them.
_ARRAYS_PER_CELL = 6

#: The same over energies of one level: its occupation and what that may be off by, see `Weights`.
_ARRAYS_PER_WEIGHT = 5

#: The same over channels of one row of a point, of cells that replace others.
_ARRAYS_PER_ROW = 3

#: Largest error of a cell, in units of what is as good as zero: rounding of its square, 1e-16 of it, is below
#: that of what is as good as zero.
_LARGEST_ERROR = 1e7

#: Of the sums: those that another version kept are not found.
_VERSION = 10

#: Sums over leaves that come back from a task.
_SUMS = 6

#: Values of earlier rounds and their bars that are remembered, at most.
_VALUES_HELD = 14


@dataclass(frozen=True, eq=False)
class AdaptivePlan:
    """What is integrated, and how its work is cut.

    least : for each integral, a bar, as a mean over the Brillouin zone, that is always small enough
    cells_per_task : a constant of the plan
    """

    chosen: tuple[Integral, ...]
    task: AdaptiveTask
    sample: Sample
    least: tuple[float, ...]
    cells_per_task: int

    @property
    def deepest(self) -> int:
        """Level whose cells are not halved any more: their children's children have no numbers."""
        return self.task.box.deepest - 1

    @property
    def points_per_leaf(self) -> int:
        """K points that it takes to replace a leaf by its children: its own, theirs and their children's."""
        children = 2**self.task.box.dimension
        return 1 + children + children**2

    def begin(self) -> list[Cells]:
        """The first tasks."""
        cells = self.task.box.start()
        return list(self._cut(np.zeros(len(cells), dtype=np.int64), cells, begin=True))

    def replacing(self, leaves: Leaves) -> list[Cells]:
        """Tasks that replace leaves by their children."""
        return list(self._cut(leaves.level, leaves.coordinates, begin=False))

    def _cut(self, level: NDArray[np.int64], coordinates: NDArray[np.int64], begin: bool) -> Iterator[Cells]:
        for some in np.array_split(np.arange(len(level)), -(-len(level) // self.cells_per_task)):
            yield Cells(level[some], coordinates[some], begin)

    @property
    def signature(self) -> NDArray[np.int64]:
        """Equal for plans whose sums can be added up."""
        task = self.task
        arrays = (
            task.box.axes,
            np.array(task.box.counts),
            np.concatenate([task.box.source, task.box.sign, task.box.half]),
            task.channels.combination,
            task.scan.energies,
            np.array([_VERSION, self.cells_per_task, task.rows_held, task.cells_held, task.block_size]),
        )
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return np.frombuffer(digest.digest(), dtype=np.int64)


def batched(tasks: Sequence[Cells]) -> Iterator[Sequence[Cells]]:
    """Tasks whose results are added up before they come back."""
    for start in range(0, len(tasks), SPANS_PER_BATCH):
        yield tasks[start : start + SPANS_PER_BATCH]


def make_adaptive_plan(
    operators: LatticeOperators,
    settings: Settings,
    sample: Sample,
    periodic: tuple[bool, ...],
    group: SymmetryGroup,
    memory_budget: str | int = DEFAULT_MEMORY_BUDGET,
    asked: Mapping[str, NDArray[np.bool_]] | None = None,
) -> AdaptivePlan:
    """Cut a job. Raises InputError where a worker's budget cannot hold the model or the sums.

    group : operations that the model obeys; asked : by name, the components that are integrated, see
        `channels_of`
    """
    chosen = settings.integrals
    terms = tuple(dict.fromkeys(term for integral in chosen for term in integral.terms))
    shapes = component_shapes(operators, settings.resolution, terms)
    channels = channels_of(chosen, terms, shapes, _projectors(terms, shapes, group), asked)
    box = Box.of(operators.cell, periodic, group, operators=operators)
    numbers = 8 * channels.count * len(settings.fermi_energy)
    per_cell = numbers * _ARRAYS_PER_CELL * (1 + 2**box.dimension)
    sums = numbers * (_SUMS * SUMS_HELD + _VALUES_HELD)
    free, most = free_bytes(operators, 1, memory_budget), max(budget_bytes(memory_budget), LEAST_FOR_SUMS)
    held = int(free / 2 // per_cell)
    rows = max(1, int(min(_ROW_BYTES, free / 4) // (8 * channels.count * _ARRAYS_PER_ROW)))
    if not held or sums > most:
        raise InputError(
            f"fermi_energy: sums at {len(settings.fermi_energy):,} energies need about {sums / 2**20:,.0f} "
            "MiB, more than memory_budget; expected fewer energies, fewer quantities or more memory."
        )
    leaves = (settings.budget or 0) // 2**box.dimension * 8 * (1 + box.dimension + len(chosen))
    if sums + leaves > most:
        raise InputError(
            f"budget: the cells of {settings.budget:,} k points need about {leaves / 2**20:,.0f} MiB, more "
            "than memory_budget; expected a smaller budget or more memory."
        )
    occupations = _ARRAYS_PER_WEIGHT * len(channels.mixes) * len(settings.fermi_energy)
    levels = 8 * operators.size * (occupations + 3 * channels.count)
    block = max(1, min(block_size(operators, free / 4), int(free / 4 // levels)))
    least = tuple(q.absolute_tolerance(sample) / abs(q.unit.factor(sample)) for q in chosen)
    largest = channels.of_owner([_LARGEST_ERROR * bar for bar in least], np.inf)
    task = AdaptiveTask(box, settings.scan, settings.resolution, channels, largest, block, rows, held)
    children = 2**box.dimension
    points = min(_MOST_POINTS, _SECONDS / seconds_per_kpoint(operators.size))
    return AdaptivePlan(chosen, task, sample, least, max(1, round(points / (1 + children + children**2))))


def _projectors(
    terms: Sequence[Term], shapes: Sequence[tuple[int, ...]], group: SymmetryGroup
) -> Mapping[Kernel, NDArray[np.float64]]:
    """The mean over the group on the components of each kernel."""
    found = {}
    for term, shape in zip(terms, shapes, strict=True):
        size = int(np.prod(shape, dtype=int))
        units = np.eye(size).reshape(*shape, size)
        found[term.kernel] = term.transformation.averaged(units, group).reshape(size, size)
    return found
