"""Traces inside multiplets, one k point in each lane: curvatures (T1, T5), what a Fermi surface carries."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Integer, Real
from .response import positions, velocities
from .vectors import Vector, fill, load, pick, some, store


@lane_helper
def overlap(n: int, left: Real, i: int, right: Real, j: int) -> tuple[Vector, Vector]:
    """Sum over m of left[i, m] conj(right[j, m])."""
    re = fill(0.0)
    im = fill(0.0)
    for m in range(n):
        a = load(left, 2 * (i * n + m))
        b = load(left, 2 * (i * n + m) + 1)
        c = load(right, 2 * (j * n + m))
        d = load(right, 2 * (j * n + m) + 1)
        re = re + a * c + b * d
        im = im + b * c - a * d
    return re, im


@lane_helper
def add(array: Real, place: int, vector: Vector) -> None:
    store(array, place, load(array, place) + vector)


@lane_helper
def curvature_element(
    n: int, i: int, j: int, c: int, rotated: Real, position: Real, states: Real, curl: Real
) -> tuple[Vector, Vector]:
    """Element (i, j) of F_c = curl A - i [A_a, A_b] + i [r_a, r_b], (a, b, c) cyclic."""
    a = (c + 1) % 3
    b = (c + 2) % 3
    re, im = overlap(n, position[a], i, position[b], j)
    x, y = overlap(n, rotated[3 + a], i, rotated[3 + b], j)
    re = re - x
    im = im - y
    back_re = re
    back_im = -im
    if i != j:
        back_re, back_im = overlap(n, position[b], i, position[a], j)
        x, y = overlap(n, rotated[3 + b], i, rotated[3 + a], j)
        back_re = back_re - x
        back_im = back_im - y
    found_re = back_im - im
    found_im = re - back_re
    if len(curl):
        x, y = overlap(n, curl[c], j, states, i)
        found_re = found_re + x
        found_im = found_im + y
    return found_re, found_im


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    states="real g n n 2 w",
    curl="real g c n n 2 w",
    values="out real g n x 3 w",
    velocity="out real 3 n n 2 w",
    position="out real 3 n n 2 w",
)
def curvature(
    energy: Real,
    label: Real,
    rotated: Real,
    states: Real,
    curl: Real,
    values: Real,
    velocity: Real,
    position: Real,
) -> None:
    """Tr F_c, then Re Tr[theta_N F_c] of each observable, whose parts are in the rows of the members.

    curl : curl A times each state, of three axes or of none
    """
    groups, n, kinds = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        out = values[g]
        for place in range(3 * n * kinds):
            store(out, place, zero)
        velocities(n, energy[g], rotated[g], velocity)
        positions(n, energy[g], label[g], velocity, position)
        for i in range(n):
            for j in range(i, n):
                same = load(label[g], i) == load(label[g], j)
                if not some(same):
                    break
                for c in range(3):
                    x, y = curvature_element(n, i, j, c, rotated[g], position, states[g], curl[g])
                    x = pick(same, x, zero)
                    y = pick(same, y, zero)
                    if i == j:
                        add(out, 3 * kinds * i + c, x)
                    # F and theta are Hermitian: the pair (j, i) adds the complex conjugate.
                    factor = 1.0 if i == j else 2.0
                    for s in range(kinds - 1):
                        here = 2 * (i * n + j)
                        theta = rotated[g, 6 + s]
                        trace = load(theta, here) * x + load(theta, here + 1) * y
                        add(out, 3 * (kinds * i + s + 1) + c, factor * trace)


@lane_helper
def dipole_element(n: int, i: int, j: int, theta: Real, position: Real) -> tuple[Vector, Vector]:
    """Element (i, j) of d_a = 1/2 (Theta r_a + h.c.)."""
    re, im = overlap(n, theta, i, position, j)
    if i == j:
        return re, fill(0.0)
    x, y = overlap(n, position, i, theta, j)
    return 0.5 * (re + x), 0.5 * (im + y)


@lane_helper
def flow_element(
    n: int, i: int, j: int, first: int, last: int, label: Real, left: Real, right: Real
) -> tuple[Vector, Vector]:
    """Element (i, j) of 1/2 {v_a, v_b} with both restricted to the multiplet of i."""
    zero = fill(0.0)
    own = load(label, i)
    re = zero
    im = zero
    for m in range(first, last):
        inside = load(label, m) == own
        a = pick(inside, load(left, 2 * (i * n + m)), zero)
        b = pick(inside, load(left, 2 * (i * n + m) + 1), zero)
        c = load(right, 2 * (j * n + m))
        d = load(right, 2 * (j * n + m) + 1)
        re = re + a * c + b * d
        im = im + b * c - a * d
        a = pick(inside, load(right, 2 * (i * n + m)), zero)
        b = pick(inside, load(right, 2 * (i * n + m) + 1), zero)
        c = load(left, 2 * (j * n + m))
        d = load(left, 2 * (j * n + m) + 1)
        re = re + a * c + b * d
        im = im + b * c - a * d
    return 0.5 * re, 0.5 * im


@lane_helper
def begin_of_members(i: int, label: Real) -> int:
    """The first band that is in the multiplet of band i in any lane."""
    first = i
    while first > 0 and some(load(label, first - 1) == load(label, i)):
        first -= 1
    return first


@lane_helper
def end_of_members(n: int, i: int, label: Real) -> int:
    """One beyond the last band that is in the multiplet of band i in any lane."""
    last = i + 1
    while last < n and some(load(label, last) == load(label, i)):
        last += 1
    return last


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    dipole="out real g n s 3 3 w",
    drude="out real g n s 3 3 w",
    velocity="out real 3 n n 2 w",
    position="out real 3 n n 2 w",
)
def flows(
    energy: Real, label: Real, rotated: Real, dipole: Real, drude: Real, velocity: Real, position: Real
) -> None:
    """Re Tr[d_a v_b] and 1/2 Re Tr[{theta, v_a} v_b], whose parts are in the rows of the members."""
    groups, n, observables = dipole.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        for place in range(9 * n * observables):
            store(dipole[g], place, zero)
            store(drude[g], place, zero)
        velocities(n, energy[g], rotated[g], velocity)
        positions(n, energy[g], label[g], velocity, position)
        for i in range(n):
            first = begin_of_members(i, label[g])
            last = end_of_members(n, i, label[g])
            for j in range(i, last):
                same = load(label[g], i) == load(label[g], j)
                here = 2 * (i * n + j)
                # All blocks are Hermitian: the pair (j, i) adds the complex conjugate.
                factor = pick(same, fill(1.0 if i == j else 2.0), zero)
                for a in range(3):
                    for b in range(3):
                        x, y = flow_element(n, i, j, first, last, label[g], velocity[a], velocity[b])
                        for s in range(observables):
                            theta = rotated[g, 6 + s]
                            trace = load(theta, here) * x + load(theta, here + 1) * y
                            add(drude[g], 9 * (observables * i + s) + 3 * a + b, factor * trace)
                    for s in range(observables):
                        x, y = dipole_element(n, i, j, rotated[g, 6 + s], position[a])
                        for b in range(3):
                            v = velocity[b]
                            trace = load(v, here) * x + load(v, here + 1) * y
                            add(dipole[g], 9 * (observables * i + s) + 3 * a + b, factor * trace)


@lane_loop(packed="real g n x w", label="integer k n", values="out real k n x")
def share(packed: Real, label: Integer, values: Real) -> None:
    """Sums over the members of each multiplet, equally shared by them, k after k."""
    groups, size, components, lanes = packed.shape
    for g in range(groups):
        for lane in range(min(lanes, len(values) - g * lanes)):
            k = g * lanes + lane
            first = 0
            while first < size:
                last = first + 1
                while last < size and label[k, last] == label[k, first]:
                    last += 1
                for c in range(components):
                    total = 0.0
                    for n in range(first, last):
                        total += packed[g, n, c, lane]
                    for n in range(first, last):
                        values[k, n, c] = total / (last - first)
                first = last
