"""From the sums over leaves to values with bars, and the leaves that are refined next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..lattice import Integer, Real
from ..quantities import Integral
from .channels import Channels
from .refinement import Leaves, Refined

#: Share of the squared errors that the leaves of a round hold together (Doerfler marking).
_MARKED = 0.5

#: Of the shift of a level at the corners of a cell from that of a straight one, the mean over the cell.
_MEAN_BEND = 1 / 3

#: What a level that bends within one cell adds to a Fermi surface is off by so many changes, at most: where
#: its parent is right, and Richardson's extrapolation goes another third the wrong way.
_OF_ONE_CELL = 4 / 3

#: Rounds whose values the bars of the next one remember.
_ROUNDS = 2

#: Ratio of the points of marks.
_APART = 1.2

#: How much more than their bars values may still be off by, in 1, 2 and 3 dimensions: bars of few cells
#: shrink by accident too, and in 1D a Fermi surface is a few cells.
_SLOWER = {1: np.inf, 2: 1.5, 3: 1.5}

#: A value whose bar is a larger share of it has not settled.
_SETTLED = 0.05

#: Share of the sizes of all points' or cells' integrands that one may have: 3 % in converged sums, 10 % and
#: more in wrong ones.
MOST_OF_ONE_POINT = 0.05


@dataclass(frozen=True, eq=False)
class History:
    """Values of earlier rounds, (round, channel, fermi_energy), and their numbers of k points, (round,).

    values : the two rounds before first, then marks, each with `_APART` times the points of the one before
    bars : of the marks, by the errors of cells alone, (mark, channel, fermi_energy)
    """

    values: Real
    bars: Real
    points: Integer

    @classmethod
    def before(cls, channels: Channels, energies: int) -> History:
        """Of the first round: zeros, so that no bar is small in the first rounds."""
        shape = channels.count, energies
        return cls(np.zeros((_ROUNDS, *shape)), np.zeros((0, *shape)), np.zeros(_ROUNDS, dtype=np.int64))

    @property
    def is_still(self) -> bool:
        """Whether the last rounds had the same values; what stands for rounds before the first is none."""
        rounds = range(_ROUNDS)
        return bool(self.points[rounds].all()) and np.array_equal(self.values[0], self.values[_ROUNDS - 1])

    def and_then(self, estimate: Estimate, points: int) -> History:
        """The same with one round more, without marks that nothing needs any more."""
        rounds = slice(0, _ROUNDS - 1)
        marks, bars, counts = self.values[_ROUNDS:], self.bars, self.points[_ROUNDS:]
        own = estimate.value[None]
        if not len(counts) or points >= _APART * counts[-1]:
            marks, bars = np.concatenate([marks, own]), np.concatenate([bars, estimate.of_cells[None]])
            counts = np.append(counts, points)
        first = max(int(np.searchsorted(2 * counts, points, side="right")) - 1, 0)
        values = np.concatenate([own, self.values[rounds], marks[first:]])
        return History(values, bars[first:], np.concatenate([[points], self.points[rounds], counts[first:]]))

    def change(
        self, value: Real, of_cells: Real, points: int, of_surface: NDArray[np.bool_], dimension: int
    ) -> Real:
        """The largest since the two rounds before, and of a Fermi surface what is left of those since half of
        the points: as bars have shrunk meanwhile, so has what was wrong with the value.

        of_cells : the bar by the errors of cells alone
        """
        found = np.abs(value - self.values[:_ROUNDS]).max(axis=0)
        half = np.flatnonzero(2 * self.points[_ROUNDS:] <= points)
        if not len(half):
            return np.where(of_surface[:, None], np.maximum(found, np.abs(value)), found)
        left = found.copy()
        for mark in range(half[-1], len(self.bars)):
            changed = np.abs(value - self.values[_ROUNDS + mark])
            least = self.bars[mark] / _SLOWER[dimension]
            shrunk = np.divide(of_cells, least, out=np.ones_like(least), where=of_cells < least)
            left = np.maximum(left, changed * shrunk)
        return np.where(of_surface[:, None], left, found)


@dataclass(frozen=True, eq=False)
class Estimate:
    """Means over the Brillouin zone with their bars, (channel, fermi_energy).

    of_cells : the part of the bars that the errors of cells tell of
    size : the same mean of the sizes of all cells' values
    """

    value: Real
    bar: Real
    of_cells: Real
    size: Real

    @classmethod
    def of(cls, state: Refined, channels: Channels, history: History, copies: int = 1) -> Estimate:
        """Richardson's extrapolation, and the error of a cell taken for independent of that of another.

        A bar is at least what the value has changed by lately.
        copies : cells whose errors are the same, at most
        """
        fine, change, squares, doubts, size, bias = (part.T for part in state.sums)
        # The midpoint rule is of second order: a finer value is four times as good.
        value = fine + change / 3
        apart = copies * (np.maximum(squares, 0) + np.maximum(doubts, 0))
        own = np.sqrt(apart + (change / 3) ** 2 + (_MEAN_BEND * bias) ** 2)
        # In a gap there are no states whose changes could agree by accident.
        few = channels.of_surface[:, None] & (size > 0)
        own = np.where(few, _as_beside(own), own)
        dimension = state.leaves.coordinates.shape[1]
        changed = history.change(value, own, state.points, channels.of_surface, dimension)
        return cls(value, np.maximum(own, changed), own, size)


def _as_beside(bars: Real) -> Real:
    """Bars of a Fermi surface, (channel, fermi_energy), of which few cells decide: where children and their
    parent agree by accident, they do not at the energies beside it.
    """
    bars = _OF_ONE_CELL * bars
    padded = np.pad(bars, ((0, 0), (1, 1)))
    return np.maximum(bars, np.maximum(padded[:, :-2], padded[:, 2:]))


@dataclass(frozen=True, eq=False)
class Standing:
    """How far each integral is, (integral,), whatever the tolerance.

    bar : largest over energies and components; least : what is as good as zero
    value : largest; an integral whose largest value is below `least`, by its bar, is as good as zero
    scale : largest value, of those that have settled where any have: one that grows with each round sets no
        scale for the others
    size : largest mean of the sizes of all cells' values, of those that all states below an energy make
    share : the largest share that one cell has of it, 0 where it is as good as nothing
    """

    bar: Real
    least: Real
    value: Real
    scale: Real
    size: Real
    share: Real

    @property
    def reached(self) -> Real:
        """The smallest tolerance that each bar is within."""
        vanishes = self.value + self.bar <= self.least
        return np.where(vanishes, 0.0, self.bar / np.maximum(self.scale, np.finfo(float).tiny))

    def goal(self, tolerance: float) -> Real:
        """What each bar has to reach."""
        return np.maximum(self.least - self.value, tolerance * self.scale)

    def converged(self, tolerance: float) -> NDArray[np.bool_]:
        """Which integrals are within a tolerance, and have no cell that carries much of them."""
        return (self.reached <= tolerance) & (self.share < MOST_OF_ONE_POINT)

    @classmethod
    def of(
        cls,
        chosen: Sequence[Integral],
        channels: Channels,
        estimate: Estimate,
        leaves: Leaves,
        least: Sequence[float],
    ) -> Standing:
        """Least : for each integral, what is as good as zero"""
        count = range(len(chosen))
        bars = np.array([channels.bounds(q, estimate.bar).max(initial=0.0) for q in count])
        values = [float(np.abs(channels.values(q, estimate.value)).max(initial=0.0)) for q in count]
        scales = [_scale(channels, estimate, q) for q in count]
        names = [integral.name for integral in chosen]
        judged = [scales[names.index(q.judged_by)] if q.judged_by in names else 0.0 for q in chosen]
        sizes = estimate.size.max(axis=1, initial=0.0) * channels.sea_amplitude
        size = np.array([sizes[channels.owner == q].max(initial=0.0) for q in count])
        most = leaves.size.max(axis=0, initial=0.0)
        counts = (most > np.asarray(least)) & (size > 0)
        share = np.where(counts, most / np.where(counts, size, 1.0), 0.0)
        return cls(
            bars, np.asarray(least, dtype=float), np.array(values), np.maximum(scales, judged), size, share
        )


def _scale(channels: Channels, estimate: Estimate, index: int) -> float:
    sizes = np.abs(channels.values(index, estimate.value))
    settled = channels.bounds(index, estimate.bar) <= _SETTLED * sizes
    return float(sizes[settled].max(initial=0.0)) or float(sizes.max(initial=0.0))


def marked(leaves: Leaves, standing: Standing, tolerance: float, deepest: int, most: int | None) -> Integer:
    """Numbers of the leaves to refine, in the order of their cells.

    Those with the largest errors, in units of the goals that are not reached, and those that carry much; ties
    go to the first cell.
    deepest : level whose cells are not refined; most : leaves at most, None: all
    """
    far = standing.reached > tolerance
    goal = np.maximum(standing.goal(tolerance)[far], np.finfo(float).tiny)
    error = (leaves.error[:, far] / goal).max(axis=1, initial=0.0)
    large = standing.share >= MOST_OF_ONE_POINT
    carries = (leaves.size[:, large] >= MOST_OF_ONE_POINT * standing.size[large]).any(axis=1)
    if not error.any():
        error = carries.astype(float)
    open_ = leaves.level < deepest
    error, carries = np.where(open_, error, 0.0), carries & open_
    order = np.lexsort((*leaves.coordinates.T[::-1], leaves.level, -error))
    held = np.cumsum(error[order] ** 2)
    if not len(held) or held[-1] == 0:
        return np.zeros(0, dtype=int)
    count = int(np.searchsorted(held, _MARKED * held[-1])) + 1
    wanted = np.zeros(len(error), dtype=bool)
    wanted[order[:count]] = True
    wanted = (wanted & (error > 0)) | carries
    chosen = order[wanted[order]][:most]
    return chosen[np.lexsort((*leaves.coordinates[chosen].T[::-1], leaves.level[chosen]))]


def spread(leaves: Leaves, deepest: int, count: int) -> Integer:
    """Numbers of so many leaves, at most, all over the zone: of the largest cells, whatever their errors.

    deepest : level whose cells are not refined
    """
    order = np.lexsort((*leaves.coordinates.T[::-1], leaves.level))
    order = order[leaves.level[order] < deepest]
    largest = order[leaves.level[order] == leaves.level[order].min(initial=deepest)]
    if len(largest) < count:
        return order[:count]
    return largest[np.arange(count) * len(largest) // max(count, 1)]
