"""Gaps of a model, and what a Fermi level that a file says means beside one.

Programs write the highest occupied level of an insulator, or one that is a few meV off it (VASP's E-fermi);
interpolated bands are then cut at their top.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import KMesh, Resolution, band_quantities, band_values, block_size

from .model import WannierModel

#: Distance (1/angstrom) of the mesh points from which the edges of bands are looked for.
_SPACING = 0.4

#: eV: a smaller gap is none, and a level that far from an edge is meant to be where it is.
_SMALLEST_GAP, _AT_EDGE = 0.02, 0.05

#: eV above the top of the highest band, where no band is above it.
_ABOVE_ALL = 0.1

#: Share of the points at which a level beside a gap may have a band on the wrong side: flat ones have many.
_MISPLACED = 0.2

#: An edge is looked for around so many points, on grids of three points an axis that shrink so often by two.
_STARTS, _ROUNDS = 2, 7

#: The same where the width counts, not whether there is a gap: edges of cones to 1e-4 eV.
_ROUNDS_TO_THE_END = 15

#: eV: a level that far from both edges on the mesh is not at the edges between its points either.
_FAR = 0.3

#: Multiplications that looking for a gap may take, some ten seconds.
_MOST_WORK = 5e10

#: The same beside a computation, about a second.
_MOST_WORK_BESIDE = 5e9


@dataclass(frozen=True)
class Gap:
    """Top of the bands below and bottom of those above, eV; infinite where there are none above.

    bands : number of bands below
    """

    top: float
    bottom: float
    bands: int

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2 if np.isfinite(self.bottom) else self.top + _ABOVE_ALL


def gap_at(model: WannierModel, level: float) -> Gap | None:
    """The gap in which, or at whose edge, a level (eV) lies; None in a metal or where looking takes long.

    Its edges are those of a mesh where the level is far from them.
    """
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    work = mesh.size * (len(model.translations) * model.size**2 + 20.0 * model.size**3)
    if work > _MOST_WORK:
        return None
    points = mesh.points()
    energy = _energies(model, points)
    filling = (energy < level).sum(axis=1)
    bands = round(float(filling.mean()))
    misplaced = int(np.abs(filling - bands).sum())
    if not bands or misplaced > max(1, _MISPLACED * mesh.size):
        return None
    step = np.array([1 / n if n > 1 else 0.0 for n in mesh.shape])
    above = energy[:, bands].min() if bands < model.size else np.inf
    if energy[:, bands - 1].max() + _FAR < level < above - _FAR:
        return Gap(float(energy[:, bands - 1].max()), float(above), bands)
    top = _edge(model, points, energy, bands - 1, step, 1)
    bottom = _edge(model, points, energy, bands, step, -1) if bands < model.size else np.inf
    near = top - _AT_EDGE <= level <= bottom + _AT_EDGE
    return Gap(top, bottom, bands) if near and bottom - top > _SMALLEST_GAP else None


def band_gap(model: WannierModel, level: float) -> float:
    """Width (eV) of the gap of the bands in which a level (eV) lies, 0 in a metal.

    NaN where the level is outside all bands, and where looking takes long.
    """
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    if mesh.size * (len(model.translations) * model.size**2 + 20.0 * model.size**3) > _MOST_WORK_BESIDE:
        return np.nan
    points = mesh.points()
    energy = _energies(model, points)
    filling = (energy < level).sum(axis=1)
    bands = int(filling[0])
    if (filling != bands).any():
        return 0.0
    if bands in (0, model.size):
        return np.nan
    step = np.array([1 / n if n > 1 else 0.0 for n in mesh.shape])
    top = _edge(model, points, energy, bands - 1, step, 1, _ROUNDS_TO_THE_END)
    bottom = _edge(model, points, energy, bands, step, -1, _ROUNDS_TO_THE_END)
    return float(bottom - top) if top < level < bottom else 0.0


def with_settled_level(model: WannierModel, origin: str, bands: int | None = None) -> WannierModel:
    """The model with a level that a file says moved to the middle of the gap whose edge it lies at.

    origin : the file, for the notes; bands : how many another file says are below, noted where they are not.
    A level farther from an edge stays, as one of a metal does.
    """
    level = model.fermi_level
    gap = None if level is None else gap_at(model, level)
    if level is None or gap is None:
        return model
    if bands is not None and bands != gap.bands:
        model = model.noted(
            f"Fermi level: {level:.4f} eV of {origin} has {gap.bands} bands below it, num_valence_bands "
            f"is {bands}"
        )
    ends = np.isfinite(gap.bottom)
    if gap.top + _AT_EDGE < level < gap.bottom - _AT_EDGE or (not ends and level > gap.top):
        return model
    above = f"{gap.bottom:.4f} eV" if ends else "the end of the bands"
    return replace(model, fermi_level=gap.middle).noted(
        f"Fermi level: {level:.4f} eV of {origin} lies at the edge of the gap from {gap.top:.4f} eV to "
        f"{above}; {gap.middle:.4f} eV counts"
    )


def _energies(model: WannierModel, points: NDArray[np.float64]) -> NDArray[np.float64]:
    operators = model.operators
    chosen = band_quantities(["energy"])
    found: NDArray[np.float64] = band_values(operators, points, Resolution(), chosen, block_size(operators))[
        "energy"
    ]
    return found


def _edge(
    model: WannierModel,
    points: NDArray[np.float64],
    energy: NDArray[np.float64],
    band: int,
    step: NDArray[np.float64],
    sign: int,
    rounds: int = _ROUNDS,
) -> float:
    """Highest (sign 1) or lowest (-1) energy of a band, looked for around the best points of the mesh."""
    reach = [np.linspace(-1, 1, 3) if length else np.zeros(1) for length in step]
    around = np.array(list(itertools.product(*reach)))
    best = np.argsort(-sign * energy[:, band], kind="stable")[:_STARTS]
    places, found = points[best], float((sign * energy[best, band]).max())
    for turn in range(rounds):
        candidates = places[:, None] + around * step / 2 ** (turn + 1)
        values = sign * _energies(model, candidates.reshape(-1, 3))[:, band].reshape(len(places), -1)
        places = candidates[np.arange(len(places)), values.argmax(axis=1)]
        found = max(found, float(values.max()))
    return sign * found
