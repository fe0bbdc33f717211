"""Householder reflections of Hermitian matrices to real tridiagonal form and back, one matrix in each lane.

Golub and Van Loan, Matrix Computations, 8.3. Matrices are (row, column, 2, lane), real and imaginary parts.
"""

from __future__ import annotations

from ..compiled import lane_helper
from ..lattice import Real
from .vectors import fill, load, pick, root, store


@lane_helper
def reflector(n: int, k: int, matrix: Real, vector: Real, off_diagonal: Real, factor: Real) -> None:
    """Householder vector that clears column k below the subdiagonal; first element 1."""
    zero = fill(0.0)
    one = fill(1.0)
    head = 2 * ((k + 1) * n + k)
    re = load(matrix, head)
    im = load(matrix, head + 1)
    rest = zero
    for i in range(k + 2, n):
        a = load(matrix, 2 * (i * n + k))
        b = load(matrix, 2 * (i * n + k) + 1)
        rest = rest + a * a + b * b
    trivial = rest + im * im == zero
    norm = root(rest + re * re + im * im)
    beta = pick(re > zero, -norm, norm)
    divisor = pick(trivial, one, beta)
    store(factor, 2 * k, pick(trivial, zero, (beta - re) / divisor))
    store(factor, 2 * k + 1, pick(trivial, zero, -im / divisor))
    store(off_diagonal, k, pick(trivial, re, beta))
    # Elements below are divided by head - beta.
    c = re - beta
    squared = pick(trivial, one, c * c + im * im)
    s = pick(trivial, zero, c / squared)
    t = pick(trivial, zero, -im / squared)
    store(vector, 2 * (k + 1), one)
    store(vector, 2 * (k + 1) + 1, zero)
    for i in range(k + 2, n):
        a = load(matrix, 2 * (i * n + k))
        b = load(matrix, 2 * (i * n + k) + 1)
        store(vector, 2 * i, a * s - b * t)
        store(vector, 2 * i + 1, a * t + b * s)


@lane_helper
def times_vector(n: int, k: int, matrix: Real, vector: Real, product: Real) -> None:
    """Product of what is left of the matrix, rows and columns from k + 1 on, with a vector."""
    zero = fill(0.0)
    for i in range(2 * (k + 1), 2 * n):
        store(product, i, zero)
    for i in range(k + 1, n):
        x = load(vector, 2 * i)
        y = load(vector, 2 * i + 1)
        diagonal = load(matrix, 2 * (i * n + i))
        re = diagonal * x
        im = diagonal * y
        for j in range(k + 1, i):
            a = load(matrix, 2 * (i * n + j))
            b = load(matrix, 2 * (i * n + j) + 1)
            u = load(vector, 2 * j)
            v = load(vector, 2 * j + 1)
            re = re + a * u - b * v
            im = im + a * v + b * u
            store(product, 2 * j, load(product, 2 * j) + a * x + b * y)
            store(product, 2 * j + 1, load(product, 2 * j + 1) + a * y - b * x)
        store(product, 2 * i, load(product, 2 * i) + re)
        store(product, 2 * i + 1, load(product, 2 * i + 1) + im)


@lane_helper
def subtract_projection(n: int, k: int, vector: Real, product: Real, factor: Real) -> None:
    """The vector w = tau p - (tau/2) (w, v) v, in the place of p."""
    s = load(factor, 2 * k)
    t = load(factor, 2 * k + 1)
    re = fill(0.0)
    im = fill(0.0)
    for i in range(k + 1, n):
        a = load(product, 2 * i)
        b = load(product, 2 * i + 1)
        x = s * a - t * b
        y = s * b + t * a
        store(product, 2 * i, x)
        store(product, 2 * i + 1, y)
        u = load(vector, 2 * i)
        v = load(vector, 2 * i + 1)
        re = re + x * u + y * v
        im = im + x * v - y * u
    a = -0.5 * (s * re - t * im)
    b = -0.5 * (s * im + t * re)
    for i in range(k + 1, n):
        u = load(vector, 2 * i)
        v = load(vector, 2 * i + 1)
        store(product, 2 * i, load(product, 2 * i) + a * u - b * v)
        store(product, 2 * i + 1, load(product, 2 * i + 1) + a * v + b * u)


@lane_helper
def reflect(n: int, k: int, matrix: Real, vector: Real, product: Real) -> None:
    """The lower triangle from row and column k + 1 on, minus v w^dagger + w v^dagger."""
    for i in range(k + 1, n):
        x = load(vector, 2 * i)
        y = load(vector, 2 * i + 1)
        p = load(product, 2 * i)
        q = load(product, 2 * i + 1)
        for j in range(k + 1, i + 1):
            u = load(vector, 2 * j)
            v = load(vector, 2 * j + 1)
            r = load(product, 2 * j)
            s = load(product, 2 * j + 1)
            place = 2 * (i * n + j)
            store(matrix, place, load(matrix, place) - x * r - y * s - p * u - q * v)
            store(matrix, place + 1, load(matrix, place + 1) - y * r + x * s - q * u + p * v)


@lane_helper
def tridiagonalize(
    n: int, matrix: Real, diagonal: Real, off_diagonal: Real, vectors: Real, factor: Real, product: Real
) -> None:
    """Unitary reduction to a real tridiagonal matrix; reads and destroys the lower triangle."""
    for k in range(n - 1):
        vector = vectors[k]
        reflector(n, k, matrix, vector, off_diagonal, factor)
        store(diagonal, k, load(matrix, 2 * (k * n + k)))
        times_vector(n, k, matrix, vector, product)
        subtract_projection(n, k, vector, product, factor)
        reflect(n, k, matrix, vector, product)
    store(diagonal, n - 1, load(matrix, 2 * (n * n - 1)))
    store(off_diagonal, n - 1, fill(0.0))


@lane_helper
def reflect_back(n: int, vectors: Real, factor: Real, state: Real) -> None:
    """An eigenvector of the matrix itself, from that of its tridiagonal form."""
    for k in range(n - 2, -1, -1):
        vector = vectors[k]
        head = 2 * (k + 1)
        re = load(state, head)
        im = load(state, head + 1)
        for i in range(k + 2, n):
            x = load(vector, 2 * i)
            y = load(vector, 2 * i + 1)
            u = load(state, 2 * i)
            v = load(state, 2 * i + 1)
            re = re + x * u + y * v
            im = im + x * v - y * u
        s = load(factor, 2 * k)
        t = load(factor, 2 * k + 1)
        a = s * re - t * im
        b = s * im + t * re
        store(state, head, load(state, head) - a)
        store(state, head + 1, load(state, head + 1) - b)
        for i in range(k + 2, n):
            x = load(vector, 2 * i)
            y = load(vector, 2 * i + 1)
            store(state, 2 * i, load(state, 2 * i) - x * a + y * b)
            store(state, 2 * i + 1, load(state, 2 * i + 1) - x * b - y * a)


@lane_helper
def reflect_two_back(n: int, vectors: Real, factor: Real, first: Real, second: Real) -> None:
    """`reflect_back` of two eigenvectors at once: each reflector is read half as often."""
    for k in range(n - 2, -1, -1):
        vector = vectors[k]
        head = 2 * (k + 1)
        re = load(first, head)
        im = load(first, head + 1)
        other_re = load(second, head)
        other_im = load(second, head + 1)
        for i in range(k + 2, n):
            x = load(vector, 2 * i)
            y = load(vector, 2 * i + 1)
            u = load(first, 2 * i)
            v = load(first, 2 * i + 1)
            p = load(second, 2 * i)
            q = load(second, 2 * i + 1)
            re = re + x * u + y * v
            im = im + x * v - y * u
            other_re = other_re + x * p + y * q
            other_im = other_im + x * q - y * p
        s = load(factor, 2 * k)
        t = load(factor, 2 * k + 1)
        a = s * re - t * im
        b = s * im + t * re
        c = s * other_re - t * other_im
        d = s * other_im + t * other_re
        store(first, head, load(first, head) - a)
        store(first, head + 1, load(first, head + 1) - b)
        store(second, head, load(second, head) - c)
        store(second, head + 1, load(second, head + 1) - d)
        for i in range(k + 2, n):
            x = load(vector, 2 * i)
            y = load(vector, 2 * i + 1)
            store(first, 2 * i, load(first, 2 * i) - x * a + y * b)
            store(first, 2 * i + 1, load(first, 2 * i + 1) - x * b - y * a)
            store(second, 2 * i, load(second, 2 * i) - x * c + y * d)
            store(second, 2 * i + 1, load(second, 2 * i + 1) - x * d - y * c)
