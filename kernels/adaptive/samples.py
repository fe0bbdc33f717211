"""Integrands at points of cells at all Fermi energies, and what may be missed there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
from .weights import MOMENTS, POWER, SURFACES, cell_weights, unsure_weights

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
    block_size : k points to treat at a time; cells_held : cells whose values at all energies are held
    """

    box: Box
    scan: FermiScan
    resolution: Resolution
    channels: Channels
    largest_error: Real
    block_size: int
    cells_held: int


@dataclass(frozen=True, eq=False)
class Points:
    """Centres of cells (n, d) of a level.

    expected : (n, band) energies there if bands were linear in the cell around, eV; None where nothing is
        asked of what may be missed
    expected_slopes : the same of what they change by along each axis of these cells, (n, band, d) eV
    """

    level: int
    cells: Integer
    expected: Real | None = None
    expected_slopes: Real | None = None


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


def samples(operators: LatticeOperators, task: AdaptiveTask, points: Points) -> Samples:
    """Values of points, and of those with an expectation what may be missed around them."""
    k = task.box.points(points.level, points.cells)
    edges = task.box.edges / task.box.sizes(points.level)[:, None]
    slopes = any(term.needs_observable_slopes for term in task.channels.terms)
    resolution = task.resolution.floored(operators)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, len(k), task.block_size):
            some = slice(start, start + task.block_size)
            bands = solve_bands(bloch_operators(operators, k[some], slopes), resolution)
            expected = None
            if points.expected is not None and points.expected_slopes is not None:
                expected = points.expected[some], points.expected_slopes[some]
            parts.append(_sampled(bands, task, edges, expected))
    return Samples.joined(parts)


@dataclass(frozen=True, eq=False)
class _Occupied:
    """Levels of a block with one kind of occupation, (k, band, fermi_energy), and what is summed over them.

    unsure : by how much the occupation may be wrong, as bands are not straight, and what it is biased by;
        None: not at all
    repelled : what the occupation changes by where levels repel each other that straight ones would cross
    between : occupation that decides about what meeting levels hide, in units of the mix
    """

    mix: Mix
    weight: Real
    unsure: tuple[Real, Real] | None
    repelled: Real | None
    between: Real
    values: Mapping[Kernel, Real]
    doubtful: Jumps | None
    meeting: Meetings | None


def _sampled(
    bands: BlochBands, task: AdaptiveTask, edges: Real, expected: tuple[Real, Real] | None
) -> Samples:
    slopes = level_slopes(bands, edges)
    parts = list(_of_bands(bands, task, slopes, edges, expected))
    if bands.electrons is not None:
        parts += _of_filled(bands.electrons, task, edges, expected is not None)
    touched = np.zeros((len(bands.energy), len(task.scan.energies)), dtype=np.int64)
    for part in parts:
        loops.mark_steps(part.weight, touched)
        others = (*(part.unsure or ()), part.repelled, None if part.meeting is None else part.between)
        for other in others:
            if other is not None:
                loops.mark_steps(other, touched)
    point, energy = (np.ascontiguousarray(index) for index in np.nonzero(touched))
    slot = touched
    slot[point, energy] = np.arange(len(point))
    first = np.searchsorted(point, np.arange(len(touched) + 1))
    value, jump, bias = np.zeros((3, len(point), task.channels.count))
    for part in parts:
        _add(part, slot, value, jump, bias)
    return Samples(first, energy, value, jump, bias, bands.energy, slopes)


def _of_bands(
    bands: BlochBands, task: AdaptiveTask, slopes: Real, edges: Real, expected: tuple[Real, Real] | None
) -> Iterator[_Occupied]:
    scan, terms = task.scan, task.channels.terms
    values = {kernel: kernel(bands) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful, meeting, repulsion = None, None, None
    bend, corner = np.zeros((2, bands.energy.size))
    if expected is not None:
        bend, corner = bands.energy - expected[0], np.abs(slopes - expected[1]).sum(axis=2) / 4
        neighbours = Neighbours.of(bands.energy, slopes, bend)
        bend, corner = bend.ravel(), np.maximum(corner.ravel(), np.abs(bend.ravel()))
        tails = FULLY_OCCUPIED * scan.thermal_energy + float(np.abs(slopes).sum(axis=2).max()) / 2
        lowest, highest = scan.energies[0] - tails, scan.energies[-1] + tails
        doubtful = jumps(bands, neighbours, tuple(values), highest)
        meeting = meetings(bands, neighbours, slopes, edges, lowest, highest)
        repulsion = neighbours.repulsion(bands.multiplet_label).ravel()
    widths = np.abs(slopes).reshape(-1, slopes.shape[2])
    levels = bands.energy.ravel()
    shape = (*bands.energy.shape, len(scan.energies))
    for (weight, cold), mix in task.channels.mixes.items():
        own_scan = replace(scan, temperature=0.0) if cold else scan
        unsure, repelled = None, None
        if repulsion is not None and any(_is_repelled(term) for term, _ in mix.terms):
            apart = np.flatnonzero(repulsion)
            repelled = np.zeros((len(levels), len(scan.energies)))
            repelled[apart] = unsure_weights(
                levels[apart], widths[apart], repulsion[apart], own_scan, weight
            )[2]
            repelled = repelled.reshape(shape)
        if expected is not None and weight is not Weight.GRAND_POTENTIAL:
            occupied, wrong, shifted = unsure_weights(levels, widths, bend, own_scan, weight)
            if weight in SURFACES:
                # At a saddle bends along the axes cancel at the centre, and are seen by slopes alone.
                wrong = unsure_weights(levels, widths, corner, own_scan, weight)[1]
            unsure = wrong.reshape(shape), shifted.reshape(shape)
        else:
            occupied = cell_weights(levels, widths, own_scan, weight)
        occupied = between = occupied.reshape(shape)
        if meeting is not None and weight in MOMENTS:
            # Where both levels have one entropy, only sums over occupied states know of what they hide.
            factor = MOMENTS[weight] * scan.thermal_energy ** POWER[weight]
            between = factor * cell_weights(levels, widths, own_scan, Weight.SEA).reshape(shape)
        yield _Occupied(mix, occupied, unsure, repelled, between, values, doubtful, meeting)


def _is_repelled(term: Term) -> bool:
    return term.hidden is Hidden.NOTHING or term.weight is Weight.GRAND_POTENTIAL


def _of_filled(electrons: BlochBands, task: AdaptiveTask, edges: Real, asked: bool) -> Iterator[_Occupied]:
    """To half of a Bogoliubov sum belongs half of what electrons give with all bands filled (section 6)."""
    slopes = level_slopes(electrons, edges)
    neighbours = Neighbours.of(electrons.energy, slopes, np.zeros_like(electrons.energy))
    terms = [term for term in task.channels.terms if term.filled_constant]
    values = {kernel: kernel(electrons) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful = jumps(electrons, neighbours, tuple(values), np.inf) if asked else None
    shape = (*electrons.energy.shape, len(task.scan.energies))
    filled = {Weight.SEA: np.ones_like(electrons.energy), Weight.GRAND_POTENTIAL: electrons.energy}
    for weight, mix in task.channels.filled_mixes.items():
        if weight in filled:
            occupied = np.ascontiguousarray(np.broadcast_to(filled[weight][..., None], shape))
            yield _Occupied(mix, occupied, None, None, occupied, values, doubtful, None)


def level_slopes(bands: BlochBands, edges: Real) -> Real:
    """What each level changes by along the edges (d, 3) of a cell, (k, band, d) eV.

    In ascending order where levels meet: their states are any mixture there, and what is found of a cell must
    be found again when it is replaced.
    """
    matrices = np.einsum("knam,da->kdnm", bands.slopes_and_positions[:, :, :3], edges.astype(complex))
    slopes = np.einsum("kdnn->knd", matrices).real.copy()
    meets = np.pad(np.diff(bands.energy, axis=1) < MEETING, ((0, 0), (1, 1)))
    alone = meets[:, 1:-1] & ~meets[:, :-2] & ~meets[:, 2:]
    k, n = np.nonzero(alone)
    half = (slopes[k, n + 1] - slopes[k, n]) / 2
    middle, apart = (slopes[k, n + 1] + slopes[k, n]) / 2, np.hypot(half, np.abs(matrices[k, :, n, n + 1]))
    slopes[k, n], slopes[k, n + 1] = middle - apart, middle + apart
    several = meets[:, 1:-1] & ~alone
    for row in np.flatnonzero(several.any(axis=1)):
        for group in np.split(np.arange(slopes.shape[1]), np.flatnonzero(~several[row]) + 1):
            if len(group) > 1:
                block = matrices[row][:, group[:, None], group]
                slopes[row, group] = np.linalg.eigvalsh(block).T
    return slopes


def _add(part: _Occupied, slot: Integer, value: Real, jump: Real, bias: Real) -> None:
    mix = part.mix
    own = mix.channels([part.values[term.kernel] for term, _ in mix.terms])
    loops.add_levels(slot, part.weight, own, mix.first, value)
    if part.unsure is not None:
        wrong, shifted = part.unsure
        if mix.terms[0][0].weight in SURFACES:
            loops.add_levels(slot, wrong, np.abs(own), mix.first, jump)
        else:
            # Levels that nearly meet bend alike, and what they have in excess of each other stays so.
            rows = np.arange(len(shifted))
            loops.add_sizes(rows, np.ones(len(rows)), slot, shifted, own, mix.first, jump)
        loops.add_levels(slot, shifted, own, mix.first, bias)
    if part.repelled is not None:
        # What meeting levels hide of a curvature is far more than this.
        plain = [part.values[term.kernel] * float(_is_repelled(term)) for term, _ in mix.terms]
        rows = np.arange(len(slot))
        loops.add_sizes(rows, np.ones(len(rows)), slot, part.repelled, mix.channels(plain), mix.first, jump)
    doubtful, meeting = part.doubtful, part.meeting
    if doubtful is not None and len(doubtful.rows):
        own = mix.channels([doubtful.values[term.kernel] for term, _ in mix.terms])
        loops.add_sizes(doubtful.rows, doubtful.share, slot, part.weight, own, mix.first, jump)
    if (
        meeting is not None
        and len(meeting.rows)
        and any(t.hidden is not Hidden.NOTHING for t, _ in mix.terms)
    ):
        bounds = mix.sizes.channels([meeting.components(term, shape) for term, shape in mix.terms])
        loops.add_meetings(meeting.rows, slot, part.between, bounds, mix.first, jump)
