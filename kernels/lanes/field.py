"""What an electric field couples to where electrons and holes stand side by side (theory section 6).

One k point in each lane. The field's velocity is V_b = 1/2 {tau_z, v_b}, its position r^V_b = -i V_b/(eps_n -
eps_m); the curvature of the Wannier subspace itself is counted with tau_z as well.
"""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Real
from .products import hermitian_product, rows_times_rows
from .response import add_conventional, positions
from .traces import add, begin_of_members, end_of_members, overlap
from .vectors import Vector, fill, load, pick, store


@lane_loop(
    signs="real n",
    states="real g n n 2 w",
    charged="out real g n n 2 w",
    charge="out real g n n 2 w",
)
def charges(signs: Real, states: Real, charged: Real, charge: Real) -> None:
    """Tau_z times each state, as rows, and tau_z between bands; signs : +1 for electrons, -1 for holes."""
    groups, n = states.shape[:2]
    for g in range(groups):
        for i in range(n):
            for w in range(n):
                here = 2 * (i * n + w)
                store(charged[g], here, signs[w] * load(states[g], here))
                store(charged[g], here + 1, signs[w] * load(states[g], here + 1))
        hermitian_product(n, states[g], charged[g], charge[g])


@lane_helper
def charged_product(n: int, charge: Real, operator: Real, product: Real, out: Real) -> None:
    """1/2 {tau_z, X} of a Hermitian X."""
    rows_times_rows(n, charge, operator, product, 2 * n, 2)
    for i in range(n):
        for j in range(n):
            here = 2 * (i * n + j)
            there = 2 * (j * n + i)
            # The product has come out as its complex conjugate.
            store(out, here, 0.5 * (load(product, here) + load(product, there)))
            store(out, here + 1, 0.5 * (load(product, there + 1) - load(product, here + 1)))


@lane_loop(
    energy="real g n w",
    label="real g n w",
    charge="real g n n 2 w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    field="out real g 3 n n 2 w",
    field_position="out real g 3 n n 2 w",
    centres="out real g 3 n n 2 w",
    product="out real n n 2 w",
)
def couplings(
    energy: Real,
    label: Real,
    charge: Real,
    rotated: Real,
    velocity: Real,
    field: Real,
    field_position: Real,
    centres: Real,
    product: Real,
) -> None:
    """V_b, r^V_b, and tau_z Abar_b, whose factors commute."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        for b in range(3):
            charged_product(n, charge[g], velocity[g, b], product, field[g, b])
            charged_product(n, charge[g], rotated[g, 3 + b], product, centres[g, b])
        positions(n, energy[g], label[g], field[g], field_position[g])


@lane_loop(
    energy="real g n w",
    label="real g n w",
    rotated="real g o n n 2 w",
    velocity="real g 3 n n 2 w",
    field="real g 3 n n 2 w",
    squared_broadening="real",
    lowest="real",
    highest="real",
    values="out real g n s 3 3 w",
    side="out real n w",
    damped="out real 3 n n 2 w",
    product="out real n n 2 w",
)
def field_conventional(
    energy: Real,
    label: Real,
    rotated: Real,
    velocity: Real,
    field: Real,
    squared_broadening: float,
    lowest: float,
    highest: float,
    values: Real,
    side: Real,
    damped: Real,
    product: Real,
) -> None:
    """T3 with V_b in the place of v_b, see `response.conventional`."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        add_conventional(
            n,
            energy[g],
            label[g],
            rotated[g],
            squared_broadening,
            lowest,
            highest,
            velocity[g],
            field[g],
            values[g],
            side,
            damped,
            product,
        )


@lane_helper
def bracket_element(
    n: int, i: int, j: int, c: int, rotated: Real, centres: Real, states: Real, curl: Real
) -> tuple[Vector, Vector]:
    """Element (i, j) of curl A - i [A_a, A_b], (a, b, c) cyclic, times tau_z where two arguments have it.

    centres : Abar_a or tau_z Abar_a; states : eigenvectors or tau_z times each, as rows
    """
    a = (c + 1) % 3
    b = (c + 2) % 3
    re, im = overlap(n, centres[a], i, rotated[3 + b], j)
    x, y = overlap(n, centres[b], i, rotated[3 + a], j)
    found_re = im - y
    found_im = x - re
    if len(curl):
        x, y = overlap(n, curl[c], j, states, i)
        found_re = found_re + x
        found_im = found_im + y
    return found_re, found_im


@lane_loop(
    label="real g n w",
    rotated="real g o n n 2 w",
    left="real g 3 n n 2 w",
    right="real g 3 n n 2 w",
    centres="real g 3 n n 2 w",
    states="real g n n 2 w",
    curl="real g c n n 2 w",
    values="out real g n x 3 3 w",
)
def field_curvature(
    label: Real,
    rotated: Real,
    left: Real,
    right: Real,
    centres: Real,
    states: Real,
    curl: Real,
    values: Real,
) -> None:
    """Re Tr F_ab, then Re Tr[theta_N F_ab], whose parts are in the rows of the members.

    F_ab = bracket + i (r_a r'_b - r'_b r_a) with two kinds of positions, left and right, which is not
    Hermitian. centres, states : as in `bracket_element`
    """
    groups, n, kinds = values.shape[:3]
    zero = fill(0.0)
    for g in range(groups):
        for place in range(9 * n * kinds):
            store(values[g], place, zero)
        for i in range(n):
            for j in range(begin_of_members(i, label[g]), end_of_members(n, i, label[g])):
                factor = pick(load(label[g], i) == load(label[g], j), fill(1.0), zero)
                here = 2 * (i * n + j)
                for a in range(3):
                    for b in range(3):
                        re, im = overlap(n, left[g, a], i, right[g, b], j)
                        x, y = overlap(n, right[g, b], i, left[g, a], j)
                        found_re = y - im
                        found_im = re - x
                        if a != b:
                            c = 3 - a - b
                            x, y = bracket_element(n, i, j, c, rotated[g], centres[g], states[g], curl[g])
                            parity = 1.0 if (a + 1) % 3 == b else -1.0
                            found_re = found_re + parity * x
                            found_im = found_im + parity * y
                        found_re = factor * found_re
                        found_im = factor * found_im
                        if i == j:
                            add(values[g], 9 * kinds * i + 3 * a + b, found_re)
                        for s in range(kinds - 1):
                            theta = rotated[g, 6 + s]
                            trace = load(theta, here) * found_re + load(theta, here + 1) * found_im
                            add(values[g], 9 * (kinds * i + s + 1) + 3 * a + b, trace)
