"""Cells are replaced by their children: what that changes in every sum, as a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from .. import loops
from ..lattice import Integer, LatticeOperators, Real
from .samples import AdaptiveTask, Points, Samples, samples, samples_of_families


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of levels (cell,) that are looked at together. begin: the first ones, nothing is replaced."""

    level: Integer
    coordinates: Integer
    begin: bool = False


@dataclass(frozen=True, eq=False)
class Leaves:
    """Cells that are not refined yet.

    level : (leaf,); coordinates : (leaf, d)
    error : (leaf, integral) the largest over energies and channels, as a mean over the Brillouin zone; in
        single precision, as it tells cells apart and enters no number
    size : (leaf, integral) the same of the value of one cell, where it is no matter of the Fermi surface
    """

    level: Integer
    coordinates: Integer
    error: NDArray[np.float32]
    size: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.level)

    def joined(self, other: Leaves) -> Leaves:
        """Both, one after the other."""
        return Leaves(
            np.concatenate([self.level, other.level]),
            np.concatenate([self.coordinates, other.coordinates]),
            np.concatenate([self.error, other.error]),
            np.concatenate([self.size, other.size]),
        )

    def at(self, rows: Integer) -> Leaves:
        """Some of them."""
        return Leaves(self.level[rows], self.coordinates[rows], self.error[rows], self.size[rows])


@dataclass(frozen=True, eq=False)
class Refined:
    """Sums over leaves and the leaves themselves: what a task changes of them, or all of them.

    sums : (6, fermi_energy, channel) of W, the value of a cell by its children, of D = W - V, V by its one
        point, of D^2, of J^2, J what its points may miss, of |W|, and of B, what changes as bands bend
    points : k points that were diagonalized
    """

    sums: Real
    leaves: Leaves
    points: int

    def without(self, rows: Integer) -> Refined:
        """The same without some leaves, whose sums the tasks that replace them take away."""
        keep = np.ones(len(self.leaves), dtype=bool)
        keep[rows] = False
        return replace(self, leaves=self.leaves.at(np.flatnonzero(keep)))

    def counting(self, points: int) -> Refined:
        """The same with more points."""
        return replace(self, points=self.points + points)


def add_refined(first: Refined, second: Refined) -> Refined:
    """Both changes, one after the other."""
    return Refined(first.sums + second.sums, first.leaves.joined(second.leaves), first.points + second.points)


def refine(operators: LatticeOperators, task: AdaptiveTask, cells: Cells) -> Refined:
    """Replace canonical cells by their children. Pure: rerun it anywhere."""
    total: Refined | None = None
    for start in range(0, len(cells.coordinates), task.cells_held):
        some = slice(start, start + task.cells_held)
        part = _refined(operators, task, Points(cells.level[some], cells.coordinates[some]), cells.begin)
        total = part if total is None else add_refined(total, part)
    assert total is not None
    # They came as steps from one energy to the next.
    return replace(total, sums=np.cumsum(total.sums, axis=1))


@dataclass(frozen=True, eq=False)
class _Born:
    """Canonical children of canonical cells, parent after parent, each with its share of the parent's mean.

    first : (cell + 1,) the children of cell i are those from first[i] to first[i + 1]
    """

    points: Points
    share: Real
    first: Integer


def _children(task: AdaptiveTask, parents: Points) -> _Born:
    cells = parents.cells
    born = task.box.children(cells)
    count, size, dimension = born.shape
    level = np.repeat(parents.level + 1, size)
    canonical = task.box.canonical(level, born.reshape(-1, dimension)).reshape(born.shape)
    # Canonical cells have no child in common: their orbits are different.
    alike = (canonical[:, :, None] == canonical[:, None]).all(axis=3)
    parent, corner = np.nonzero(~np.tril(alike, -1).any(axis=2))
    offset = (born[0] - 2 * cells[0] - 0.5)[corner] / 2
    starts = np.searchsorted(parent, np.arange(count + 1))
    children = canonical[parent, corner]
    points = Points(parents.level[parent] + 1, children, parent, offset)
    return _Born(points, alike[parent, corner].sum(axis=1) / size, starts)


def _groups(task: AdaptiveTask, own: Samples) -> Iterator[tuple[int, int]]:
    """Consecutive cells whose children are looked at together, (start, stop).

    A child's values change at no more energies than those of its parent, but for how bands bend; memory holds
    them as well where all change at all energies.
    """
    rows = own.first[1:] * 2**task.box.dimension
    start = 0
    while start < len(rows):
        before = rows[start - 1] if start else 0
        fitting = int(np.searchsorted(rows, before + task.rows_held, side="right"))
        stop = min(max(fitting, start + 1), start + task.cells_held)
        yield start, stop
        start = stop


def _refined(operators: LatticeOperators, task: AdaptiveTask, points: Points, begin: bool) -> Refined:
    """Leaves from the first cells, or those that replace cells."""
    families = _families(task, points, begin)
    if families is not None:
        return _at_once(operators, task, points, *families)
    own = samples(operators, task, points)
    make = _leaves if begin else _replaced
    parts = [
        make(operators, task, points.span(start, stop), own.span(start, stop))
        for start, stop in _groups(task, own)
    ]
    return reduce(add_refined, parts).counting(len(points.cells))


def _families(task: AdaptiveTask, points: Points, begin: bool) -> list[_Born] | None:
    """Children and, where cells are replaced, theirs; None where all together are more than one block."""
    size = 2**task.box.dimension
    most = min(task.block_size, task.cells_held * (1 + size))
    if len(points.cells) * (1 + size + (0 if begin else size**2)) > most:
        return None
    born = [_children(task, points)]
    return born if begin else [*born, _children(task, born[0].points)]


def _at_once(operators: LatticeOperators, task: AdaptiveTask, points: Points, *born: _Born) -> Refined:
    """Leaves, from few cells: each block takes as many calls as one of many."""
    generations = [points, *(each.points for each in born)]
    own, fine, *finer = samples_of_families(operators, task, generations)
    total = _summed(task, points, born[0], fine, own)
    if finer:
        total = add_refined(_taken_away(total), _summed(task, born[0].points, born[1], finer[0], fine))
    return total.counting(sum(len(each.cells) for each in generations))


def _taken_away(found: Refined) -> Refined:
    return replace(found, sums=-found.sums, leaves=found.leaves.at(np.zeros(0, dtype=int)))


def _replaced(operators: LatticeOperators, task: AdaptiveTask, points: Points, own: Samples) -> Refined:
    born = _children(task, points)
    fine = samples(operators, task, born.points, own)
    total = _taken_away(_summed(task, points, born, fine, own))
    for start, stop in _groups(task, fine):
        part = _leaves(operators, task, born.points.span(start, stop), fine.span(start, stop))
        total = add_refined(total, part)
    return total.counting(len(born.share))


def _leaves(operators: LatticeOperators, task: AdaptiveTask, points: Points, own: Samples) -> Refined:
    """New leaves from their children."""
    born = _children(task, points)
    fine = samples(operators, task, born.points, own)
    return _summed(task, points, born, fine, own).counting(len(born.share))


def _summed(task: AdaptiveTask, points: Points, born: _Born, fine: Samples, own: Samples) -> Refined:
    """Sums over cells, each counted as often as symmetry repeats it: errors of one orbit are the same."""
    channels, level, cells = task.channels, points.level, points.cells
    sums = np.zeros((6, len(task.scan.energies), channels.count))
    error, size = np.zeros((2, len(cells), len(channels.outputs)))
    count = task.box.multiplicity(level, cells)
    loops.add_leaves(
        born.first,
        born.share,
        fine.first,
        fine.energy,
        fine.value,
        fine.jump,
        fine.bias,
        own.first,
        own.energy,
        own.value,
        count * task.box.volume(level),
        channels.owner,
        channels.amplitude,
        channels.sea_amplitude,
        task.largest_error,
        sums,
        error,
        size,
    )
    size /= count[:, None]
    leaves = Leaves(level, cells, error.astype(np.float32), size.astype(np.float32))
    return Refined(sums, leaves, 0)
