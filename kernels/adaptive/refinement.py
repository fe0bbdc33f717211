"""Cells are replaced by their children: what that changes in every sum, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import loops
from ..lattice import Integer, LatticeOperators, Real
from .samples import AdaptiveTask, CellSums, Points, cell_sums


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one level that are looked at together. begin: they are the first ones, nothing is replaced."""

    level: int
    coordinates: Integer
    begin: bool = False


@dataclass(frozen=True, eq=False)
class Leaves:
    """Cells that are not refined yet.

    level : (leaf,); coordinates : (leaf, d)
    error : (leaf, integral) the largest over energies and channels, as a mean over the Brillouin zone
    """

    level: Integer
    coordinates: Integer
    error: Real

    def __len__(self) -> int:
        return len(self.level)

    def joined(self, other: Leaves) -> Leaves:
        """Both, one after the other."""
        return Leaves(
            np.concatenate([self.level, other.level]),
            np.concatenate([self.coordinates, other.coordinates]),
            np.concatenate([self.error, other.error]),
        )

    def at(self, rows: Integer) -> Leaves:
        """Some of them."""
        return Leaves(self.level[rows], self.coordinates[rows], self.error[rows])


@dataclass(frozen=True, eq=False)
class Refined:
    """Sums over leaves and the leaves themselves: what a task changes of them, or all of them.

    sums : (4, fermi_energy, channel) of W, the value of a cell by its children, of D = W - V, V by its one
        point, of D^2, and of J^2, J what its points may miss
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
        some = cells.coordinates[start : start + task.cells_held]
        part = _begun(operators, task, some) if cells.begin else _replaced(operators, task, cells.level, some)
        total = part if total is None else add_refined(total, part)
    assert total is not None
    return total


def _children(task: AdaptiveTask, level: int, cells: Integer) -> Points:
    """Canonical children of canonical cells, each adding to the mean over its parent's children."""
    born = task.box.children(cells)
    canonical = task.box.canonical(level + 1, born.reshape(-1, task.box.dimension))
    children, first, count = np.unique(canonical, axis=0, return_index=True, return_counts=True)
    # Canonical cells have no child in common: their orbits are different.
    order = np.argsort(first)
    size = born.shape[1]
    return Points(level + 1, children[order], first[order] // size, count[order] / size)


def _begun(operators: LatticeOperators, task: AdaptiveTask, cells: Integer) -> Refined:
    own = cell_sums(operators, task, Points.each(0, cells), len(cells))
    return _leaves(operators, task, 0, cells, own.value).counting(len(cells))


def _replaced(operators: LatticeOperators, task: AdaptiveTask, level: int, cells: Integer) -> Refined:
    own = cell_sums(operators, task, Points.each(level, cells), len(cells))
    born = _children(task, level, cells)
    values = cell_sums(operators, task, Points.each(level + 1, born.cells), len(born.cells))
    shape = (len(cells), *values.value.shape[1:])
    fine, jump = np.zeros(shape), np.zeros(shape)
    loops.add_children(born.goal, born.share, values.value, fine)
    loops.add_children(born.goal, born.share, values.jump, jump)
    old = _summed(task, level, cells, CellSums(fine, jump), own.value)
    new = _leaves(operators, task, level + 1, born.cells, values.value)
    return Refined(new.sums - old.sums, new.leaves, new.points + len(cells) + len(born.cells))


def _leaves(
    operators: LatticeOperators, task: AdaptiveTask, level: int, cells: Integer, coarse: Real
) -> Refined:
    """New leaves from their children; coarse : V of each, (cell, fermi_energy, channel)."""
    born = _children(task, level, cells)
    found = cell_sums(operators, task, born, len(cells))
    return _summed(task, level, cells, found, coarse).counting(len(born.cells))


def _summed(task: AdaptiveTask, level: int, cells: Integer, fine: CellSums, coarse: Real) -> Refined:
    """Sums over cells, each counted as often as symmetry repeats it: errors of one orbit are the same."""
    channels = task.channels
    sums = np.zeros((4, *coarse.shape[1:]))
    error = np.zeros((len(cells), len(channels.outputs)))
    weight = task.box.multiplicity(level, cells) * task.box.volume(level)
    loops.add_leaves(fine.value, coarse, fine.jump, weight, channels.owner, channels.amplitude, sums, error)
    return Refined(sums, Leaves(np.full(len(cells), level), cells, error), 0)
