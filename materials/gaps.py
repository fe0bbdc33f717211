"""Gaps of a model, and what a Fermi level that a file says means beside one.

Programs write the highest occupied level of an insulator, or one that is a few meV off it (VASP's E-fermi);
interpolated bands are then cut at their top.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import KMesh, band_energies

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

#: Narrow gaps are looked for from a finer mesh between high symmetry, around more points, to 1e-10 of it.
_NARROW_SPACING, _NARROW_SHIFT, _NARROW_STARTS, _NARROW_ROUNDS = 0.3, 0.31, 3, 30

#: eV: levels that meet but for rounding; one multiplet is then what they are.
_EXACT = 1e-7


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
    if _work(model, mesh) > _MOST_WORK:
        return None
    points = mesh.points()
    energy = band_energies(model.operators, points)
    filling = (energy < level).sum(axis=1)
    bands = round(float(filling.mean()))
    misplaced = int(np.abs(filling - bands).sum())
    if not bands or misplaced > max(1, _MISPLACED * mesh.size):
        return None
    above = energy[:, bands].min() if bands < model.size else np.inf
    if energy[:, bands - 1].max() + _FAR < level < above - _FAR:
        return Gap(float(energy[:, bands - 1].max()), float(above), bands)
    top, bottom = _edges(model, points, energy, bands, _step(mesh), _ROUNDS)
    near = top - _AT_EDGE <= level <= bottom + _AT_EDGE
    return Gap(top, bottom, bands) if near and bottom - top > _SMALLEST_GAP else None


def distance_from_bands(model: WannierModel, level: float) -> tuple[float, float, float]:
    """How far (eV) a level is above all bands, negative below them, and where these begin and end.

    0 within them, and where looking takes long.
    """
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    if _work(model, mesh) > _MOST_WORK_BESIDE:
        return 0.0, level, level
    energy = band_energies(model.operators, mesh.points())
    lowest, highest = float(energy.min()), float(energy.max())
    return max(level - highest, 0.0) + min(level - lowest, 0.0), lowest, highest


def band_gap(model: WannierModel, level: float) -> float:
    """Width (eV) of the gap of the bands in which a level (eV) lies, 0 in a metal.

    NaN where the level is outside all bands, and where looking takes long.
    """
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    if _work(model, mesh) > _MOST_WORK_BESIDE:
        return np.nan
    points = mesh.points()
    energy = band_energies(model.operators, points)
    filling = (energy < level).sum(axis=1)
    bands = int(filling[0])
    if (filling != bands).any():
        return 0.0
    if bands in (0, model.size):
        return np.nan
    top, bottom = _edges(model, points, energy, bands, _step(mesh), _ROUNDS_TO_THE_END)
    return bottom - top if top < level < bottom else 0.0


@dataclass(frozen=True)
class NarrowGap:
    """energy : Fermi energy at the gap; width : of the gap, eV; kpoint : where, reduced"""

    energy: float
    width: float
    kpoint: NDArray[np.float64]


def narrow_gap(model: WannierModel, energies: NDArray[np.float64], threshold: float) -> NarrowGap | None:
    """The narrowest gap below the threshold (eV) at one of the Fermi energies (eV) of an insulator.

    Levels on both sides are then one multiplet, and what their pairs contribute is left out (theory, section
    2). None where there is none, where levels meet exactly, and where looking would take long.
    """
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _NARROW_SPACING)
    if _work(model, mesh) > _MOST_WORK_BESIDE:
        return None
    x, y, z = (_NARROW_SHIFT if n > 1 else 0.0 for n in mesh.shape)
    points = KMesh(mesh.shape, (x, y, z)).points()
    levels = band_energies(model.operators, points)
    tops, bottoms = levels.max(axis=0), levels.min(axis=0)
    found: list[NarrowGap] = []
    for below in range(1, model.size):
        near = energies[(energies > tops[below - 1] - threshold) & (energies < bottoms[below] + threshold)]
        if not len(near):
            continue
        starts = points[np.argsort(levels[:, below] - levels[:, below - 1], kind="stable")[:_NARROW_STARTS]]
        kpoint, low, high = _narrowest(model, starts, _step(mesh), below, threshold)
        near = near[(near > low - threshold) & (near < high + threshold)]
        if len(near) and _EXACT < high - low < threshold:
            middle = near[np.argmin(np.abs(near - (low + high) / 2))]
            found.append(NarrowGap(float(middle), high - low, kpoint))
    return min(found, key=lambda gap: gap.width, default=None)


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


def _work(model: WannierModel, mesh: KMesh) -> float:
    """Multiplications that the levels of a mesh take."""
    return mesh.size * (len(model.translations) * model.size**2 + 20.0 * model.size**3)


def _step(mesh: KMesh) -> NDArray[np.float64]:
    """From one point of a mesh to the next along each axis that repeats, reduced."""
    return np.array([1 / n if n > 1 else 0.0 for n in mesh.shape])


def _edges(
    model: WannierModel,
    points: NDArray[np.float64],
    energy: NDArray[np.float64],
    bands: int,
    step: NDArray[np.float64],
    rounds: int,
) -> tuple[float, float]:
    """Top of so many bands and bottom of those above, infinite without any, eV.

    Looked for around the best points of a mesh, (k, 3), energy : (k, band) there, eV
    """
    signed = [(bands - 1, 1.0), (bands, -1.0)][: model.size - bands + 1]
    best = [np.argsort(-sign * energy[:, band], kind="stable")[:_STARTS] for band, sign in signed]
    counts = [len(rows) for rows in best]
    band = np.repeat([band for band, _ in signed], counts)[:, None]
    sign = np.repeat([sign for _, sign in signed], counts)[:, None]

    def height(levels: NDArray[np.float64]) -> NDArray[np.float64]:
        return sign * np.take_along_axis(levels, band[..., None], axis=2)[..., 0]

    _, heights = _climbed(model, points[np.concatenate(best)], step, rounds, height)
    edges = [float(part.max()) for part in np.split(heights, np.cumsum(counts)[:-1])]
    return edges[0], -edges[1] if len(edges) > 1 else np.inf


def _narrowest(
    model: WannierModel, starts: NDArray[np.float64], step: NDArray[np.float64], below: int, threshold: float
) -> tuple[NDArray[np.float64], float, float]:
    """K point near one of the starts with the least distance of two levels, and these levels (eV).

    The search ends where the distance cannot come below the threshold (eV) any more.
    """
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    # A level changes with k by at most sum_R |R| |H(R)|.
    lengths = np.linalg.norm(model.translations @ model.lattice, axis=1)
    steepest = float(lengths @ np.linalg.norm(model.hamiltonian, axis=(1, 2)))
    reach = 2 * steepest * float(step @ np.linalg.norm(reciprocal, axis=1))
    places, heights = _climbed(
        model,
        starts,
        step,
        _NARROW_ROUNDS,
        lambda levels: levels[..., below - 1] - levels[..., below],
        lambda heights, turn: bool(-heights.max() - reach / 2**turn > threshold),
    )
    place = places[heights.argmax()]
    low, high = band_energies(model.operators, place[None])[0, below - 1 : below + 1]
    return place, float(low), float(high)


def _climbed(
    model: WannierModel,
    places: NDArray[np.float64],
    step: NDArray[np.float64],
    rounds: int,
    height: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    is_hopeless: Callable[[NDArray[np.float64], int], bool] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 3) and their heights (n,) after a search around each on grids of three points an axis.

    step : of the first grid's neighbours, halved before each round
    height : of levels (place, point, band) in eV, (place, point)
    is_hopeless : asked with the heights and the number of rounds whether to go on
    """
    reach = [np.linspace(-1, 1, 3) if length else np.zeros(1) for length in step]
    around = np.array(list(itertools.product(*reach)))
    rows = np.arange(len(places))
    heights = np.full(len(places), -np.inf)
    for turn in range(rounds):
        candidates = places[:, None] + around * step / 2 ** (turn + 1)
        levels = band_energies(model.operators, candidates.reshape(-1, 3))
        values = height(levels.reshape(*candidates.shape[:2], -1))
        best = values.argmax(axis=1)
        places, heights = candidates[rows, best], values[rows, best]
        if is_hopeless is not None and is_hopeless(heights, turn + 1):
            break
    return places, heights
