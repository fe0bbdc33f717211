"""Sums over levels for a whole scan of Fermi energies."""

from __future__ import annotations

from ..compiled import loop
from ..lattice import Integer, Real


@loop(first="integer n", weights="real n w", values="real n c", sums="out real t c")
def spread(first: Integer, weights: Real, values: Real, sums: Real) -> None:
    """Add weights[n, j] * values[n] to sums[first[n] + j]. Raises IndexError for a negative slot."""
    slots, components = sums.shape
    for n in range(len(first)):
        if first[n] < 0:
            raise IndexError("spread: expected slots of at least 0, found a negative one.")
        row = values[n]
        for j in range(min(weights.shape[1], slots - first[n])):
            weight = weights[n, j]
            target = sums[first[n] + j]
            for c in range(components):
                target[c] += weight * row[c]


@loop(slot="integer n", values="real n c", sums="out real t c")
def scatter(slot: Integer, values: Real, sums: Real) -> None:
    """Add values[n] to sums[slot[n]]. Raises IndexError for a negative slot."""
    slots, components = sums.shape
    for n in range(len(slot)):
        if slot[n] < 0:
            raise IndexError("scatter: expected slots of at least 0, found a negative one.")
        if slot[n] < slots:
            row = values[n]
            target = sums[slot[n]]
            for c in range(components):
                target[c] += row[c]


@loop(weights="real l q", table="real q x", sums="out real l x")
def weighted(weights: Real, table: Real, sums: Real) -> None:
    """Sum over q of weights[l, q] * table[q], for each l by itself, so that no l depends on the others."""
    lines, steps = weights.shape
    length = table.shape[1]
    for start in range(0, length, 2048):
        stop = min(start + 2048, length)
        for line in range(lines):
            row = sums[line, start:stop]
            row[:] = 0.0
            for q in range(steps):
                weight = weights[line, q]
                part = table[q, start:stop]
                for x in range(stop - start):
                    row[x] += weight * part[x]
