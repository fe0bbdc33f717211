"""Sums over levels for a whole scan of Fermi energies."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Integer, Real


@loop(first="integer n", end="integer n", weights="real n w", values="real n c", sums="out real t c")
def spread(first: Integer, end: Integer, weights: Real, values: Real, sums: Real) -> None:
    """Add weights[n, j] * values[n] to sums[first[n] + j], before end[n].

    Raises IndexError for a negative slot.
    """
    slots, components = sums.shape
    for n in range(len(first)):
        if first[n] < 0:
            raise IndexError("spread: expected slots of at least 0, found a negative one.")
        row = values[n]
        for j in range(min(weights.shape[1], min(slots, end[n]) - first[n])):
            weight = weights[n, j]
            target = sums[first[n] + j]
            for c in range(components):
                target[c] += weight * row[c]


@loop(
    energy="real n",
    scan="real t",
    steps="real t",
    thermal="real",
    first="integer n",
    last="integer n",
    occupation="out real n w",
)
def partly_occupied(
    energy: Real,
    scan: Real,
    steps: Real,
    thermal: float,
    first: Integer,
    last: Integer,
    occupation: Real,
) -> None:
    """Fermi functions at scan[first[n]] ... before last[n], then zeros.

    One exponential for each level: from one Fermi energy to the next, steps[t] = exp(-(mu_t - mu_t-1)/kT).
    """
    for n in range(len(energy)):
        row = occupation[n]
        row[:] = 0.0
        boltzmann = 0.0
        for t in range(first[n], last[n]):
            if t == first[n]:
                boltzmann = np.exp((energy[n] - scan[t]) / thermal)
            else:
                boltzmann *= steps[t]
            row[t - first[n]] = 1.0 / (1.0 + boltzmann)


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


@loop(weights="real k n e", values="real k n c", found="out real k e")
def sizes(weights: Real, values: Real, found: Real) -> None:
    """Square root of the sum over c of (sum over levels of weights * values)^2, for each point and energy.

    From one energy to the next only levels are added whose weights change, most of which do not.
    """
    points, levels, energies = weights.shape
    components = values.shape[2]
    total = np.empty(components)
    for k in range(points):
        total[:] = 0.0
        for e in range(energies):
            for n in range(levels):
                weight = weights[k, n, e]
                if e > 0:
                    weight -= weights[k, n, e - 1]
                if weight != 0.0:
                    row = values[k, n]
                    for c in range(components):
                        total[c] += weight * row[c]
            squared = 0.0
            for c in range(components):
                squared += total[c] * total[c]
            found[k, e] = np.sqrt(squared)
