"""How a level counts that is linear in k within a cell, on the average of the cell (Gilat-Raubenheimer).

Its energies are distributed as the sum of one uniform variable per axis, so that the average is the d-fold
energy integral of the weight, differenced once along each axis. Integrals of the Fermi function are
polylogarithms, A_n(y) = -Li_n(-e^y), with A_n' = A_{n-1}; at T = 0 only their polynomials are left. So
Fermi-surface terms have a value at T = 0 as well: the density of the distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import comb, factorial

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import expit, zeta

from .. import loops
from ..errors import InputError
from ..lattice import Integer, Real
from ..occupations import FermiScan, Weight

#: Distance of the entries of a table, and where it ends: the rest is below 1e-17.
_STEP, _END = 0.02, 40.0

#: A level that spreads by less than this many k_B T is narrow.
_NARROW = 1.0

#: Smallest widths of a level: a share of its largest width, and in eV. A step of no width has no density.
_SHARE, _LEAST = 0.02, 1e-7

#: A weight of states at the Fermi energy is at T = 0 the mean over so much of it, eV, about a kelvin: in a
#: flat band, at the edge of a band and at a van Hove energy there is no value without a width.
RESOLUTION = 1e-4

#: Of weights that are integrals of -df/dy over sums of occupied states, the mean of |y| to their power, y in
#: k_B T.
MOMENTS = {Weight.ENTROPY: 2 * np.log(2.0), Weight.HEAT: np.pi**2 / 3}

#: Weights of states at the Fermi energy.
SURFACES = (Weight.SURFACE, Weight.SURFACE_ENTROPY)

#: Terms of the alternating series of a polylogarithm; its error is 5.8 to this negative power.
_SERIES = 24

#: Powers of k_B T that a weight has.
POWER = {
    Weight.SEA: 0,
    Weight.SURFACE: -1,
    Weight.SURFACE_ENTROPY: 0,
    Weight.GRAND_POTENTIAL: 1,
    Weight.ENTROPY: 1,
    Weight.HEAT: 2,
}


@dataclass(frozen=True, eq=False)
class Weights:
    """A function of the Fermi energy for each level, where it changes.

    begin : (level,) number of the energy of a level's first entry; it is 0 at those before
    first : (level + 1,) the entries of level i are those from first[i] to first[i + 1], at consecutive
        energies; the last one stays
    value : (entry,)
    """

    begin: Integer
    first: Integer
    value: Real

    def times(self, factor: Real) -> Weights:
        """The same of each level times its factor (level,)."""
        return replace(self, value=self.value * np.repeat(factor, np.diff(self.first)))

    def of_some(self, levels: Integer, count: int) -> Weights:
        """The same, of these among `count` levels; the others have none."""
        begin, entries = np.zeros((2, count), dtype=np.int64)
        begin[levels], entries[levels] = self.begin, np.diff(self.first)
        return Weights(begin, np.append(0, np.cumsum(entries)), self.value)


def cell_weights(energy: Real, widths: Real, scan: FermiScan, weight: Weight) -> Weights:
    """Mean weight of levels in their cells.

    energy : (level,) at the centre, eV; widths : (level, dimension), what the level changes by along each
    axis of the cell, eV. Raises InputError for an entropy weight at T = 0.
    """
    return _weights(energy, widths, None, None, scan, weight)[0]


def unsure_weights(
    energy: Real, widths: Real, bend: Real, corner: Real | None, scan: FermiScan, weight: Weight
) -> tuple[Weights, Weights, Weights | None]:
    """The same, by how much it changes where levels shift by `bend` (level,), eV, and by how much at most
    where they shift by `corner` either way.
    """
    found, there, either = _weights(energy, widths, bend, corner, scan, weight)
    assert there is not None
    return found, there, either


def _weights(
    energy: Real, widths: Real, bend: Real | None, corner: Real | None, scan: FermiScan, weight: Weight
) -> tuple[Weights, Weights | None, Weights | None]:
    thermal = scan.thermal_energy
    if not thermal and weight not in (Weight.SEA, Weight.SURFACE, Weight.GRAND_POTENTIAL):
        raise InputError("temperature: a Nernst quantity needs a temperature above 0 K; give one.")
    widths = np.maximum(widths, np.maximum(_SHARE * widths.max(axis=1, keepdims=True), _LEAST))
    if not thermal and weight is Weight.SURFACE:
        widths = np.concatenate([widths, np.full((len(widths), 1), RESOLUTION)], axis=1)
    fold = widths.shape[1]
    wide, point = _antiderivative(weight, fold, thermal > 0), _antiderivative(weight, 0, thermal > 0)
    tail = _STEP * (len(wide.table) - 1) * (thermal or 1.0)
    none = np.zeros(len(energy))
    bent, cornered = (none if shift is None else np.ascontiguousarray(shift) for shift in (bend, corner))
    begin, first = np.empty(len(energy), dtype=np.int64), np.empty(len(energy) + 1, dtype=np.int64)
    loops.cell_windows(
        np.ascontiguousarray(energy),
        widths,
        np.maximum(np.abs(bent), np.abs(cornered)),
        scan.energies,
        tail,
        int(len(point.polynomial) == 1),
        begin,
        first,
    )
    found, there, either = (
        np.empty(first[-1] if asked else 0) for asked in (True, bend is not None, corner is not None)
    )
    loops.cell_weights(
        np.ascontiguousarray(energy),
        widths,
        bent,
        cornered,
        scan.energies,
        thermal or 1.0,
        _STEP,
        _NARROW if thermal else 0.0,
        wide.polynomial,
        wide.table,
        wide.parity,
        point.polynomial,
        point.table,
        point.parity,
        begin,
        first,
        found,
        either,
        there,
    )
    factor = thermal ** POWER[weight] if thermal else 1.0
    return (
        Weights(begin, first, factor * found),
        None if bend is None else Weights(begin, first, factor * there),
        None if corner is None else Weights(begin, first, factor * either),
    )


@dataclass(frozen=True, eq=False)
class _Antiderivative:
    """B(y): tabulated at y < 0, where it decays; polynomial(y) + parity B(-y) at y > 0.

    table : (entry, 2), value and slope times `_STEP` at y = 0, -_STEP ...
    """

    polynomial: Real
    table: Real
    parity: float


@cache
def _antiderivative(weight: Weight, fold: int, warm: bool) -> _Antiderivative:
    """The `fold`-fold integral over mu of a weight, y = (mu - eps)/k_B T; at T = 0 without its tails."""
    parts = _parts(weight, fold)
    polynomial = sum((c * Polynomial([0, 1]) ** k * _growth(n, warm) for c, k, n in parts), Polynomial([0.0]))
    coefficients = np.asarray(polynomial.trim().coef, dtype=np.float64)
    if not warm:
        return _Antiderivative(coefficients, np.zeros((1, 2)), 1.0)
    u = np.arange(0.0, _END + _STEP / 2, _STEP)
    value = sum(c * (-u) ** k * _decay(n, u) for c, k, n in parts)
    # d/du of B(-u).
    slope = sum(
        -c * ((-u) ** k * _decay(n - 1, u) + (k * (-u) ** (k - 1) * _decay(n, u) if k else 0.0))
        for c, k, n in parts
    )
    even = weight in (Weight.SURFACE, Weight.GRAND_POTENTIAL, Weight.ENTROPY)
    parity = (-1.0) ** (fold if even else fold + 1)
    return _Antiderivative(coefficients, np.stack([value, slope * _STEP], axis=1), parity)


def _parts(weight: Weight, fold: int) -> list[tuple[float, int, int]]:
    """B as a sum of c y^k A_n, given as (c, k, n): integrals by parts of y^j A_m."""

    def integral(power: int, index: int, times: int, factor: float = 1.0) -> list[tuple[float, int, int]]:
        # The m-fold integral of y^j A is sum_i binom(-m, i) (y^j)^(i) times the (m + i)-fold one of A.
        return [
            (
                factor
                * (-1.0) ** i
                * comb(max(times + i - 1, 0), i)
                * factorial(power)
                / factorial(power - i),
                power - i,
                index + times + i,
            )
            for i in range(power + 1)
            if times or not i
        ]

    if weight is Weight.SEA:
        return integral(0, 0, fold)
    if weight is Weight.SURFACE:
        return integral(0, -1, fold, -1.0)
    if weight is Weight.GRAND_POTENTIAL:
        return integral(0, 1, fold, -1.0)
    if weight is Weight.SURFACE_ENTROPY:
        return integral(1, -1, fold)
    if weight is Weight.ENTROPY:
        return [*integral(1, 0, fold, -1.0), *integral(0, 1, fold)]
    # The heat is the integral over mu of y^2 times the derivative of f.
    return integral(2, -1, fold + 1)


def _growth(index: int, warm: bool) -> Polynomial:
    """What is left of A_n(y) at large y: sum_k 2 eta(2k) y^(n - 2k)/(n - 2k)!."""
    coefficients = np.zeros(max(index, 0) + 1)
    for k in range(max(index, -1) // 2 + 1):
        # 2 eta(s) = 2 (1 - 2^(1 - s)) zeta(s), and 1 at s = 0.
        eta = 2 * (1 - 2.0 ** (1 - 2 * k)) * zeta(2 * k) if k else 1.0
        if warm or not k:
            coefficients[index - 2 * k] = eta / factorial(index - 2 * k)
    return Polynomial(coefficients)


def _decay(index: int, u: Real) -> Real:
    """A_n(-u) for u >= 0, which decays as e^-u."""
    if index == -2:
        return _decay(-1, u) * (1 - 2 * expit(-u))
    if index == -1:
        return expit(u) * expit(-u)
    if index == 0:
        return expit(-u)
    if index == 1:
        return np.log1p(np.exp(-u))
    # Cohen, Rodriguez Villegas and Zagier, Exp. Math. 9, 3 (2000), algorithm 1, for sum (-x)^k/(k + 1)^n.
    top = (3 + np.sqrt(8.0)) ** _SERIES
    top = (top + 1 / top) / 2
    b, c = -1.0, -top
    total = np.zeros_like(u)
    for k in range(_SERIES):
        c = b - c
        total += c * np.exp(-(k + 1) * u) / (k + 1.0) ** index
        b *= (k + _SERIES) * (k - _SERIES) / ((k + 0.5) * (k + 1))
    return total / top
