"""Sums over levels and cells for a whole scan of Fermi energies and all channels.

What a point of a small cell adds changes at few energies: it is held as steps, one row for each of those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import loop
from ..lattice import Integer, Real


@loop(begin="integer k n", entry="integer e", weights="real m", touched="out byte k t")
def mark_steps(begin: Integer, entry: Integer, weights: Real, touched: NDArray[np.uint8]) -> None:
    """Mark the Fermi energies at which the weight of any level is another one than at the energy before.

    begin, entry, weights : see `Weights`, whose levels are those of one k point after the other
    """
    points, levels = begin.shape
    for k in range(points):
        for n in range(levels):
            first = entry[k * levels + n]
            before = 0.0
            for i in range(first, entry[k * levels + n + 1]):
                if weights[i] != before:
                    touched[k, begin[k, n] + i - first] = 1
                before = weights[i]


@loop(
    values="real k n x",
    start="integer y",
    channel="integer e",
    factor="real e",
    mixed="out real k n c",
)
def mix(values: Real, start: Integer, channel: Integer, factor: Real, mixed: Real) -> None:
    """Add sparse combinations of values: entries start[x] to start[x + 1] tell where value x goes."""
    points, levels, components = values.shape
    for k in range(points):
        for n in range(levels):
            for x in range(components):
                value = values[k, n, x]
                if value != 0.0:
                    for i in range(start[x], start[x + 1]):
                        mixed[k, n, channel[i]] += factor[i] * value


@loop(touched="byte k t", slot="out integer k t", first="out integer g")
def number_steps(touched: NDArray[np.uint8], slot: Integer, first: Integer) -> None:
    """Number what is marked: slot of each, and those of point k from first[k] to first[k + 1]."""
    points, energies = touched.shape
    count = 0
    first[0] = 0
    for k in range(points):
        for t in range(energies):
            slot[k, t] = count
            count += touched[k, t]
        first[k + 1] = count


@loop(
    slot="integer k t",
    begin="integer k n",
    entry="integer e",
    weights="real m",
    values="real k n c",
    first="integer",
    rows="out real r a",
)
def add_levels(
    slot: Integer, begin: Integer, entry: Integer, weights: Real, values: Real, first: int, rows: Real
) -> None:
    """Add the steps of weights * values to the rows of each point, where weights change.

    slot : row of a point and an energy; begin, entry, weights : as in `mark_steps`
    first : channel that the first value is of
    """
    points, levels, channels = values.shape
    for k in range(points):
        for n in range(levels):
            row = values[k, n]
            start = entry[k * levels + n]
            before = 0.0
            for i in range(start, entry[k * levels + n + 1]):
                step = weights[i] - before
                before = weights[i]
                if step != 0.0:
                    place = rows[slot[k, begin[k, n] + i - start]]
                    for c in range(channels):
                        place[first + c] += step * row[c]


@loop(
    point="integer p",
    share="real p",
    slot="integer k t",
    begin="integer k n",
    entry="integer e",
    weights="real m",
    values="real p n c",
    first="integer",
    rows="out real r a",
)
def add_sizes(
    point: Integer,
    share: Real,
    slot: Integer,
    begin: Integer,
    entry: Integer,
    weights: Real,
    values: Real,
    first: int,
    rows: Real,
) -> None:
    """Add the steps of share * |sum over levels of weights * values| of some points."""
    energies = slot.shape[1]
    points, levels, channels = values.shape
    steps = np.zeros((energies, channels))
    used = np.zeros(energies, dtype=np.uint8)
    running = np.empty(channels)
    for p in range(points):
        k = point[p]
        low, high = energies, 0
        for n in range(levels):
            row = values[p, n]
            start = entry[k * levels + n]
            before = 0.0
            for i in range(start, entry[k * levels + n + 1]):
                step = weights[i] - before
                before = weights[i]
                if step != 0.0:
                    t = begin[k, n] + i - start
                    low, high = min(low, t), max(high, t + 1)
                    used[t] = 1
                    for c in range(channels):
                        steps[t, c] += step * row[c]
        running[:] = 0.0
        for t in range(low, high):
            if used[t] != 0:
                used[t] = 0
                place = rows[slot[k, t]]
                for c in range(channels):
                    size = abs(running[c])
                    running[c] += steps[t, c]
                    steps[t, c] = 0.0
                    place[first + c] += share[p] * (abs(running[c]) - size)


@loop(
    point="integer p",
    slot="integer k t",
    begin="integer k n",
    entry="integer e",
    weights="real m",
    bounds="real p q c",
    first="integer",
    rows="out real r a",
)
def add_meetings(
    point: Integer,
    slot: Integer,
    begin: Integer,
    entry: Integer,
    weights: Real,
    bounds: Real,
    first: int,
    rows: Real,
) -> None:
    """Add the steps of each bound of two neighbouring levels times how differently they are occupied."""
    levels = begin.shape[1]
    points, pairs, channels = bounds.shape
    for p in range(points):
        k = point[p]
        for n in range(pairs):
            row = bounds[p, n]
            largest = 0.0
            for c in range(channels):
                largest = max(largest, abs(row[c]))
            if largest == 0.0:
                continue
            lower, upper = entry[k * levels + n], entry[k * levels + n + 1]
            end = entry[k * levels + n + 2]
            low, high = slot.shape[1], 0
            if upper > lower:
                low, high = min(low, begin[k, n]), max(high, begin[k, n] + upper - lower)
            if end > upper:
                low, high = min(low, begin[k, n + 1]), max(high, begin[k, n + 1] + end - upper)
            before = 0.0
            one, other = 0.0, 0.0
            for t in range(low, high):
                if begin[k, n] <= t < begin[k, n] + upper - lower:
                    one = weights[lower + t - begin[k, n]]
                if begin[k, n + 1] <= t < begin[k, n + 1] + end - upper:
                    other = weights[upper + t - begin[k, n + 1]]
                part = abs(one - other)
                step = part - before
                before = part
                if step != 0.0:
                    place = rows[slot[k, t]]
                    for c in range(channels):
                        place[first + c] += step * row[c]


@loop(
    born="integer b",
    share="real k",
    fine_first="integer g",
    fine_energy="integer r",
    fine="real r a",
    jump="real r a",
    bias="real r a",
    coarse_first="integer h",
    coarse_energy="integer s",
    coarse="real s a",
    weight="real q",
    owner="integer a",
    amplitude="real a",
    sea_amplitude="real a",
    most="real a",
    sums="out real 6 t a",
    largest="out real q i",
    sizes="out real q i",
)
def add_leaves(
    born: Integer,
    share: Real,
    fine_first: Integer,
    fine_energy: Integer,
    fine: Real,
    jump: Real,
    bias: Real,
    coarse_first: Integer,
    coarse_energy: Integer,
    coarse: Real,
    weight: Real,
    owner: Integer,
    amplitude: Real,
    sea_amplitude: Real,
    most: Real,
    sums: Real,
    largest: Real,
    sizes: Real,
) -> None:
    """Add the steps of W, D = W - V, D^2, J^2, |W| and B of cells; W, J and B are means over their children.

    born : the children of cell q are those from born[q] to born[q + 1]; ..._first : the same for rows
    most : of |D| and J before they are squared
    largest, sizes : the largest of |D| and J, and of |W|, for each integral, by the amplitudes of channels
    """
    energies, channels = sums.shape[1:]
    value = np.zeros((energies, channels))
    doubt = np.zeros((energies, channels))
    used = np.zeros(energies, dtype=np.uint8)
    w, v, j = np.empty(channels), np.empty(channels), np.empty(channels)
    worst, size = np.empty(channels), np.empty(channels)
    for q in range(len(weight)):
        w[:] = 0.0
        v[:] = 0.0
        j[:] = 0.0
        worst[:] = 0.0
        size[:] = 0.0
        for k in range(born[q], born[q + 1]):
            for r in range(fine_first[k], fine_first[k + 1]):
                t = fine_energy[r]
                used[t] = 1
                for c in range(channels):
                    value[t, c] += share[k] * fine[r, c]
                    doubt[t, c] += share[k] * jump[r, c]
        s = coarse_first[q]
        for t in range(energies):
            known = s < coarse_first[q + 1] and coarse_energy[s] == t
            if used[t] == 0 and not known:
                continue
            used[t] = 0
            for c in range(channels):
                d = (w[c] - v[c]) * weight[q]
                known_error = min(abs(d), most[c])
                miss = min(j[c] * weight[q], most[c])
                length = abs(w[c])
                w[c] += value[t, c]
                j[c] += doubt[t, c]
                value[t, c] = 0.0
                doubt[t, c] = 0.0
                if known:
                    v[c] += coarse[s, c]
                change = (w[c] - v[c]) * weight[q]
                error = min(abs(change), most[c])
                missed = min(j[c] * weight[q], most[c])
                sums[1, t, c] += change - d
                sums[2, t, c] += error * error - known_error * known_error
                sums[3, t, c] += missed * missed - miss * miss
                sums[4, t, c] += (abs(w[c]) - length) * weight[q]
                worst[c] = max(worst[c], max(abs(change), missed))
                size[c] = max(size[c], abs(w[c]) * weight[q])
            if known:
                s += 1
        for k in range(born[q], born[q + 1]):
            for r in range(fine_first[k], fine_first[k + 1]):
                t = fine_energy[r]
                for c in range(channels):
                    sums[0, t, c] += weight[q] * share[k] * fine[r, c]
                    sums[5, t, c] += weight[q] * share[k] * bias[r, c]
        for c in range(channels):
            if owner[c] >= 0:
                i = owner[c]
                largest[q, i] = max(largest[q, i], worst[c] * amplitude[c])
                sizes[q, i] = max(sizes[q, i], size[c] * sea_amplitude[c])
