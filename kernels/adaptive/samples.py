"""Integrands at points of cells at all Fermi energies, and what may be missed there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .. import loops
from ..bands import BlochBands, Resolution, solve_bands
from ..interpolation import bloch_operators
from ..lattice import Integer, LatticeOperators, Real
from ..occupations import FULLY_OCCUPIED, FermiScan, Weight
from ..quantities.record import Hidden, Kernel, Term
from .box import Box
from .channels import Channels, Mix
from .doubt import MEETING, Jumps, Meetings, Neighbours, jumps, meetings
from .weights import MOMENTS, POWER, SURFACES, Weights, cell_weights, unsure_weights

#: A level may be stationary in a cell where its slopes are not larger than so many times what they change by.
_NEAR = 2.0

#: Of states near a stationary point, by how much more than by levels that shift values are off: at a saddle
#: their density is singular, and an energy may lie near it.
_SINGULAR = 3.0

#: A point that no symmetry maps to itself, reduced.
_GENERAL = np.array([[0.1234, 0.2345, 0.3456]])


def component_shapes(
    operators: LatticeOperators, resolution: Resolution, terms: Sequence[Term]
) -> tuple[tuple[int, ...], ...]:
    """Dims of each term's integrand between k and band."""
    slopes = any(term.needs_observable_slopes for term in terms)
    bloch = bloch_operators(operators, _GENERAL, slopes)
    bands = solve_bands(bloch, resolution.floored(operators))
    with np.errstate(all="ignore"):
        return tuple(term.kernel(bands).shape[1:-1] for term in terms)


@dataclass(frozen=True, eq=False)
class AdaptiveTask:
    """What is integrated, the same for all cells.

    largest_error : (channel,) of one cell, as a mean over the zone; squares of larger ones would leave so
        much rounding in sums, when they are taken away again, that small bars were lost in it
    block_size : k points to treat at a time
    rows_held : rows of samples that are held at a time, by what those of larger cells let expect
    cells_held : cells whose values may be held even if they change at all energies
    """

    box: Box
    scan: FermiScan
    resolution: Resolution
    channels: Channels
    largest_error: Real
    block_size: int
    rows_held: int
    cells_held: int


@dataclass(frozen=True, eq=False)
class Points:
    """Centres of cells (n, d) of levels (n,).

    parent : (n,) numbers of the cells that these are children of, and offset : (n, d) from the centres of
        those, in their edges; None where nothing is expected and nothing asked of what may be missed
    """

    level: Integer
    cells: Integer
    parent: Integer | None = None
    offset: Real | None = None

    def span(self, start: int, stop: int) -> Points:
        """Consecutive ones, with nothing expected of them."""
        return Points(self.level[start:stop], self.cells[start:stop])

    def expected(self, levels: Real, slopes: Real) -> tuple[Real, Real]:
        """Levels and slopes if bands were linear in the parents, whose levels and slopes these are."""
        assert self.offset is not None
        own = slopes[self.parent]
        return levels[self.parent] + np.einsum("kna,ka->kn", own, self.offset), own / 2


@dataclass(frozen=True, eq=False)
class _Expected:
    """What is expected at points: levels (k, band) and slopes (k, band, d).

    asked : (k,) 1, or 0 where nothing is asked of what may be missed
    """

    levels: Real
    slopes: Real
    asked: Real


@dataclass(frozen=True, eq=False)
class Samples:
    """Values of points as steps from one Fermi energy to the next, where they change.

    first : (point + 1,) rows of point i are those from first[i] to first[i + 1]
    energy : (row,) numbers of the Fermi energies, ascending for each point
    value : (row, channel); jump : the same of what may be hidden from this point; bias : of what it is off by
        as bands are not straight, with its sign
    levels, slopes : (point, band) eV, (point, band, d) what they change by along each axis of the cell
    """

    first: Integer
    energy: Integer
    value: Real
    jump: Real
    bias: Real
    levels: Real
    slopes: Real

    def span(self, start: int, stop: int) -> Samples:
        """Consecutive ones of the points."""
        first = self.first[start : stop + 1]
        rows = slice(first[0], first[-1])
        return Samples(
            first - first[0],
            self.energy[rows],
            self.value[rows],
            self.jump[rows],
            self.bias[rows],
            self.levels[start:stop],
            self.slopes[start:stop],
        )

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(part.first[-1] for part in parts)])
        first = [part.first[:-1] + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([*first, starts[-1:]]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("energy", "value", "jump", "bias", "levels", "slopes")
            ),
        )


def samples(
    operators: LatticeOperators, task: AdaptiveTask, points: Points, parents: Samples | None = None
) -> Samples:
    """Values of points; of those whose parents are known also what may be missed around them."""
    parts = []
    with np.errstate(all="ignore"):
        expected = None if parents is None else points.expected(parents.levels, parents.slopes)
        for start in range(0, len(points.cells), task.block_size):
            some = slice(start, start + task.block_size)
            bands, scale, slopes = _solved(operators, task, points.span(start, start + task.block_size))
            own = None
            if expected is not None:
                own = _Expected(expected[0][some], expected[1][some], np.ones(len(scale)))
            parts.append(_sampled(bands, task, scale, slopes, own))
    return Samples.joined(parts)


def samples_of_families(
    operators: LatticeOperators, task: AdaptiveTask, generations: Sequence[Points]
) -> list[Samples]:
    """The same of cells, their children, and so on, in one block."""
    ends = np.cumsum([len(points.cells) for points in generations])
    level, cells = (
        np.concatenate([getattr(points, name) for points in generations]) for name in ("level", "cells")
    )
    with np.errstate(all="ignore"):
        bands, scale, slopes = _solved(operators, task, Points(level, cells))
        expected = _Expected(bands.energy.copy(), slopes.copy(), np.zeros(len(level)))
        for before, start, points in zip([0, *ends], ends, generations[1:], strict=False):
            own, parents = slice(start, start + len(points.cells)), slice(before, start)
            expected.levels[own], expected.slopes[own] = points.expected(
                bands.energy[parents], slopes[parents]
            )
            expected.asked[own] = 1.0
        found = _sampled(bands, task, scale, slopes, expected)
    return [found.span(start, stop) for start, stop in pairwise([0, *ends])]


def _solved(operators: LatticeOperators, task: AdaptiveTask, points: Points) -> tuple[BlochBands, Real, Real]:
    """Bands, edges of the cells in units of those of level 0, (k,), and what levels change by along them."""
    k = task.box.points(points.level, points.cells)
    needed = any(term.needs_observable_slopes for term in task.channels.terms)
    bands = solve_bands(bloch_operators(operators, k, needed), task.resolution.floored(operators))
    scale = np.ldexp(1.0, -points.level)
    return bands, scale, level_slopes(bands, task.box.cell_edges, scale)


@dataclass(frozen=True, eq=False)
class _Occupied:
    """Levels of a block, (k x band), with one kind of occupation, and what is summed over them.

    shifted : what the occupation is biased by, as bands are not straight; None: not asked
    wrong : by how much it may be wrong, of a Fermi surface
    repelled : what the occupation changes by where levels repel each other that straight ones would cross
    between : occupation that decides about what meeting levels hide, in units of the mix
    """

    mix: Mix
    weight: Weights
    shifted: Weights | None
    wrong: Weights | None
    repelled: Weights | None
    between: Weights
    values: Mapping[Kernel, Real]
    doubtful: Jumps | None
    meeting: Meetings | None

    @property
    def changing(self) -> Iterator[Weights]:
        """All that changes from energy to energy."""
        between = None if self.meeting is None or self.between is self.weight else self.between
        for weights in (self.weight, self.shifted, self.wrong, self.repelled, between):
            if weights is not None:
                yield weights


def _sampled(
    bands: BlochBands, task: AdaptiveTask, scale: Real, slopes: Real, expected: _Expected | None
) -> Samples:
    parts = list(_of_bands(bands, task, slopes, scale, expected))
    if bands.electrons is not None:
        parts += _of_filled(bands.electrons, task, scale, expected)
    touched = np.zeros((len(bands.energy), len(task.scan.energies)), dtype=np.uint8)
    for part in parts:
        for weights in part.changing:
            loops.mark_steps(*_entries(weights, len(touched)), touched)
    slot, first = np.empty(touched.shape, dtype=np.int64), np.empty(len(touched) + 1, dtype=np.int64)
    loops.number_steps(touched, slot, first)
    value, jump, bias = np.zeros((3, first[-1], task.channels.count))
    for part in parts:
        _add(part, slot, value, jump, bias)
    energy = np.flatnonzero(touched) % touched.shape[1]
    return Samples(first, energy, value, jump, bias, bands.energy, slopes)


def _entries(weights: Weights, points: int) -> tuple[Integer, Integer, Real]:
    """Weights as loops take them."""
    return weights.begin.reshape(points, -1), weights.first, weights.value


def _of_bands(
    bands: BlochBands, task: AdaptiveTask, slopes: Real, scale: Real, expected: _Expected | None
) -> Iterator[_Occupied]:
    scan, terms = task.scan, task.channels.terms
    values = {kernel: kernel(bands) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful, meeting, repulsion = None, None, None
    bend, corner = np.zeros((2, bands.energy.size))
    if expected is not None:
        bend = bands.energy - expected.levels
        corner = np.abs(slopes - expected.slopes).sum(axis=2) / 4
        neighbours = Neighbours.of(bands.energy, slopes, bend).asked(expected.asked)
        bend, corner = bend.ravel(), np.maximum(corner.ravel(), np.abs(bend.ravel()))
        singular = _singularity(slopes, expected.slopes).ravel()
        tails = FULLY_OCCUPIED * scan.thermal_energy + float(np.abs(slopes).sum(axis=2).max()) / 2
        lowest, highest = scan.energies[0] - tails, scan.energies[-1] + tails
        doubtful = jumps(bands, neighbours, tuple(values), highest)
        meeting = meetings(bands, neighbours, slopes, task.box.cell_edges, scale, lowest, highest)
        repulsion = neighbours.repulsion(bands.multiplet_label).ravel()
    widths = np.abs(slopes).reshape(-1, slopes.shape[2])
    levels = bands.energy.ravel()
    for (weight, cold), mix in task.channels.mixes.items():
        own_scan = replace(scan, temperature=0.0) if cold else scan
        shifted, wrong, repelled = None, None, None
        if repulsion is not None and any(_is_repelled(term) for term, _ in mix.terms):
            apart = np.flatnonzero(repulsion)
            some = unsure_weights(levels[apart], widths[apart], repulsion[apart], None, own_scan, weight)[1]
            repelled = some.of_some(apart, len(levels))
        if expected is not None and weight is not Weight.GRAND_POTENTIAL:
            # At a saddle bends along the axes cancel at the centre, and are seen by slopes alone.
            either = corner if weight in SURFACES else None
            occupied, shifted, wrong = unsure_weights(levels, widths, bend, either, own_scan, weight)
            if wrong is not None:
                wrong = wrong.times(singular)
        else:
            occupied = cell_weights(levels, widths, own_scan, weight)
        between = occupied
        if meeting is not None and weight in MOMENTS:
            # Where both levels have one entropy, only sums over occupied states know of what they hide.
            factor = MOMENTS[weight] * scan.thermal_energy ** POWER[weight]
            sea = cell_weights(levels, widths, own_scan, Weight.SEA)
            between = replace(sea, value=factor * sea.value)
        yield _Occupied(mix, occupied, shifted, wrong, repelled, between, values, doubtful, meeting)


def _singularity(slopes: Real, expected: Real) -> Real:
    """Factors (k, band) of what a Fermi surface misses as levels bend. slopes, expected : (k, band, d)"""
    stationary = (np.abs(slopes) <= _NEAR * np.abs(slopes - expected)).all(axis=2)
    return np.where(stationary, _SINGULAR, 1.0)


def _is_repelled(term: Term) -> bool:
    return term.hidden is Hidden.NOTHING or term.weight is Weight.GRAND_POTENTIAL


def _of_filled(
    electrons: BlochBands, task: AdaptiveTask, scale: Real, expected: _Expected | None
) -> Iterator[_Occupied]:
    """To half of a Bogoliubov sum belongs half of what electrons give with all bands filled (section 6)."""
    slopes = level_slopes(electrons, task.box.cell_edges, scale)
    terms = [term for term in task.channels.terms if term.filled_constant]
    values = {kernel: kernel(electrons) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful = None
    if expected is not None:
        neighbours = Neighbours.of(electrons.energy, slopes, np.zeros_like(electrons.energy))
        doubtful = jumps(electrons, neighbours.asked(expected.asked), tuple(values), np.inf)
    number = electrons.energy.size
    filled = {Weight.SEA: np.ones_like(electrons.energy), Weight.GRAND_POTENTIAL: electrons.energy}
    for weight, mix in task.channels.filled_mixes.items():
        if weight in filled:
            begin, first = np.zeros(number, dtype=np.int64), np.arange(number + 1)
            occupied = Weights(begin, first, filled[weight].ravel())
            yield _Occupied(mix, occupied, None, None, None, occupied, values, doubtful, None)


def level_slopes(bands: BlochBands, edges: Real, scale: Real) -> Real:
    """What each level changes by along the edges (d, 3) of a cell, times scale (k,), (k, band, d) eV.

    In ascending order where levels meet: their states are any mixture there, and what is found of a cell must
    be found again when it is replaced.
    """
    slopes = bands.level_slopes @ edges.T
    meets = np.pad(np.diff(bands.energy, axis=1) < MEETING, ((0, 0), (1, 1)))
    alone = meets[:, 1:-1] & ~meets[:, :-2] & ~meets[:, 2:]
    k, n = np.nonzero(alone)
    if len(k):
        half, middle = (slopes[k, n + 1] - slopes[k, n]) / 2, (slopes[k, n + 1] + slopes[k, n]) / 2
        apart = np.hypot(half, np.abs(bands.slopes_between[k, n] @ edges.T))
        slopes[k, n], slopes[k, n + 1] = middle - apart, middle + apart
    several = meets[:, 1:-1] & ~alone
    rows = np.flatnonzero(several.any(axis=1))
    if len(rows):
        matrices = np.einsum("knam,da->kdnm", bands.slopes_at(rows), edges.astype(complex))
        for row, matrix in zip(rows, matrices, strict=True):
            for group in np.split(np.arange(slopes.shape[1]), np.flatnonzero(~several[row]) + 1):
                if len(group) > 1:
                    slopes[row, group] = np.linalg.eigvalsh(matrix[:, group[:, None], group]).T
    return slopes * scale[:, None, None]


def _add(part: _Occupied, slot: Integer, value: Real, jump: Real, bias: Real) -> None:
    mix, points = part.mix, len(slot)
    weight = _entries(part.weight, points)
    own = mix.channels([part.values[term.kernel] for term, _ in mix.terms])
    loops.add_levels(slot, *weight, own, mix.first, value)
    every, whole = np.arange(points), np.ones(points)
    if part.shifted is not None:
        shifted = _entries(part.shifted, points)
        loops.add_levels(slot, *shifted, own, mix.first, bias)
        if part.wrong is None:
            # Levels that nearly meet bend alike, and what they have in excess of each other stays so.
            loops.add_sizes(every, whole, slot, *shifted, own, mix.first, jump)
    if part.wrong is not None:
        loops.add_levels(slot, *_entries(part.wrong, points), np.abs(own), mix.first, jump)
    if part.repelled is not None:
        # What meeting levels hide of a curvature is far more than this.
        plain = [part.values[term.kernel] if _is_repelled(term) else None for term, _ in mix.terms]
        repelled = _entries(part.repelled, points)
        loops.add_sizes(every, whole, slot, *repelled, mix.channels(plain), mix.first, jump)
    doubtful, meeting = part.doubtful, part.meeting
    if doubtful is not None and len(doubtful.rows):
        own = mix.channels([doubtful.values[term.kernel] for term, _ in mix.terms])
        loops.add_sizes(doubtful.rows, doubtful.share, slot, *weight, own, mix.first, jump)
    hides = any(term.hidden is not Hidden.NOTHING for term, _ in mix.terms)
    if meeting is not None and len(meeting.rows) and hides:
        _add_meetings(part, meeting, slot, jump)
        if meeting.ridge.any():
            # All cells on one ridge are wrong alike: their errors add up.
            _add_meetings(part, meeting.of_ridges(), slot, jump, bias)


def _add_meetings(part: _Occupied, meeting: Meetings, slot: Integer, *targets: Real) -> None:
    mix = part.mix
    bounds = mix.sizes.channels([meeting.components(term, shape) for term, shape in mix.terms])
    between = _entries(part.between, len(slot))
    for target in targets:
        loops.add_meetings(meeting.rows, slot, *between, bounds, mix.first, target)
