"""Contractions over bands: what each takes and gives. The loops behind them are in `loops`.

Every argument is checked before machine code sees it: TypeError for another dtype, ValueError for shapes that
do not fit, IndexError for a negative slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from . import loops
from .lanes import levels as levels_in_lanes
from .lanes.width import aligned, scratch, width
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


def rows_of(parts: Sequence[Real], held: Real | None = None) -> Real:
    """Components of levels, (k, band, component) of each part, side by side in whole vectors.

    Returns (k, band, vector, lane), the last components being zeros.

    held : rows that were made of as many components before, to be used again where they are enough
    """
    count, levels = parts[0].shape[:2]
    edges = column_edges(parts)
    if held is None or len(held) < count:
        held = aligned(count, levels, *vectors_of(edges[-1]))
        held.reshape(count, levels, -1)[:, :, edges[-1] :] = 0.0
    rows = held[:count]
    for part, first in zip(parts, edges, strict=False):
        levels_in_lanes.put(np.ascontiguousarray(part), first, rows.reshape(count, levels, -1))
    return rows


def column_edges(parts: Sequence[Real]) -> list[int]:
    """Columns at which parts begin that lie side by side, and the end."""
    return [0, *accumulate(part.shape[2] for part in parts)]


def vectors_of(components: int) -> tuple[int, int]:
    """Whole vectors that have room for so many components, and the length of one."""
    return -(-components // width()), width()


def scatter(slot: Integer, weight: Real, rows: Real, sums: Real) -> None:
    """Add weight * row of each level to sums[slot]; a slot beyond the last is left out.

    slot, weight : (k, band); rows : as `rows_of` makes them; sums : (slot, vector, lane)
    """
    levels_in_lanes.scatter(slot, weight, rows, sums)


def spread(first: Integer, end: Integer, weight: Real, occupation: Real, rows: Real, sums: Real) -> None:
    """Add weight * occupation[j] * row of each level to sums[first + j] for j = 0, 1 ... before end.

    first, end : (k, band); weight : (k,); occupation : (k, band, j); rows : as `rows_of` makes them
    """
    levels_in_lanes.spread(first, end, weight, occupation, rows, sums)


def partly_occupied(
    energy: Real, first: Integer, last: Integer, scan: Real, thermal_energy: float, width: int
) -> Real:
    """Fermi functions of levels (eV) at Fermi energies first ... last - 1 of each, (level, width), then 0.

    energy, first, last : (level,); scan : ascending (eV); thermal_energy : k_B T in eV
    """
    occupation = np.empty((len(energy), width))
    steps = np.exp(-np.diff(scan, prepend=scan[:1]) / thermal_energy)
    loops.partly_occupied(energy, scan, steps, thermal_energy, first, last, occupation)
    return occupation


def fermi_functions(energy: Real, scan: Real, thermal_energy: float, reach: float) -> Real:
    """Occupations of levels, (k, band) eV, at some Fermi energies, (k, band, energy).

    reach : distance, eV, from which on a level is occupied or empty; thermal_energy : k_B T, eV
    """
    occupation = np.empty((*energy.shape, len(scan)))
    loops.fermi_functions(energy, scan, thermal_energy, reach, occupation)
    return occupation


def first_not_below(energy: Real, scan: Real, shift: float = 0.0) -> Integer:
    """Number of the first Fermi energy, ascending, that is not below a level plus `shift`, (k, band).

    energy : (k, band), fastest where it ascends
    """
    first = np.empty(energy.shape, dtype=np.int64)
    loops.first_not_below(energy, scan, shift, first)
    return first


def add_sizes(
    occupation: Real, rows: Real, edges: Sequence[int], weight: Real, kpoints: Real, shares: Real
) -> None:
    """Add up |sum over levels of occupation * row| of the columns between edges, and keep the largest.

    occupation : (k, band, energy); rows : as `rows_of` makes them; weight : (k,); kpoints : (k, 3)
    shares : (part, energy, 5) sum over k, weighted, the largest, and its k
    """
    total, squares, found = scratch(rows.shape[2:], rows.shape[2:], (len(edges) - 1,))
    work = total, squares, squares.ravel(), found
    levels_in_lanes.add_sizes(occupation, rows, np.array(edges), weight, kpoints, shares, *work)
