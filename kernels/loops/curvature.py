"""Curvatures of the bands, inside multiplets and of all occupied levels together."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Complex, Integer, Real
from .multiplets import copy_to_members, end_of_multiplet, overlap


@loop(
    label="integer k n",
    position="complex k n 3 n",
    slopes_and_positions="complex k n 6 n",
    observable="complex k n s n",
    half_rotated="complex k n o n",
    states="complex k n n",
    berry="out real k n 3",
    conserved="out real k n s 3",
)
def curvature_traces(
    label: Integer,
    position: Complex,
    slopes_and_positions: Complex,
    observable: Complex,
    half_rotated: Complex,
    states: Complex,
    berry: Real,
    conserved: Real,
) -> None:
    """Tr F_c/|N| and Re Tr[theta_N F_c]/|N| with F_ab = curl A - i [A_a, A_b] + i [r_a, r_b], section 3."""
    count, size = label.shape
    observables = observable.shape[2]
    needed = 6 + observables
    has_curl = half_rotated.shape[2] > needed
    element = np.empty(3, dtype=np.complex128)
    for k in range(count):
        r = position[k]
        x = slopes_and_positions[k]
        first = 0
        while first < size:
            last = end_of_multiplet(label[k], first)
            for i in range(first, last):
                for j in range(i, last):
                    for c in range(3):
                        a = (c + 1) % 3
                        b = (c + 2) % 3
                        forward = overlap(r[i, a], r[j, b]) - overlap(x[i, 3 + a], x[j, 3 + b])
                        if i == j:
                            backward = forward.conjugate()
                        else:
                            backward = overlap(r[i, b], r[j, a]) - overlap(x[i, 3 + b], x[j, 3 + a])
                        element[c] = 1j * (forward - backward)
                        if has_curl:
                            for w in range(size):
                                element[c] += states[k, w, i].conjugate() * half_rotated[k, w, needed + c, j]
                    # F and theta are Hermitian: the pair (j, i) adds the complex conjugate.
                    share = (1.0 if i == j else 2.0) / (last - first)
                    for c in range(3):
                        if i == j:
                            berry[k, first, c] += share * element[c].real
                        for s in range(observables):
                            theta = observable[k, i, s, j]
                            trace = theta.real * element[c].real + theta.imag * element[c].imag
                            conserved[k, first, s, c] += share * trace
            copy_to_members(berry[k], first, last)
            copy_to_members(conserved[k].reshape(size, 3 * observables), first, last)
            first = last


@loop(
    label="integer k n",
    position="complex k n 3 n",
    field_position="complex k n 3 n",
    observable="complex k n s n",
    bracket="complex k n 3 n",
    values="out real k n s 3 3",
)
def occupied_increments(
    label: Integer,
    position: Complex,
    field_position: Complex,
    observable: Complex,
    bracket: Complex,
    values: Real,
) -> None:
    """What each multiplet adds to Re Tr[theta_occ F_occ] when all levels up to it become one multiplet.

    It enters the occupied rows of F and leaves the empty levels that they see. bracket : the curvature of the
    Wannier subspace itself, as a pseudovector.
    """
    count, size = label.shape
    observables = observable.shape[2]
    for k in range(count):
        first = 0
        while first < size:
            last = end_of_multiplet(label[k], first)
            for i in range(last):
                for j in range(last):
                    enters = i >= first or j >= first
                    low = last if enters else first
                    high = size if enters else last
                    share = (1.0 if enters else -1.0) / (last - first)
                    for a in range(3):
                        for b in range(3):
                            left = overlap(position[k, i, a, low:high], field_position[k, j, b, low:high])
                            right = overlap(field_position[k, i, b, low:high], position[k, j, a, low:high])
                            curvature = 1j * (left - right)
                            if enters and a != b:
                                parity = 1.0 if (a + 1) % 3 == b else -1.0
                                curvature += parity * bracket[k, i, 3 - a - b, j]
                            for s in range(observables):
                                t = observable[k, i, s, j]
                                trace = t.real * curvature.real + t.imag * curvature.imag
                                values[k, first, s, a, b] += share * trace
            copy_to_members(values[k].reshape(size, 9 * observables), first, last)
            first = last
