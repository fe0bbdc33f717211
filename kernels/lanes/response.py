"""Sums over pairs of bands, one k point in each lane: T3 and what it is made of."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import product_across
from .vectors import fill, load, pick, some, store


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
def sides(n: int, energy: Real, label: Real, lowest: float, highest: float, side: Real) -> None:
    """Of each level 1 where its whole multiplet lies up to `lowest`, -1 where above `highest`, else 0.

    What two levels of one side give each other adds up to nothing in any sum that fills levels alike which
    lie up to `lowest` and leaves out those above `highest`.
    """
    zero = fill(0.0)
    one = fill(1.0)
    below = zero
    for i in range(n - 1, -1, -1):
        own = pick(load(energy, i) <= fill(lowest), one, zero)
        if i + 1 < n:
            own = pick(load(label, i) == load(label, i + 1), below, own)
        below = own
        store(side, i, below)
    above = zero
    for i in range(n):
        own = pick(load(energy, i) > fill(highest), one, zero)
        if i > 0:
            own = pick(load(label, i) == load(label, i - 1), above, own)
        above = own
        store(side, i, load(side, i) - above)


@lane_helper
def open_levels(n: int, side: Real) -> tuple[int, int]:
    """The first level that has no side or is above in any lane, and one beyond the last that is not above."""
    lower = 0
    while lower < n and not some(load(side, lower) < fill(0.5)):
        lower += 1
    upper = n
    while upper > lower and not some(load(side, upper - 1) > fill(-0.5)):
        upper -= 1
    return lower, upper


@lane_helper
def damped_velocities(
    n: int, energy: Real, label: Real, side: Real, squared_broadening: float, velocity: Real, damped: Real
) -> None:
    """v_a/((eps_n - eps_m)^2 + eta^2) between multiplets that are not of one side, 0 else."""
    size = n * n
    zero = fill(0.0)
    for i in range(n):
        for j in range(n):
            same = load(label, i) == load(label, j)
            gap = load(energy, i) - load(energy, j)
            squared = pick(same, fill(1.0), gap * gap + squared_broadening)
            weight = pick(same, zero, 1.0 / squared)
            weight = pick(load(side, i) * load(side, j) > zero, zero, weight)
            for a in range(3):
                here = 2 * (a * size + i * n + j)
                store(damped, here, load(velocity, here) * weight)
                store(damped, here + 1, load(velocity, here + 1) * weight)


@lane_helper
def pair_sums(
    n: int, lower: int, upper: int, product: Real, damped: Real, values: Real, first: int, step: int
) -> None:
    """Column sums minus row sums of Im(P conj(w_b)), to vectors n * step + first ...; product : conj(P).

    Pairs of levels both before `lower`, or both from `upper` on, are left out.
    """
    size = 2 * n * n
    for i in range(n):
        x = fill(0.0)
        y = fill(0.0)
        z = fill(0.0)
        for j in range(lower if i < lower else 0, upper if i >= upper else n):
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


@lane_helper
def add_conventional(
    n: int,
    energy: Real,
    label: Real,
    rotated: Real,
    squared_broadening: float,
    lowest: float,
    highest: float,
    velocity: Real,
    vertex: Real,
    values: Real,
    side: Real,
    damped: Real,
    product: Real,
) -> None:
    """T3 of each band, its observables being those of `values` (n, s, 3, 3, lane), with V_b = `vertex`.

    With E_nm = (Theta v_a)_nm conj(w_nm), w = V_b/((eps_n - eps_m)^2 + eta^2), it is the column sum minus the
    row sum of Im E: the Hermitian conjugate of Theta v_a is never formed.
    """
    observables = values.shape[1]
    for place in range(9 * n * observables):
        store(values, place, fill(0.0))
    sides(n, energy, label, lowest, highest, side)
    lower, upper = open_levels(n, side)
    damped_velocities(n, energy, label, side, squared_broadening, vertex, damped)
    for s in range(observables):
        for a in range(3):
            product_across(n, lower, upper, rotated[6 + s], velocity[a], product)
            first = 3 * (3 * s + a)
            pair_sums(n, lower, upper, product, damped, values, first, 9 * observables)


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    squared_broadening="real",
    lowest="real",
    highest="real",
    values="out real g n s 3 3 w",
    velocity="out real 3 n n 2 w",
    side="out real n w",
    damped="out real 3 n n 2 w",
    product="out real n n 2 w",
)
def conventional(
    energy: Real,
    label: Real,
    rotated: Real,
    squared_broadening: float,
    lowest: float,
    highest: float,
    values: Real,
    velocity: Real,
    side: Real,
    damped: Real,
    product: Real,
) -> None:
    """T3 of each band, not yet shared by the members of its multiplet; lowest, highest : as for `sides`."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        velocities(n, energy[g], rotated[g], velocity)
        add_conventional(
            n,
            energy[g],
            label[g],
            rotated[g],
            squared_broadening,
            lowest,
            highest,
            velocity,
            velocity,
            values[g],
            side,
            damped,
            product,
        )
