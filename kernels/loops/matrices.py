"""Velocity and interband position between bands, and what is summed over pairs of bands (T3)."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Complex, Integer, Real
from .multiplets import share


@loop(
    energy="real k n",
    label="integer k n",
    slopes_and_positions="complex k n 6 n",
    velocity="out complex k n 3 n",
    position="out complex k n 3 n",
)
def interband(
    energy: Real, label: Integer, slopes_and_positions: Complex, velocity: Complex, position: Complex
) -> None:
    """v_a = dHbar_a + i (eps_n - eps_m) Abar_a and r_a = -i v_a/(eps_n - eps_m), see contractions.py."""
    count, size = energy.shape
    gap = np.empty(size)
    inverse = np.empty(size)
    for k in range(count):
        for n in range(size):
            for m in range(size):
                gap[m] = energy[k, n] - energy[k, m]
                inverse[m] = 1.0 / gap[m] if label[k, n] != label[k, m] else 0.0
            for a in range(3):
                slope = slopes_and_positions[k, n, a]
                centre = slopes_and_positions[k, n, 3 + a]
                v = velocity[k, n, a]
                r = position[k, n, a]
                for m in range(size):
                    v[m] = slope[m] + complex(-gap[m] * centre[m].imag, gap[m] * centre[m].real)
                for m in range(size):
                    r[m] = complex(v[m].imag * inverse[m], -v[m].real * inverse[m])


@loop(
    product="complex k n j n",
    velocity="complex k n 3 n",
    energy="real k n",
    label="integer k n",
    squared_broadening="real",
    values="out real k n j 3",
)
def conventional(
    product: Complex,
    velocity: Complex,
    energy: Real,
    label: Integer,
    squared_broadening: float,
    values: Real,
) -> None:
    """T3 from P = Theta v, j = (observable, axis).

    With E_nm = P_nm conj(w_nm), w = v/((eps_n - eps_m)^2 + eta^2), the value of band n is the column sum
    minus the row sum of Im E, so the Hermitian conjugate of P is never formed.
    """
    count, size, rows, _ = product.shape
    weight = np.empty(size)
    field_real = np.empty((3, size))
    field_imag = np.empty((3, size))
    real = np.empty(size)
    imag = np.empty(size)
    columns = np.empty((rows, 3, size))
    for k in range(count):
        columns[:] = 0.0
        for n in range(size):
            for m in range(size):
                gap = energy[k, n] - energy[k, m]
                separate = label[k, n] != label[k, m]
                weight[m] = 1.0 / (gap * gap + squared_broadening) if separate else 0.0
            for b in range(3):
                v = velocity[k, n, b]
                for m in range(size):
                    field_real[b, m] = v[m].real * weight[m]
                    field_imag[b, m] = v[m].imag * weight[m]
            for row in range(rows):
                p = product[k, n, row]
                for m in range(size):
                    real[m] = p[m].real
                    imag[m] = p[m].imag
                for b in range(3):
                    column = columns[row, b]
                    w_real = field_real[b]
                    w_imag = field_imag[b]
                    total = 0.0
                    for m in range(size):
                        element = imag[m] * w_real[m] - real[m] * w_imag[m]
                        total += element
                        column[m] += element
                    values[k, n, row, b] = -total
        for n in range(size):
            for row in range(rows):
                for b in range(3):
                    values[k, n, row, b] += columns[row, b, n]
        share(label[k], values[k].reshape(size, 3 * rows))
