"""Vectors of doubles, one k point in each lane: the words that the loops of this folder are written in.

Here they are plain NumPy, so that the same source runs uncompiled; `machine` makes of each one instruction.
Never write `a += b` on a vector: in plain NumPy it would change what other names stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A vector, and a mask of lanes, inside a loop.
Vector = Any
Mask = Any


def load(array: NDArray[np.float64], place: int) -> Vector:
    """Vector number `place` of an array whose last axis is the lane."""
    return array.reshape(-1, array.shape[-1])[place].copy()


def store(array: NDArray[np.float64], place: int, vector: Vector) -> None:
    """Write vector number `place` of an array whose last axis is the lane."""
    array.reshape(-1, array.shape[-1])[place] = vector


def fill(value: float) -> Vector:
    """The same number in all lanes."""
    return np.float64(value)


def root(vector: Vector) -> Vector:
    """Square root."""
    return np.sqrt(vector)


def size_of(vector: Vector) -> Vector:
    """Absolute value."""
    return np.abs(vector)


def pick(mask: Mask, yes: Vector, no: Vector) -> Vector:
    """Lane by lane the one where the mask is true, else the other."""
    return np.where(mask, yes, no)


def some(mask: Mask) -> bool:
    """Whether any lane is true."""
    return bool(np.any(mask))


def largest(vector: Vector) -> float:
    """The largest of all lanes."""
    return float(np.max(vector))


def product_tile(
    rows: int,
    columns: int,
    length: int,
    left: NDArray[np.float64],
    i: int,
    right: NDArray[np.float64],
    j: int,
    out: NDArray[np.float64],
    place: int,
    down: int,
    across: int,
) -> None:
    """Sum over l of conj(left[i, l]) right[j, l] for some rows of two complex matrices (row, l, 2, lane).

    Of rows i, i + 1 ... with j, j + 1 ..., `rows` x `columns` of them, which registers hold; both are written
    out in the source. Goes to vectors `place`, `place + across`, `place + down` ... and the ones behind.
    """
    a = left.reshape(-1, length, 2, left.shape[-1])[i : i + rows, None]
    b = right.reshape(-1, length, 2, right.shape[-1])[None, j : j + columns]
    re = (a[..., 0, :] * b[..., 0, :] + a[..., 1, :] * b[..., 1, :]).sum(axis=2)
    im = (a[..., 0, :] * b[..., 1, :] - a[..., 1, :] * b[..., 0, :]).sum(axis=2)
    flat = out.reshape(-1, out.shape[-1])
    for x in range(rows):
        for y in range(columns):
            flat[place + x * down + y * across] = re[x, y]
            flat[place + x * down + y * across + 1] = im[x, y]


def sum_tile(
    rows: int,
    adds: int,
    length: int,
    table: NDArray[np.float64],
    row: int,
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
    place: int,
) -> None:
    """Sum over q of table[row, q] weights[q] for `rows` rows of real numbers, to vectors from `place` on.

    adds : 1 where it is added to what is there, 0 where not; both it and `rows` are written out in the source
    """
    numbers = table.reshape(-1, length)[row : row + rows]
    found = numbers @ weights.reshape(-1, weights.shape[-1])[:length]
    target = out.reshape(-1, out.shape[-1])
    target[place : place + rows] = target[place : place + rows] + found if adds else found
