"""Gaps at the Fermi energy that the degeneracy threshold closes, looked for before numbers are believed."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import KMesh, Resolution, band_quantities, band_values, block_size
from spinscreen.materials import WannierModel

from .settings import Settings

#: Distance (1/angstrom) of the mesh points from which gaps are looked for, and where between high symmetry.
_SPACING, _SHIFT = 0.3, 0.31

#: A gap is looked for around so many points, on grids of three points an axis that shrink so often by two:
#: to 1e-10 of the mesh.
_STARTS, _ROUNDS = 3, 30

#: eV: levels that meet but for rounding; one multiplet is then what they are.
_EXACT = 1e-7

#: Gaps of the mesh that many eV wide are not below any threshold between its points: bands change by at most
#: some 10 eV angstrom.
_WIDE = 3.0

#: Multiplications that looking may take, about a second.
_MOST_WORK = 5e9


class NarrowGapWarning(UserWarning):
    """The degeneracy threshold joins levels on both sides of a gap at the Fermi energy."""


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
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    if mesh.size * (len(model.translations) * model.size**2 + 20.0 * model.size**3) > _MOST_WORK:
        return None
    x, y, z = (_SHIFT if n > 1 else 0.0 for n in mesh.shape)
    points = KMesh(mesh.shape, (x, y, z)).points()
    levels = _levels(model, points)
    tops, bottoms = levels.max(axis=0), levels.min(axis=0)
    step = np.array([1 / n if n > 1 else 0.0 for n in mesh.shape])
    found: list[NarrowGap] = []
    for below in range(1, model.size):
        near = energies[(energies > tops[below - 1] - threshold) & (energies < bottoms[below] + threshold)]
        gaps = levels[:, below] - levels[:, below - 1]
        if not len(near) or gaps.min() > _WIDE:
            continue
        kpoint, low, high = _narrowest(model, points[np.argsort(gaps)[:_STARTS]], step, below)
        near = near[(near > low - threshold) & (near < high + threshold)]
        if len(near) and _EXACT < high - low < threshold:
            middle = near[np.argmin(np.abs(near - (low + high) / 2))]
            found.append(NarrowGap(float(middle), high - low, kpoint))
    return min(found, key=lambda gap: gap.width, default=None)


def tell_narrow_gap(dataset: xr.Dataset, model: WannierModel, settings: Settings) -> None:
    """A warning, and attributes `converged` that do not claim what the threshold decides."""
    threshold = settings.degeneracy_threshold
    if threshold == 0 or model.is_bogoliubov:
        return
    gap = narrow_gap(model, np.array(settings.fermi_energy), threshold)
    if gap is None:
        return
    place = " ".join(f"{x:.4g}" for x in gap.kpoint)
    for integral in settings.integrals:
        attributes = dataset.variables[integral.name].attrs
        if "converged" in attributes and not integral.unit.counts_electrons:
            attributes["converged"] = False
            dataset.attrs["converged"] = False
    dataset.attrs["narrow_gap"] = gap.width
    warnings.warn(
        f"{model.name}: degeneracy_threshold {threshold:g} eV joins levels on both sides of the gap of "
        f"{gap.width:.2g} eV at k = {place} and the Fermi energy {gap.energy:.4f} eV, expected at most a "
        "tenth of the gap; what these levels contribute to each other is left out, which no error bar tells: "
        f"give degeneracy_threshold = {gap.width / 20:.0e}.",
        NarrowGapWarning,
        stacklevel=3,
    )


def _levels(model: WannierModel, points: NDArray[np.float64]) -> NDArray[np.float64]:
    operators = model.operators
    chosen = band_quantities(["energy"])
    found: NDArray[np.float64] = band_values(operators, points, Resolution(), chosen, block_size(operators))[
        "energy"
    ]
    return found


def _narrowest(
    model: WannierModel, places: NDArray[np.float64], step: NDArray[np.float64], below: int
) -> tuple[NDArray[np.float64], float, float]:
    """K point near one of the places with the least distance of two levels, and these levels (eV)."""
    reach = [np.linspace(-1, 1, 3) if length else np.zeros(1) for length in step]
    around = np.array(list(itertools.product(*reach)))
    for turn in range(_ROUNDS):
        candidates = places[:, None] + around * step / 2 ** (turn + 1)
        levels = _levels(model, candidates.reshape(-1, 3))[:, below - 1 : below + 1]
        gaps = (levels[:, 1] - levels[:, 0]).reshape(len(places), -1)
        best = gaps.argmin(axis=1)
        places = candidates[np.arange(len(places)), best]
    low, high = levels.reshape(len(places), -1, 2)[np.arange(len(places)), best].T
    first = int((high - low).argmin())
    return places[first], float(low[first]), float(high[first])
