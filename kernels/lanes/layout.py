"""From arrays with k first to those with one k in each lane, (group, ..., 2, lane), and back."""

from __future__ import annotations

from ..compiled import lane_loop
from ..lattice import Complex, Real


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
