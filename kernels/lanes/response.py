"""Sums over pairs of bands, one k point in each lane: T3 and what it is made of."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import rows_times_rows
from .vectors import fill, load, pick, store


@lane_helper
def velocities(n: int, energy: Real, rotated: Real, velocity: Real) -> None:
    """v_a = dHbar_a + i (eps_n - eps_m) Abar_a, (axis, n, n, 2, lane); rotated : dHbar_a, then Abar_a."""
    size = n * n
    for i in range(n):
        for j in range(n):
            gap = load(energy, i) - load(energy, j)
            for a in range(3):
                here = 2 * (a * size + i * n + j)
                there = here + 6 * size
                store(velocity, here, load(rotated, here) - gap * load(rotated, there + 1))
                store(velocity, here + 1, load(rotated, here + 1) + gap * load(rotated, there))


@lane_helper
def positions(n: int, energy: Real, label: Real, velocity: Real, position: Real) -> None:
    """r_a = -i v_a/(eps_n - eps_m) between multiplets, 0 inside."""
    size = n * n
    zero = fill(0.0)
    for i in range(n):
        for j in range(n):
            same = load(label, i) == load(label, j)
            inverse = pick(same, zero, 1.0 / pick(same, fill(1.0), load(energy, i) - load(energy, j)))
            for a in range(3):
                here = 2 * (a * size + i * n + j)
                store(position, here, load(velocity, here + 1) * inverse)
                store(position, here + 1, -load(velocity, here) * inverse)


@lane_helper
def damped_velocities(
    n: int, energy: Real, label: Real, squared_broadening: float, velocity: Real, damped: Real
) -> None:
    """v_a/((eps_n - eps_m)^2 + eta^2) between multiplets, 0 inside."""
    size = n * n
    zero = fill(0.0)
    for i in range(n):
        for j in range(n):
            same = load(label, i) == load(label, j)
            gap = load(energy, i) - load(energy, j)
            squared = pick(same, fill(1.0), gap * gap + squared_broadening)
            weight = pick(same, zero, 1.0 / squared)
            for a in range(3):
                here = 2 * (a * size + i * n + j)
                store(damped, here, load(velocity, here) * weight)
                store(damped, here + 1, load(velocity, here + 1) * weight)


@lane_helper
def pair_sums(n: int, product: Real, damped: Real, values: Real, first: int, step: int) -> None:
    """Column sums minus row sums of Im(P conj(w_b)), to vectors n * step + first ...; product : conj(P)."""
    size = 2 * n * n
    for i in range(n):
        x = fill(0.0)
        y = fill(0.0)
        z = fill(0.0)
        for j in range(n):
            here = 2 * (i * n + j)
            re = load(product, here)
            im = load(product, here + 1)
            column = j * step + first
            e = im * load(damped, here) + re * load(damped, here + 1)
            x = x + e
            store(values, column, load(values, column) - e)
            e = im * load(damped, size + here) + re * load(damped, size + here + 1)
            y = y + e
            store(values, column + 1, load(values, column + 1) - e)
            e = im * load(damped, 2 * size + here) + re * load(damped, 2 * size + here + 1)
            z = z + e
            store(values, column + 2, load(values, column + 2) - e)
        row = i * step + first
        store(values, row, load(values, row) + x)
        store(values, row + 1, load(values, row + 1) + y)
        store(values, row + 2, load(values, row + 2) + z)


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    squared_broadening="real",
    values="out real g n s 3 3 w",
    velocity="out real 3 n n 2 w",
    damped="out real 3 n n 2 w",
    product="out real n n 2 w",
)
def conventional(
    energy: Real,
    label: Real,
    rotated: Real,
    squared_broadening: float,
    values: Real,
    velocity: Real,
    damped: Real,
    product: Real,
) -> None:
    """T3 of each band, not yet shared by the members of its multiplet.

    With E_nm = (Theta v_a)_nm conj(w_nm), w = v_b/((eps_n - eps_m)^2 + eta^2), it is the column sum minus the
    row sum of Im E: the Hermitian conjugate of Theta v_a is never formed.
    """
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for place in range(9 * n * observables):
            store(values[g], place, fill(0.0))
        velocities(n, energy[g], rotated[g], velocity)
        damped_velocities(n, energy[g], label[g], squared_broadening, velocity, damped)
        for s in range(observables):
            for a in range(3):
                rows_times_rows(n, rotated[g, 6 + s], velocity[a], product, 2 * n, 2)
                pair_sums(n, product, damped, values[g], 3 * (3 * s + a), 9 * observables)
