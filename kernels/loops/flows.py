"""Traces of products with the velocity inside a multiplet: what a Fermi surface carries."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Complex, Integer, Real
from .multiplets import copy_to_members, end_of_multiplet, overlap


@loop(
    label="integer k n",
    position="complex k n 3 n",
    observable="complex k n s n",
    velocity="complex k n 3 n",
    field_velocity="complex k n 3 n",
    dipole="out real k n s 3 3",
    drude="out real k n s 3 3",
)
def flow_traces(
    label: Integer,
    position: Complex,
    observable: Complex,
    velocity: Complex,
    field_velocity: Complex,
    dipole: Real,
    drude: Real,
) -> None:
    """Re Tr[d_a V_b]/|N| and 1/2 Re Tr[{theta, v_a} V_b]/|N|, d_a = 1/2 (Theta r_a + h.c.)."""
    count, size = label.shape
    observables = observable.shape[2]
    pair = np.empty((3, 3), dtype=np.complex128)
    for k in range(count):
        v = velocity[k]
        u = field_velocity[k]
        r = position[k]
        first = 0
        while first < size:
            last = end_of_multiplet(label[k], first)
            for i in range(first, last):
                for j in range(i, last):
                    # All blocks are Hermitian: the pair (j, i) adds the complex conjugate.
                    share = (1.0 if i == j else 2.0) / (last - first)
                    for a in range(3):
                        for b in range(3):
                            forward = overlap(v[i, a, first:last], u[j, b, first:last])
                            backward = overlap(u[i, b, first:last], v[j, a, first:last])
                            pair[a, b] = (forward + backward) / 2
                    for s in range(observables):
                        t = observable[k, i, s, j]
                        for a in range(3):
                            d = overlap(observable[k, i, s], r[j, a])
                            if i == j:
                                d = complex(d.real, 0.0)
                            else:
                                d = (d + overlap(r[i, a], observable[k, j, s])) / 2
                            for b in range(3):
                                x = u[i, b, j]
                                dipole[k, first, s, a, b] += share * (d.real * x.real + d.imag * x.imag)
                                w = pair[a, b]
                                drude[k, first, s, a, b] += share * (t.real * w.real + t.imag * w.imag)
            copy_to_members(dipole[k].reshape(size, 9 * observables), first, last)
            copy_to_members(drude[k].reshape(size, 9 * observables), first, last)
            first = last


@loop(
    label="integer k n",
    observable="complex k n s n",
    velocity="complex k n 3 n",
    values="out real k n s 3",
    bounds="out real k n s 3",
)
def texture_flow(label: Integer, observable: Complex, velocity: Complex, values: Real, bounds: Real) -> None:
    """Re Tr[theta_N v_b]/|N|, and the product of the norms of theta_N and v_b, which it cannot exceed."""
    count, size = label.shape
    for k in range(count):
        first = 0
        while first < size:
            last = end_of_multiplet(label[k], first)
            for s in range(observable.shape[2]):
                for b in range(3):
                    total = 0.0
                    squared_theta = 0.0
                    squared_velocity = 0.0
                    for i in range(first, last):
                        theta = observable[k, i, s, first:last]
                        v = velocity[k, i, b, first:last]
                        total += overlap(theta, v).real / (last - first)
                        squared_theta += overlap(theta, theta).real / (last - first)
                        squared_velocity += overlap(v, v).real / (last - first)
                    bound = np.sqrt(squared_theta * squared_velocity)
                    for n in range(first, last):
                        values[k, n, s, b] = total
                        bounds[k, n, s, b] = bound
            first = last


@loop(
    label="integer k n",
    position="complex k n 3 n",
    field_position="complex k n 3 n",
    velocity="complex k n 3 n",
    field_velocity="complex k n 3 n",
    observable="complex k n s n",
    values="out real k n s 3",
)
def moment_traces(
    label: Integer,
    position: Complex,
    field_position: Complex,
    velocity: Complex,
    field_velocity: Complex,
    observable: Complex,
    values: Real,
) -> None:
    """Re Tr[theta_N m_c]/|N|, m_c = 1/2 (r_a V_b - r^V_b v_a) with (a, b, c) cyclic."""
    count, size = label.shape
    observables = observable.shape[2]
    for k in range(count):
        first = 0
        while first < size:
            last = end_of_multiplet(label[k], first)
            for i in range(first, last):
                for j in range(first, last):
                    for c in range(3):
                        a = (c + 1) % 3
                        b = (c + 2) % 3
                        moment = overlap(position[k, i, a], field_velocity[k, j, b])
                        moment -= overlap(field_position[k, i, b], velocity[k, j, a])
                        for s in range(observables):
                            # theta_ji M_ij, the conjugate of theta_ij; its real part needs no Hermitian M.
                            t = observable[k, i, s, j]
                            trace = t.real * moment.real + t.imag * moment.imag
                            values[k, first, s, c] += trace / (2 * (last - first))
            copy_to_members(values[k].reshape(size, 3 * observables), first, last)
            first = last
