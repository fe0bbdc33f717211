"""From an operator set and a span of mesh lines to partial sums of Brillouin-zone integrals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bands import BlochBands, Resolution, solve_bands
from .lattice import BlochOperators, LatticeOperators, Real, bloch_operators, stacked_count
from .mesh import KMesh, LineSpan
from .occupations import FermiScan, Occupations, Weight
from .quantities import BandQuantity, Integral, Kernel, Sample, Term
from .separable import mesh_blocks

#: One sum per term: (components ..., fermi_energy)
PartialSums = Mapping[Term, Real]

#: Bytes of work arrays that a block of k should keep in cache.
CACHE_BYTES = 8 * 2**20


@dataclass(frozen=True, eq=False)
class Task:
    """What is summed over the mesh, the same for every span."""

    mesh: KMesh
    scan: FermiScan
    resolution: Resolution
    terms: tuple[Term, ...]
    block_size: int


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


def block_size(operators: LatticeOperators, budget: float = np.inf) -> int:
    """K points to treat at a time: what fits the cache, or the budget (bytes) if that is less; at least 1."""
    return max(1, int(min(CACHE_BYTES, budget) // bytes_per_kpoint(operators)))


def sum_span(operators: LatticeOperators, task: Task, span: LineSpan) -> PartialSums:
    """Sums over the k points of a span (not divided by their number). Pure: rerun it anywhere."""
    totals: dict[Term, Real] = {}
    slopes = any(term.needs_observable_slopes for term in task.terms)
    resolution = task.resolution.floored(operators)
    # A number that is not finite is refused, with its reason, where the result is put together.
    with np.errstate(all="ignore"):
        for bloch in mesh_blocks(operators, task.mesh, span, task.block_size, slopes):
            bands = solve_bands(bloch, resolution)
            for term, part in _sum_block(bands, task).items():
                totals[term] = totals[term] + part if term in totals else part
    return totals


def _sum_block(bands: BlochBands, task: Task) -> PartialSums:
    values = {kernel: kernel(bands) for kernel in _kernels(task.terms)}
    occupations = Occupations(bands.energy, task.scan)
    sums: dict[Term, Real] = {}
    for term in task.terms:
        value = values[term.kernel]
        rows = np.moveaxis(value, -1, 1).reshape(bands.energy.size, -1)
        sums[term] = occupations.sum(rows, term.weight).reshape(*value.shape[1:-1], -1)
    if bands.electrons is not None:
        _add_filled_electrons(sums, bands.electrons)
    return sums


def _add_filled_electrons(sums: dict[Term, Real], electrons: BlochBands) -> None:
    """To half of a Bogoliubov sum belongs half of what the electrons alone give with all bands filled."""
    filled = {Weight.SEA: np.ones_like(electrons.energy), Weight.GRAND_POTENTIAL: electrons.energy}
    for term in sums:
        if term.filled_constant and term.weight in filled:
            constant = np.einsum("k...n,kn->...", term.kernel(electrons), filled[term.weight])
            sums[term] = sums[term] + constant[..., None]


def _kernels(terms: Sequence[Term]) -> tuple[Kernel, ...]:
    return tuple(dict.fromkeys(term.kernel for term in terms))


def add_sums(first: PartialSums, second: PartialSums) -> PartialSums:
    """Combine two partial results."""
    return {term: first[term] + second[term] for term in first}


def finish(integral: Integral, sums: PartialSums, kpoint_count: int, sample: Sample) -> Real:
    """Values of an integral in its unit, (dims ..., fermi_energy)."""
    averages = (sums[term] / kpoint_count if term in sums else 0.0 for term in integral.terms)
    return integral.unit.factor(sample) * integral.combine(*averages)


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


def band_values_on_mesh(
    operators: LatticeOperators,
    mesh: KMesh,
    span: LineSpan,
    resolution: Resolution,
    chosen: Sequence[BandQuantity],
    block: int,
) -> dict[str, Real]:
    """Per-k quantities on a span of mesh lines, in the order of `KMesh.points`."""
    blocks = mesh_blocks(operators, mesh, span, block, False)
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
