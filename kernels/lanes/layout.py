"""From arrays with k first to those with one k in each lane, (group, ..., 2, lane), and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import lane_loop
from ..lattice import Complex, Integer, Real


@lane_loop(matrices="complex k a b", packed="out real g a b 2 w")
def pack(matrices: Complex, packed: Real) -> None:
    """Groups of lanes; the last k point fills the lanes that are left over."""
    groups, rows, columns, _, lanes = packed.shape
    for g in range(groups):
        for lane in range(lanes):
            k = min(g * lanes + lane, len(matrices) - 1)
            for i in range(rows):
                for j in range(columns):
                    packed[g, i, j, 0, lane] = matrices[k, i, j].real
                    packed[g, i, j, 1, lane] = matrices[k, i, j].imag


@lane_loop(line="integer k", powers="real k a m 2", lines="out integer g w", packed="out real g a m 2 w")
def pack_points(line: Integer, powers: Real, lines: Integer, packed: Real) -> None:
    """Groups of lanes of what tells where k points are, filled up as by `pack`."""
    groups, axes, steps, _, lanes = packed.shape
    for g in range(groups):
        for lane in range(lanes):
            k = min(g * lanes + lane, len(line) - 1)
            lines[g, lane] = line[k]
            for a in range(axes):
                for m in range(steps):
                    packed[g, a, m, 0, lane] = powers[k, a, m, 0]
                    packed[g, a, m, 1, lane] = powers[k, a, m, 1]


@lane_loop(packed="real g b a 2 w", matrices="out complex k a b")
def unpack_transposed(packed: Real, matrices: Complex) -> None:
    """The transposed matrices of all k points."""
    groups, columns, rows, _, lanes = packed.shape
    for g in range(groups):
        for lane in range(min(lanes, len(matrices) - g * lanes)):
            matrix = matrices[g * lanes + lane]
            for i in range(rows):
                for j in range(columns):
                    matrix[i, j] = complex(packed[g, j, i, 0, lane], packed[g, j, i, 1, lane])


@lane_loop(packed="real g n w", values="out real k n")
def unpack_levels(packed: Real, values: Real) -> None:
    """One number for each level."""
    groups, size, lanes = packed.shape
    for g in range(groups):
        for lane in range(min(lanes, len(values) - g * lanes)):
            for n in range(size):
                values[g * lanes + lane, n] = packed[g, n, lane]


@lane_loop(values="integer k n", packed="out real g n w")
def pack_numbers(values: Integer, packed: Real) -> None:
    """One number for each level; the last k point fills the lanes that are left over."""
    groups, size, lanes = packed.shape
    for g in range(groups):
        for lane in range(lanes):
            k = min(g * lanes + lane, len(values) - 1)
            for n in range(size):
                packed[g, n, lane] = values[k, n]


@lane_loop(packed="real g o n n 2 w", first="integer", matrices="out complex k n c n")
def unpack_operators(packed: Real, first: int, matrices: Complex) -> None:
    """Operators first, first + 1 ... of all k points, side by side in each row."""
    groups, lanes = packed.shape[0], packed.shape[5]
    points, n, count, _ = matrices.shape
    for g in range(groups):
        for lane in range(min(lanes, points - g * lanes)):
            matrix = matrices[g * lanes + lane]
            for c in range(count):
                for i in range(n):
                    for j in range(n):
                        x = packed[g, first + c, i, j, 0, lane]
                        y = packed[g, first + c, i, j, 1, lane]
                        matrix[i, c, j] = complex(x, y)


def gathered(packed: NDArray[Any], rows: Integer) -> NDArray[Any]:
    """Some of the k points of an array (group, ..., lane), in groups of their own."""
    lanes, shape = packed.shape[-1], packed.shape[1:-1]
    groups = -(-len(rows) // lanes)
    group, lane = np.divmod(rows[np.minimum(np.arange(groups * lanes), len(rows) - 1)], lanes)
    found = packed[group, ..., lane].reshape(groups, lanes, *shape)
    return np.ascontiguousarray(found.transpose(0, *range(2, found.ndim), 1))
