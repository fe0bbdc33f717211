"""How near two levels come to each other within a cell, by the matrices of their slopes."""

from __future__ import annotations

import numpy as np

from ..compiled import helper, loop
from ..lattice import Complex, Integer, Real
from .multiplets import end_of_multiplet


@helper
def least_coupling(block: Complex, rows: int, columns: int) -> float:
    """Square of the smallest singular value of what couples two groups of levels.

    0 where one group has more levels, some of which are not coupled; and beyond two, where it is not asked.
    """
    if rows != columns or rows > 2:
        return 0.0
    total = 0.0
    for i in range(rows):
        for j in range(rows):
            total += block[i, j].real ** 2 + block[i, j].imag ** 2
    if rows == 1:
        return total
    product = block[0, 0] * block[1, 1] - block[0, 1] * block[1, 0]
    square = product.real**2 + product.imag**2
    return (total - np.sqrt(max(total * total - 4.0 * square, 0.0))) / 2.0


@loop(
    label="integer k n",
    energy="real k n",
    slopes="real k n d",
    couplings="complex k n d n",
    near="integer k p",
    steps="real g",
    closest="out real k p",
    grams="out real k p d d",
)
def closest_approach(
    label: Integer,
    energy: Real,
    slopes: Real,
    couplings: Complex,
    near: Integer,
    steps: Real,
    closest: Real,
    grams: Real,
) -> None:
    """Smallest distances of levels n and n + 1 in models that are linear in k, where near[n] is not 0.

    slopes, couplings : what diagonal and other elements of H change by along each axis of the cell
    steps : places along each axis that are looked at, in cells
    closest : level n and those below that may mix with it, against n + 1 and those above, as far as matrix
        elements between the two groups keep them apart
    grams : closest^2 = sum_ab grams_ab q_a q_b for levels that meet at the centre
    """
    count, size = label.shape
    axes = slopes.shape[2]
    places = len(steps) ** axes
    q = np.empty(axes)
    block = np.zeros((2, 2), dtype=np.complex128)
    for k in range(count):
        start = 0
        for n in range(size - 1):
            if label[k, n] != label[k, start]:
                start = n
            if near[k, n] == 0:
                continue
            last = end_of_multiplet(label[k], n + 1)
            widest = energy[k, n + 1] - energy[k, n]
            reach = 0.0
            for a in range(axes):
                for b in range(axes):
                    total = 0.0
                    for i in range(start, n + 1):
                        for j in range(n + 1, last):
                            u, v = couplings[k, i, a, j], couplings[k, i, b, j]
                            total += u.real * v.real + u.imag * v.imag
                    total *= 4.0 / min(n + 1 - start, last - n - 1)
                    total += (slopes[k, n + 1, a] - slopes[k, n, a]) * (slopes[k, n + 1, b] - slopes[k, n, b])
                    grams[k, n, a, b] = total
                reach += np.sqrt(grams[k, n, a, a]) / 2.0
            # Levels that are no farther than distances change within the cell mix with these.
            widest = max(widest, reach)
            low, high = start, last
            while low > 0 and energy[k, n] - energy[k, low - 1] < widest:
                low -= 1
            while high < size and energy[k, high] - energy[k, n + 1] < widest:
                high += 1
            rows, columns = n + 1 - low, high - n - 1
            small = rows == columns and rows <= 2
            best = np.inf
            for place in range(places):
                rest = place
                for a in range(axes):
                    q[a] = steps[rest % len(steps)]
                    rest //= len(steps)
                apart = np.inf
                for i in range(low, n + 1):
                    for j in range(n + 1, high):
                        distance = energy[k, j] - energy[k, i]
                        for a in range(axes):
                            distance += (slopes[k, j, a] - slopes[k, i, a]) * q[a]
                        apart = min(apart, distance)
                apart = max(apart, 0.0)
                coupled = 0.0
                if small:
                    for i in range(rows):
                        for j in range(columns):
                            value = 0.0 + 0.0j
                            for a in range(axes):
                                value += couplings[k, low + i, a, n + 1 + j] * q[a]
                            block[i, j] = value
                    coupled = least_coupling(block, rows, columns)
                best = min(best, apart * apart + 4.0 * coupled)
            closest[k, n] = np.sqrt(best)
