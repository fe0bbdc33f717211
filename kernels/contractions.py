"""Contractions over bands: what each takes and gives. The loops behind them are in `loops`.

Every argument is checked before machine code sees it: TypeError for another dtype, ValueError for shapes that
do not fit, IndexError for a negative slot.
"""

from __future__ import annotations

import numpy as np

from . import loops
from .lattice import Complex, Integer, Real


def interband(energy: Real, label: Integer, slopes_and_positions: Complex) -> tuple[Complex, Complex]:
    """v_a = dHbar_a + i (eps_n - eps_m) Abar_a and r_a = -i v_a/(eps_n - eps_m), theory section 3.

    energy, label : (k, band), bands of one label being one multiplet, inside which r is zero
    slopes_and_positions : (k, n, 6, m); returns two (k, n, a, m)
    """
    count, size = energy.shape
    velocity = np.empty((count, size, 3, size), dtype=complex)
    position = np.empty_like(velocity)
    loops.interband(energy, label, slopes_and_positions, velocity, position)
    return velocity, position


def observable_velocity(observable: Complex, velocity: Complex) -> Complex:
    """Theta v_a for all observables and axes, one matrix product per k: (k, n, observable, axis, m)."""
    count, size, observables, _ = observable.shape
    rows = observable.reshape(count, size * observables, size)
    product = rows @ velocity.reshape(count, size, 3 * size)
    return product.reshape(count, size, observables, 3, size)


def conventional(
    product: Complex, velocity: Complex, energy: Real, label: Integer, broadening: float
) -> Real:
    """T3 per band, averaged over the members of each multiplet.

    product : Theta v, (k, n, s, a, m); velocity : (k, n, a, m);
    returns (k, band, s, current_axis, field_axis)
    """
    count, size, observables = product.shape[:3]
    rows = product.reshape(count, size, 3 * observables, size)
    values = response(rows, velocity, energy, label, broadening)
    return values.reshape(count, size, observables, 3, 3)


def response(operator: Complex, velocity: Complex, energy: Real, label: Integer, broadening: float) -> Real:
    """-2 Im sum_{m not in N} X_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2), X the Hermitian part of an operator.

    operator : (k, n, x, m); returns (k, band, x, b), averaged over the members of each multiplet
    """
    values = np.empty((*operator.shape[:3], 3))
    loops.conventional(operator, velocity, energy, label, float(broadening) ** 2, values)
    return values


def curvature_traces(
    label: Integer,
    position: Complex,
    slopes_and_positions: Complex,
    observable: Complex,
    half_rotated: Complex,
    states: Complex,
) -> tuple[Real, Real]:
    """Tr F_c/|N| (k, band, axis) and Re Tr[theta_N F_c]/|N| (k, band, observable, axis), angstrom^2.

    position : r_a, slopes_and_positions : dHbar_a, Abar_a, observable : Theta bar, (k, n, operator, m)
    half_rotated : X U of all stacked operators, the last three being curl A, states : U
    """
    count, size = label.shape
    berry = np.zeros((count, size, 3))
    conserved = np.zeros((count, size, observable.shape[2], 3))
    loops.curvature_traces(
        label, position, slopes_and_positions, observable, half_rotated, states, berry, conserved
    )
    return berry, conserved


def flow_traces(
    label: Integer, position: Complex, observable: Complex, velocity: Complex, field_velocity: Complex
) -> tuple[Real, Real]:
    """Re Tr_N[d_a V_b]/|N| and 1/2 Re Tr_N[{theta_N, v_a} V_b]/|N|, (k, band, observable, a, b)."""
    count, size = label.shape
    dipole = np.zeros((count, size, observable.shape[2], 3, 3))
    drude = np.zeros_like(dipole)
    loops.flow_traces(label, position, observable, velocity, field_velocity, dipole, drude)
    return dipole, drude


def texture_flow(label: Integer, observable: Complex, velocity: Complex) -> tuple[Real, Real]:
    """Re Tr_N[theta_N v_b]/|N| and the bound by the norms of theta_N and v_b, (k, band, observable, b)."""
    values = np.empty((*label.shape, observable.shape[2], 3))
    bounds = np.empty_like(values)
    loops.texture_flow(label, observable, velocity, values, bounds)
    return values, bounds


def moment_traces(
    label: Integer,
    position: Complex,
    field_position: Complex,
    velocity: Complex,
    field_velocity: Complex,
    observable: Complex,
) -> Real:
    """Re Tr_N[theta_N m_c]/|N|, m_c = 1/2 (r_a V_b - r^V_b v_a), (k, band, observable, c)."""
    values = np.zeros((*label.shape, observable.shape[2], 3))
    loops.moment_traces(label, position, field_position, velocity, field_velocity, observable, values)
    return values


def proper(
    energy: Real,
    label: Integer,
    position: Complex,
    velocity: Complex,
    observable: Complex,
    field_velocity: Complex,
) -> Real:
    """T14's sea per band, averaged over the members of each multiplet, (k, band, s, a, b).

    All r_a Theta and r_a V_b are one matrix product per k: 3 (observables + 3) of the size of the bands.
    """
    count, size = energy.shape
    observables = observable.shape[2]
    operators = np.concatenate([observable, field_velocity], axis=2)
    products = position.reshape(count, 3 * size, size) @ operators.reshape(count, size, -1)
    values = np.empty((count, size, observables, 3, 3))
    shape = (count, size, 3, observables + 3, size)
    loops.proper(energy, label, velocity, operators, products.reshape(shape), values)
    return values


def occupied_increments(
    label: Integer, position: Complex, field_position: Complex, observable: Complex, bracket: Complex
) -> Real:
    """What each band adds to Re Tr[theta_occ F_occ], levels up to it one multiplet; (k, band, s, a, b)."""
    values = np.zeros((*label.shape, observable.shape[2], 3, 3))
    loops.occupied_increments(label, position, field_position, observable, bracket, values)
    return values


def current_matrices(product: Complex) -> Complex:
    """j_a = 1/2 (Theta v_a + v_a Theta) from Theta v, (k, n, observable, axis, m)."""
    return (product + product.conj().swapaxes(1, 4)) / 2


def shared(values: Real, label: Integer) -> Real:
    """Values (k, band, ...) averaged over the members of each multiplet."""
    member = label[:, :, None] == label[:, None, :]
    share = member / member.sum(axis=2, keepdims=True)
    flat = values.reshape(*label.shape, -1)
    return (share @ flat).reshape(values.shape)


def scatter(slot: Integer, values: Real, slots: int) -> Real:
    """Sum of all rows of `values` (level, component) with the same slot, (slots, component).

    Levels with a slot of `slots` or more are left out.
    """
    sums = np.zeros((slots, values.shape[1]))
    loops.scatter(slot, np.ascontiguousarray(values), sums)
    return sums


def spread(first: Integer, weights: Real, values: Real, slots: int, end: Integer | None = None) -> Real:
    """Sum over levels n of weights[n, j] * values[n] in slot first[n] + j, (slots, component).

    first : (level,), weights : (level, width), values : (level, component); what lies beyond the last slot,
    or that of the level, (level,) `end`, is left out.
    """
    sums = np.zeros((slots, values.shape[1]))
    if end is None:
        end = np.full(len(first), slots)
    loops.spread(first, end, np.ascontiguousarray(weights), np.ascontiguousarray(values), sums)
    return sums


def partly_occupied(
    energy: Real, scan: Real, thermal_energy: float, first: Integer, last: Integer, width: int
) -> Real:
    """Fermi functions of levels (eV) at Fermi energies first ... last - 1 of each, (level, width), then 0.

    energy, first, last : (level,); scan : ascending (eV); thermal_energy : k_B T in eV
    """
    occupation = np.empty((len(energy), width))
    steps = np.exp(-np.diff(scan, prepend=scan[:1]) / thermal_energy)
    loops.partly_occupied(np.ascontiguousarray(energy), scan, steps, thermal_energy, first, last, occupation)
    return occupation


def sizes(weights: Real, values: Real) -> Real:
    """|sum over levels of weights * values|, components taken together, (k, energy).

    weights : (k, band, energy), values : (k, band, component)
    """
    found = np.empty((len(weights), weights.shape[2]))
    loops.sizes(np.ascontiguousarray(weights), np.ascontiguousarray(values), found)
    return found
