"""Eigenvalues and vectors of Hermitian matrices, one matrix in each lane.

Implicit QL on the tridiagonal form (Golub and Van Loan, Matrix Computations, 8.3).
A lane that has converged is left alone: what it gives does not depend on the others of its group.
"""

from __future__ import annotations

import numpy as np

from ..compiled import lane_helper, lane_loop
from ..lattice import Complex, Integer, Real
from . import layout
from .tridiagonal import reflect_back, reflect_two_back, tridiagonalize
from .vectors import Mask, Vector, fill, largest, load, pick, root, size_of, some, store
from .width import scratch, side_by_side, width

#: Sweeps of QL for one eigenvalue, beyond which a lane has not converged; two are usual.
_SWEEPS = 60

_EPSILON = np.finfo(float).eps


@lane_helper
def end_of_block(n: int, first: int, diagonal: Real, off_diagonal: Real) -> Vector:
    """Row in which the unreduced block that begins with row `first` ends."""
    end = fill(n - 1.0)
    for m in range(n - 2, first - 1, -1):
        sizes = size_of(load(diagonal, m)) + size_of(load(diagonal, m + 1))
        negligible = size_of(load(off_diagonal, m)) <= _EPSILON * sizes
        end = pick(negligible, fill(float(m)), end)
    return end


@lane_helper
def rotate_rows(n: int, row: int, rows: Real, c: Vector, s: Vector) -> None:
    """Turn row `row` and the next by a plane rotation."""
    upper = row * n
    lower = upper + n
    for j in range(n):
        x = load(rows, upper + j)
        y = load(rows, lower + j)
        store(rows, lower + j, s * x + c * y)
        store(rows, upper + j, c * x - s * y)


@lane_helper
def sweep(
    n: int, first: int, end: Vector, shifted: Vector, diagonal: Real, off_diagonal: Real, rows: Real
) -> None:
    """One implicit QL step on the block from row `first` to `end`; shifted : d_end minus the shift."""
    zero = fill(0.0)
    one = fill(1.0)
    active = end > fill(float(first))
    g = shifted
    s = one
    c = one
    p = zero
    for i in range(int(largest(end)) - 1, first - 1, -1):
        on = active & (end > fill(float(i)))
        e = load(off_diagonal, i)
        f = s * e
        b = c * e
        length = root(f * f + g * g)
        null = length == zero
        inverse = one / pick(null, one, length)
        sine = pick(null, zero, f * inverse)
        cosine = pick(null, one, g * inverse)
        old = load(diagonal, i + 1)
        moved = old - p
        q = (load(diagonal, i) - moved) * sine + 2.0 * cosine * b
        change = sine * q
        store(off_diagonal, i + 1, pick(on, length, load(off_diagonal, i + 1)))
        store(diagonal, i + 1, pick(on, moved + change, old))
        g = pick(on, cosine * q - b, g)
        p = pick(on, change, p)
        s = pick(on, sine, s)
        c = pick(on, cosine, c)
        rotate_rows(n, i, rows, pick(on, cosine, one), pick(on, sine, zero))
    store(diagonal, first, pick(active, load(diagonal, first) - p, load(diagonal, first)))
    store(off_diagonal, first, pick(active, g, load(off_diagonal, first)))


@lane_helper
def shifted_corner(first: int, end: Vector, diagonal: Real, off_diagonal: Real, corner: Real) -> Vector:
    """d_end minus Wilkinson's shift; corner : (2, lane) scratch."""
    one = fill(1.0)
    store(corner, 0, end)
    for lane in range(corner.shape[1]):
        corner[1, lane] = diagonal[int(corner[0, lane]), lane]
    d = load(diagonal, first)
    e = pick(end > fill(float(first)), load(off_diagonal, first), one)
    g = (load(diagonal, first + 1) - d) / (2.0 * e)
    length = root(g * g + one)
    return load(corner, 1) - d + e / (g + pick(g < fill(0.0), -length, length))


@lane_helper
def give_up(n: int, lanes: Mask, diagonal: Real, off_diagonal: Real) -> None:
    """Zeros in lanes that do not converge, those with NaN above all: they are done, and the others go on."""
    zero = fill(0.0)
    for i in range(n):
        store(diagonal, i, pick(lanes, zero, load(diagonal, i)))
        store(off_diagonal, i, pick(lanes, zero, load(off_diagonal, i)))


@lane_helper
def implicit_ql(
    n: int, diagonal: Real, off_diagonal: Real, rows: Real, corner: Real, converged: Real
) -> None:
    """Eigenvalues of tridiagonal matrices, not in order, and their vectors as rows; converged : 1 or 0."""
    store(converged, 0, fill(1.0))
    for i in range(n * n):
        store(rows, i, fill(0.0))
    for i in range(n):
        store(rows, i * n + i, fill(1.0))
    for first in range(n - 1):
        start = fill(float(first))
        end = end_of_block(n, first, diagonal, off_diagonal)
        sweeps = 0
        while some(end > start) and sweeps < _SWEEPS:
            shifted = shifted_corner(first, end, diagonal, off_diagonal, corner)
            sweep(n, first, end, shifted, diagonal, off_diagonal, rows)
            for lane in range(corner.shape[1]):
                last = int(corner[0, lane])
                if last > first:
                    off_diagonal[last, lane] = 0.0
            end = end_of_block(n, first, diagonal, off_diagonal)
            sweeps += 1
        if some(end > start):
            give_up(n, end > start, diagonal, off_diagonal)
            store(converged, 0, pick(end > start, fill(0.0), load(converged, 0)))


@lane_helper
def in_order(n: int, diagonal: Real, rows: Real, source: Integer, energy: Real, states: Real) -> None:
    """Eigenvalues ascending, in the place of `diagonal` too, and their vectors as rows of complex numbers."""
    for lane in range(diagonal.shape[1]):
        for i in range(n):
            x = diagonal[i, lane]
            j = i
            while j > 0 and diagonal[j - 1, lane] > x:
                diagonal[j, lane] = diagonal[j - 1, lane]
                source[j] = source[j - 1]
                j -= 1
            diagonal[j, lane] = x
            source[j] = i
        for j in range(n):
            energy[j, lane] = diagonal[j, lane]
            row = rows[source[j]]
            for i in range(n):
                # Adding 0 makes 0 of -0, which may come from neighbours in the group.
                states[j, i, 0, lane] = row[i, lane] + 0.0
                states[j, i, 1, lane] = 0.0


@lane_helper
def diagonalize_group(
    n: int,
    matrix: Real,
    energy: Real,
    states: Real,
    converged: Real,
    vectors: Real,
    rows: Real,
    diagonal: Real,
    off_diagonal: Real,
    factor: Real,
    product: Real,
    corner: Real,
    source: Integer,
) -> None:
    """Of the lower triangle of `matrix`, which is destroyed; what is behind `converged` is scratch.

    states : eigenvectors as rows; converged : 1, or 0 where a lane is to be left to another solver
    """
    tridiagonalize(n, matrix, diagonal, off_diagonal, vectors, factor, product)
    implicit_ql(n, diagonal, off_diagonal, rows, corner, converged)
    in_order(n, diagonal, rows, source, energy, states)
    for j in range(0, n - 1, 2):
        reflect_two_back(n, vectors, factor, states[j], states[j + 1])
    if n % 2:
        reflect_back(n, vectors, factor, states[n - 1])


@lane_loop(
    matrices="out real g n n 2 w",
    energy="out real g n w",
    states="out real g n n 2 w",
    converged="out real g w",
    vectors="out real n n 2 w",
    rows="out real n n w",
    diagonal="out real n w",
    off_diagonal="out real n w",
    factor="out real n 2 w",
    product="out real n 2 w",
    corner="out real 2 w",
    source="out integer n",
)
def diagonalize(
    matrices: Real,
    energy: Real,
    states: Real,
    converged: Real,
    vectors: Real,
    rows: Real,
    diagonal: Real,
    off_diagonal: Real,
    factor: Real,
    product: Real,
    corner: Real,
    source: Integer,
) -> None:
    """`diagonalize_group` for each group."""
    groups, n = energy.shape[:2]
    for g in range(groups):
        diagonalize_group(
            n,
            matrices[g],
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


def work_shapes(size: int, lanes: int) -> tuple[tuple[int, ...], ...]:
    """Shapes of the work arrays of `diagonalize_group`, before `source`."""
    square, column, pairs = (size, size, lanes), (size, lanes), (size, 2, lanes)
    return (size, size, 2, lanes), square, column, column, pairs, pairs, (2, lanes)


def eigh(matrices: Complex) -> tuple[Real, Complex]:
    """Eigenvalues (k, n), ascending, and eigenvectors (k, n, n) as columns, from lower triangles (k, n, n).

    The phases of eigenvectors are free. A matrix on which QL does not converge is left to LAPACK. Raises
    numpy.linalg.LinAlgError where that does not converge either.
    """
    count, size = matrices.shape[:2]
    groups, lanes = -(-count // width()), width()
    square = (groups, size, size, 2, lanes)
    packed, levels, rows, converged = side_by_side(square, (groups, size, lanes), square, (groups, lanes))
    layout.pack(np.ascontiguousarray(matrices), packed)
    work = *scratch(*work_shapes(size, lanes)), np.empty(size, dtype=np.int64)
    diagonalize(packed, levels, rows, converged, *work)
    energy, states = np.empty((count, size)), np.empty((count, size, size), dtype=complex)
    layout.unpack_levels(levels, energy)
    layout.unpack_transposed(rows, states)
    for k in np.flatnonzero(converged.ravel()[:count] == 0):
        energy[k], states[k] = np.linalg.eigh(matrices[k])
    return energy, states
