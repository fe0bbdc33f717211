"""Energies, states and the per-k building blocks of theory section 3.

`BlochBands` holds matrices between all bands of a batch of k. Each is computed when first asked for and
handed out read-only, so a quantity costs what it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from . import contractions, loops
from .compiled import log
from .errors import InputError, checked_number
from .lanes import LARGEST, LaneBands, LaneVertex, SummedOperators, eigh, solved
from .lattice import BlochOperators, Complex, Integer, LatticeOperators, Real
from .unlocked import cached_property

#: Default resolution of bands in eV: above the splitting that a real Wannier model gives to Kramers pairs.
DEFAULT_DEGENERACY_THRESHOLD = 5e-3

#: Splitting of equal levels by rounding, at most, as a share of |H|: LAPACK's bound is eps |H| times a slowly
#: growing function of the size. Measured up to 160 Wannier functions and 125 R: 6 to 12 eps |H(k)|.
_ROUNDING = 64 * np.finfo(float).eps


#: A window that no level lies outside of.
_ALL_LEVELS = (-np.inf, np.inf)

#: Properties of `BlochBands` that other multiplets leave as they are.
_INDEPENDENT_OF_MULTIPLETS = ("half_rotated", "slopes_and_positions", "observable")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Resolution:
    """What counts as one level: physical settings of every per-k quantity (theory section 2).

    degeneracy_threshold : eV, consecutive bands closer than this form one multiplet
    broadening : eV, eta of the conventional curvature (T3)
    """

    degeneracy_threshold: float = DEFAULT_DEGENERACY_THRESHOLD
    broadening: float = 0.0

    def __post_init__(self) -> None:
        for name in ("degeneracy_threshold", "broadening"):
            expected = "a finite energy in eV of at least 0"
            value = checked_number(name, getattr(self, name), expected)
            if value < 0:
                raise InputError(f"{name}: expected {expected}, found {value}.")
            object.__setattr__(self, name, abs(value))

    def floored(self, operators: LatticeOperators) -> Resolution:
        """The same, with a threshold that no rounding error can exceed.

        Levels that are equal in exact arithmetic, Kramers partners above all, come out of the Fourier sum and
        the eigensolver split by some eps |H|; taken for two levels they would give curvatures of 1e30.
        """
        floor = _ROUNDING * operators.energy_scale
        if self.degeneracy_threshold >= floor or not np.isfinite(floor):
            return self
        return replace(self, degeneracy_threshold=floor)


def frozen(array: NDArray) -> NDArray:
    """The array itself, closed for writing: it is shared by all who ask for it."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Vertex:
    """What a force couples to, between bands, (k, n, b, m).

    velocity : v_b of a temperature gradient, which acts on electrons and holes alike, or V_b of a field
    position : -i velocity/(eps_n - eps_m) between multiplets, 0 inside
    """

    velocity: Complex
    position: Complex


class LazyVertex(Vertex):
    """Matrices that are made when they are asked for: loops over lanes make their own."""

    def __init__(self, make: Callable[[], tuple[Complex, Complex]]) -> None:
        vars(self).update(_make=make)

    _make: Callable[[], tuple[Complex, Complex]]

    @cached_property
    def _made(self) -> tuple[Complex, Complex]:
        velocity, position = self._make()
        return frozen(velocity), frozen(position)

    @property
    def velocity(self) -> Complex:
        return self._made[0]

    @property
    def position(self) -> Complex:
        return self._made[1]


@dataclass(frozen=True, eq=False)
class Doubt:
    """Neighbouring levels that may be one multiplet or two elsewhere in the cell around a k.

    reach : (k, band - 1) eV, how far their distance may change within the cell
    resolved : (k,) whether pairs whose distance is within `reach` of the threshold count as two levels or one
    """

    reach: Real
    resolved: NDArray[np.bool_]

    def split(self, gap: Real, threshold: float) -> NDArray[np.bool_]:
        """Where neighbours count as two levels, (k, band - 1)."""
        open_to_doubt = np.abs(gap - threshold) < self.reach
        return (gap >= threshold) & ~open_to_doubt | open_to_doubt & self.resolved[:, None]


@dataclass(frozen=True, eq=False)
class BlochBands:
    """Bands of a batch of k. Axes (k, band, operator or axis, band) for matrices between bands.

    energy : (k, band) eV, ascending
    states : (k, wannier, band), columns are eigenvectors
    operators : Bloch operators in the Wannier gauge
    doubt : how levels near the threshold are grouped, where that is asked for
    window : eV; all sums to come fill levels alike that lie below, and leave out those above: what pairs of
        levels on one side of it give each other may be left out of T3, which adds up to nothing
    """

    energy: Real
    states: Complex
    operators: BlochOperators
    resolution: Resolution
    doubt: Doubt | None = None
    window: tuple[float, float] = _ALL_LEVELS

    @property
    def lanes(self) -> LaneBands | None:
        """The same with one k in each lane, where they were made so."""
        found: LaneBands | None = self.__dict__.get("_lanes")
        return found

    @cached_property
    def half_rotated(self) -> Complex:
        """X U for all stacked operators, (k, wannier, operator, band)."""
        stacked = self.operators.stacked
        count, size = stacked.shape[:2]
        return frozen((stacked.reshape(count, -1, size) @ self.states).reshape(stacked.shape))

    def _rotated(self, first: int, last: int) -> Complex:
        """U^dagger X U of a range of the stacked operators, (k, band, operator, band)."""
        needed = self.half_rotated[:, :, first:last]
        count, size = needed.shape[:2]
        # Operators of a range lie side by side in each row, so this is one matrix product per k.
        columns = needed.reshape(count, size, -1)
        return frozen((self._adjoint @ columns).reshape(needed.shape))

    def rotated(self, matrices: Complex) -> Complex:
        """U^dagger X U of any operators in the Wannier gauge, (k, wannier, x, wannier) -> (k, n, x, m)."""
        count, size = self.energy.shape
        half = (matrices.reshape(count, -1, size) @ self.states).reshape(count, size, -1)
        return (self._adjoint @ half).reshape(matrices.shape)

    @cached_property
    def _adjoint(self) -> Complex:
        return self.states.conj().swapaxes(1, 2)

    @cached_property
    def slopes_and_positions(self) -> Complex:
        """dHbar_a (3, eV angstrom) and Abar_a (3, angstrom), (k, band, operator, band)."""
        return self._rotated(0, 6) if self.lanes is None else self.lanes.slopes_and_positions

    @property
    def level_slopes(self) -> Real:
        """Diagonal elements of dHbar_a, (k, band, axis) eV angstrom."""
        if self.lanes is None:
            return np.einsum("knan->kna", self.slopes_and_positions[:, :, :3]).real
        return self.lanes.level_slopes

    @property
    def slopes_between(self) -> Complex:
        """Elements of dHbar_a between each level and the next, (k, band - 1, axis) eV angstrom."""
        if self.lanes is None:
            lower = np.arange(self.energy.shape[1] - 1)
            return self.slopes_and_positions[:, lower, :3, lower + 1].swapaxes(0, 1)
        return self.lanes.slopes_between

    def slopes_at(self, rows: Integer) -> Complex:
        """Slopes dHbar_a at some of the k points, (row, band, axis, band) eV angstrom."""
        if self.lanes is None:
            return self.slopes_and_positions[rows][:, :, :3]
        return self.lanes.slopes_at(rows)

    @cached_property
    def observable(self) -> Complex:
        """Theta bar, (k, band, observable, band)."""
        if self.lanes is not None:
            return self.lanes.observable
        return self._rotated(6, self.operators.rotated_count)

    @property
    def position_matrix(self) -> Complex:
        """A bar, the position matrix of the Wannier basis between bands, (k, band, axis, band) angstrom."""
        return self.slopes_and_positions[:, :, 3:]

    @cached_property
    def multiplet_label(self) -> Integer:
        """Number of the multiplet that a band belongs to, (k, band)."""
        label = np.zeros(self.energy.shape, dtype=np.int64)
        if self.doubt is None:
            loops.number_multiplets(np.ascontiguousarray(self.energy), self._threshold, label)
        else:
            split = self.doubt.split(np.diff(self.energy, axis=1), self._threshold)
            np.cumsum(split, axis=1, out=label[:, 1:])
        return frozen(label)

    @property
    def _threshold(self) -> float:
        # Equal floats stay together at threshold 0, where no division could be made.
        return max(self.resolution.degeneracy_threshold, np.finfo(float).tiny)

    @property
    def velocity(self) -> Complex:
        """v_a,nm = dHbar_a,nm + i (eps_n - eps_m) Abar_a,nm, (k, n, a, m) eV angstrom / hbar."""
        return self.bare.velocity

    @property
    def position(self) -> Complex:
        """r_a,nm = -i v_a,nm/(eps_n - eps_m) between multiplets, 0 inside, (k, n, a, m) angstrom."""
        return self.bare.position

    @cached_property
    def bare(self) -> Vertex:
        """v_b and r_b."""
        energy, label = self.energy, self.multiplet_label
        # Not a method of these bands: a cycle of references would keep old matrices alive.
        if self.lanes is None:
            slopes = self.slopes_and_positions
            return LazyVertex(lambda: contractions.interband(energy, label, slopes))
        lanes = self.lanes
        return LazyVertex(lambda: contractions.interband(energy, label, lanes.slopes_and_positions))

    @cached_property
    def charge_matrix(self) -> Complex | None:
        """tau_z between bands, (k, n, m), where electrons and holes stand side by side."""
        charge = self.operators.field_charge
        return None if charge is None else frozen((self._adjoint * charge) @ self.states)

    @cached_property
    def field(self) -> Vertex:
        """V_b = 1/2 {tau_z, v_b} and its r^V_b (theory section 6); v_b and r_b where all are electrons."""
        if self.operators.field_charge is None:
            return self.bare
        bare, energy, label = self.bare, self.energy, self.multiplet_label
        states, signs = self.states, self.operators.field_charge
        return LazyVertex(lambda: field_matrices(bare.velocity, energy, label, states, signs))

    def lane_vertex(self, vertex: Vertex) -> LaneVertex | None:
        """The same for loops over lanes, where these bands are in lanes and the vertex is one of theirs."""
        if self.lanes is None or (vertex is not self.bare and vertex is not self.field):
            return None
        return self.once(_lane_vertex, vertex)

    def once(self, formula: Callable[[BlochBands, Vertex], Result], vertex: Vertex) -> Result:
        """formula(bands, vertex), computed once for each vertex: most models have only one."""
        key = (formula, id(vertex))
        if key not in self._known:
            self._known[key] = formula(self, vertex)
        return self._known[key]  # type: ignore[return-value]

    @cached_property
    def _known(self) -> dict[tuple[object, int], object]:
        return {}

    def at_threshold(self, degeneracy_threshold: float) -> BlochBands:
        """The same bands with other multiplets; energies, states and rotated operators are shared."""
        resolution = replace(self.resolution, degeneracy_threshold=degeneracy_threshold)
        # What two thresholds make different differs most where one joins what the other takes apart.
        doubt = None if self.doubt is None else replace(self.doubt, resolved=~self.doubt.resolved)
        if self.lanes is not None:
            return BandsInLanes.of(self.energy, self.lanes, resolution, doubt)
        bands = BlochBands(self.energy, self.states, self.operators, resolution, doubt)
        for name in _INDEPENDENT_OF_MULTIPLETS:
            bands.__dict__[name] = getattr(self, name)
        return bands

    def doubted(self, rows: Integer, reach: Real, resolved: NDArray[np.bool_]) -> BlochBands:
        """Some of the k points, (row,) ascending, with levels near the threshold joined or apart: `Doubt`."""
        operators = self.operators.at(rows)
        doubt = Doubt(reach, resolved)
        if self.lanes is not None and isinstance(operators, SummedOperators):
            lanes = self.lanes.at(rows, operators)
            return BandsInLanes.of(self.energy[rows], lanes, self.resolution, doubt)
        bands = BlochBands(self.energy[rows], self.states[rows], operators, self.resolution, doubt)
        for name in _INDEPENDENT_OF_MULTIPLETS:
            bands.__dict__[name] = frozen(getattr(self, name)[rows])
        return bands

    @cached_property
    def electrons(self) -> BlochBands | None:
        """Bands of the electrons alone, the normal state of a superconductor; None for any other model."""
        if self.operators.field_charge is None:
            return None
        return solve_bands(self.operators.electrons(), self.resolution)

    @cached_property
    def observable_velocity(self) -> Complex:
        """Theta bar v_a, (k, n, observable, a, m)."""
        return frozen(contractions.observable_velocity(self.observable, self.velocity))

    def shared_diagonal(self, matrices: Complex) -> Real:
        """Tr_N X/|N| for each band, (k, n, x, m) -> (k, x, band): traces are shared by the members."""
        diagonal = np.einsum("knxn->knx", matrices).real
        return np.moveaxis(contractions.shared(diagonal, self.multiplet_label), 1, -1)

    @cached_property
    def curvature_traces(self) -> tuple[Real, Real]:
        """Tr F_c/|N| (k, band, axis) and Re Tr[theta_N F_c]/|N| (k, band, observable, axis), angstrom^2."""
        if self.lanes is not None:
            berry, conserved = self.lanes.curvature(self.multiplet_label)
            return frozen(berry), frozen(conserved)
        berry, conserved = contractions.curvature_traces(
            self.multiplet_label,
            self.position,
            self.slopes_and_positions,
            self.observable,
            self.half_rotated,
            self.states,
        )
        return frozen(berry), frozen(conserved)


class BandsInLanes(BlochBands):
    """Bands that were made with one k in each lane; states as matrices are made when asked for."""

    @classmethod
    def of(
        cls,
        energy: Real,
        lanes: LaneBands,
        resolution: Resolution,
        doubt: Doubt | None = None,
        window: tuple[float, float] = _ALL_LEVELS,
    ) -> BandsInLanes:
        found = cls.__new__(cls)
        # The fields of a frozen class, but for states.
        vars(found).update(
            energy=frozen(energy),
            operators=lanes.operators,
            resolution=resolution,
            doubt=doubt,
            window=window,
            _lanes=lanes,
        )
        return found

    @cached_property
    def states(self) -> Complex:
        assert self.lanes is not None
        return frozen(self.lanes.eigenvectors)


def _lane_vertex(bands: BlochBands, vertex: Vertex) -> LaneVertex:
    assert bands.lanes is not None
    return LaneVertex(bands.lanes, bands.multiplet_label, vertex is not bands.bare)


def field_matrices(
    velocity: Complex, energy: Real, label: Integer, states: Complex, signs: Real
) -> tuple[Complex, Complex]:
    """V_b = 1/2 {tau_z, v_b} and r^V_b = -i V_b/(eps_n - eps_m) between multiplets, (k, n, b, m).

    velocity : v_b; energy, label : (k, band); states : (k, wannier, band); signs : (wannier,) tau_z
    """
    count, size = energy.shape
    charge = (states.conj().swapaxes(1, 2) * signs) @ states
    product = (charge @ velocity.reshape(count, size, -1)).reshape(velocity.shape)
    coupled = (product + product.conj().swapaxes(1, 3)) / 2
    gap = energy[:, :, None] - energy[:, None, :]
    separate = label[:, :, None] != label[:, None, :]
    inverse = np.divide(1.0, gap, out=np.zeros_like(gap), where=separate)
    return coupled, -1j * inverse[:, :, None] * coupled


@cache
def _announce_matrices(size: int) -> None:
    """Let the log say once for a process and a size that another path is taken."""
    log.info(
        "%d Wannier functions, more than %d: one k point after the other, with LAPACK and BLAS", size, LARGEST
    )


def solve_bands(
    operators: BlochOperators, resolution: Resolution, window: tuple[float, float] = _ALL_LEVELS
) -> BlochBands:
    """Diagonalize H(k). Raises InputError if an eigenproblem does not converge.

    window : see `BlochBands`, where bands are for sums over levels only
    """
    if operators.size > LARGEST:
        _announce_matrices(operators.size)
    try:
        if isinstance(operators, SummedOperators):
            return BandsInLanes.of(*solved(operators), resolution, window=window)
        energy, states = eigh(operators.hamiltonian)
    except np.linalg.LinAlgError:
        raise InputError(
            "the eigenproblem of H(k) does not converge, expected finite matrix elements of some eV; look "
            "for damaged numbers in the file of the Hamiltonian."
        ) from None
    return BlochBands(frozen(energy), frozen(states), operators, resolution, window=window)
