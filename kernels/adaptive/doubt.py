"""What one point of a cell cannot know of it: levels that meet, or cross the degeneracy threshold, elsewhere.

Two estimates, both of diagonalizations that are made anyway. Where the distance of two levels may pass the
threshold within the cell, the integrand is computed with them joined and taken apart. Where they may meet, as
much as the narrowest avoided crossing could hide is assumed: a curvature of 2 pi times half a quantum in 2D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .. import lanes, loops
from ..bands import BlochBands
from ..lattice import CYCLIC, Integer, Real
from ..quantities import Term
from ..quantities.hall import SENSITIVITY_FACTOR, sensitivity
from ..quantities.record import Hidden, Kernel

#: How much further than linearly the distance of two levels is expected to change within a cell.
_MARGIN = 1.1

#: How much further it changes at most where levels bend: more would be of crossings with other levels.
_BENT = 0.3

#: Of an estimate for a cell whose centre is far closer to the meeting point than its corners.
_NEARNESS = 4.0

#: The same for levels that meet: far from a crossing bands are less straight.
_FAR = 1.5

#: Levels whose distance grows by less than this times itself in a cell hide less than 8 % of their curvature.
_STEEP = 1.5

#: What meeting levels hide, a quantum for a Dirac cone in 2D: half of one is the most that it has, but cones
#: that symmetry makes alike add up, and not as independent errors do.
_HIDDEN = 6.2


#: Places along each axis, in cells, where the distance of two levels is looked at as if it were linear in k:
#: as far beyond the faces of the cell as levels may meet.
_PLACES = np.linspace(-_FAR / 2, _FAR / 2, 7)

#: Distance (eV) below which two levels are one point of energy, whose states are any mixture.
MEETING = 1e-8


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Distances of consecutive levels in a batch of cells, (k, band - 1), eV.

    reach : how far the distance may change between the centre of a cell and its corners
    bent : what it is off by at the centre from one that is straight in the cell around
    """

    gap: Real
    reach: Real
    bent: Real

    @classmethod
    def of(cls, energy: Real, slopes: Real, bend: Real) -> Neighbours:
        """Slopes : (k, band, d), change of each level along each axis of its cell

        bend : (k, band), what a level is off by at the centre from one that is straight in the cell around
        """
        change = np.abs(np.diff(slopes, axis=1)) / 2
        linear = _MARGIN * change.sum(axis=2)
        bent = np.abs(np.diff(bend, axis=1))
        return cls(np.diff(energy, axis=1), linear + np.minimum(bent, _BENT * linear), bent)

    def asked(self, points: Real) -> Neighbours:
        """The same, 0 at points (k,) whose levels meet none and cross no threshold, as far as is asked."""
        return replace(self, reach=self.reach * points[:, None])

    def repulsion(self, label: Integer) -> Real:
        """By how much levels that may meet differ from straight ones, which would cross, (k, band) eV.

        label : of multiplets, within which nothing is repelled
        """
        past = np.where(np.diff(label, axis=1) != 0, np.maximum(self.reach - self.gap, 0.0) / 2, 0.0)
        below, above = np.pad(past, ((0, 0), (0, 1))), np.pad(past, ((0, 0), (1, 0)))
        return np.where(above >= below, above, -below)

    def crossing(self, threshold: float) -> NDArray[np.bool_]:
        """Pairs whose distance may pass the threshold."""
        return np.abs(self.gap - threshold) < self.reach


@dataclass(frozen=True, eq=False)
class Jumps:
    """What the grouping of levels decides at some k points.

    rows : (row,) numbers of these points; values : by kernel, (row, components ..., band); share : (row,)
    """

    rows: Integer
    values: dict[Kernel, Real]
    share: Real


def jumps(bands: BlochBands, neighbours: Neighbours, kernels: Sequence[Kernel], highest: float) -> Jumps:
    """Integrands with doubtful pairs taken apart minus the same with them joined.

    highest : levels above it, with what they may change by, are empty at every Fermi energy
    """
    threshold = bands.resolution.degeneracy_threshold
    crossing = neighbours.crossing(threshold)
    if sensitivity in kernels:
        crossing |= neighbours.crossing(SENSITIVITY_FACTOR * threshold)
    crossing &= (bands.energy[:, :-1] <= highest) & (neighbours.gap > MEETING)
    rows = np.flatnonzero(crossing.any(axis=1))
    if not len(rows):
        return Jumps(rows, {}, np.zeros(0))
    reach = np.where(crossing, neighbours.reach, 0.0)[rows]
    # Of each point first with its levels apart, then with them joined.
    twice = bands.doubted(np.repeat(rows, 2), np.repeat(reach, 2, axis=0), np.tile([True, False], len(rows)))
    values = {}
    for kernel in kernels:
        found = kernel(twice)
        difference = found[::2] - found[1::2]
        # Levels that meet exactly at the point have no value apart.
        values[kernel] = np.where(np.isfinite(difference), difference, 0.0)
    nearness = _NEARNESS * (neighbours.gap[rows] / np.maximum(reach, np.finfo(float).tiny)) ** 2
    share = np.where(crossing[rows], np.minimum(1.0, nearness), 1.0).min(axis=1)
    return Jumps(rows, values, share)


@dataclass(frozen=True, eq=False)
class Meetings:
    """Pairs of levels that may meet within their cell.

    rows : (row,) numbers of the points; bound : (row, pair) of a curvature, as factors of `speed`
    ridge : the same of what these points have too much where levels are nearest to each other
    speed, drift : (row, pair, 3) eV angstrom; size, overlap : (row, pair, observable) of Theta; both see
        `meeting_levels`
    """

    rows: Integer
    bound: Real
    ridge: Real
    speed: Real
    drift: Real
    size: Real
    overlap: Real

    def of_ridges(self) -> Meetings:
        """What points on ridges have too much, in the place of what is hidden."""
        return replace(self, bound=self.ridge)

    def components(self, term: Term, shape: tuple[int, ...]) -> Real:
        """Bound of a term per pair, (row, component, pair)."""
        count = int(np.prod(shape, dtype=int))
        if term.hidden is Hidden.NOTHING:
            return np.zeros((len(self.rows), count, self.bound.shape[1]))
        bounded = (self.speed * self.bound[..., None])[..., None, :]
        if term.hidden is Hidden.RESPONSE:
            found = self.overlap[..., :, None] * bounded
        else:
            found = self.speed[..., :, None] * self.speed[..., None, :] * self.bound[..., None, None]
            indices = term.transformation.indices
            if "axial" in indices:
                found = np.stack([found[..., a, b] for a, b in CYCLIC], axis=-1)
            if "observable" in indices:
                sizes = self.size.reshape(*self.size.shape, *[1] * (found.ndim - 2))
                found = sizes * found[:, :, None]
            if term.hidden is Hidden.CURRENT:
                carried = self.overlap[..., :, None] * self.drift[..., None, :]
                found = found + carried[..., None] * bounded[..., None, :]
        return found.reshape(*self.bound.shape, count).swapaxes(1, 2)


def meetings(
    bands: BlochBands,
    neighbours: Neighbours,
    slopes: Real,
    edges: Real,
    scale: Real,
    lowest: float,
    highest: float,
) -> Meetings:
    """Pairs whose levels may meet, at energies (eV) between the lowest and the highest of the scan.

    slopes : (k, band, d) as in `Neighbours.of`; edges : (d, 3) of a cell, 1/angstrom, in units of scale (k,)
    """
    apart = np.diff(bands.multiplet_label, axis=1) != 0
    apart &= (bands.energy[:, :-1] <= highest) & (bands.energy[:, 1:] >= lowest)
    near = (neighbours.gap < _FAR / _MARGIN * neighbours.reach) & apart
    growth = 2 * np.linalg.norm(bands.slopes_between @ edges.T, axis=2) * scale[:, None]
    narrow = (neighbours.gap * _STEEP < growth) & apart
    rows = np.flatnonzero((near | narrow).any(axis=1))
    near, narrow = near[rows], narrow[rows]
    speeds, turns, drifts, sizes, overlaps = _norms(bands, rows, (near | narrow).astype(np.int64))
    bound = _unseen(bands, neighbours, rows, near, slopes, edges, scale)
    ridge = np.zeros(bound.shape)
    ridge[narrow] = _on_ridges(neighbours.gap[rows][narrow], growth[rows][narrow])
    # Of a cone the sum of the two is the same in all directions.
    return Meetings(rows, bound, ridge, np.hypot(speeds, turns), drifts, sizes, overlaps)


def _on_ridges(gap: Real, growth: Real) -> Real:
    """What a curvature at a point may have too much, (pair,), as factors of its speeds.

    Levels that come nearest to each other on a plane, of a mirror, have their largest curvature there, and
    cells that it cuts have it at their centres, whatever their size. Where one of two levels is occupied that
    are sqrt(g^2 + s^2 q^2) apart, -1/2 < q < 1/2, a mean of (2 g/s) arsinh(s/(2 g)) of it is left.
    gap : g, growth : s, eV
    """
    ratio = growth / (2 * gap)
    return 2 * (1 - np.arcsinh(ratio) / ratio) / gap**2


def _norms(bands: BlochBands, rows: Integer, near: Integer) -> tuple[Real, ...]:
    """What `meeting_levels` finds between levels at some k points, (row, pair, axis or observable)."""
    shape, observables = near.shape, bands.operators.observable_count
    found = *np.zeros((3, *shape, 3)), np.zeros((*shape, observables)), np.zeros((*shape, observables))
    label = bands.multiplet_label
    if bands.lanes is not None:
        lanes.meeting_levels(bands.energy, label, rows, bands.lanes.rotated, near, *found)
    else:
        loops.meeting_levels(label[rows], bands.velocity[rows], bands.observable[rows], near, *found)
    return found


def _unseen(
    bands: BlochBands,
    neighbours: Neighbours,
    rows: Integer,
    near: NDArray[np.bool_],
    slopes: Real,
    edges: Real,
    scale: Real,
) -> Real:
    """Curvature that two levels may hide in a cell, (row, pair), as factors of their speeds.

    A mesh with steps h sums what an avoided crossing of smallest distance g has around it up to
    4 exp(-2 pi g/(h s)), s being how fast the distance grows (Poisson's formula for a cone in 2D): what
    matrix elements between the levels keep far enough apart is seen by the points themselves.
    """
    dimension = slopes.shape[2]
    closest = np.zeros(near.shape)
    grams = np.zeros((*near.shape, dimension, dimension))
    couplings = np.einsum("knam,da->kndm", bands.slopes_at(rows), edges.astype(complex))
    couplings *= scale[rows, None, None, None]
    loops.closest_approach(
        bands.multiplet_label[rows],
        bands.energy[rows],
        np.ascontiguousarray(slopes[rows]),
        np.ascontiguousarray(couplings),
        near.astype(np.int64),
        _PLACES,
        closest,
        grams,
    )
    steepest = np.linalg.eigvalsh(grams[near])[:, -1]
    # Between the places the distance may be smaller, and where levels bend.
    known = closest[near] - (_PLACES[1] - _PLACES[0]) / 2 * np.sqrt(steepest)
    known -= np.minimum(neighbours.bent[rows][near], _BENT * np.sqrt(steepest))
    hidden = np.minimum(1.0, 4 * np.exp(-2 * np.pi * np.maximum(known, 0.0) / np.sqrt(steepest)))
    bound = np.zeros(near.shape)
    bound[near] = 4 * _HIDDEN * hidden / steepest
    return bound
