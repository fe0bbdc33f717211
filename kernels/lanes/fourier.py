"""Fourier sums at k, one k point in each lane, and what is made of the matrices while they are in cache.

X(k) = sum over h of cos(2 pi k.R_h) P_h + sin(2 pi k.R_h) Q_h, where h numbers pairs of R and -R. A table
holds the lower triangles of P and Q, a row for each real number that is summed, (line, row, 2 h): k points of
one line share what was summed over the other axes. Rows run over operators, then elements.
"""

from __future__ import annotations

from ..compiled import lane_helper, lane_loop
from ..lattice import Complex, Integer, Real
from .eigensolver import diagonalize_group
from .products import half_rotate, hermitian_product
from .vectors import load, store, sum_tile

#: Rows of a table that are summed side by side.
_TILE = 8


@lane_helper
def phases(translations: Integer, powers: Real, weights: Real) -> None:
    """Cosine and sine of 2 pi k.R_h, from those of 2 pi k_a m; powers : (axis, m, 2, lane)."""
    pairs, axes = translations.shape
    most = powers.shape[1]
    for h in range(pairs):
        first = 2 * abs(translations[h, 0])
        re = load(powers, first)
        im = load(powers, first + 1)
        if translations[h, 0] < 0:
            im = -im
        for a in range(1, axes):
            place = 2 * (a * most + abs(translations[h, a]))
            x = load(powers, place)
            y = load(powers, place + 1)
            if translations[h, a] < 0:
                y = -y
            real = re * x - im * y
            im = re * y + im * x
            re = real
        store(weights, 2 * h, re)
        store(weights, 2 * h + 1, im)


@lane_helper
def sum_rows(table: Real, first: int, rows: int, weights: Real, out: Real) -> None:
    """Some rows of the table of one line; every lane is on it."""
    length = table.shape[1]
    x = 0
    while x + 8 <= rows:
        sum_tile(8, 0, length, table, first + x, weights, out, x)
        x += 8
    while x < rows:
        sum_tile(1, 0, length, table, first + x, weights, out, x)
        x += 1


@lane_helper
def add_rows(table: Real, first: int, rows: int, weights: Real, out: Real) -> None:
    """The same, added to what is there."""
    length = table.shape[1]
    x = 0
    while x + 8 <= rows:
        sum_tile(8, 1, length, table, first + x, weights, out, x)
        x += 8
    while x < rows:
        sum_tile(1, 1, length, table, first + x, weights, out, x)
        x += 1


@lane_helper
def sum_operator(
    line: Integer, table: Real, first: int, rows: int, weights: Real, masked: Real, out: Real
) -> None:
    """One operator at all lanes; lanes on different lines are summed one line after the other."""
    lanes = len(line)
    if line[0] == line[lanes - 1]:
        sum_rows(table[line[0]], first, rows, weights, out)
        return
    for number in range(line[0], line[lanes - 1] + 1):
        for h in range(weights.shape[0]):
            for part in range(2):
                for lane in range(lanes):
                    masked[h, part, lane] = weights[h, part, lane] if line[lane] == number else 0.0
        if number == line[0]:
            sum_rows(table[number], first, rows, masked, out)
        else:
            add_rows(table[number], first, rows, masked, out)


@lane_helper
def to_lower(n: int, triangle: Real, matrix: Real) -> None:
    """The lower triangle of a matrix from its elements one after the other."""
    place = 0
    for i in range(n):
        for j in range(i + 1):
            here = 2 * (i * n + j)
            store(matrix, here, load(triangle, place))
            store(matrix, here + 1, load(triangle, place + 1))
            place += 2


@lane_helper
def to_transposed(n: int, triangle: Real, matrix: Real) -> None:
    """The transposed of a Hermitian matrix from the elements of its lower triangle."""
    place = 0
    for i in range(n):
        for j in range(i + 1):
            re = load(triangle, place)
            im = load(triangle, place + 1)
            here = 2 * (i * n + j)
            there = 2 * (j * n + i)
            store(matrix, here, re)
            store(matrix, here + 1, -im)
            store(matrix, there, re)
            store(matrix, there + 1, im)
            place += 2


@lane_loop(
    line="integer g w",
    powers="real g a m 2 w",
    translations="integer h a",
    table="real l x q",
    energy="out real g n w",
    states="out real g n n 2 w",
    converged="out real g w",
    weights="out real h 2 w",
    masked="out real h 2 w",
    triangle="out real t 2 w",
    matrix="out real n n 2 w",
    vectors="out real n n 2 w",
    rows="out real n n w",
    diagonal="out real n w",
    off_diagonal="out real n w",
    factor="out real n 2 w",
    product="out real n 2 w",
    corner="out real 2 w",
    source="out integer n",
)
def solve_sums(
    line: Integer,
    powers: Real,
    translations: Integer,
    table: Real,
    energy: Real,
    states: Real,
    converged: Real,
    weights: Real,
    masked: Real,
    triangle: Real,
    matrix: Real,
    vectors: Real,
    rows: Real,
    diagonal: Real,
    off_diagonal: Real,
    factor: Real,
    product: Real,
    corner: Real,
    source: Integer,
) -> None:
    """Levels and states of the first operator of a table; what is behind `converged` is scratch."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        phases(translations, powers[g], weights)
        sum_operator(line[g], table, 0, n * (n + 1), weights, masked, triangle)
        to_lower(n, triangle, matrix)
        diagonalize_group(
            n,
            matrix,
            energy[g],
            states[g],
            converged[g],
            vectors,
            rows,
            diagonal,
            off_diagonal,
            factor,
            product,
            corner,
            source,
        )


@lane_helper
def rotate_operators(
    line: Integer,
    powers: Real,
    translations: Integer,
    table: Real,
    first: int,
    count: int,
    states: Real,
    rotated: Real,
    target: int,
    weights: Real,
    masked: Real,
    triangle: Real,
    matrix: Real,
    half: Real,
) -> None:
    """Operators first, first + 1 ... of a table between bands, to rotated[target], target + 1 ..."""
    n = states.shape[0]
    pairs = len(translations)
    phases(translations, powers, weights[:pairs])
    for o in range(count):
        row = (first + o) * n * (n + 1)
        sum_operator(line, table, row, n * (n + 1), weights[:pairs], masked[:pairs], triangle)
        to_transposed(n, triangle, matrix)
        half_rotate(n, matrix, states, half)
        hermitian_product(n, states, half, rotated[target + o])


@lane_loop(
    line="integer g w",
    powers="real g a m 2 w",
    hamiltonian_translations="integer h a",
    hamiltonian="real l x q",
    position_translations="integer i a",
    position="real l y r",
    observable_translations="integer j a",
    observables="real l z s",
    states="real g n n 2 w",
    rotated="out real g o n n 2 w",
    weights="out real f 2 w",
    masked="out real f 2 w",
    triangle="out real t 2 w",
    matrix="out real n n 2 w",
    half="out real n n 2 w",
)
def rotate_sums(
    line: Integer,
    powers: Real,
    hamiltonian_translations: Integer,
    hamiltonian: Real,
    position_translations: Integer,
    position: Real,
    observable_translations: Integer,
    observables: Real,
    states: Real,
    rotated: Real,
    weights: Real,
    masked: Real,
    triangle: Real,
    matrix: Real,
    half: Real,
) -> None:
    """Slopes of H, which come after H in its table, A_a and Theta between bands; weights : for any table."""
    count = rotated.shape[1] - 6
    for g in range(len(states)):
        own, k, u, out = line[g], powers[g], states[g], rotated[g]
        work = weights, masked, triangle, matrix, half
        rotate_operators(own, k, hamiltonian_translations, hamiltonian, 1, 3, u, out, 0, *work)
        rotate_operators(own, k, position_translations, position, 0, 3, u, out, 3, *work)
        rotate_operators(own, k, observable_translations, observables, 0, count, u, out, 6, *work)


@lane_loop(
    line="integer g w",
    powers="real g a m 2 w",
    translations="integer h a",
    table="real l x q",
    first="integer",
    states="real g n n 2 w",
    half_rotated="out real g o n n 2 w",
    weights="out real h 2 w",
    masked="out real h 2 w",
    triangle="out real t 2 w",
    matrix="out real n n 2 w",
)
def half_rotate_sums(
    line: Integer,
    powers: Real,
    translations: Integer,
    table: Real,
    first: int,
    states: Real,
    half_rotated: Real,
    weights: Real,
    masked: Real,
    triangle: Real,
    matrix: Real,
) -> None:
    """Operators first, first + 1 ... of a table times each state, as rows."""
    groups, count, n = half_rotated.shape[:3]
    for g in range(groups):
        phases(translations, powers[g], weights)
        for o in range(count):
            row = (first + o) * n * (n + 1)
            sum_operator(line[g], table, row, n * (n + 1), weights, masked, triangle)
            to_transposed(n, triangle, matrix)
            half_rotate(n, matrix, states[g], half_rotated[g, o])


@lane_loop(
    line="integer g w",
    powers="real g a m 2 w",
    translations="integer h a",
    table="real l x q",
    first="integer",
    count="integer",
    matrices="out complex k n c n",
    target="integer",
    weights="out real h 2 w",
    masked="out real h 2 w",
    triangle="out real t 2 w",
)
def unpack_sums(
    line: Integer,
    powers: Real,
    translations: Integer,
    table: Real,
    first: int,
    count: int,
    matrices: Complex,
    target: int,
    weights: Real,
    masked: Real,
    triangle: Real,
) -> None:
    """Operators first, first + 1 ... of a table as matrices, to matrices[:, :, target], target + 1 ..."""
    n = matrices.shape[1]
    groups, lanes = line.shape
    for g in range(groups):
        phases(translations, powers[g], weights)
        for o in range(count):
            row = (first + o) * n * (n + 1)
            sum_operator(line[g], table, row, n * (n + 1), weights, masked, triangle)
            for lane in range(min(lanes, len(matrices) - g * lanes)):
                matrix = matrices[g * lanes + lane]
                place = 0
                for i in range(n):
                    for j in range(i + 1):
                        x = triangle[place, 0, lane]
                        y = triangle[place, 1, lane]
                        matrix[j, target + o, i] = complex(x, -y)
                        matrix[i, target + o, j] = complex(x, y)
                        place += 1
