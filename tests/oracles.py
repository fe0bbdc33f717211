"""Per-k formulas of theory sections 3 and 4 with dense matrices in plain NumPy, one k point at a time.

They share nothing with the kernels but energies, states and operators, and are the oracle of compiled code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from spinscreen.kernels import BlochBands

CYCLIC = ((1, 2), (2, 0), (0, 1))


@dataclass(frozen=True, eq=False)
class OneK:
    """All matrices between the bands of one k point: leading axis a for vectors, s for observables."""

    bands: BlochBands
    k: int

    @cached_property
    def energy(self):
        return self.bands.energy[self.k]

    @cached_property
    def same(self):
        """1 where two bands belong to one multiplet."""
        split = np.diff(self.energy) >= max(self.bands.resolution.degeneracy_threshold, 1e-300)
        label = np.concatenate([[0], np.cumsum(split)])
        return (label[:, None] == label[None, :]).astype(float)

    @cached_property
    def gap(self):
        return self.energy[:, None] - self.energy[None, :]

    @cached_property
    def inverse(self):
        """1/(eps_n - eps_m) between multiplets."""
        return np.where(self.same == 1, 0.0, 1 / np.where(self.same == 1, 1.0, self.gap))

    def operator(self, first, last):
        states = self.bands.states[self.k]
        stacked = self.bands.operators.stacked[self.k].transpose(1, 0, 2)
        return states.conj().T @ stacked[first:last] @ states

    @cached_property
    def theta(self):
        return self.operator(6, 6 + self.bands.operators.observable_count)

    @cached_property
    def position_matrix(self):
        return self.operator(3, 6)

    @cached_property
    def velocity(self):
        return self.operator(0, 3) + 1j * self.gap * self.position_matrix

    @cached_property
    def position(self):
        return -1j * self.velocity * self.inverse

    @cached_property
    def curvature(self):
        """F_c restricted to multiplets."""
        count = self.bands.operators.rotated_count
        found = self.operator(count, count + 3).copy() if self.bands.operators.has_curl else 0
        x, r = self.position_matrix, self.position
        brackets = [-1j * _commutator(x[a], x[b]) + 1j * _commutator(r[a], r[b]) for a, b in CYCLIC]
        return self.same * (found + np.stack(brackets))

    def per_band(self, diagonal):
        """Values (..., band) shared equally inside each multiplet."""
        return diagonal @ (self.same / self.same.sum(axis=0))

    def trace(self, matrices):
        """Re Tr_N/|N| of matrices (..., n, m), for each band n."""
        return self.per_band(np.einsum("...nn->...n", matrices).real)


def _commutator(a, b):
    return a @ b - b @ a


def at_each_k(bands, formula):
    """Formula (OneK -> (..., band)) at every k: (k, ..., band)."""
    return np.stack([formula(OneK(bands, k)) for k in range(len(bands.energy))])


def berry_curvature(at):
    return at.trace(at.curvature)


def conserved_curvature(at):
    return at.trace((at.same * at.theta)[:, None] @ at.curvature)


def conventional_curvature(at):
    broadening = at.bands.resolution.broadening
    weight = (1 - at.same) / np.where(at.same == 1, 1, at.gap**2 + broadening**2)
    product = at.theta[:, None] @ at.velocity
    current = (product + product.conj().swapaxes(-1, -2)) / 2
    return at.per_band(-2 * np.einsum("sanm,bmn,nm->sabn", current, at.velocity, weight).imag)


def dipole_flow(at):
    product = at.theta[:, None] @ at.position
    dipole = at.same * (product + product.conj().swapaxes(-1, -2)) / 2
    return at.trace(dipole[:, :, None] @ (at.same * at.velocity))


def drude_flow(at):
    theta, velocity = at.same * at.theta, at.same * at.velocity
    product = theta[:, None] @ velocity
    current = (product + product.conj().swapaxes(-1, -2)) / 2
    return at.trace(current[:, :, None] @ velocity)


def proper_curvature(at):
    """T14's sea as section 8 writes it, element by element of G."""
    r, v, w, gap = at.position, at.velocity, at.same * at.velocity, at.inverse
    found = np.empty((len(at.theta), 3, 3, len(at.energy)))
    for s, theta in enumerate(at.theta):
        for a in range(3):
            for b in range(3):
                spins = r[a] @ theta + theta @ r[a]
                fields = r[a] @ v[b] + v[b] @ r[a]
                packet = -(spins * v[b].T - theta * fields.T) / 2
                drift = -0.5j * (theta * (w[a] @ v[b]).T + (w[a] @ theta) * v[b].T) * gap
                g = (packet + drift).real
                found[s, a, b] = ((g + g.T) * gap).sum(axis=1)
    return at.per_band(found)


def proper_flow(at):
    return np.swapaxes(dipole_flow(at), 1, 2)


def accumulation_flow(at):
    r, v = at.position, at.velocity
    found = dipole_flow(at)
    for a, b in CYCLIC:
        moment = at.same * (r[a] @ v[b] - r[b] @ v[a]) / 2
        moment = (moment + moment.conj().T) / 2
        traces = at.trace((at.same * at.theta) @ moment)
        found[:, a, b] -= traces
        found[:, b, a] += traces
    return found


def field_texture(at):
    broadening = at.bands.resolution.broadening
    weight = (1 - at.same) / np.where(at.same == 1, 1, at.gap**2 + broadening**2)
    return at.per_band(-2 * np.einsum("snm,bmn,nm->sbn", at.theta, at.velocity, weight).imag)


def texture_drift(at):
    return at.trace((at.same * at.theta)[:, None] @ (at.same * at.velocity))


def occupied_curvature(at):
    """Differences of Re Tr[theta_occ F_occ] between one set of occupied multiplets and the next."""
    count, x, r = at.bands.operators.rotated_count, at.position_matrix, at.position
    size = len(at.energy)
    curl = at.operator(count, count + 3) if at.bands.operators.has_curl else np.zeros((3, size, size))
    found = np.zeros((len(at.theta), 3, 3, size))
    before = 0.0
    last = 0
    while last < size:
        first, last = last, last + int(at.same[last].sum())
        occupied, empty = slice(0, last), slice(last, size)
        total = np.zeros((len(at.theta), 3, 3))
        for c, (a, b) in enumerate(CYCLIC):
            bracket = curl[c] - 1j * _commutator(x[a], x[b])
            out = r[:, occupied, empty]
            pairs = out[a] @ out[b].conj().T - out[b] @ out[a].conj().T
            curvature = bracket[occupied, occupied] + 1j * pairs
            trace = np.einsum("snm,mn->s", at.theta[:, occupied, occupied], curvature).real
            total[:, a, b], total[:, b, a] = trace, -trace
        found[..., first:last] = ((total - before) / (last - first))[..., None]
        before = total
    return found


def scatter(slot, values, slots):
    """Sum of the rows of `values` with the same slot, as a sparse product."""
    highest = max(slots, int(slot.max(initial=0))) + 1
    placed = csr_array((np.ones(len(slot)), (slot, np.arange(len(slot)))), shape=(highest, len(slot)))
    return np.asarray(placed @ values)[:slots]


def spread(first, weights, values, slots):
    """Sum of weights[n, j] * values[n] in slot first[n] + j, as a sparse product."""
    levels, width = weights.shape
    slot = (first[:, None] + np.arange(width)).ravel()
    inside = slot < slots
    level = np.repeat(np.arange(levels), width)
    entries = (weights.ravel()[inside], (slot[inside], level[inside]))
    return np.asarray(csr_array(entries, shape=(slots, levels)) @ values)
