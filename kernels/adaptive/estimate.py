"""From the sums over leaves to values with bars, and the leaves that are refined next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..lattice import Integer, Real
from ..quantities import Integral
from .channels import Channels
from .refinement import Leaves, Refined

#: Share of the squared errors that the leaves of a round hold together (Doerfler marking).
_MARKED = 0.5


@dataclass(frozen=True, eq=False)
class Estimate:
    """Means over the Brillouin zone with their bars, (channel, fermi_energy)."""

    value: Real
    bar: Real

    @classmethod
    def of(cls, state: Refined) -> Estimate:
        """Richardson's extrapolation, and the error of a cell taken for independent of that of another."""
        # The midpoint rule is of second order: a finer value is four times as good.
        fine, change, squares, doubts = state.sums
        value = fine + change / 3
        squared = np.maximum(squares, 0) + (change / 3) ** 2 + np.maximum(doubts, 0)
        return cls(value.T, np.sqrt(squared).T)


@dataclass(frozen=True, eq=False)
class Standing:
    """How far each integral is, (integral,).

    bar, scale : largest bar and largest value over energies and components; goal : what the bar has to reach
    """

    bar: Real
    scale: Real
    goal: Real

    @property
    def converged(self) -> np.ndarray:
        """Which integrals are within their goals."""
        return self.bar <= self.goal

    @property
    def excess(self) -> Real:
        """Bars in units of their goals."""
        return self.bar / np.maximum(self.goal, np.finfo(float).tiny)

    @classmethod
    def of(
        cls,
        chosen: Sequence[Integral],
        channels: Channels,
        estimate: Estimate,
        tolerance: float,
        least: Sequence[float],
    ) -> Standing:
        """Least : for each integral, what its bar never needs to be below"""
        bars = [channels.bounds(q, estimate.bar).max(initial=0.0) for q in range(len(chosen))]
        scales = [np.abs(channels.values(q, estimate.value)).max(initial=0.0) for q in range(len(chosen))]
        names = [integral.name for integral in chosen]
        judged = [scales[names.index(q.judged_by)] if q.judged_by in names else 0.0 for q in chosen]
        scale = np.maximum(scales, judged)
        return cls(np.array(bars), scale, np.maximum(np.asarray(least), tolerance * scale))


def marked(leaves: Leaves, standing: Standing, deepest: int, most: int) -> Integer:
    """Numbers of the leaves to refine, in the order of their cells.

    Those with the largest errors, in units of the goals that are not reached; ties go to the first cell.
    deepest : level whose cells are not refined; most : leaves at most
    """
    open_ = ~standing.converged
    goal = np.maximum(standing.goal[open_], np.finfo(float).tiny)
    error = (leaves.error[:, open_] / goal).max(axis=1, initial=0.0)
    error = np.where(leaves.level < deepest, error, 0.0)
    order = np.lexsort((*leaves.coordinates.T[::-1], leaves.level, -error))
    held = np.cumsum(error[order] ** 2)
    if not len(held) or held[-1] == 0:
        return np.zeros(0, dtype=int)
    count = int(np.searchsorted(held, _MARKED * held[-1])) + 1
    chosen = order[: min(count, most)]
    chosen = chosen[error[chosen] > 0]
    return chosen[np.lexsort((*leaves.coordinates[chosen].T[::-1], leaves.level[chosen]))]
