"""What loops over multiplets share."""

from __future__ import annotations

from ..compiled import helper, loop
from ..lattice import Complex, Integer, Real


@helper
def end_of_multiplet(label: Integer, first: int) -> int:
    last = first + 1
    while last < len(label) and label[last] == label[first]:
        last += 1
    return last


@loop(energy="real k n", threshold="real", label="out integer k n")
def number_multiplets(energy: Real, threshold: float, label: Integer) -> None:
    """Number of the multiplet of each level; one begins at least `threshold` above the level before."""
    points, levels = energy.shape
    for k in range(points):
        number = 0
        for n in range(levels):
            if n > 0 and energy[k, n] - energy[k, n - 1] >= threshold:
                number += 1
            label[k, n] = number


@helper
def overlap(a: Complex, b: Complex) -> complex:
    """Sum over m of a_m conj(b_m)."""
    real = 0.0
    imag = 0.0
    for m in range(len(a)):
        real += a[m].real * b[m].real + a[m].imag * b[m].imag
        imag += a[m].imag * b[m].real - a[m].real * b[m].imag
    return complex(real, imag)


@helper
def share(label: Integer, values: Real) -> None:
    """Values (band, component) of the members of a multiplet become their mean."""
    first = 0
    while first < len(label):
        last = end_of_multiplet(label, first)
        if last - first > 1:
            for c in range(values.shape[1]):
                mean = 0.0
                for n in range(first, last):
                    mean += values[n, c] / (last - first)
                for n in range(first, last):
                    values[n, c] = mean
        first = last


@helper
def copy_to_members(values: Real, first: int, last: int) -> None:
    """Give the other members of a multiplet the values (band, component) of its first."""
    for n in range(first + 1, last):
        for c in range(values.shape[1]):
            values[n, c] = values[first, c]
