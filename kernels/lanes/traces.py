"""Traces inside multiplets, one k point in each lane: curvatures (T1, T5), and how members share."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Integer, Real
from .response import positions, velocities
from .vectors import Vector, fill, load, pick, some, store


@lane_helper
def overlap(n: int, left: Real, i: int, right: Real, j: int, first: int = 0) -> tuple[Vector, Vector]:
    """Sum over m from `first` on of left[i, m] conj(right[j, m])."""
    re = fill(0.0)
    im = fill(0.0)
    for m in range(first, n):
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


@lane_loop(packed="real g n x w", label="integer k n", values="out real k n x")
def share(packed: Real, label: Integer, values: Real) -> None:
    """Sums over the members of each multiplet, equally shared by them, k after k."""
    groups, size, components, lanes = packed.shape
    for g in range(groups):
        points = min(lanes, len(values) - g * lanes)
        for lane in range(points):
            for n in range(size):
                for c in range(components):
                    values[g * lanes + lane, n, c] = packed[g, n, c, lane]
        for k in range(g * lanes, g * lanes + points):
            share_rows(label[k], values[k])


@lane_helper
def share_rows(label: Integer, values: Real) -> None:
    """Rows (band, component) of the members of a multiplet become their mean."""
    size, components = values.shape
    first = 0
    while first < size:
        last = first + 1
        while last < size and label[last] == label[first]:
            last += 1
        if last > first + 1:
            for c in range(components):
                total = 0.0
                for n in range(first, last):
                    total += values[n, c]
                for n in range(first, last):
                    values[n, c] = total / (last - first)
        first = last
