"""Formulas that NumPy can only do in many passes over memory, as loops; compiled by `compiled.loop`.

All loops and what they call stay in this file: the cache of compiled code notices a change of this file only.
"""

from __future__ import annotations

import numpy as np

from .compiled import helper, loop
from .lattice import Complex, Integer, Real


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


@helper
def _end_of_multiplet(label: Integer, first: int) -> int:
    last = first + 1
    while last < len(label) and label[last] == label[first]:
        last += 1
    return last


@helper
def _overlap(a: Complex, b: Complex) -> complex:
    """Sum over m of a_m conj(b_m)."""
    real = 0.0
    imag = 0.0
    for m in range(len(a)):
        real += a[m].real * b[m].real + a[m].imag * b[m].imag
        imag += a[m].imag * b[m].real - a[m].real * b[m].imag
    return complex(real, imag)


@helper
def _share(label: Integer, values: Real) -> None:
    """Values (band, component) of the members of a multiplet become their mean."""
    first = 0
    while first < len(label):
        last = _end_of_multiplet(label, first)
        if last - first > 1:
            for c in range(values.shape[1]):
                mean = 0.0
                for n in range(first, last):
                    mean += values[n, c] / (last - first)
                for n in range(first, last):
                    values[n, c] = mean
        first = last


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
        _share(label[k], values[k].reshape(size, 3 * rows))


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
            last = _end_of_multiplet(label[k], first)
            for c in range(3):
                berry[k, first, c] = 0.0
                for s in range(observables):
                    conserved[k, first, s, c] = 0.0
            for i in range(first, last):
                for j in range(i, last):
                    for c in range(3):
                        a = (c + 1) % 3
                        b = (c + 2) % 3
                        forward = _overlap(r[i, a], r[j, b]) - _overlap(x[i, 3 + a], x[j, 3 + b])
                        if i == j:
                            backward = forward.conjugate()
                        else:
                            backward = _overlap(r[i, b], r[j, a]) - _overlap(x[i, 3 + b], x[j, 3 + a])
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
            for n in range(first + 1, last):
                for c in range(3):
                    berry[k, n, c] = berry[k, first, c]
                    for s in range(observables):
                        conserved[k, n, s, c] = conserved[k, first, s, c]
            first = last


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
            last = _end_of_multiplet(label[k], first)
            for s in range(observables):
                for a in range(3):
                    for b in range(3):
                        dipole[k, first, s, a, b] = 0.0
                        drude[k, first, s, a, b] = 0.0
            for i in range(first, last):
                for j in range(i, last):
                    # All blocks are Hermitian: the pair (j, i) adds the complex conjugate.
                    share = (1.0 if i == j else 2.0) / (last - first)
                    for a in range(3):
                        for b in range(3):
                            forward = _overlap(v[i, a, first:last], u[j, b, first:last])
                            backward = _overlap(u[i, b, first:last], v[j, a, first:last])
                            pair[a, b] = (forward + backward) / 2
                    for s in range(observables):
                        t = observable[k, i, s, j]
                        for a in range(3):
                            d = _overlap(observable[k, i, s], r[j, a])
                            if i == j:
                                d = complex(d.real, 0.0)
                            else:
                                d = (d + _overlap(r[i, a], observable[k, j, s])) / 2
                            for b in range(3):
                                x = u[i, b, j]
                                dipole[k, first, s, a, b] += share * (d.real * x.real + d.imag * x.imag)
                                w = pair[a, b]
                                drude[k, first, s, a, b] += share * (t.real * w.real + t.imag * w.imag)
            for n in range(first + 1, last):
                for s in range(observables):
                    for a in range(3):
                        for b in range(3):
                            dipole[k, n, s, a, b] = dipole[k, first, s, a, b]
                            drude[k, n, s, a, b] = drude[k, first, s, a, b]
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
            last = _end_of_multiplet(label[k], first)
            for s in range(observable.shape[2]):
                for b in range(3):
                    total = 0.0
                    squared_theta = 0.0
                    squared_velocity = 0.0
                    for i in range(first, last):
                        theta = observable[k, i, s, first:last]
                        v = velocity[k, i, b, first:last]
                        total += _overlap(theta, v).real / (last - first)
                        squared_theta += _overlap(theta, theta).real / (last - first)
                        squared_velocity += _overlap(v, v).real / (last - first)
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
            last = _end_of_multiplet(label[k], first)
            for n in range(first, last):
                for s in range(observables):
                    for c in range(3):
                        values[k, n, s, c] = 0.0
            for i in range(first, last):
                for j in range(first, last):
                    for c in range(3):
                        a = (c + 1) % 3
                        b = (c + 2) % 3
                        moment = _overlap(position[k, i, a], field_velocity[k, j, b])
                        moment -= _overlap(field_position[k, i, b], velocity[k, j, a])
                        for s in range(observables):
                            # theta_ji M_ij, the conjugate of theta_ij; its real part needs no Hermitian M.
                            t = observable[k, i, s, j]
                            trace = t.real * moment.real + t.imag * moment.imag
                            values[k, first, s, c] += trace / (2 * (last - first))
            for n in range(first + 1, last):
                for s in range(observables):
                    for c in range(3):
                        values[k, n, s, c] = values[k, first, s, c]
            first = last


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
    # 1/(eps_n - eps_m), the same for each operator.
    inverse = np.empty((kinds, size))
    # Real and imaginary parts apart: loops over m then fill whole vectors.
    x_real = np.empty((size, kinds * size))
    x_imag = np.empty((size, kinds * size))
    tilde_real = np.empty((kinds, size))
    tilde_imag = np.empty((kinds, size))
    z_real = np.empty((kinds, size))
    z_imag = np.empty((kinds, size))
    row_real = np.empty(kinds * size)
    row_imag = np.empty(kinds * size)
    columns = np.empty((observables * 9, size))
    for k in range(count):
        columns[:] = 0.0
        for n in range(size):
            x = operators[k, n].reshape(kinds * size)
            to_real = x_real[n]
            to_imag = x_imag[n]
            for m in range(kinds * size):
                to_real[m] = x[m].real
                to_imag[m] = x[m].imag
        first = 0
        last = 0
        for n in range(size):
            if n == last:
                first = n
                last = _end_of_multiplet(label[k], n)
            for m in range(size):
                inverse[0, m] = 1.0 / (energy[k, n] - energy[k, m]) if label[k, n] != label[k, m] else 0.0
            for c in range(1, kinds):
                for m in range(size):
                    inverse[c, m] = inverse[0, m]
            flat = inverse.reshape(kinds * size)
            from_real = x_real[n]
            from_imag = x_imag[n]
            to_real = tilde_real.reshape(kinds * size)
            to_imag = tilde_imag.reshape(kinds * size)
            for m in range(kinds * size):
                to_real[m] = from_real[m] * flat[m]
                to_imag[m] = from_imag[m] * flat[m]
            for a in range(3):
                row_real[:] = 0.0
                row_imag[:] = 0.0
                for i in range(first, last):
                    w_real = velocity[k, n, a, i].real
                    w_imag = velocity[k, n, a, i].imag
                    from_real = x_real[i]
                    from_imag = x_imag[i]
                    for m in range(kinds * size):
                        row_real[m] += w_real * from_real[m] - w_imag * from_imag[m]
                        row_imag[m] += w_real * from_imag[m] + w_imag * from_real[m]
                z = products[k, n, a].reshape(kinds * size)
                to_real = z_real.reshape(kinds * size)
                to_imag = z_imag.reshape(kinds * size)
                for m in range(kinds * size):
                    to_real[m] = z[m].real - 0.5 * flat[m] * row_imag[m]
                    to_imag[m] = z[m].imag + 0.5 * flat[m] * row_real[m]
                for s in range(observables):
                    t_real = tilde_real[s]
                    t_imag = tilde_imag[s]
                    p_real = z_real[s]
                    p_imag = z_imag[s]
                    for b in range(3):
                        u_real = tilde_real[observables + b]
                        u_imag = tilde_imag[observables + b]
                        q_real = z_real[observables + b]
                        q_imag = z_imag[observables + b]
                        column = columns[(s * 3 + a) * 3 + b]
                        total = 0.0
                        for m in range(size):
                            element = t_real[m] * q_real[m] + t_imag[m] * q_imag[m]
                            element -= p_real[m] * u_real[m] + p_imag[m] * u_imag[m]
                            total += element
                            column[m] += element
                        values[k, n, s, a, b] = total
        for n in range(size):
            for s in range(observables):
                for a in range(3):
                    for b in range(3):
                        values[k, n, s, a, b] -= columns[(s * 3 + a) * 3 + b, n]
        _share(label[k], values[k].reshape(size, observables * 9))


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
            last = _end_of_multiplet(label[k], first)
            for s in range(observables):
                for a in range(3):
                    for b in range(3):
                        values[k, first, s, a, b] = 0.0
            for i in range(last):
                for j in range(last):
                    enters = i >= first or j >= first
                    low = last if enters else first
                    high = size if enters else last
                    share = (1.0 if enters else -1.0) / (last - first)
                    for a in range(3):
                        for b in range(3):
                            left = _overlap(position[k, i, a, low:high], field_position[k, j, b, low:high])
                            right = _overlap(field_position[k, i, b, low:high], position[k, j, a, low:high])
                            curvature = 1j * (left - right)
                            if enters and a != b:
                                parity = 1.0 if (a + 1) % 3 == b else -1.0
                                curvature += parity * bracket[k, i, 3 - a - b, j]
                            for s in range(observables):
                                t = observable[k, i, s, j]
                                trace = t.real * curvature.real + t.imag * curvature.imag
                                values[k, first, s, a, b] += share * trace
            for n in range(first + 1, last):
                for s in range(observables):
                    for a in range(3):
                        for b in range(3):
                            values[k, n, s, a, b] = values[k, first, s, a, b]
            first = last


@loop(first="integer n", weights="real n w", values="real n c", sums="out real t c")
def spread(first: Integer, weights: Real, values: Real, sums: Real) -> None:
    """Add weights[n, j] * values[n] to sums[first[n] + j]. Raises IndexError for a negative slot."""
    slots, components = sums.shape
    for n in range(len(first)):
        if first[n] < 0:
            raise IndexError("spread: expected slots of at least 0, found a negative one.")
        row = values[n]
        for j in range(min(weights.shape[1], slots - first[n])):
            weight = weights[n, j]
            target = sums[first[n] + j]
            for c in range(components):
                target[c] += weight * row[c]


@loop(slot="integer n", values="real n c", sums="out real t c")
def scatter(slot: Integer, values: Real, sums: Real) -> None:
    """Add values[n] to sums[slot[n]]. Raises IndexError for a negative slot."""
    slots, components = sums.shape
    for n in range(len(slot)):
        if slot[n] < 0:
            raise IndexError("scatter: expected slots of at least 0, found a negative one.")
        if slot[n] < slots:
            row = values[n]
            target = sums[slot[n]]
            for c in range(components):
                target[c] += row[c]
