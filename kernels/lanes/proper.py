"""The full response of the conserved current, T14, and the moment in T15, one k point in each lane."""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import product_across
from .response import open_levels, sides
from .traces import add, begin_of_members, end_of_members, overlap
from .vectors import Vector, fill, load, pick, some, store


@lane_helper
def inverse_gaps(n: int, energy: Real, label: Real, side: Real, inverse: Real) -> None:
    """1/(eps_n - eps_m) between multiplets that are not of one side, 0 else."""
    zero = fill(0.0)
    for i in range(n):
        for j in range(n):
            same = load(label, i) == load(label, j)
            gap = pick(same, fill(1.0), load(energy, i) - load(energy, j))
            weight = pick(same, zero, 1.0 / gap)
            store(inverse, i * n + j, pick(load(side, i) * load(side, j) > zero, zero, weight))


@lane_helper
def dressed(
    n: int,
    lower: int,
    upper: int,
    label: Real,
    inverse: Real,
    velocity: Real,
    position: Real,
    operator: Real,
    out: Real,
) -> None:
    """Z + Z^dagger below the diagonal, Z = r X + (i/2) (w X)_nm/(eps_n - eps_m), w = v inside multiplets.

    It is not what it says inside multiplets, and between levels both before `lower` or both from `upper` on:
    nobody asks for it there.
    """
    product_across(n, lower, upper, position, operator, out)
    for i in range(n):
        own = 0.5 * load(velocity, 2 * (i * n + i))
        for j in range(lower if i < lower else 0, min(i, upper)):
            here = 2 * (i * n + j)
            there = 2 * (j * n + i)
            scale = load(inverse, i * n + j) * (own + 0.5 * load(velocity, 2 * (j * n + j)))
            # The product has come out as its complex conjugate.
            re = load(out, here) + load(out, there) - scale * load(operator, here + 1)
            im = load(out, there + 1) - load(out, here + 1) + scale * load(operator, here)
            store(out, here, re)
            store(out, here + 1, im)
    if some(load(label, n - 1) < fill(n - 1.0)):
        add_partners(n, label, inverse, velocity, operator, out)


@lane_helper
def add_partners(n: int, label: Real, inverse: Real, velocity: Real, operator: Real, out: Real) -> None:
    """What w between the members of a multiplet adds: (i/2) ((w X)_ij + (X w)_ij)/(eps_i - eps_j)."""
    zero = fill(0.0)
    for member in range(n):
        for partner in range(begin_of_members(member, label), end_of_members(n, member, label)):
            if partner == member:
                continue
            same = load(label, partner) == load(label, member)
            place = 2 * (member * n + partner)
            a = pick(same, 0.5 * load(velocity, place), zero)
            b = pick(same, 0.5 * load(velocity, place + 1), zero)
            for j in range(member):
                add_turned(a, b, operator, 2 * (partner * n + j), inverse, out, member * n + j)
            for i in range(member + 1, n):
                add_turned(a, -b, operator, 2 * (i * n + partner), inverse, out, i * n + member)


@lane_helper
def add_turned(
    a: Vector, b: Vector, operator: Real, place: int, inverse: Real, out: Real, element: int
) -> None:
    """Add i (a + i b) X/(eps_i - eps_j) to an element."""
    x = load(operator, place)
    y = load(operator, place + 1)
    scale = load(inverse, element)
    add(out, 2 * element, -scale * (a * y + b * x))
    add(out, 2 * element + 1, scale * (a * x - b * y))


@lane_helper
def proper_pairs(
    n: int,
    lower: int,
    upper: int,
    inverse: Real,
    theta: Real,
    dressed_theta: Real,
    field: Real,
    dressed_field: Real,
    values: Real,
    first: int,
    step: int,
) -> None:
    """Sums over pairs of Re(Theta~ conj(Z[V_b])) - Re(Z[Theta] conj(V~_b)), Z with its adjoint, for all b.

    values : those of band n are vectors n * step + first, one for each b
    """
    size = 2 * n * n
    for i in range(n):
        x = fill(0.0)
        y = fill(0.0)
        z = fill(0.0)
        for j in range(lower if i < lower else 0, min(i, upper)):
            here = 2 * (i * n + j)
            scale = load(inverse, i * n + j)
            a = scale * load(theta, here)
            b = scale * load(theta, here + 1)
            c = scale * load(dressed_theta, here)
            d = scale * load(dressed_theta, here + 1)
            column = j * step + first
            e = a * load(dressed_field, here) + b * load(dressed_field, here + 1)
            e = e - c * load(field, here) - d * load(field, here + 1)
            x = x + e
            add(values, column, -e)
            here += size
            e = a * load(dressed_field, here) + b * load(dressed_field, here + 1)
            e = e - c * load(field, here) - d * load(field, here + 1)
            y = y + e
            add(values, column + 1, -e)
            here += size
            e = a * load(dressed_field, here) + b * load(dressed_field, here + 1)
            e = e - c * load(field, here) - d * load(field, here + 1)
            z = z + e
            add(values, column + 2, -e)
        row = i * step + first
        add(values, row, x)
        add(values, row + 1, y)
        add(values, row + 2, z)


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    position="real g 3 n n 2 w",
    field="real g 3 n n 2 w",
    lowest="real",
    highest="real",
    values="out real g n s 3 3 w",
    side="out real n w",
    inverse="out real n n w",
    dressed_field="out real 3 n n 2 w",
    dressed_theta="out real n n 2 w",
)
def proper(
    energy: Real,
    label: Real,
    rotated: Real,
    velocity: Real,
    position: Real,
    field: Real,
    lowest: float,
    highest: float,
    values: Real,
    side: Real,
    inverse: Real,
    dressed_field: Real,
    dressed_theta: Real,
) -> None:
    """T14's sea of each band, not yet shared by the members of its multiplet.

    A tilde stands for X_nm/(eps_n - eps_m). All matrices are Hermitian, so that the transposed halves of G
    differ by a sign only, and of Z no more than its Hermitian part is needed.
    """
    groups, n, observables = values.shape[:3]
    for g in range(groups):
        for place in range(9 * n * observables):
            store(values[g], place, fill(0.0))
        sides(n, energy[g], label[g], lowest, highest, side)
        lower, upper = open_levels(n, side)
        inverse_gaps(n, energy[g], label[g], side, inverse)
        for a in range(3):
            w, r = velocity[g, a], position[g, a]
            for b in range(3):
                dressed(n, lower, upper, label[g], inverse, w, r, field[g, b], dressed_field[b])
            for s in range(observables):
                theta = rotated[g, 6 + s]
                dressed(n, lower, upper, label[g], inverse, w, r, theta, dressed_theta)
                first, step = 3 * (3 * s + a), 9 * observables
                proper_pairs(
                    n,
                    lower,
                    upper,
                    inverse,
                    theta,
                    dressed_theta,
                    field[g],
                    dressed_field,
                    values[g],
                    first,
                    step,
                )


@lane_loop(
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    position="real g 3 n n 2 w",
    field="real g 3 n n 2 w",
    field_position="real g 3 n n 2 w",
    values="out real g n s 3 w",
)
def moments(
    label: Real,
    rotated: Real,
    velocity: Real,
    position: Real,
    field: Real,
    field_position: Real,
    values: Real,
) -> None:
    """Re Tr[theta_N m_c], m_c = 1/2 (r_a V_b - r^V_b v_a), whose parts are in the rows of the members."""
    groups, n, observables = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        # Views cost more than what is read from them: they are made once for each group.
        own, operators, out = label[g], rotated[g], values[g]
        v, r, u, p = velocity[g], position[g], field[g], field_position[g]
        for place in range(3 * n * observables):
            store(out, place, zero)
        for i in range(n):
            for j in range(begin_of_members(i, own), end_of_members(n, i, own)):
                factor = pick(load(own, i) == load(own, j), fill(0.5), zero)
                for c in range(3):
                    a = (c + 1) % 3 * n
                    b = (c + 2) % 3 * n
                    re, im = overlap(n, r, a + i, u, b + j)
                    x, y = overlap(n, p, b + i, v, a + j)
                    re = re - x
                    im = im - y
                    for s in range(observables):
                        # theta_ji M_ij, the conjugate of theta_ij; its real part needs no Hermitian M.
                        here = 2 * (((6 + s) * n + i) * n + j)
                        trace = load(operators, here) * re + load(operators, here + 1) * im
                        add(out, 3 * (observables * i + s) + c, factor * trace)
