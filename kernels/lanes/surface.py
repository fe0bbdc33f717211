"""What a Fermi surface carries: traces with the velocity inside multiplets, one k point in each lane.

All of them come out as parts in the rows of the members of a multiplet, which share them.
"""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .traces import add, begin_of_members, end_of_members, overlap
from .vectors import Vector, fill, load, pick, store


@lane_helper
def dipole_element(
    n: int, theta: Real, i: int, j: int, position: Real, p: int, q: int
) -> tuple[Vector, Vector]:
    """Element of d_a = 1/2 (Theta r_a + h.c.) from rows i, j of Theta and the same rows p, q of r_a."""
    re, im = overlap(n, theta, i, position, q)
    if i == j:
        return re, fill(0.0)
    x, y = overlap(n, position, p, theta, j)
    return 0.5 * (re + x), 0.5 * (im + y)


@lane_helper
def flow_element(
    n: int,
    first: int,
    last: int,
    label: Real,
    i: int,
    left: Real,
    p: int,
    q: int,
    right: Real,
    u: int,
    v: int,
) -> tuple[Vector, Vector]:
    """Element of 1/2 {v_a, V_b} inside the multiplet of band i, from rows p, q of v_a and u, v of V_b."""
    zero = fill(0.0)
    own = load(label, i)
    re = zero
    im = zero
    for m in range(first, last):
        inside = load(label, m) == own
        a = pick(inside, load(left, 2 * (p * n + m)), zero)
        b = pick(inside, load(left, 2 * (p * n + m) + 1), zero)
        c = load(right, 2 * (v * n + m))
        d = load(right, 2 * (v * n + m) + 1)
        re = re + a * c + b * d
        im = im + b * c - a * d
        a = pick(inside, load(right, 2 * (u * n + m)), zero)
        b = pick(inside, load(right, 2 * (u * n + m) + 1), zero)
        c = load(left, 2 * (q * n + m))
        d = load(left, 2 * (q * n + m) + 1)
        re = re + a * c + b * d
        im = im + b * c - a * d
    return 0.5 * re, 0.5 * im


@lane_helper
def flow_pair(
    n: int,
    i: int,
    j: int,
    first: int,
    last: int,
    label: Real,
    rotated: Real,
    velocity: Real,
    position: Real,
    field: Real,
    dipole: Real,
    drude: Real,
) -> None:
    """What elements (i, j) and (j, i) of both blocks add to row i; first, last : members of its multiplet."""
    same = load(label, i) == load(label, j)
    observables = rotated.shape[0] - 6
    # All blocks are Hermitian: the pair (j, i) adds the complex conjugate.
    factor = pick(same, fill(1.0 if i == j else 2.0), fill(0.0))
    for a in range(3):
        p = a * n + i
        q = a * n + j
        for b in range(3):
            x, y = flow_element(n, first, last, label, i, velocity, p, q, field, b * n + i, b * n + j)
            for s in range(observables):
                here = 2 * (((6 + s) * n + i) * n + j)
                trace = load(rotated, here) * x + load(rotated, here + 1) * y
                add(drude, 9 * (observables * i + s) + 3 * a + b, factor * trace)
        for s in range(observables):
            theta = (6 + s) * n
            x, y = dipole_element(n, rotated, theta + i, theta + j, position, p, q)
            for b in range(3):
                here = 2 * ((b * n + i) * n + j)
                trace = load(field, here) * x + load(field, here + 1) * y
                add(dipole, 9 * (observables * i + s) + 3 * a + b, factor * trace)


@lane_loop(
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    position="real g 3 n n 2 w",
    field="real g 3 n n 2 w",
    dipole="out real g n s 3 3 w",
    drude="out real g n s 3 3 w",
)
def flows(
    label: Real, rotated: Real, velocity: Real, position: Real, field: Real, dipole: Real, drude: Real
) -> None:
    """Re Tr[d_a V_b] and 1/2 Re Tr[{theta, v_a} V_b]."""
    groups, n, observables = dipole.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        # Views cost more than what is read from them: they are made once for each group.
        own, operators, v, r, u = label[g], rotated[g], velocity[g], position[g], field[g]
        first_values, second_values = dipole[g], drude[g]
        for place in range(9 * n * observables):
            store(first_values, place, zero)
            store(second_values, place, zero)
        for i in range(n):
            first = begin_of_members(i, own)
            last = end_of_members(n, i, own)
            for j in range(i, last):
                flow_pair(n, i, j, first, last, own, operators, v, r, u, first_values, second_values)


@lane_loop(
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    values="out real g n x 3 w",
)
def drifts(label: Real, rotated: Real, velocity: Real, values: Real) -> None:
    """Re Tr[theta v_b] of each observable, then |v_b|^2, then |theta|^2, the same for all b."""
    groups, n = values.shape[:2]
    observables = rotated.shape[1] - 6
    kinds = 2 * observables + 1
    zero = fill(0.0)
    for g in range(groups):
        for place in range(3 * n * kinds):
            store(values[g], place, zero)
        for i in range(n):
            for j in range(begin_of_members(i, label[g]), end_of_members(n, i, label[g])):
                factor = pick(load(label[g], i) == load(label[g], j), fill(1.0), zero)
                here = 2 * (i * n + j)
                row = 3 * kinds * i
                for b in range(3):
                    x = factor * load(velocity[g, b], here)
                    y = factor * load(velocity[g, b], here + 1)
                    add(values[g], row + 3 * observables + b, x * x + y * y)
                    for s in range(observables):
                        re = load(rotated[g, 6 + s], here)
                        im = load(rotated[g, 6 + s], here + 1)
                        add(values[g], row + 3 * s + b, re * x + im * y)
                        size = factor * (re * re + im * im)
                        add(values[g], row + 3 * (observables + 1 + s) + b, size)
