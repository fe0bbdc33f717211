"""Operators at any k, from their matrices in R space."""

from __future__ import annotations

import numpy as np

from .compiled import fast_path
from .lanes import LARGEST, operators_at
from .lattice import (
    CYCLIC,
    BlochOperators,
    Complex,
    LatticeOperators,
    Real,
    RealSpaceOperator,
    stacked_count,
)


def points_side_by_side(operators: LatticeOperators) -> int:
    """K points treated side by side: lanes, or 1 where matrices are too large for a group of them."""
    return fast_path().lanes if operators.size <= LARGEST else 1


def bloch_operators(
    operators: LatticeOperators, kpoints: Real, with_observable_slopes: bool = False
) -> BlochOperators:
    """Direct Fourier sums X(k) = sum_R exp(2 pi i k.R) X(R) at any list of reduced k (theory section 2).

    kpoints : (k, 3). The sums cost (number of R) x wannier^2 per k and operator; a regular mesh is
    cheaper through `separable.mesh_blocks`.
    """
    if operators.size <= LARGEST:
        needed = with_observable_slopes and not operators.observables.onsite
        return operators_at(operators, kpoints, needed)
    count, size, lattice_count = len(kpoints), operators.size, operators.observable_count
    stacked = np.empty((count, size, stacked_count(operators), size), dtype=complex)

    phases, derivative_weights = _weights(operators.hamiltonian, operators.cell, kpoints)
    table: Complex = operators.hamiltonian.matrices.reshape(phases.shape[1], -1)
    hamiltonian = (phases @ table).reshape(count, size, size)
    for a, weights in enumerate(derivative_weights):
        stacked[:, :, a] = (weights @ table).reshape(count, size, size)

    position = operators.position
    phases, derivative_weights = _weights(position, operators.cell, kpoints)
    columns: Complex = position.matrices.reshape(phases.shape[1], 3, -1)
    for a in range(3):
        stacked[:, :, 3 + a] = (phases @ columns[:, a]).reshape(count, size, size)
    if not position.onsite:
        for c, (a, b) in enumerate(CYCLIC):
            curl = derivative_weights[a] @ columns[:, b] - derivative_weights[b] @ columns[:, a]
            stacked[:, :, 6 + lattice_count + c] = curl.reshape(count, size, size)

    phases, derivative_weights = _weights(operators.observables, operators.cell, kpoints)
    slopes = None
    if with_observable_slopes and not operators.observables.onsite:
        slopes = np.empty((count, size, lattice_count * 3, size), dtype=complex)
    for s in range(lattice_count):
        table = operators.observables.matrices[:, s].reshape(phases.shape[1], -1)
        stacked[:, :, 6 + s] = (phases @ table).reshape(count, size, size)
        if slopes is not None:
            for a, weights in enumerate(derivative_weights):
                slopes[:, :, 3 * s + a] = (weights @ table).reshape(count, size, size)
    return BlochOperators(hamiltonian, stacked, lattice_count, slopes, operators.field_charge)


def _weights(operator: RealSpaceOperator, cell: Real, kpoints: Real) -> tuple[Complex, list[Complex]]:
    phases = np.exp(2j * np.pi * (kpoints @ operator.translations.T))
    cartesian = operator.translations @ cell
    return phases, [phases * (1j * cartesian[:, a]) for a in range(3)]
