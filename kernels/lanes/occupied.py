"""T6 with all occupied levels as one multiplet, and levels that may meet; one k point in each lane."""

from __future__ import annotations

import numpy as np

from ..compiled import lane_helper, lane_loop
from ..lattice import Integer, Real
from .products import hermitian_product, rows_times_rows
from .traces import add, overlap
from .vectors import Vector, fill, load, store


@lane_helper
def brackets(n: int, rotated: Real, states: Real, curl: Real, product: Real, bracket: Real) -> None:
    """Curl A - i [A_a, A_b] between bands, (c, n, n, 2, lane)."""
    for c in range(3):
        out = bracket[c]
        if len(curl):
            hermitian_product(n, states, curl[c], out)
        else:
            for place in range(2 * n * n):
                store(out, place, fill(0.0))
        # The product comes out as its complex conjugate.
        rows_times_rows(n, rotated[3 + (c + 1) % 3], rotated[3 + (c + 2) % 3], product, 2 * n, 2)
        for i in range(n):
            for j in range(n):
                here = 2 * (i * n + j)
                there = 2 * (j * n + i)
                add(out, here, -load(product, here + 1) - load(product, there + 1))
                add(out, here + 1, load(product, there) - load(product, here))


@lane_loop(
    rotated="real g o n n 2 w",
    position="real g 3 n n 2 w",
    states="real g n n 2 w",
    curl="real g c n n 2 w",
    values="out real g n s 3 w",
    bracket="out real 3 n n 2 w",
    product="out real n n 2 w",
)
def occupied_increments(
    rotated: Real, position: Real, states: Real, curl: Real, values: Real, bracket: Real, product: Real
) -> None:
    """What each level adds to Re Tr[theta_occ F_occ] when it becomes occupied, not yet shared by multiplets.

    It enters the occupied rows of F and leaves the empty levels that they see. Positions vanish inside
    multiplets, so that the sum over a whole one is right, whatever its members are given.
    """
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for place in range(3 * n * observables):
            store(values[g], place, fill(0.0))
        brackets(n, rotated[g], states[g], curl[g], product, bracket)
        for level in range(n):
            for c in range(3):
                left = position[g, (c + 1) % 3]
                right = position[g, (c + 2) % 3]
                for i in range(level + 1):
                    re, im = overlap(n, left, i, right, level, level + 1)
                    x, y = overlap(n, right, i, left, level, level + 1)
                    here = 2 * (i * n + level)
                    # F and theta are Hermitian: the pair (j, i) adds the complex conjugate.
                    factor = 1.0 if i == level else 2.0
                    x, y = y - im + load(bracket[c], here), re - x + load(bracket[c], here + 1)
                    add_traces(n, factor, x, y, rotated[g], here, values[g], 3 * observables * level + c)
                for i in range(level):
                    a = load(left, 2 * (i * n + level))
                    b = load(left, 2 * (i * n + level) + 1)
                    p = load(right, 2 * (i * n + level))
                    q = load(right, 2 * (i * n + level) + 1)
                    for j in range(i + 1):
                        u = load(right, 2 * (j * n + level))
                        v = load(right, 2 * (j * n + level) + 1)
                        r = load(left, 2 * (j * n + level))
                        s = load(left, 2 * (j * n + level) + 1)
                        # i (r_a conj(r_b) - r_b conj(r_a)) of the level, which is no longer empty.
                        x = q * r - p * s - b * u + a * v
                        y = a * u + b * v - p * r - q * s
                        factor = -1.0 if i == j else -2.0
                        here = 2 * (i * n + j)
                        add_traces(n, factor, x, y, rotated[g], here, values[g], 3 * observables * level + c)


@lane_helper
def add_traces(
    n: int, factor: float, x: Vector, y: Vector, rotated: Real, here: int, values: Real, place: int
) -> None:
    """Add what an element x + i y of F gives to the trace with each observable."""
    for s in range(rotated.shape[0] - 6):
        theta = rotated[6 + s]
        add(values, place + 3 * s, factor * (load(theta, here) * x + load(theta, here + 1) * y))


@lane_loop(
    energy="real k n",
    label="integer k n",
    rows="integer r",
    rotated="real g o n n 2 w",
    near="integer r p",
    speeds="out real r p 3",
    turns="out real r p 3",
    drifts="out real r p 3",
    sizes="out real r p s",
    overlaps="out real r p s",
)
def meeting_levels(
    energy: Real,
    label: Integer,
    rows: Integer,
    rotated: Real,
    near: Integer,
    speeds: Real,
    turns: Real,
    drifts: Real,
    sizes: Real,
    overlaps: Real,
) -> None:
    """Norms of matrices between the multiplets N of level n and M of level n + 1, where `near` is not 0.

    rows : numbers of k points, each of which is in some lane of some group
    speeds : of v_a between them; turns : half of how differently their diagonals change; drifts : their mean
    sizes : root mean square of Theta over both; overlaps : norm of Theta between them
    """
    size, lanes = energy.shape[1], rotated.shape[5]
    observables = sizes.shape[2]
    for row in range(len(rows)):
        k = rows[row]
        lane = k % lanes
        matrices = rotated[k // lanes]
        first = 0
        for n in range(size - 1):
            if label[k, n] != label[k, first]:
                first = n
            if near[row, n] == 0:
                continue
            middle = n + 1
            last = middle + 1
            while last < size and label[k, last] == label[k, middle]:
                last += 1
            for a in range(3):
                block = 0.0
                for i in range(first, middle):
                    for j in range(middle, last):
                        gap = energy[k, i] - energy[k, j]
                        re = matrices[a, i, j, 0, lane] - gap * matrices[3 + a, i, j, 1, lane]
                        im = matrices[a, i, j, 1, lane] + gap * matrices[3 + a, i, j, 0, lane]
                        block += re * re + im * im
                speeds[row, n, a] = np.sqrt(block)
                below, above = matrices[a, n, n, 0, lane], matrices[a, middle, middle, 0, lane]
                turns[row, n, a], drifts[row, n, a] = abs(below - above) / 2, abs(below + above) / 2
            for s in range(observables):
                block = 0.0
                total = 0.0
                for i in range(first, last):
                    for j in range(first, last):
                        re = matrices[6 + s, i, j, 0, lane]
                        im = matrices[6 + s, i, j, 1, lane]
                        square = re * re + im * im
                        total += square
                        if i < middle and j >= middle:
                            block += square
                sizes[row, n, s] = np.sqrt(total / (last - first))
                overlaps[row, n, s] = np.sqrt(block)
