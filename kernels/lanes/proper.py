"""The full response of the conserved current, T14, and the moment in T15, one k point in each lane."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import rows_times_rows
from .response import positions, velocities
from .traces import add, begin_of_members, end_of_members, overlap
from .vectors import fill, load, pick, store


@lane_helper
def inverse_gaps(n: int, energy: Real, label: Real, inverse: Real) -> None:
    """1/(eps_n - eps_m) between multiplets, 0 inside."""
    zero = fill(0.0)
    for i in range(n):
        for j in range(n):
            same = load(label, i) == load(label, j)
            gap = pick(same, fill(1.0), load(energy, i) - load(energy, j))
            store(inverse, i * n + j, pick(same, zero, 1.0 / gap))


@lane_helper
def dressed(
    n: int, label: Real, inverse: Real, velocity: Real, position: Real, operator: Real, out: Real
) -> None:
    """Z = r X + (i/2) (w X)_nm/(eps_n - eps_m), w being the velocity restricted to multiplets."""
    rows_times_rows(n, position, operator, out, 2 * n, 2)
    zero = fill(0.0)
    for i in range(n):
        # The product has come out as its complex conjugate.
        for m in range(n):
            place = 2 * (i * n + m) + 1
            store(out, place, -load(out, place))
        for member in range(begin_of_members(i, label), end_of_members(n, i, label)):
            same = load(label, member) == load(label, i)
            a = pick(same, 0.5 * load(velocity, 2 * (i * n + member)), zero)
            b = pick(same, 0.5 * load(velocity, 2 * (i * n + member) + 1), zero)
            for m in range(n):
                x = load(operator, 2 * (member * n + m))
                y = load(operator, 2 * (member * n + m) + 1)
                scale = load(inverse, i * n + m)
                place = 2 * (i * n + m)
                store(out, place, load(out, place) - scale * (a * y + b * x))
                store(out, place + 1, load(out, place + 1) + scale * (a * x - b * y))


@lane_helper
def proper_pairs(
    n: int,
    inverse: Real,
    theta: Real,
    dressed_theta: Real,
    velocity: Real,
    dressed_velocity: Real,
    values: Real,
    first: int,
    step: int,
) -> None:
    """Row sums minus column sums of Re(Theta~ conj(Z[v_b])) - Re(Z[Theta] conj(v~_b)), for all b.

    values : those of band n are vectors n * step + first, one for each b
    """
    size = 2 * n * n
    for i in range(n):
        for b in range(3):
            total = fill(0.0)
            for j in range(n):
                here = 2 * (i * n + j)
                there = size * b + here
                e = load(theta, here) * load(dressed_velocity, there)
                e = e + load(theta, here + 1) * load(dressed_velocity, there + 1)
                e = e - load(dressed_theta, here) * load(velocity, there)
                e = e - load(dressed_theta, here + 1) * load(velocity, there + 1)
                e = e * load(inverse, i * n + j)
                total = total + e
                add(values, j * step + first + b, -e)
            add(values, i * step + first + b, total)


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    values="out real g n s 3 3 w",
    inverse="out real n n w",
    velocity="out real 3 n n 2 w",
    position="out real 3 n n 2 w",
    dressed_velocity="out real 3 n n 2 w",
    dressed_theta="out real n n 2 w",
)
def proper(
    energy: Real,
    label: Real,
    rotated: Real,
    values: Real,
    inverse: Real,
    velocity: Real,
    position: Real,
    dressed_velocity: Real,
    dressed_theta: Real,
) -> None:
    """T14's sea of each band, not yet shared by the members of its multiplet.

    A tilde stands for X_nm/(eps_n - eps_m). All matrices are Hermitian, so that the transposed halves of G
    differ by a sign only.
    """
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for place in range(9 * n * observables):
            store(values[g], place, fill(0.0))
        velocities(n, energy[g], rotated[g], velocity)
        positions(n, energy[g], label[g], velocity, position)
        inverse_gaps(n, energy[g], label[g], inverse)
        for a in range(3):
            for b in range(3):
                dressed(n, label[g], inverse, velocity[a], position[a], velocity[b], dressed_velocity[b])
            for s in range(observables):
                theta = rotated[g, 6 + s]
                dressed(n, label[g], inverse, velocity[a], position[a], theta, dressed_theta)
                first, step = 3 * (3 * s + a), 9 * observables
                proper_pairs(
                    n,
                    inverse,
                    theta,
                    dressed_theta,
                    velocity,
                    dressed_velocity,
                    values[g],
                    first,
                    step,
                )


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    values="out real g n s 3 w",
    velocity="out real 3 n n 2 w",
    position="out real 3 n n 2 w",
)
def moments(energy: Real, label: Real, rotated: Real, values: Real, velocity: Real, position: Real) -> None:
    """Re Tr[theta_N m_c], m_c = 1/2 (r_a v_b - r_b v_a), whose parts are in the rows of the members."""
    groups, n, observables = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        for place in range(3 * n * observables):
            store(values[g], place, zero)
        velocities(n, energy[g], rotated[g], velocity)
        positions(n, energy[g], label[g], velocity, position)
        for i in range(n):
            for j in range(begin_of_members(i, label[g]), end_of_members(n, i, label[g])):
                factor = pick(load(label[g], i) == load(label[g], j), fill(0.5), zero)
                here = 2 * (i * n + j)
                for c in range(3):
                    a = (c + 1) % 3
                    b = (c + 2) % 3
                    re, im = overlap(n, position[a], i, velocity[b], j)
                    x, y = overlap(n, position[b], i, velocity[a], j)
                    re = re - x
                    im = im - y
                    for s in range(observables):
                        # theta_ji M_ij, the conjugate of theta_ij; its real part needs no Hermitian M.
                        theta = rotated[g, 6 + s]
                        trace = load(theta, here) * re + load(theta, here + 1) * im
                        add(values[g], 3 * (observables * i + s) + c, factor * trace)
