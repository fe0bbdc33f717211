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
from .occupations import FermiScan, FermiSums, Occupations, Weight
from .quantities import BandQuantity, Integral, Kernel, Sample, Term, antisymmetric, band_quantities
from .separable import mesh_blocks
from .symmetry import SymmetryGroup

#: Bytes of work arrays that a block of k should keep in cache.
CACHE_BYTES = 8 * 2**20

#: Lanes of the widest vectors.
_LANES = 8

#: K points of a block, and the times their matrices may exceed the cache for it: with fewer, a block costs
#: more in Python than the cache saves.
_ENOUGH, _BEYOND_CACHE = 192, 4

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
    """

    mesh: IrreducibleMesh
    scan: FermiScan
    resolution: Resolution
    terms: tuple[Term, ...]
    block_size: int
    split: Submeshes = WHOLE

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
    slopes = any(term.needs_observable_slopes for term in task.terms)
    resolution = task.resolution.floored(operators)
    points, done = task.mesh.points(span), 0
    indices = task.mesh.full.indices(points)
    kpoints, numbers = task.mesh.full.reduced(indices), task.split.of_points(indices)
    sums = _SpanSums(task)
    # A number that is not finite is refused, with its reason, where the result is put together.
    with np.errstate(all="ignore"):
        mesh, order = task.mesh.full, task.mesh.order
        for bloch in mesh_blocks(operators, mesh, points, task.block_size, slopes, order):
            levels = _Levels.of(solve_bands(bloch, resolution, task.scan.window), task.terms)
            part = slice(done, done := done + len(levels.energy))
            sums.add(levels, kpoints[part], numbers[part], points.weight[part])
    return sums.found(operators)


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
        return values.transpose(0, values.ndim - 1, *range(1, values.ndim - 1)).reshape(
            len(values), values.shape[-1], count
        )


class _SpanSums:
    """Sums over a span and the shares of its single k points, to which blocks of levels are added."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._kinds = [
            _Alike(task, cold, kind, terms) for (cold, kind), terms in _by_weight(task.terms).items()
        ]
        self._filled: dict[Term, Real] = {}

    def add(self, levels: _Levels, kpoints: Real, numbers: Integer, weight: Real) -> None:
        """Add some k points, (k, 3) reduced; numbers : (k,) of the sub-mesh of each k."""
        count, watched = self._task.split.count, self._task.watched
        known: dict[float, Occupations] = {}
        for alike in self._kinds:
            temperature = alike.scan.temperature
            if temperature not in known:
                known[temperature] = Occupations(levels.energy, alike.scan, numbers, count, watched)
            alike.add(known[temperature], levels, kpoints, weight)
        if levels.electrons is not None:
            self._add_filled_electrons(levels.electrons, numbers, weight)

    def _add_filled_electrons(self, electrons: _Levels, numbers: Integer, weight: Real) -> None:
        """To half of a Bogoliubov sum belongs half of what the electrons alone give with all bands filled."""
        counted = np.broadcast_to(weight[:, None], electrons.energy.shape)
        filled = {Weight.SEA: counted, Weight.GRAND_POTENTIAL: counted * electrons.energy}
        for term in self._task.terms:
            if term.filled_constant and term.weight in filled:
                constant = np.einsum("k...n,kn->k...", electrons.values[term.kernel], filled[term.weight])
                if term not in self._filled:
                    self._filled[term] = np.zeros((self._task.split.count, *constant.shape[1:]))
                np.add.at(self._filled[term], numbers, constant)

    def found(self, operators: LatticeOperators) -> PartialSums:
        """What was summed."""
        values: dict[Term, Real] = {}
        shares: dict[Term, Real] = {}
        for alike in self._kinds:
            values |= alike.values()
            shares |= dict(zip(alike.terms, alike.shares, strict=True))
        for term, constant in self._filled.items():
            values[term] = values[term] + constant[..., None]
        return PartialSums({term: _whole(term, operators, values[term]) for term in self._task.terms}, shares)


class _Alike:
    """Terms whose levels are occupied alike: their sums, and the shares of single k points.

    shares : (term, watched energy, 5), see `PartialSums`
    """

    def __init__(self, task: Task, cold: bool, weight: Weight, terms: list[Term]) -> None:
        self.scan = replace(task.scan, temperature=0.0) if cold else task.scan
        self.weight, self.terms = weight, terms
        self._groups = task.split.count
        self.shares = np.zeros((len(terms), len(task.watched), 5))
        self._sums: FermiSums | None = None
        self._rows: Real | None = None
        self._shapes: list[tuple[int, ...]] = []

    def add(self, occupied: Occupations, levels: _Levels, kpoints: Real, weight: Real) -> None:
        """Add some k points, (k, 3) reduced; weight : (k,) how often each counts."""
        parts = [levels.rows(term) for term in self.terms]
        edges = contractions.column_edges(parts)
        rows = contractions.rows_of(parts, self._rows)
        if self._sums is None:
            self._rows, self._shapes = rows, [levels.values[term.kernel].shape[1:-1] for term in self.terms]
            self._sums = FermiSums(self.scan, self.weight, self._groups, edges[-1])
        self._sums.add(occupied, rows, weight)
        watched = occupied.weights_at_watched(self.weight)
        contractions.add_sizes(watched, rows, edges, weight, kpoints, self.shares)

    def values(self) -> dict[Term, Real]:
        """Sums of each term, (sub-mesh, components ..., fermi_energy)."""
        assert self._sums is not None
        found, stop = self._sums.found(), 0
        values: dict[Term, Real] = {}
        for term, shape in zip(self.terms, self._shapes, strict=True):
            start, stop = stop, stop + math.prod(shape)
            values[term] = found[:, start:stop].reshape(self._groups, *shape, -1)
        return values


def _by_weight(terms: Sequence[Term]) -> dict[tuple[bool, Weight], list[Term]]:
    """Terms that are occupied alike."""
    found: dict[tuple[bool, Weight], list[Term]] = {}
    for term in terms:
        found.setdefault((term.cold, term.weight), []).append(term)
    return found


def add_sums(first: PartialSums, second: PartialSums) -> PartialSums:
    """Combine two partial results."""
    return PartialSums(
        {term: first.values[term] + second.values[term] for term in first.values},
        {term: _larger_shares(first.shares[term], second.shares[term]) for term in first.shares},
    )


def _larger_shares(first: Real, second: Real) -> Real:
    combined = np.where(second[..., 1:2] > first[..., 1:2], second, first)
    combined[..., 0] = first[..., 0] + second[..., 0]
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
    block = block_size(operators)
    if len(kpoints) <= block and operators.size <= lanes.LARGEST:
        # Few points, many times over, as in the search for a gap: without states and all that hangs on them.
        energies = lanes.energies_at(operators, kpoints)
        if energies is not None:
            return energies
    return band_values(operators, kpoints, Resolution(), band_quantities(["energy"]), block)["energy"]


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
