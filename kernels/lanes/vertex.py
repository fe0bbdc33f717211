"""What is computed of a batch of k when a force acts on the bands, one k point in each lane.

A temperature gradient, and a field where all are electrons, couple to v_b; a field to V_b where electrons and
holes stand side by side (theory section 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..lattice import CYCLIC, Integer, Real
from ..unlocked import cached_property
from . import field, pairs, proper, surface
from .bands import LaneBands
from .width import aligned, scratch, width


@dataclass(frozen=True, eq=False)
class LaneVertex:
    """Bands in lanes, their multiplets, (k, band), and which vertex: that of a field on charges, or v_b."""

    bands: LaneBands
    label: Integer
    on_charges: bool = False

    @cached_property
    def _label(self) -> Real:
        return self.bands.packed(self.label)

    @cached_property
    def _bare(self) -> tuple[Real, Real]:
        """v_a and r_a, (group, axis, n, n, 2, lane)."""
        found = self._vectors(2)
        pairs.interband(self.bands.energy, self._label, self.bands.rotated, *found)
        return found[0], found[1]

    @cached_property
    def _coupled(self) -> tuple[Real, Real, Real]:
        """V_b, r^V_b and tau_z Abar_b."""
        bands, found = self.bands, self._vectors(3)
        work = scratch((bands.size, bands.size, 2, width()))
        given = bands.charge[1], bands.rotated, self._bare[0]
        field.couplings(bands.energy, self._label, *given, *found, *work)
        return found[0], found[1], found[2]

    @property
    def _field(self) -> tuple[Real, Real]:
        """V_b and r^V_b, or v_b and r_b."""
        return self._coupled[:2] if self.on_charges else self._bare

    def _vectors(self, count: int) -> list[Real]:
        groups, size, lanes = self.bands.energy.shape
        return [aligned(groups, 3, size, size, 2, lanes) for _ in range(count)]

    def _values(self, *components: int) -> Real:
        return aligned(len(self.bands.energy), self.bands.size, *components, width())

    def _shared(self, values: Real) -> Real:
        return self.bands.shared(values, self.label)

    @property
    def _observables(self) -> int:
        return self.bands.operators.observable_count

    def conventional(self, broadening: float, window: tuple[float, float]) -> Real:
        """T3, (k, band, observable, a, b), see `LaneBands.conventional`."""
        if not self.on_charges:
            return self.bands.conventional(self.label, broadening, window)
        bands, values, size = self.bands, self._values(self._observables, 3, 3), self.bands.size
        work = scratch((size, width()), (3, size, size, 2, width()), (size, size, 2, width()))
        given = self._bare[0], self._field[0], float(broadening) ** 2, *window
        field.field_conventional(bands.energy, self._label, bands.rotated, *given, values, *work)
        return self._shared(values)

    def conserved(self) -> Real:
        """Re Tr[theta_N F_ab]/|N| with one position of a field on charges, (k, band, observable, a, b)."""
        states = self.bands.charge[0]
        return self._curvature(self._bare[1], self._coupled[1], self._coupled[2], states)[:, :, 1:]

    def berry(self) -> Real:
        """Tr F_c/|N| with two positions of a field on charges, (k, band, axis)."""
        position, centres = self._coupled[1], np.ascontiguousarray(self.bands.rotated[:, 3:6])
        tensor = self._curvature(position, position, centres, self.bands.states)[:, :, 0]
        return np.stack([tensor[..., a, b] for a, b in CYCLIC], axis=-1)

    def _curvature(self, left: Real, right: Real, centres: Real, states: Real) -> Real:
        values = self._values(1 + self._observables, 3, 3)
        given = left, right, centres, states, self.bands.curl
        field.field_curvature(self._label, self.bands.rotated, *given, values)
        return self._shared(values)

    def flows(self) -> tuple[Real, Real]:
        """Re Tr_N[d_a V_b]/|N| and 1/2 Re Tr_N[{theta_N, v_a} V_b]/|N|, (k, band, observable, a, b)."""
        return self._flows(self._bare[1], self._field[0])

    def reversed_dipoles(self) -> Real:
        """Re Tr_N[w_a d_b]/|N| with the dipole of r^V_b, (k, band, observable, a, b)."""
        return self._flows(self._field[1], self._bare[0])[0].swapaxes(3, 4)

    def _flows(self, position: Real, second: Real) -> tuple[Real, Real]:
        dipole, drude = (self._values(self._observables, 3, 3) for _ in range(2))
        given = self._bare[0], position, second
        surface.flows(self._label, self.bands.rotated, *given, dipole, drude)
        return self._shared(dipole), self._shared(drude)

    def proper(self, window: tuple[float, float]) -> Real:
        """T14's sea, (k, band, observable, a, b); window : as for `LaneBands.conventional`."""
        values, square = self._values(self._observables, 3, 3), (self.bands.size, self.bands.size, width())
        work = scratch(square[1:], square, (3, *square[:2], 2, width()), (*square[:2], 2, width()))
        given = self.bands.rotated, *self._bare, self._field[0], *window
        proper.proper(self.bands.energy, self._label, *given, values, *work)
        return self._shared(values)

    def moments(self) -> Real:
        """Re Tr_N[theta_N m_c]/|N|, m_c = 1/2 (r_a V_b - r^V_b v_a), (k, band, observable, c)."""
        values = self._values(self._observables, 3)
        proper.moments(self._label, self.bands.rotated, *self._bare, *self._field, values)
        return self._shared(values)

    def responses(self, broadening: float) -> Real:
        """T16's change of Theta between bands, (k, band, observable, b)."""
        values, given = self._values(self._observables, 3), (self._field[0], float(broadening) ** 2)
        pairs.responses(self.bands.energy, self._label, self.bands.rotated, *given, values)
        return self._shared(values)

    def drifts(self) -> tuple[Real, Real]:
        """Re Tr_N[theta_N V_b]/|N| and its bound by the norms of both, (k, band, observable, b)."""
        count = self._observables
        values = self._values(2 * count + 1, 3)
        surface.drifts(self._label, self.bands.rotated, self._field[0], values)
        found = self._shared(values)
        bound = np.sqrt(found[:, :, count : count + 1] * found[:, :, count + 1 :])
        return found[:, :, :count], bound

    def dipoles(self) -> Real:
        """Tr d_a,N/|N|, (k, band, observable, a)."""
        values = self._values(self._observables, 3)
        pairs.dipoles(self.bands.rotated, self._bare[1], values)
        return self._shared(values)

    def circulations(self) -> Real:
        """1/2 Re Tr_N[r_a j_b - r_b j_a]/|N|, (k, band, observable, c)."""
        values, size = self._values(self._observables, 3), self.bands.size
        work = scratch((size, size, 2, width()))
        pairs.circulations(self.bands.rotated, *self._bare, values, *work)
        return self._shared(values)
