"""Sums over pairs of bands and their diagonals, one k point in each lane: section 3, T11, T12, T16."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import rows_times_rows
from .response import positions, velocities
from .traces import add, overlap
from .vectors import Vector, fill, load, pick, store


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="out real g 3 n n 2 w",
    position="out real g 3 n n 2 w",
)
def interband(energy: Real, label: Real, rotated: Real, velocity: Real, position: Real) -> None:
    """v_a and r_a of each group."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        velocities(n, energy[g], rotated[g], velocity[g])
        positions(n, energy[g], label[g], velocity[g], position[g])


@lane_loop(rotated="real g o n n 2 w", first="integer", values="out real g n s w")
def diagonals(rotated: Real, first: int, values: Real) -> None:
    """Diagonals of operators first, first + 1 ..."""
    groups, n, operators = values.shape[:3]
    for g in range(groups):
        for i in range(n):
            for s in range(operators):
                store(values[g], i * operators + s, load(rotated[g, first + s], 2 * (i * n + i)))


@lane_loop(rotated="real g o n n 2 w", position="real g 3 n n 2 w", values="out real g n s 3 w")
def dipoles(rotated: Real, position: Real, values: Real) -> None:
    """Diagonals of d_a = 1/2 (Theta r_a + h.c.)."""
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for i in range(n):
            for s in range(observables):
                for a in range(3):
                    re, _ = overlap(n, rotated[g, 6 + s], i, position[g, a], i)
                    store(values[g], 3 * (observables * i + s) + a, re)


@lane_helper
def add_opposite(
    i: int, j: int, b: int, rotated: Real, here: int, x: Vector, y: Vector, values: Real
) -> None:
    """Add what the element (i, j), x + i y, gives to band i with each observable, and take it from band j."""
    observables = rotated.shape[0] - 6
    for s in range(observables):
        theta = rotated[6 + s]
        e = load(theta, here) * x + load(theta, here + 1) * y
        add(values, 3 * (observables * i + s) + b, e)
        add(values, 3 * (observables * j + s) + b, -e)


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    squared_broadening="real",
    values="out real g n s 3 w",
)
def responses(
    energy: Real, label: Real, rotated: Real, velocity: Real, squared_broadening: float, values: Real
) -> None:
    """-2 Im sum_m Theta_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2), not yet shared by multiplets."""
    groups, n, observables = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        for place in range(3 * n * observables):
            store(values[g], place, zero)
        for i in range(n):
            for j in range(i):
                same = load(label[g], i) == load(label[g], j)
                gap = load(energy[g], i) - load(energy[g], j)
                weight = pick(same, zero, 2.0 / pick(same, fill(1.0), gap * gap + squared_broadening))
                here = 2 * (i * n + j)
                for b in range(3):
                    x = weight * load(velocity[g, b], here)
                    y = weight * load(velocity[g, b], here + 1)
                    add_opposite(i, j, b, rotated[g], here, y, -x, values[g])


@lane_loop(energy="real g n w", label="real g n w", rotated="real g o n n 2 w", values="out real g n s 3 w")
def slopes(energy: Real, label: Real, rotated: Real, values: Real) -> None:
    """2 Im sum_m Theta_nm r^H_mn, r^H = -i dHbar/(eps_n - eps_m) between multiplets, of T12."""
    groups, n, observables = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        for place in range(3 * n * observables):
            store(values[g], place, zero)
        for i in range(n):
            for j in range(i):
                same = load(label[g], i) == load(label[g], j)
                gap = pick(same, fill(1.0), load(energy[g], i) - load(energy[g], j))
                weight = pick(same, zero, 2.0 / gap)
                here = 2 * (i * n + j)
                for b in range(3):
                    x = weight * load(rotated[g, b], here)
                    y = weight * load(rotated[g, b], here + 1)
                    add_opposite(i, j, b, rotated[g], here, x, y, values[g])


@lane_loop(
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    position="real g 3 n n 2 w",
    values="out real g n s 3 w",
    product="out real n n 2 w",
)
def circulations(rotated: Real, velocity: Real, position: Real, values: Real, product: Real) -> None:
    """1/2 Re (r_a j_b - r_b j_a)_nn, j = 1/2 (Theta v + v Theta), the circulation of T11.

    Re (r_a j_b)_nn is half of the row sum and of the column sum of Re(r_a conj(Theta v_b)).
    """
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for place in range(3 * n * observables):
            store(values[g], place, fill(0.0))
        for s in range(observables):
            for b in range(3):
                # The product comes out as its complex conjugate.
                rows_times_rows(n, rotated[g, 6 + s], velocity[g, b], product, 2 * n, 2)
                for turn in range(1, 3):
                    a = (b + turn) % 3
                    c = (b - turn) % 3
                    factor = 0.25 if turn == 2 else -0.25
                    for i in range(n):
                        total = fill(0.0)
                        for j in range(n):
                            here = 2 * (i * n + j)
                            e = load(position[g, a], here) * load(product, here)
                            e = e - load(position[g, a], here + 1) * load(product, here + 1)
                            total = total + e
                            add(values[g], 3 * (observables * j + s) + c, factor * e)
                        add(values[g], 3 * (observables * i + s) + c, factor * total)


@lane_loop(states="real g n n 2 w", half_rotated="real g o n n 2 w", values="out real g n o w")
def expectations(states: Real, half_rotated: Real, values: Real) -> None:
    """Diagonals of operators that are given times each state."""
    groups, n, operators = values.shape[:3]
    for g in range(groups):
        for i in range(n):
            for o in range(operators):
                re, _ = overlap(n, half_rotated[g, o], i, states[g], i)
                store(values[g], i * operators + o, re)
