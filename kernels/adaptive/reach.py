"""How far matrix elements reach: cells have to resolve how they oscillate, and the zone may repeat itself."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..lattice import Integer, LatticeOperators, Real, RealSpaceOperator

#: Of the root mean square slope of H(k), and size of what else depends on k, the part beyond what counts as
#: the reach: Wannier functions of 8^3 k points have some percent of both beyond their second neighbours.
_SLOPE_BEYOND, _SIZE_BEYOND = 0.03, 0.1

#: Cells along an edge for each lattice vector of the reach, in 1, 2 and 3 dimensions.
_CELLS = {1: 16, 2: 4, 3: 2}

#: Cells of a start mesh at most, before symmetry.
_MOST_CELLS = 2**14

#: Points for each oscillation, and how much of the hoppings agrees where the zone repeats itself.
_POINTS, _ALIKE = 8, 0.97

#: Points at which repetitions are looked for, at most.
_MOST_POINTS = 2**22


def least_counts(operators: LatticeOperators, axes: Integer) -> Integer:
    """Cells along the edges `axes` (d, 3), reduced k, that resolve the matrices, (d,).

    Raises InputError where these are too many.
    """
    reach = reach_of(operators, axes)
    counts = _CELLS[len(axes)] * reach
    if float(np.prod(np.maximum(counts, 1).astype(float))) > _MOST_CELLS:
        raise InputError(
            f"hamiltonian: matrix elements reach {reach.max():,} cells far, which no start mesh of the "
            "adaptive integration resolves; expected less, or a plain mesh of more points than that (kmesh)."
        )
    return counts


def reach_of(operators: LatticeOperators, axes: Integer) -> Integer:
    """Oscillations of the matrices along edges (d, 3), reduced k, (d,); what is small is left out."""
    kinds = ((operators.hamiltonian, 2), (operators.position, 0), (operators.observables, 0))
    return np.asarray(np.max([_reach(part, axes, power) for part, power in kinds], axis=0), dtype=np.int64)


def _reach(operator: RealSpaceOperator, axes: Integer, power: int) -> Integer:
    """Oscillations along each axis beyond which little is left of |R|^power |X(R)|^2, (d,)."""
    steps = np.abs(operator.translations @ axes.T)
    size = (np.abs(operator.matrices) ** 2).sum(axis=(1, 2, 3))
    share = _SLOPE_BEYOND if power else _SIZE_BEYOND
    found = np.zeros(len(axes), dtype=np.int64)
    for axis, own in enumerate(steps.T):
        weights = np.bincount(own, own.astype(float) ** power * size)
        beyond = weights.sum() - np.cumsum(weights)
        # What is left after all of them is rounding.
        beyond[-1] = 0.0
        found[axis] = int(np.argmax(beyond <= share**2 * weights.sum()))
    return found


def repetitions(operators: LatticeOperators) -> int:
    """How many parts of the Brillouin zone have nearly the same bands: 8 where all hoppings reach 8 cells.

    Counted are the q at which the sum over R != 0 of |H(R)|^2 cos(q R) nearly is that at q = 0.
    """
    translations = operators.hamiltonian.translations
    size = (np.abs(operators.hamiltonian.matrices) ** 2).sum(axis=(1, 2, 3))
    size = np.where(translations.any(axis=1), size, 0.0)
    longest = _reach(operators.hamiltonian, np.eye(3, dtype=int), 2)
    counts = np.maximum(1, _POINTS * longest)
    if not size.any() or float(np.prod(counts.astype(float))) > _MOST_POINTS:
        return 1
    strength: Real = np.zeros(tuple(counts))
    np.add.at(strength, tuple((translations % counts).T), size)
    alike = np.fft.fftn(strength).real / size.sum()
    # Imported where it is needed: plain meshes start without it.
    from scipy.ndimage import maximum_filter

    peaks = (alike >= maximum_filter(alike, size=3, mode="wrap") - 1e-12) & (alike > _ALIKE)
    return max(1, int(peaks.sum()))
