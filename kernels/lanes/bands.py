"""Bands of a batch of k of which each is in a lane, and what is summed over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..lattice import Complex, Integer, Real
from ..unlocked import cached_property
from . import field, layout, occupied, pairs, response, traces
from .bloch import SummedOperators
from .width import aligned, scratch, width


@dataclass(frozen=True, eq=False)
class LaneBands:
    """Bands of a batch of k, one in each lane; see `BlochBands`.

    count : k points; energy : (group, n, lane) eV
    states : (group, n, wannier, 2, lane), eigenvectors as rows
    rotated : dHbar_a, Abar_a and Theta bar, (group, operator, n, n, 2, lane)
    curl : curl A times each state, (group, axis, n, wannier, 2, lane), of no axis where A is onsite
    """

    count: int
    energy: Real
    states: Real
    operators: SummedOperators

    @cached_property
    def rotated(self) -> Real:
        return self.operators.sums.rotated(self.states, self.operators.observable_count)

    @property
    def eigenvectors(self) -> Complex:
        """Eigenvectors as columns, (k, wannier, n)."""
        found = np.empty((self.count, self.size, self.size), dtype=complex)
        layout.unpack_transposed(self.states, found)
        return found

    @cached_property
    def curl(self) -> Real:
        if self.operators.has_curl:
            return self.operators.sums.half_rotated(1, 3, 3, self.states)
        groups, size, lanes = self.energy.shape
        return aligned(groups, 0, size, size, 2, lanes)

    @property
    def size(self) -> int:
        return self.energy.shape[1]

    @cached_property
    def slopes_and_positions(self) -> Complex:
        """DHbar_a and Abar_a, (k, n, 6, n)."""
        return self._unpacked(0, 6)

    @property
    def level_slopes(self) -> Real:
        """Diagonal elements of dHbar_a, (k, n, axis)."""
        diagonal = np.einsum("gannw->gwna", self.rotated[:, :3, :, :, 0])
        return diagonal.reshape(-1, self.size, 3)[: self.count]

    @property
    def slopes_between(self) -> Complex:
        """Elements of dHbar_a between each level and the next, (k, n - 1, axis)."""
        lower = np.arange(self.size - 1)
        parts = self.rotated[:, :3, lower, lower + 1].transpose(0, 4, 2, 1, 3)
        parts = parts.reshape(parts.shape[0] * parts.shape[1], *parts.shape[2:])
        return (parts[..., 0] + 1j * parts[..., 1])[: self.count]

    def slopes_at(self, rows: Integer) -> Complex:
        """Slopes dHbar_a at some of the k points, (row, n, axis, n)."""
        group, lane = np.divmod(rows, width())
        parts = self.rotated[group, :3, :, :, :, lane]
        return (parts[..., 0] + 1j * parts[..., 1]).swapaxes(1, 2)

    @cached_property
    def observable(self) -> Complex:
        """Theta bar, (k, n, observable, n)."""
        return self._unpacked(6, 6 + self.operators.observable_count)

    def _unpacked(self, first: int, last: int) -> Complex:
        found = np.empty((self.count, self.size, last - first, self.size), dtype=complex)
        layout.unpack_operators(self.rotated, first, found)
        found.flags.writeable = False
        return found

    def at(self, rows: Integer, operators: SummedOperators) -> LaneBands:
        """Some of the k points, with their operators."""
        energy, states = (layout.gathered(array, rows) for array in (self.energy, self.states))
        found = LaneBands(len(rows), energy, states, operators)
        for name in ("rotated", "curl"):
            found.__dict__[name] = layout.gathered(getattr(self, name), rows)
        return found

    def conventional(self, label: Integer, broadening: float, window: tuple[float, float]) -> Real:
        """T3 with the velocity of a bare vertex, (k, band, observable, a, b); label : (k, band).

        window : energies, eV, below which all levels count alike and above which none does; pairs of levels
            on one side of it are left out, as what they give adds up to nothing
        """
        size, lanes, observables = self.size, width(), self.operators.observable_count
        values = aligned(len(self.energy), size, observables, 3, 3, lanes)
        vectors = (3, size, size, 2, lanes)
        work = scratch(vectors, (size, lanes), vectors, vectors[1:])
        given = self.packed(label), self.rotated, float(broadening) ** 2, *window
        response.conventional(self.energy, *given, values, *work)
        return self.shared(values, label)

    def curvature(self, label: Integer) -> tuple[Real, Real]:
        """Tr F_c/|N| (k, band, axis) and Re Tr[theta_N F_c]/|N| (k, band, observable, axis), angstrom^2."""
        shared = self._curvature(self.rotated, label)
        return shared[:, :, 0], shared[:, :, 1:]

    def _curvature(self, rotated: Real, label: Integer) -> Real:
        """Of the observables that follow dHbar_a and Abar_a, the trace of F_c before them."""
        values = aligned(len(self.energy), self.size, rotated.shape[1] - 5, 3, width())
        work = scratch(self._vectors, self._vectors)
        packed = self.packed(label)
        traces.curvature(self.energy, packed, rotated, self.states, self.curl, values, *work)
        return self.shared(values, label)

    @cached_property
    def charge(self) -> tuple[Real, Real]:
        """Tau_z times each state, as rows, and tau_z between bands, (group, n, n, 2, lane)."""
        charged, charge = aligned(*self.states.shape), aligned(*self.states.shape)
        field.charges(self.operators.field_charge, self.states, charged, charge)
        return charged, charge

    def electron_content(self, label: Integer) -> Real:
        """Tr_N tau_z/|N|, (k, band)."""
        return self._diagonals(self.charge[1][:, None], 0, 1, label)[:, :, 0]

    def charge_curvature(self, label: Integer) -> Real:
        """Re Tr[(tau_z)_N F_c]/|N|, (k, band, axis)."""
        rotated = np.concatenate([self.rotated[:, :6], self.charge[1][:, None]], axis=1)
        return self._curvature(rotated, label)[:, :, 1]

    def velocities(self, label: Integer) -> Real:
        """Tr v_a,N/|N|, (k, band, a): on the diagonal the slopes of H are all there is."""
        return self._diagonals(self.rotated, 0, 3, label)

    def textures(self, label: Integer) -> Real:
        """Tr theta_N/|N|, (k, band, observable)."""
        return self._diagonals(self.rotated, 6, self.operators.observable_count, label)

    def _diagonals(self, matrices: Real, first: int, count: int, label: Integer) -> Real:
        values = aligned(len(self.energy), self.size, count, width())
        pairs.diagonals(matrices, first, values)
        return self.shared(values, label)

    def texture_slopes(self, label: Integer) -> Real:
        """d_a theta_n, (k, band, observable, a), see `quantities.equilibrium`."""
        observables, sums = self.operators.observable_count, self.operators.sums
        values = aligned(len(self.energy), self.size, observables, 3, width())
        pairs.slopes(self.energy, self.packed(label), self.rotated, values)
        if self.operators.has_observable_slopes:
            half = sums.half_rotated(3, 0, 3 * observables, self.states)
            own = aligned(len(self.energy), self.size, 3 * observables, width())
            pairs.expectations(self.states, half, own)
            values += own.reshape(values.shape)
        return self.shared(values, label)

    def occupied_increments(self, label: Integer) -> Real:
        """What each band adds to Re Tr[theta_occ F_occ], (k, band, observable, c)."""
        values = aligned(len(self.energy), self.size, self.operators.observable_count, 3, width())
        velocity, position = (aligned(len(self.energy), *self._vectors) for _ in range(2))
        pairs.interband(self.energy, self.packed(label), self.rotated, velocity, position)
        work = scratch(self._vectors, self._vectors[1:])
        occupied.occupied_increments(self.rotated, position, self.states, self.curl, values, *work)
        return self.shared(values, label)

    @property
    def _vectors(self) -> tuple[int, ...]:
        return (3, self.size, self.size, 2, width())

    def packed(self, label: Integer) -> Real:
        """Numbers of multiplets, (group, n, lane)."""
        known: tuple[Integer, Real] | None = self.__dict__.get("_packed")
        if known is None or known[0] is not label:
            packed = aligned(*self.energy.shape)
            layout.pack_numbers(label, packed)
            known = self.__dict__["_packed"] = (label, packed)
        return known[1]

    def shared(self, values: Real, label: Integer) -> Real:
        """Shares of multiplets, (k, band, components ...), from parts (group, n, components ..., lane)."""
        groups, size, lanes = self.energy.shape
        shared = np.empty((self.count, size, *values.shape[2:-1]))
        components = math.prod(values.shape[2:-1])
        flat = values.reshape(groups, size, components, lanes)
        traces.share(flat, label, shared.reshape(self.count, size, components))
        return shared


def solved(operators: SummedOperators) -> tuple[Real, LaneBands]:
    """Energies (k, n), and bands with one k in each lane.

    Raises numpy.linalg.LinAlgError where neither QL nor LAPACK converges.
    """
    levels, states, converged = operators.sums.solved()
    count, size = operators.sums.count, operators.sums.size
    # Lanes are filled up with the last k point.
    for group, lane in np.argwhere(converged == 0):
        k = min(group * width() + lane, count - 1)
        levels[group, :, lane], found = np.linalg.eigh(operators.hamiltonian[k])
        states[group, :, :, 0, lane], states[group, :, :, 1, lane] = found.T.real, found.T.imag
    energy = np.empty((count, size))
    layout.unpack_levels(levels, energy)
    return energy, LaneBands(count, levels, states, operators)
