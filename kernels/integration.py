"""From an operator set and a span of mesh lines to partial sums of Brillouin-zone integrals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import contractions, lanes
from .bands import BlochBands, Resolution, solve_bands
from .interleaved import WHOLE, Submeshes
from .interpolation import bloch_operators
from .irreducible import IrreducibleMesh
from .lattice import BlochOperators, Integer, LatticeOperators, Real, stacked_count
from .mesh import KMesh, LineSpan
from .occupations import FermiScan, Occupations, Weight, level_weights
from .quantities import BandQuantity, Integral, Kernel, Sample, Term, antisymmetric, band_quantities
from .separable import mesh_blocks
from .symmetry import SymmetryGroup

#: Bytes of work arrays that a block of k should keep in cache.
CACHE_BYTES = 8 * 2**20

#: Lanes of the widest vectors.
_LANES = 8

#: K points of a block, and the times their matrices may exceed the cache for it: with fewer, a block costs
#: more in Python than the cache saves.
_ENOUGH, _BEYOND_CACHE = 48, 4

#: Matrices of a k point that loops come back to: states, what is rotated, products.
_MATRICES_IN_CACHE = 15

#: Fermi energies of a scan at which the shares of single k points are looked at.
_WATCHED = 9


@dataclass(frozen=True, eq=False)
class PartialSums:
    """Sums over some k points, which add up with `add_sums`.

    values : term -> (sub-mesh, components ..., fermi_energy)
    shares : term -> (watched energy, 5) sum over k of |F|, the largest |F| of a single k, and that k,
        reduced; |F| the size of what a k point adds, all components together
    """

    values: Mapping[Term, Real]
    shares: Mapping[Term, Real]


@dataclass(frozen=True, eq=False)
class Task:
    """What is summed over the mesh, the same for every span.

    block_size : k points whose matrices are held at a time
    split : sub-meshes that are summed apart
    points_summed : k points whose values wait to be summed at a time, at least one block
    """

    mesh: IrreducibleMesh
    scan: FermiScan
    resolution: Resolution
    terms: tuple[Term, ...]
    block_size: int
    split: Submeshes = WHOLE
    points_summed: int = 1

    @property
    def watched(self) -> Integer:
        """Indices of the energies of the scan at which the shares of single k points are kept."""
        return watched_energies(len(self.scan.energies))


def watched_energies(count: int) -> Integer:
    """Indices of some of so many energies, evenly spread, the middle among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _WATCHED)).round().astype(np.int64))


def terms_of(chosen: Iterable[Integral], temperature: float) -> tuple[Term, ...]:
    """Every sum that the integrals need at a temperature (K), each once."""
    return tuple(dict.fromkeys(term for integral in chosen for term in integral.terms_at(temperature)))


def bytes_per_kpoint(operators: LatticeOperators) -> int:
    """Work memory of one k point: stacked operators, three rotated copies, spin currents, products of T14."""
    observables = operators.observable_count
    matrices = 4 * stacked_count(operators) + 6 * observables + 10 + 4 * (observables + 3)
    if operators.field_charge is not None:
        # The vertex of the field, the products with it, and the electrons alone.
        matrices *= 2
    return 16 * operators.size**2 * matrices


def bytes_of_tables(operators: LatticeOperators) -> int:
    """Memory beside the matrices in R space that sums over R need, whatever the number of k points."""
    return lanes.lane_bytes(operators) if operators.size <= lanes.LARGEST else 0


def block_size(operators: LatticeOperators, budget: float = np.inf) -> int:
    """K points to treat at a time: what fits the cache, or the budget (bytes) if that is less; at least 1.

    Whole vectors of lanes where the budget allows it.
    """
    cached = CACHE_BYTES / (16 * operators.size**2 * _MATRICES_IN_CACHE)
    points = max(cached, min(_ENOUGH, _BEYOND_CACHE * cached))
    cached = max(1, int(points / _LANES)) * _LANES
    return max(1, int(min(cached, budget // bytes_per_kpoint(operators))))


def sum_span(operators: LatticeOperators, task: Task, span: LineSpan) -> PartialSums:
    """Sums over the k points of a span (not divided by their number). Pure: rerun it anywhere.

    A point counts as often as its weight says; `whole_zone` makes of it the sum over the zone.
    """
    values: dict[Term, Real] = {}
    shares: dict[Term, Real] = {}
    slopes = any(term.needs_observable_slopes for term in task.terms)
    resolution = task.resolution.floored(operators)
    points, done = task.mesh.points(span), 0
    indices = task.mesh.full.indices(points)
    kpoints, numbers = task.mesh.full.reduced(indices), task.split.of_points(indices)
    blocks: list[_Levels] = []
    # A number that is not finite is refused, with its reason, where the result is put together.
    with np.errstate(all="ignore"):
        mesh, order = task.mesh.full, task.mesh.order
        for bloch in mesh_blocks(operators, mesh, points, task.block_size, slopes, order):
            blocks.append(_Levels.of(solve_bands(bloch, resolution, task.scan.window), task.terms))
            waiting = sum(len(block.energy) for block in blocks)
            if waiting < task.points_summed and done + waiting < len(points.weight):
                continue
            levels, part = _Levels.joined(blocks), slice(done, done := done + waiting)
            weight = points.weight[part]
            _add_levels(values, levels, task, numbers[part], weight)
            for term, found in _shares(levels, kpoints[part], weight, task).items():
                shares[term] = _larger_shares(shares[term], found) if term in shares else found
            blocks.clear()
    return PartialSums({term: _whole(term, operators, sums) for term, sums in values.items()}, shares)


def _as_pseudovector(term: Term, operators: LatticeOperators | BlochOperators) -> bool:
    return term.pseudovector is not None and operators.field_charge is None


def _whole(term: Term, operators: LatticeOperators, sums: Real) -> Real:
    """All components of the sums of a term."""
    return antisymmetric(sums) if _as_pseudovector(term, operators) else sums


def whole_zone(sums: PartialSums, group: SymmetryGroup) -> PartialSums:
    """Sums over irreducible points, each with its weight, as those over all points of the mesh.

    Every sub-mesh must be one that the group maps to itself.
    """

    def averaged(term: Term, values: Real) -> Real:
        return np.stack([term.transformation.averaged(part, group) for part in values])

    return PartialSums({term: averaged(term, values) for term, values in sums.values.items()}, sums.shares)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Levels of some k points and what each term makes of them.

    energy : (k, band); values : (k, components ..., band) of each kernel, a pseudovector where that will do
    electrons : of a superconductor
    """

    energy: Real
    values: Mapping[Kernel, Real]
    electrons: _Levels | None = None

    @classmethod
    def of(cls, bands: BlochBands, terms: Sequence[Term]) -> _Levels:
        values: dict[Kernel, Real] = {}
        for term in terms:
            if term.kernel not in values:
                brief = term.pseudovector if _as_pseudovector(term, bands.operators) else None
                values[term.kernel] = (brief or term.kernel)(bands)
        if bands.electrons is None:
            return cls(bands.energy, values)
        # Whole tensors, as those they are added to.
        constant = {term.kernel for term in terms if term.filled_constant}
        filled = {kernel: kernel(bands.electrons) for kernel in constant}
        return cls(bands.energy, values, cls(bands.electrons.energy, filled))

    def rows(self, term: Term) -> Real:
        """Values of a term, (k, band, component)."""
        values = self.values[term.kernel]
        count = math.prod(values.shape[1:-1])
        return np.moveaxis(values, -1, 1).reshape(len(values), values.shape[-1], count)

    @classmethod
    def joined(cls, parts: Sequence[_Levels]) -> _Levels:
        if len(parts) == 1:
            return parts[0]
        values = {
            kernel: np.concatenate([part.values[kernel] for part in parts]) for kernel in parts[0].values
        }
        electrons = [part.electrons for part in parts if part.electrons is not None]
        energy = np.concatenate([part.energy for part in parts])
        return cls(energy, values, cls.joined(electrons) if electrons else None)


def _add_levels(sums: dict[Term, Real], levels: _Levels, task: Task, numbers: Integer, weight: Real) -> None:
    """Add some k points to the sums of each sub-mesh, in place; numbers : (k,) of the sub-mesh of each k."""
    bands, count = levels.energy.shape[1], task.split.count
    group = np.repeat(numbers, bands)
    occupations = {
        cold: Occupations(levels.energy, scan, group, count)
        for cold, scan in ((False, task.scan), (True, replace(task.scan, temperature=0.0)))
    }
    for (cold, kind), terms in _by_weight(task.terms).items():
        found = occupations[cold].sum(_weighted(levels, terms, weight), kind)
        stop = 0
        for term in terms:
            shape = levels.values[term.kernel].shape[1:-1]
            start, stop = stop, stop + math.prod(shape)
            part = found[:, start:stop].reshape(count, *shape, -1)
            sums[term] = sums[term] + part if term in sums else part
    if levels.electrons is not None:
        _add_filled_electrons(sums, levels.electrons, numbers, weight)


def _weighted(levels: _Levels, terms: Sequence[Term], weight: Real) -> Real:
    """Values of terms side by side, as often as their k points count, (k and band, component)."""
    parts = [levels.rows(term) for term in terms]
    edges = np.cumsum([0, *(part.shape[2] for part in parts)])
    rows = np.empty((*levels.energy.shape, edges[-1]))
    for part, start, stop in zip(parts, edges, edges[1:], strict=False):
        np.multiply(part, weight[:, None, None], out=rows[:, :, start:stop])
    return rows.reshape(-1, edges[-1])


def _by_weight(terms: Sequence[Term]) -> dict[tuple[bool, Weight], list[Term]]:
    """Terms that are occupied alike."""
    found: dict[tuple[bool, Weight], list[Term]] = {}
    for term in terms:
        found.setdefault((term.cold, term.weight), []).append(term)
    return found


def _shares(levels: _Levels, points: Real, weight: Real, task: Task) -> dict[Term, Real]:
    """What `PartialSums` keeps of single k points."""
    watched, found = task.scan.energies[task.watched], {}
    for (cold, kind), terms in _by_weight(task.terms).items():
        thermal_energy = 0.0 if cold else task.scan.thermal_energy
        occupied = level_weights(levels.energy[..., None] - watched, thermal_energy, kind)
        for term in terms:
            sizes = contractions.sizes(occupied, levels.rows(term))
            largest = sizes.argmax(axis=0)
            found[term] = np.column_stack([weight @ sizes, sizes.max(axis=0), points[largest]])
    return found


def _add_filled_electrons(sums: dict[Term, Real], electrons: _Levels, numbers: Integer, weight: Real) -> None:
    """To half of a Bogoliubov sum belongs half of what the electrons alone give with all bands filled."""
    counted = np.broadcast_to(weight[:, None], electrons.energy.shape)
    filled = {Weight.SEA: counted, Weight.GRAND_POTENTIAL: counted * electrons.energy}
    for term in sums:
        if term.filled_constant and term.weight in filled:
            constant = np.einsum("k...n,kn->k...", electrons.values[term.kernel], filled[term.weight])
            np.add.at(sums[term], numbers, constant[..., None])


def add_sums(first: PartialSums, second: PartialSums) -> PartialSums:
    """Combine two partial results."""
    return PartialSums(
        {term: first.values[term] + second.values[term] for term in first.values},
        {term: _larger_shares(first.shares[term], second.shares[term]) for term in first.shares},
    )


def _larger_shares(first: Real, second: Real) -> Real:
    combined = np.where(second[:, 1:2] > first[:, 1:2], second, first)
    combined[:, 0] = first[:, 0] + second[:, 0]
    return combined


def whole_sums(sums: PartialSums) -> Mapping[Term, Real]:
    """Term -> (components ..., fermi_energy), the sum over all k points."""
    return {term: values.sum(axis=0) for term, values in sums.values.items()}


def finish(integral: Integral, sums: Mapping[Term, Real], kpoint_count: float, sample: Sample) -> Real:
    """Values of an integral in its unit, (dims ..., fermi_energy), from sums over that many k points."""
    averages = (sums[term] / kpoint_count if term in sums else 0.0 for term in integral.terms)
    return integral.unit.factor(sample) * integral.combine(*averages)


def finish_error(integral: Integral, sums: PartialSums, task: Task, sample: Sample) -> Real:
    """Error bars of `finish`, (dims ..., fermi_energy), from sub-meshes; NaN where they are not known."""
    values = [
        finish(
            integral,
            {term: parts[number] for term, parts in sums.values.items()},
            task.mesh.full.size * share,
            sample,
        )
        for number, share in enumerate(task.split.weights)
    ]
    return task.split.error(np.stack(values), task.scan.energies)


@dataclass(frozen=True)
class Dominance:
    """How much of an integral one k point carries: its share of the sum of |F|, and where it is, reduced.

    finest : whether its cell is as small as cells get
    """

    share: float
    kpoint: tuple[float, float, float]
    finest: bool = False


def dominance(integral: Integral, sums: PartialSums) -> Dominance:
    """The largest share that a single k point has of an integral, at any of the watched energies.

    Of the largest sum of |F| over these energies, so that an energy with hardly a state counts for little.
    """
    found = Dominance(0.0, (0.0, 0.0, 0.0))
    for term in integral.terms:
        if term in sums.shares and (total := sums.shares[term][:, 0].max()) > 0:
            row = sums.shares[term][sums.shares[term][:, 1].argmax()]
            if row[1] / total > found.share:
                x, y, z = row[2:].tolist()
                found = Dominance(float(row[1] / total), (x, y, z))
    return found


def band_values(
    operators: LatticeOperators,
    kpoints: Real,
    resolution: Resolution,
    chosen: Sequence[BandQuantity],
    block: int,
) -> dict[str, Real]:
    """Per-k quantities at any list of reduced k points, {name: (k, dims ..., band)}."""
    pieces = (kpoints[start : start + block] for start in range(0, len(kpoints), block))
    blocks = (bloch_operators(operators, piece) for piece in pieces)
    return _values_of(blocks, resolution.floored(operators), chosen)


def band_energies(operators: LatticeOperators, kpoints: Real) -> Real:
    """Energies of all bands at any list of reduced k points, (k, band) ascending in eV."""
    chosen = band_quantities(["energy"])
    return band_values(operators, kpoints, Resolution(), chosen, block_size(operators))["energy"]


def band_values_on_mesh(
    operators: LatticeOperators,
    mesh: KMesh,
    span: LineSpan,
    resolution: Resolution,
    chosen: Sequence[BandQuantity],
    block: int,
) -> dict[str, Real]:
    """Per-k quantities on a span of mesh lines, in the order of `KMesh.points`."""
    blocks = mesh_blocks(operators, mesh, mesh.every_point(span), block)
    return _values_of(blocks, resolution.floored(operators), chosen)


def _values_of(
    blocks: Iterable[BlochOperators], resolution: Resolution, chosen: Sequence[BandQuantity]
) -> dict[str, Real]:
    parts: dict[str, list[Real]] = {quantity.name: [] for quantity in chosen}
    with np.errstate(all="ignore"):
        for bloch in blocks:
            bands = solve_bands(bloch, resolution)
            for quantity in chosen:
                parts[quantity.name].append(quantity.kernel(bands))
    return {name: np.concatenate(pieces) for name, pieces in parts.items()}
