"""How a degeneracy threshold groups the levels of a model, looked at on a few k points before the work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import KMesh, band_energies
from spinscreen.materials import WannierModel, structure_of

from .telling import say

#: Points along an axis on which levels are looked at, off the planes on which symmetry joins them.
_POINTS = {1: 24, 2: 8, 3: 4}

#: A chain of levels is too long where it is wider than this many thresholds.
_WIDEST = 2.0

#: Share of the levels in such chains, and of pairs that are split, from which it is said.
_MOST_CHAINED, _MOST_SPLIT = 0.01, 0.02

#: Median distance of two levels, as a share of that to the next pair, below which they are pairs.
_PAIRED = 0.02

#: eV: pairs that are exact but for rounding.
_EXACT = 1e-9


class ChainedLevelsWarning(UserWarning):
    """The degeneracy threshold chains levels that are far apart into one multiplet."""


class SplitLevelsWarning(UserWarning):
    """Levels that symmetry makes one are farther apart than the degeneracy threshold."""


@dataclass(frozen=True)
class Chains:
    """Levels that are chained although they are farther apart than the threshold.

    share : of all levels; members, width : number of levels and eV, of the widest multiplet
    """

    share: float
    members: int
    width: float


def chains_of(energy: NDArray[np.float64], threshold: float) -> Chains:
    """Multiplets of levels, (k, band) ascending in eV, that are wider than twice the threshold (eV)."""
    split = np.diff(energy, axis=1) >= threshold
    edge = np.ones((len(energy), 1), dtype=bool)
    starts = np.flatnonzero(np.hstack([edge, split]))
    ends = np.flatnonzero(np.hstack([split, edge]))
    widths, members = energy.ravel()[ends] - energy.ravel()[starts], ends - starts + 1
    wide, widest = widths > _WIDEST * threshold, int(widths.argmax())
    return Chains(float(members[wide].sum() / energy.size), int(members[widest]), float(widths[widest]))


def warn_of_levels(model: WannierModel, threshold: float) -> list[str]:
    """Where a threshold (eV) chains levels that are far apart, or tells levels apart that should be one.

    Returns what was said.
    """
    if threshold == 0 or model.is_bogoliubov:
        return []
    told = []
    count = _POINTS[model.dimension]
    x, y, z = (count if repeats else 1 for repeats in model.periodic)
    points = KMesh((x, y, z), (0.31, 0.31, 0.31)).points()
    energy = band_energies(model.operators, points)
    chains = chains_of(energy, threshold)
    if chains.share > _MOST_CHAINED:
        sentence = (
            f"{model.name}: degeneracy_threshold {threshold:g} eV chains {chains.share:.0%} of the levels "
            f"into multiplets wider than {_WIDEST:g} times itself, up to {chains.members} levels over "
            f"{chains.width:.2g} eV, expected levels that are one within it; lower it, above all in a large "
            "cell."
        )
        told.append(say(sentence, ChainedLevelsWarning, 4))
    pairs = _pair_splittings(model, energy)
    if pairs is not None and (pairs > threshold).mean() > _MOST_SPLIT:
        sentence = (
            f"{model.name}: {(pairs > threshold).mean():.0%} of the pairs of levels that time reversal and "
            f"inversion make one are split by more than degeneracy_threshold {threshold:g} eV, by "
            f"{np.median(pairs):.2g} eV in the middle; symmetrize the model, or raise the threshold."
        )
        told.append(say(sentence, SplitLevelsWarning, 4))
    return told


def _pair_splittings(model: WannierModel, energy: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Distances within the pairs that time reversal and inversion make one; None where there are no such."""
    # Models that no file describes know some of their atoms at most.
    if not model.provenance.files or energy.shape[1] % 2 or energy.shape[1] < 4:
        return None
    distances = np.diff(energy, axis=1)
    within, between = distances[:, ::2], distances[:, 1::2]
    if not _EXACT < np.median(within) < _PAIRED * np.median(between):
        return None
    structure = structure_of(model)
    inverts = structure is not None and any(np.allclose(r, -np.eye(3)) for r in structure.rotations)
    return within if inverts else None
