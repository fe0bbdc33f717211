"""Integrands of cells at all Fermi energies, from one point in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import loops
from ..bands import BlochBands, Resolution, solve_bands
from ..lattice import Integer, LatticeOperators, Real, bloch_operators
from ..occupations import FULLY_OCCUPIED, FermiScan, Weight
from ..quantities.record import Hidden, Kernel, Term
from .box import Box
from .channels import Channels, Mix
from .doubt import Jumps, Meetings, Neighbours, jumps, meetings
from .weights import cell_weights

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

    block_size : k points to treat at a time; cells_held : cells whose values at all energies are held
    """

    box: Box
    scan: FermiScan
    resolution: Resolution
    channels: Channels
    block_size: int
    cells_held: int


@dataclass(frozen=True, eq=False)
class CellSums:
    """Weighted sums of one-point values, (sum, fermi_energy, channel).

    jump : of what may be hidden from these points
    """

    value: Real
    jump: Real


@dataclass(frozen=True, eq=False)
class Points:
    """Centres of cells (n, d) of a level, each adding its value times `share` to the sum number `goal`."""

    level: int
    cells: Integer
    goal: Integer
    share: Real

    @classmethod
    def each(cls, level: int, cells: Integer) -> Points:
        """Every cell by itself."""
        return cls(level, cells, np.arange(len(cells)), np.ones(len(cells)))


def cell_sums(operators: LatticeOperators, task: AdaptiveTask, points: Points, count: int) -> CellSums:
    """Values of points, added up into `count` sums."""
    shape = (count, len(task.scan.energies), task.channels.count)
    sums = CellSums(np.zeros(shape), np.zeros(shape))
    k = task.box.points(points.level, points.cells)
    edges = task.box.edges / task.box.sizes(points.level)[:, None]
    slopes = any(term.needs_observable_slopes for term in task.channels.terms)
    resolution = task.resolution.floored(operators)
    with np.errstate(all="ignore"):
        for start in range(0, len(k), task.block_size):
            some = slice(start, start + task.block_size)
            bands = solve_bands(bloch_operators(operators, k[some], slopes), resolution)
            place = _Place(points.goal[some], points.share[some])
            _add_bands(bands, task, edges, place, sums)
            if bands.electrons is not None:
                _add_filled(bands.electrons, task, edges, place, sums)
        loops.accumulate(sums.value)
    return sums


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the points of a block are added, and with what factor."""

    goal: Integer
    share: Real

    def at(self, rows: Integer, factor: Real | float = 1.0) -> tuple[Integer, Real]:
        return self.goal[rows], self.share[rows] * factor


def _add_bands(bands: BlochBands, task: AdaptiveTask, edges: Real, place: _Place, sums: CellSums) -> None:
    scan, terms = task.scan, task.channels.terms
    slopes = _slopes(bands, edges)
    neighbours = Neighbours.of(bands.energy, slopes)
    tails = FULLY_OCCUPIED * scan.thermal_energy + float(np.abs(slopes).sum(axis=2).max()) / 2
    lowest, highest = scan.energies[0] - tails, scan.energies[-1] + tails
    values = {kernel: kernel(bands) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful = jumps(bands, neighbours, tuple(values), highest)
    meeting = meetings(bands, neighbours, lowest, highest)
    widths = np.abs(slopes).reshape(-1, slopes.shape[2])
    for (weight, cold), mix in task.channels.mixes.items():
        own_scan = replace(scan, temperature=0.0) if cold else scan
        occupied = cell_weights(bands.energy.ravel(), widths, own_scan, weight)
        _add_weighted(mix, occupied.reshape(*bands.energy.shape, -1), values, doubtful, meeting, place, sums)


def _add_filled(bands: BlochBands, task: AdaptiveTask, edges: Real, place: _Place, sums: CellSums) -> None:
    """To half of a Bogoliubov sum belongs half of what electrons give with all bands filled (section 6)."""
    neighbours = Neighbours.of(bands.energy, _slopes(bands, edges))
    terms = [term for term in task.channels.terms if term.filled_constant]
    values = {kernel: kernel(bands) for kernel in dict.fromkeys(term.kernel for term in terms)}
    doubtful = jumps(bands, neighbours, tuple(values), np.inf)
    shape = (*bands.energy.shape, len(task.scan.energies))
    filled = {Weight.SEA: np.ones_like(bands.energy), Weight.GRAND_POTENTIAL: bands.energy}
    for weight, mix in task.channels.filled_mixes.items():
        if weight not in filled:
            continue
        occupied = np.ascontiguousarray(np.broadcast_to(filled[weight][..., None], shape))
        _add_weighted(mix, occupied, values, doubtful, None, place, sums)


def _slopes(bands: BlochBands, edges: Real) -> Real:
    """What each level changes by along the edges (d, 3) of a cell, (k, band, d) eV."""
    return np.einsum("knan->kna", bands.slopes_and_positions[:, :, :3]).real @ edges.T


def _add_weighted(
    mix: Mix,
    occupied: Real,
    values: Mapping[Kernel, Real],
    doubtful: Jumps,
    meeting: Meetings | None,
    place: _Place,
    sums: CellSums,
) -> None:
    """Add all terms of one weight; occupied : (k, band, fermi_energy)."""
    own = mix.channels([values[term.kernel] for term, _ in mix.terms])
    loops.add_levels(place.goal, place.share, occupied, own, mix.first, sums.value)
    if len(doubtful.rows):
        own = mix.channels([doubtful.values[term.kernel] for term, _ in mix.terms])
        goal, share = place.at(doubtful.rows, doubtful.share)
        loops.add_sizes(goal, share, occupied[doubtful.rows], own, mix.first, sums.jump)
    if (
        meeting is not None
        and len(meeting.rows)
        and any(t.hidden is not Hidden.NOTHING for t, _ in mix.terms)
    ):
        bounds = mix.sizes.channels([meeting.components(term, shape) for term, shape in mix.terms])
        goal, share = place.at(meeting.rows)
        loops.add_meetings(goal, share, occupied[meeting.rows], bounds, mix.first, sums.jump)
