"""Sums over levels and cells for a whole scan of Fermi energies and all channels."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Integer, Real


@loop(
    cell="integer k",
    share="real k",
    weights="real k n t",
    values="real k n c",
    first="integer",
    steps="out real q t a",
)
def add_levels(cell: Integer, share: Real, weights: Real, values: Real, first: int, steps: Real) -> None:
    """Add share * weights * values of each point to its cell, as steps from one Fermi energy to the next.

    A level costs only the energies at which its weight changes. first : channel that the first value is of
    """
    points, levels, energies = weights.shape
    channels = values.shape[2]
    for k in range(points):
        target = steps[cell[k]]
        for n in range(levels):
            row = values[k, n]
            before = 0.0
            for t in range(energies):
                step = (weights[k, n, t] - before) * share[k]
                before = weights[k, n, t]
                if step != 0.0:
                    place = target[t]
                    for c in range(channels):
                        place[first + c] += step * row[c]


@loop(cell="integer k", share="real k", values="real k t a", sums="out real q t a")
def add_children(cell: Integer, share: Real, values: Real, sums: Real) -> None:
    """Add share * values of each child to its cell."""
    children, energies, channels = values.shape
    for k in range(children):
        for t in range(energies):
            place = sums[cell[k], t]
            for c in range(channels):
                place[c] += share[k] * values[k, t, c]


@loop(steps="out real q t a")
def accumulate(steps: Real) -> None:
    """From steps to values, in place."""
    cells, energies, channels = steps.shape
    for q in range(cells):
        for t in range(1, energies):
            before = steps[q, t - 1]
            here = steps[q, t]
            for c in range(channels):
                here[c] += before[c]


@loop(
    cell="integer k",
    share="real k",
    weights="real k n t",
    values="real k n c",
    first="integer",
    sums="out real q t a",
)
def add_sizes(cell: Integer, share: Real, weights: Real, values: Real, first: int, sums: Real) -> None:
    """Add share * |sum over levels of weights * values| of each point to its cell."""
    points, levels, energies = weights.shape
    channels = values.shape[2]
    steps = np.empty((energies, channels))
    running = np.empty(channels)
    for k in range(points):
        steps[:] = 0.0
        for n in range(levels):
            row = values[k, n]
            before = 0.0
            for t in range(energies):
                step = weights[k, n, t] - before
                before = weights[k, n, t]
                if step != 0.0:
                    place = steps[t]
                    for c in range(channels):
                        place[c] += step * row[c]
        running[:] = 0.0
        for t in range(energies):
            place = sums[cell[k], t]
            for c in range(channels):
                running[c] += steps[t, c]
                place[first + c] += share[k] * abs(running[c])


@loop(
    cell="integer k",
    share="real k",
    weights="real k n t",
    bounds="real k p c",
    first="integer",
    sums="out real q t a",
)
def add_meetings(cell: Integer, share: Real, weights: Real, bounds: Real, first: int, sums: Real) -> None:
    """Add share * bound of each pair of neighbouring levels, by how differently they are occupied."""
    points, pairs, channels = bounds.shape
    energies = weights.shape[2]
    for k in range(points):
        for n in range(pairs):
            row = bounds[k, n]
            for t in range(energies):
                part = abs(weights[k, n, t] - weights[k, n + 1, t]) * share[k]
                if part != 0.0:
                    place = sums[cell[k], t]
                    for c in range(channels):
                        place[first + c] += part * row[c]


@loop(
    fine="real q t a",
    coarse="real q t a",
    jump="real q t a",
    weight="real q",
    owner="integer a",
    amplitude="real a",
    sums="out real 4 t a",
    largest="out real q i",
)
def add_leaves(
    fine: Real,
    coarse: Real,
    jump: Real,
    weight: Real,
    owner: Integer,
    amplitude: Real,
    sums: Real,
    largest: Real,
) -> None:
    """Sums over cells of W, D = W - V, D^2 and J^2, and the largest of |D| and J for each integral."""
    cells, energies, channels = fine.shape
    worst = np.empty(channels)
    for q in range(cells):
        worst[:] = 0.0
        for t in range(energies):
            for c in range(channels):
                w = fine[q, t, c] * weight[q]
                d = w - coarse[q, t, c] * weight[q]
                j = jump[q, t, c] * weight[q]
                sums[0, t, c] += w
                sums[1, t, c] += d
                sums[2, t, c] += d * d
                sums[3, t, c] += j * j
                worst[c] = max(worst[c], max(abs(d), j))
        for c in range(channels):
            if owner[c] >= 0:
                error = worst[c] * amplitude[c]
                largest[q, owner[c]] = max(largest[q, owner[c]], error)
