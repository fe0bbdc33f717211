"""Sums over levels for a whole scan of Fermi energies: components side by side, as many as lanes to a vector.

Here lanes are components, not k points. Rows of levels are (k, n, vector, lane), components filled up with
zeros to whole vectors; sums over them (slot, vector, lane).
"""

from __future__ import annotations

import numpy as np

from ..compiled import lane_helper, lane_loop
from ..lattice import Integer, Real
from .vectors import fill, load, store


@lane_loop(values="real k n c", first="integer", rows="out real k n x")
def put(values: Real, first: int, rows: Real) -> None:
    """Components from the column `first` on."""
    points, levels, components = values.shape
    for k in range(points):
        for n in range(levels):
            row = rows[k, n, first : first + components]
            for c in range(components):
                row[c] = values[k, n, c]


@lane_loop(slot="integer k n", weight="real k n", rows="real k n v w", sums="out real t v w")
def scatter(slot: Integer, weight: Real, rows: Real, sums: Real) -> None:
    """Add weight * row to sums[slot]; a slot beyond the last is left out. IndexError for a negative one."""
    points, levels, vectors, _ = rows.shape
    slots = len(sums)
    for k in range(points):
        for n in range(levels):
            here = slot[k, n]
            if here < 0:
                raise IndexError("scatter: expected slots of at least 0, found a negative one.")
            if here < slots:
                row = (k * levels + n) * vectors
                factor = fill(weight[k, n])
                for v in range(vectors):
                    target = here * vectors + v
                    store(sums, target, load(sums, target) + factor * load(rows, row + v))


@lane_helper
def spread_row(
    occupation: Real,
    steps: int,
    weight: float,
    rows: Real,
    row: int,
    sums: Real,
    place: int,
    vectors: int,
) -> None:
    """Add weight * occupation[j] * row to the sums at place, place + vectors ... for j = 0 ... steps - 1."""
    v = 0
    while v + 4 <= vectors:
        a = load(rows, row + v)
        b = load(rows, row + v + 1)
        c = load(rows, row + v + 2)
        d = load(rows, row + v + 3)
        for j in range(steps):
            factor = fill(weight * occupation[j])
            target = place + j * vectors + v
            store(sums, target, load(sums, target) + factor * a)
            store(sums, target + 1, load(sums, target + 1) + factor * b)
            store(sums, target + 2, load(sums, target + 2) + factor * c)
            store(sums, target + 3, load(sums, target + 3) + factor * d)
        v += 4
    while v < vectors:
        a = load(rows, row + v)
        for j in range(steps):
            target = place + j * vectors + v
            store(sums, target, load(sums, target) + fill(weight * occupation[j]) * a)
        v += 1


@lane_loop(
    first="integer k n",
    end="integer k n",
    weight="real k",
    occupation="real k n j",
    rows="real k n v w",
    sums="out real t v w",
)
def spread(first: Integer, end: Integer, weight: Real, occupation: Real, rows: Real, sums: Real) -> None:
    """Add weight * occupation[j] * row to sums[first + j], before end. IndexError for a negative slot."""
    points, levels, vectors, _ = rows.shape
    slots = len(sums)
    for k in range(points):
        for n in range(levels):
            begin = first[k, n]
            if begin < 0:
                raise IndexError("spread: expected slots of at least 0, found a negative one.")
            steps = min(occupation.shape[2], min(slots, end[k, n]) - begin)
            row = (k * levels + n) * vectors
            spread_row(occupation[k, n], steps, weight[k], rows, row, sums, begin * vectors, vectors)


@lane_helper
def sum_between(numbers: Real, begin: int, end: int) -> float:
    """Sum of numbers[begin] ... before numbers[end], four sums side by side."""
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    x = begin
    while x + 4 <= end:
        a += numbers[x]
        b += numbers[x + 1]
        c += numbers[x + 2]
        d += numbers[x + 3]
        x += 4
    while x < end:
        a += numbers[x]
        x += 1
    return (a + b) + (c + d)


@lane_loop(
    occupation="real k n e",
    rows="real k n v w",
    edges="integer b",
    weight="real k",
    kpoints="real k 3",
    shares="out real f e 5",
    total="out real v w",
    squares="out real v w",
    squared="real x",
    sizes="out real f",
)
def add_sizes(
    occupation: Real,
    rows: Real,
    edges: Integer,
    weight: Real,
    kpoints: Real,
    shares: Real,
    total: Real,
    squares: Real,
    squared: Real,
    sizes: Real,
) -> None:
    """Sizes |sum over levels of occupation * row| of the columns between edges, of each k point.

    shares : their sum, the largest and its k; squared : the numbers of `squares`, one after the other
    From one energy to the next only levels are added whose occupation changes, most of which do not.
    """
    points, levels, vectors, _ = rows.shape
    for k in range(points):
        for v in range(vectors):
            store(total, v, fill(0.0))
        for e in range(occupation.shape[2]):
            changed = e == 0
            for n in range(levels):
                change = occupation[k, n, e]
                if e > 0:
                    change -= occupation[k, n, e - 1]
                if change != 0.0:
                    changed = True
                    factor = fill(change)
                    row = (k * levels + n) * vectors
                    for v in range(vectors):
                        store(total, v, load(total, v) + factor * load(rows, row + v))
            if changed:
                for v in range(vectors):
                    store(squares, v, load(total, v) * load(total, v))
                for part in range(len(edges) - 1):
                    sizes[part] = np.sqrt(sum_between(squared, edges[part], edges[part + 1]))
            for part in range(len(sizes)):
                shares[part, e, 0] += weight[k] * sizes[part]
                if sizes[part] > shares[part, e, 1]:
                    shares[part, e, 1] = sizes[part]
                    for a in range(3):
                        shares[part, e, 2 + a] = kpoints[k, a]
