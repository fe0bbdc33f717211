"""The full response of the conserved current, T14."""

from __future__ import annotations

import numpy as np

from ..compiled import helper, loop
from ..lattice import Complex, Integer, Real
from .multiplets import end_of_multiplet, share


@helper
def _parts(matrix: Complex, real: Real, imag: Real) -> None:
    """Real and imaginary parts apart: loops over m then fill whole vectors."""
    for n in range(matrix.shape[0]):
        row = matrix[n].reshape(real.shape[1])
        to_real = real[n]
        to_imag = imag[n]
        for m in range(len(row)):
            to_real[m] = row[m].real
            to_imag[m] = row[m].imag


@helper
def _inverse_gaps(energy: Real, label: Integer, n: int, inverse: Real) -> None:
    """1/(eps_n - eps_m) between multiplets and 0 inside, once for each operator."""
    size = len(energy)
    for m in range(size):
        inverse[m] = 1.0 / (energy[n] - energy[m]) if label[n] != label[m] else 0.0
    for m in range(size, len(inverse)):
        inverse[m] = inverse[m - size]


@helper
def _scaled(row: Real, inverse: Real, to: Real) -> None:
    for m in range(len(row)):
        to[m] = row[m] * inverse[m]


@helper
def _add_product(factor: complex, real: Real, imag: Real, to_real: Real, to_imag: Real) -> None:
    for m in range(len(real)):
        to_real[m] += factor.real * real[m] - factor.imag * imag[m]
        to_imag[m] += factor.real * imag[m] + factor.imag * real[m]


@helper
def _dressed(product: Complex, row: Real, inverse: Real, to: Real) -> None:
    """Z = r X + (i/2) (w X)/(eps_n - eps_m); row and to : real and imaginary parts of w X and Z."""
    row_real = row[0]
    row_imag = row[1]
    to_real = to[0]
    to_imag = to[1]
    for m in range(len(product)):
        to_real[m] = product[m].real - 0.5 * inverse[m] * row_imag[m]
        to_imag[m] = product[m].imag + 0.5 * inverse[m] * row_real[m]


@helper
def _add_pairs(tilde: Real, z: Real, s: int, fields: int, values: Real, columns: Real) -> None:
    """Add Re(Theta~_s conj(Z_b)) - Re(Z_s conj(V~_b)) to columns (b, m), their row sums to values (b,)."""
    theta_real = tilde[0, s]
    theta_imag = tilde[1, s]
    z_theta_real = z[0, s]
    z_theta_imag = z[1, s]
    for b in range(3):
        field_real = tilde[0, fields + b]
        field_imag = tilde[1, fields + b]
        z_field_real = z[0, fields + b]
        z_field_imag = z[1, fields + b]
        column = columns[b]
        total = 0.0
        for m in range(len(column)):
            element = theta_real[m] * z_field_real[m] + theta_imag[m] * z_field_imag[m]
            element -= z_theta_real[m] * field_real[m] + z_theta_imag[m] * field_imag[m]
            total += element
            column[m] += element
        values[b] = total


@loop(
    energy="real k n",
    label="integer k n",
    velocity="complex k n 3 n",
    operators="complex k n c n",
    products="complex k n 3 c n",
    values="out real k n s 3 3",
)
def proper(
    energy: Real, label: Integer, velocity: Complex, operators: Complex, products: Complex, values: Real
) -> None:
    """T14 per band. operators : the observables Theta_s, then V_b; products : r_a times each of them.

    With Z_a[X] = r_a X + (i/2) (w_a X)_nm/(eps_n - eps_m) and a tilde for X_nm/(eps_n - eps_m), the value of
    a band is the row sum minus the column sum of Re(Theta~ conj(Z_a[V_b])) - Re(Z_a[Theta] conj(V~_b)): all
    matrices are Hermitian, so that the transposed halves of G differ by a sign only.
    """
    count, size = energy.shape
    observables = values.shape[2]
    kinds = observables + 3
    length = kinds * size
    inverse = np.empty(length)
    real = np.empty((size, length))
    imag = np.empty((size, length))
    tilde = np.empty((2, kinds, size))
    tilde_real = tilde[0].reshape(length)
    tilde_imag = tilde[1].reshape(length)
    z = np.empty((2, kinds, size))
    flat_z = z.reshape(2, length)
    row = np.empty((2, length))
    columns = np.empty((observables, 3, 3, size))
    for k in range(count):
        columns[:] = 0.0
        _parts(operators[k], real, imag)
        first = 0
        last = 0
        for n in range(size):
            if n == last:
                first = n
                last = end_of_multiplet(label[k], n)
            _inverse_gaps(energy[k], label[k], n, inverse)
            _scaled(real[n], inverse, tilde_real)
            _scaled(imag[n], inverse, tilde_imag)
            for a in range(3):
                row[:] = 0.0
                for i in range(first, last):
                    _add_product(velocity[k, n, a, i], real[i], imag[i], row[0], row[1])
                _dressed(products[k, n, a].reshape(length), row, inverse, flat_z)
                for s in range(observables):
                    _add_pairs(tilde, z, s, observables, values[k, n, s, a], columns[s, a])
        for n in range(size):
            for s in range(observables):
                for a in range(3):
                    for b in range(3):
                        values[k, n, s, a, b] -= columns[s, a, b, n]
        share(label[k], values[k].reshape(size, observables * 9))
