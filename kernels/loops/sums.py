"""Sums over levels for a whole scan of Fermi energies."""

from __future__ import annotations

import numpy as np

from ..compiled import loop
from ..lattice import Integer, Real


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


@loop(energy="real k n", scan="real e", thermal="real", reach="real", occupation="out real k n e")
def fermi_functions(energy: Real, scan: Real, thermal: float, reach: float, occupation: Real) -> None:
    """Fermi functions of levels at some Fermi energies; 1 or 0 where they are `reach` away."""
    points, levels = energy.shape
    for k in range(points):
        for n in range(levels):
            level = energy[k, n]
            row = occupation[k, n]
            for e in range(len(scan)):
                row[e] = 1.0 if level <= scan[e] else 0.0
            if reach > 0.0:
                for e in range(len(scan)):
                    if abs(level - scan[e]) < reach:
                        row[e] = 1.0 / (1.0 + np.exp((level - scan[e]) / thermal))


@loop(energy="real k n", scan="real t", shift="real", first="out integer k n")
def first_not_below(energy: Real, scan: Real, shift: float, first: Integer) -> None:
    """Number of the first Fermi energy that is not below energy + shift, as numpy.searchsorted finds it."""
    points, levels = energy.shape
    for k in range(points):
        low = 0
        for n in range(levels):
            level = energy[k, n] + shift
            # Levels ascend, most of them: the search begins where the last one ended.
            if low > 0 and scan[low - 1] >= level:
                low = 0
            high = len(scan)
            while low < high:
                middle = (low + high) // 2
                if scan[middle] < level:
                    low = middle + 1
                else:
                    high = middle
            first[k, n] = low


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
