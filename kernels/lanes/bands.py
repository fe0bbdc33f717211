"""Bands of a batch of k of which each is in a lane, and what is summed over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..lattice import Complex, Integer, Real
from . import layout, proper, response, traces
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

    @cached_property
    def curl(self) -> Real:
        if self.operators.has_curl:
            return self.operators.sums.half_rotated_curl(self.states)
        groups, size, lanes = self.energy.shape
        return aligned(groups, 0, size, size, 2, lanes)

    @property
    def size(self) -> int:
        return self.energy.shape[1]

    @cached_property
    def slopes_and_positions(self) -> Complex:
        """DHbar_a and Abar_a, (k, n, 6, n)."""
        return self._unpacked(0, 6)

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

    def conventional(self, label: Integer, broadening: float) -> Real:
        """T3 with the velocity of a bare vertex, (k, band, observable, a, b); label : (k, band)."""
        size, lanes, observables = self.size, width(), self.operators.observable_count
        values = aligned(len(self.energy), size, observables, 3, 3, lanes)
        vectors = (3, size, size, 2, lanes)
        work = scratch(vectors, vectors, vectors[1:])
        packed = self._packed(label)
        response.conventional(self.energy, packed, self.rotated, float(broadening) ** 2, values, *work)
        return self._shared(values, label)

    def curvature(self, label: Integer) -> tuple[Real, Real]:
        """Tr F_c/|N| (k, band, axis) and Re Tr[theta_N F_c]/|N| (k, band, observable, axis), angstrom^2."""
        values = aligned(len(self.energy), self.size, 1 + self.operators.observable_count, 3, width())
        work = self._velocity_and_position()
        packed = self._packed(label)
        traces.curvature(self.energy, packed, self.rotated, self.states, self.curl, values, *work)
        shared = self._shared(values, label)
        return shared[:, :, 0], shared[:, :, 1:]

    def flows(self, label: Integer) -> tuple[Real, Real]:
        """Re Tr_N[d_a v_b]/|N| and 1/2 Re Tr_N[{theta_N, v_a} v_b]/|N|, (k, band, observable, a, b)."""
        shape = len(self.energy), self.size, self.operators.observable_count, 3, 3, width()
        dipole, drude = aligned(*shape), aligned(*shape)
        work = self._velocity_and_position()
        traces.flows(self.energy, self._packed(label), self.rotated, dipole, drude, *work)
        return self._shared(dipole, label), self._shared(drude, label)

    def proper(self, label: Integer) -> Real:
        """T14's sea per band, (k, band, observable, a, b)."""
        shape = len(self.energy), self.size, self.operators.observable_count, 3, 3, width()
        values, square = aligned(*shape), (self.size, self.size)
        vectors = (3, *square, 2, width())
        work = scratch((*square, width()), vectors, vectors, vectors, vectors[1:])
        proper.proper(self.energy, self._packed(label), self.rotated, values, *work)
        return self._shared(values, label)

    def moments(self, label: Integer) -> Real:
        """Re Tr_N[theta_N m_c]/|N|, m_c = 1/2 (r_a v_b - r_b v_a), (k, band, observable, c)."""
        values = aligned(len(self.energy), self.size, self.operators.observable_count, 3, width())
        work = self._velocity_and_position()
        proper.moments(self.energy, self._packed(label), self.rotated, values, *work)
        return self._shared(values, label)

    def _velocity_and_position(self) -> list[Real]:
        vectors = (3, self.size, self.size, 2, width())
        return scratch(vectors, vectors)

    def _packed(self, label: Integer) -> Real:
        packed = aligned(*self.energy.shape)
        layout.pack_levels(label.astype(float), packed)
        return packed

    def _shared(self, values: Real, label: Integer) -> Real:
        groups, size, lanes = self.energy.shape
        shared = np.empty((self.count, size, *values.shape[2:-1]))
        components = math.prod(values.shape[2:-1])
        flat = values.reshape(groups, size, components, lanes)
        traces.share(flat, label, shared.reshape(self.count, size, components))
        return shared


def solved(operators: SummedOperators) -> tuple[Real, Complex, LaneBands]:
    """Energies (k, n), states (k, wannier, n) as columns, and both with one k in each lane.

    Raises numpy.linalg.LinAlgError where neither QL nor LAPACK converges.
    """
    levels, rows, converged = operators.sums.solved()
    count, size = operators.sums.count, operators.sums.size
    energy, states = np.empty((count, size)), np.empty((count, size, size), dtype=complex)
    layout.unpack_levels(levels, energy)
    layout.unpack_transposed(rows, states)
    failed = np.flatnonzero(converged.ravel()[:count] == 0)
    for k in failed:
        energy[k], states[k] = np.linalg.eigh(operators.hamiltonian[k])
    if len(failed):
        layout.pack_levels(energy, levels)
        layout.pack(np.ascontiguousarray(states.swapaxes(1, 2)), rows)
    return energy, states, LaneBands(count, levels, rows, operators)
