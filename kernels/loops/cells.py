"""Occupation of a level that is linear in k, averaged over a cell."""

from __future__ import annotations

import numpy as np

from ..compiled import helper, loop
from ..lattice import Complex, Integer, Real
from .multiplets import end_of_multiplet


@helper
def power_series(y: float, coefficients: Real) -> float:
    """Sum of coefficients[i] y^i."""
    value = 0.0
    for power in range(len(coefficients) - 1, -1, -1):
        value = value * y + coefficients[power]
    return value


@helper
def ramp(y: float, polynomial: Real, table: Real, step: float, parity: float) -> float:
    """A function that is `table` below zero and `polynomial` plus `parity` times its mirror image above."""
    tail = 0.0
    place = abs(y) / step if len(table) > 1 else 0.0
    low = int(place)
    if low < len(table) - 1:
        # Cubic Hermite: value and slope at both ends, the slopes times `step`.
        s = place - low
        rest = 1.0 - s
        tail = rest * rest * ((1.0 + 2.0 * s) * table[low, 0] + s * table[low, 1])
        tail += s * s * ((3.0 - 2.0 * s) * table[low + 1, 0] - rest * table[low + 1, 1])
    if y <= 0.0:
        return tail
    return power_series(y, polynomial) + parity * tail


@helper
def mean_weight(
    y: float,
    widths: Real,
    half: float,
    spread: float,
    product: float,
    step: float,
    narrow: float,
    wide_polynomial: Real,
    wide_table: Real,
    wide_parity: float,
    point_polynomial: Real,
    point_table: Real,
    point_parity: float,
) -> float:
    """Mean of a weight at y over a level that spreads by `widths`, its half, its deviation, its product."""
    reach = step * (len(wide_table) - 1)
    if y < -half - reach:
        return 0.0
    if y > half + reach:
        return power_series(y, point_polynomial)
    if 2 * half < narrow:
        below = ramp(y - spread, point_polynomial, point_table, step, point_parity)
        above = ramp(y + spread, point_polynomial, point_table, step, point_parity)
        return (below + above) / 2
    total = 0.0
    for corner in range(1 << len(widths)):
        z = y
        sign = 1.0
        for a in range(len(widths)):
            if (corner >> a) & 1:
                z -= widths[a] / 2
                sign = -sign
            else:
                z += widths[a] / 2
        total += sign * ramp(z, wide_polynomial, wide_table, step, wide_parity)
    return total / product


@loop(
    energy="real n",
    widths="real n d",
    shift="real n",
    scan="real t",
    tail="real",
    settles="integer",
    begin="out integer n",
    first="out integer f",
)
def cell_windows(
    energy: Real,
    widths: Real,
    shift: Real,
    scan: Real,
    tail: float,
    settles: int,
    begin: Integer,
    first: Integer,
) -> None:
    """Where weights of levels are asked for, entries first[n] to first[n + 1] at energies from begin[n] on.

    They are 0 before; where the weight `settles` the last entry is the value that stays.
    shift : by how much a level may move, either way; tail : of the weight of a level that is flat, eV
    """
    first[0] = 0
    for n in range(len(energy)):
        far = tail + shift[n]
        for a in range(widths.shape[1]):
            far += widths[n, a] / 2
        begin[n] = np.searchsorted(scan, energy[n] - far)
        stop = len(scan)
        if settles != 0:
            stop = min(stop, np.searchsorted(scan, energy[n] + far, side="right") + 1)
        first[n + 1] = first[n] + stop - begin[n]


@loop(
    energy="real n",
    widths="real n d",
    bend="real n",
    corner="real n",
    scan="real t",
    thermal="real",
    step="real",
    narrow="real",
    wide_polynomial="real p",
    wide_table="real m 2",
    wide_parity="real",
    point_polynomial="real q",
    point_table="real m 2",
    point_parity="real",
    begin="integer n",
    first="integer f",
    weights="out real r",
    either="out real u",
    there="out real v",
)
def cell_weights(
    energy: Real,
    widths: Real,
    bend: Real,
    corner: Real,
    scan: Real,
    thermal: float,
    step: float,
    narrow: float,
    wide_polynomial: Real,
    wide_table: Real,
    wide_parity: float,
    point_polynomial: Real,
    point_table: Real,
    point_parity: float,
    begin: Integer,
    first: Integer,
    weights: Real,
    either: Real,
    there: Real,
) -> None:
    """Means of a weight over levels that spread by `widths` along each axis, in units of `thermal`.

    The d-fold integral of the weight is differenced once along each axis. Levels that spread by less than
    `narrow` have two points with the same variance instead: differences would be rounding.
    begin, first : see `cell_windows`
    there : changes where levels shift by `bend`; either : the larger where they shift by `corner` both ways;
        no entries: not asked
    """
    count, dimension = widths.shape
    reach = step * (len(wide_table) - 1)
    own = np.empty(dimension)
    for n in range(count):
        half = 0.0
        variance = 0.0
        product = 1.0
        for a in range(dimension):
            own[a] = widths[n, a] / thermal
            half += own[a] / 2
            variance += own[a] * own[a] / 12
            product *= own[a]
        spread = np.sqrt(variance)
        for i in range(first[n], first[n + 1]):
            y = (scan[begin[n] + i - first[n]] - energy[n]) / thermal
            here = mean_weight(
                y,
                own,
                half,
                spread,
                product,
                step,
                narrow,
                wide_polynomial,
                wide_table,
                wide_parity,
                point_polynomial,
                point_table,
                point_parity,
            )
            weights[i] = here
            for way in range(3):
                if way == 0:
                    if len(there) == 0:
                        continue
                    there[i] = 0.0
                    shift = bend[n] / thermal
                else:
                    if len(either) == 0:
                        continue
                    if way == 1:
                        either[i] = 0.0
                    shift = (2 * way - 3) * corner[n] / thermal
                if y > half + reach + abs(shift):
                    # All of it is filled, before and after.
                    continue
                moved = mean_weight(
                    y - shift,
                    own,
                    half,
                    spread,
                    product,
                    step,
                    narrow,
                    wide_polynomial,
                    wide_table,
                    wide_parity,
                    point_polynomial,
                    point_table,
                    point_parity,
                )
                if way == 0:
                    there[i] = moved - here
                else:
                    either[i] = max(either[i], abs(moved - here))


@loop(
    label="integer k n",
    velocity="complex k n 3 n",
    observable="complex k n s n",
    near="integer k p",
    speeds="out real k p 3",
    turns="out real k p 3",
    drifts="out real k p 3",
    sizes="out real k p s",
    overlaps="out real k p s",
)
def meeting_levels(
    label: Integer,
    velocity: Complex,
    observable: Complex,
    near: Integer,
    speeds: Real,
    turns: Real,
    drifts: Real,
    sizes: Real,
    overlaps: Real,
) -> None:
    """Norms of matrices between the multiplets N of level n and M of level n + 1, where near[n] is not 0.

    speeds : of v_a between them; turns : half of how differently their diagonals change; drifts : their mean
    sizes : root mean square of Theta over both; overlaps : norm of Theta between them
    """
    count, size = label.shape
    observables = observable.shape[2]
    for k in range(count):
        first = 0
        for n in range(size - 1):
            if label[k, n] != label[k, first]:
                first = n
            if near[k, n] == 0:
                continue
            middle = n + 1
            last = end_of_multiplet(label[k], middle)
            for a in range(3):
                block = 0.0
                for i in range(first, middle):
                    for j in range(middle, last):
                        v = velocity[k, i, a, j]
                        block += v.real * v.real + v.imag * v.imag
                speeds[k, n, a] = np.sqrt(block)
                below, above = velocity[k, n, a, n].real, velocity[k, middle, a, middle].real
                turns[k, n, a], drifts[k, n, a] = abs(below - above) / 2, abs(below + above) / 2
            for s in range(observables):
                block = 0.0
                total = 0.0
                for i in range(first, last):
                    for j in range(first, last):
                        t = observable[k, i, s, j]
                        square = t.real * t.real + t.imag * t.imag
                        total += square
                        if i < middle and j >= middle:
                            block += square
                sizes[k, n, s] = np.sqrt(total / (last - first))
                overlaps[k, n, s] = np.sqrt(block)
