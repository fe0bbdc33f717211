"""Products of matrices, one k point in each lane. All are (row, column, 2, lane), real and imaginary parts.

Matrices are read along rows only, so that a power of two as their size does no harm to the cache: a product
is conj(A) B^T, which for Hermitian and for transposed factors is what is needed.
"""

from __future__ import annotations

from ..compiled import lane_helper
from ..lattice import Real
from .vectors import fill, load, product_tile, store


@lane_helper
def strip(
    n: int, left: Real, i: int, right: Real, begin: int, end: int, out: Real, down: int, across: int
) -> None:
    """Three rows i, i + 1, i + 2 of `rows_times_rows`, columns from `begin` on before `end`."""
    j = begin
    while j + 3 <= end:
        product_tile(3, 3, n, left, i, right, j, out, i * down + j * across, down, across)
        j += 3
    while j < end:
        product_tile(3, 1, n, left, i, right, j, out, i * down + j * across, down, across)
        j += 1


@lane_helper
def row(
    n: int, left: Real, i: int, right: Real, begin: int, end: int, out: Real, down: int, across: int
) -> None:
    """Row i of `rows_times_rows`, columns from `begin` on before `end`."""
    j = begin
    while j + 3 <= end:
        product_tile(1, 3, n, left, i, right, j, out, i * down + j * across, down, across)
        j += 3
    while j < end:
        product_tile(1, 1, n, left, i, right, j, out, i * down + j * across, down, across)
        j += 1


@lane_helper
def rows_times_rows(n: int, left: Real, right: Real, out: Real, down: int, across: int) -> None:
    """Sums over l of conj(left[i, l]) right[j, l]; down, across : vectors from i to i + 1, j to j + 1."""
    i = 0
    while i + 3 <= n:
        strip(n, left, i, right, 0, n, out, down, across)
        i += 3
    while i < n:
        row(n, left, i, right, 0, n, out, down, across)
        i += 1


@lane_helper
def product_across(n: int, lower: int, upper: int, left: Real, right: Real, out: Real) -> None:
    """The same, (i, j, 2, lane), but for i and j both before `lower`, or both from `upper` on."""
    i = 0
    while i + 3 <= n:
        begin = lower if i + 3 <= lower else 0
        strip(n, left, i, right, begin, upper if i >= upper else n, out, 2 * n, 2)
        i += 3
    while i < n:
        begin = lower if i < lower else 0
        row(n, left, i, right, begin, upper if i >= upper else n, out, 2 * n, 2)
        i += 1


@lane_helper
def hermitian_product(n: int, left: Real, right: Real, out: Real) -> None:
    """The same, where it is known to be Hermitian: half of it is computed."""
    i = 0
    while i + 3 <= n:
        strip(n, left, i, right, 0, i + 3, out, 2 * n, 2)
        i += 3
    while i < n:
        row(n, left, i, right, 0, i + 1, out, 2 * n, 2)
        i += 1
    mirror(n, out)


@lane_helper
def mirror(n: int, matrix: Real) -> None:
    """Fill the upper triangle of a Hermitian matrix from the lower one."""
    for i in range(n):
        for j in range(i):
            here = 2 * (i * n + j)
            there = 2 * (j * n + i)
            store(matrix, there, load(matrix, here))
            store(matrix, there + 1, -load(matrix, here + 1))
        store(matrix, 2 * (i * n + i) + 1, fill(0.0))


@lane_helper
def rotate(n: int, matrix: Real, states: Real, half: Real, out: Real) -> None:
    """U^dagger X U of a Hermitian X. states, half : eigenvectors, and X times each, as rows."""
    # X_il conj(...): conj(X)_li = X_il for a Hermitian X, so that conj(X) rows times rows of states is X^T's.
    half_rotate(n, matrix, states, half)
    hermitian_product(n, states, half, out)


@lane_helper
def half_rotate(n: int, matrix: Real, states: Real, half: Real) -> None:
    """X times each eigenvector, as rows. Of a Hermitian X, given by its transpose (its complex conjugate)."""
    rows_times_rows(n, matrix, states, half, 2, 2 * n)
