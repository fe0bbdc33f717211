"""Bands of a model and of its group average: levels that symmetry makes one, and how far bands move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import KMesh, k_path

from ..model import WannierModel

#: eV: levels of a symmetric model that are closer belong together by symmetry.
_TOGETHER = 1e-7

#: k points along an axis of the mesh on which splittings are measured (its points at the zone's faces and
#: centre are those that symmetry leaves alone), and on each segment of a path.
_MESH, _SEGMENT = 6, 20


def splittings(model: WannierModel, symmetric: WannierModel) -> NDArray[np.float64]:
    """Distances (eV) in a model of levels that are one in its group average, over a small mesh."""
    points = _mesh(model)
    before, after = levels(model, points), levels(symmetric, points)
    found = []
    for raw, exact in zip(before, after, strict=True):
        starts = np.flatnonzero(np.diff(exact, prepend=-np.inf) > _TOGETHER)
        ends = np.append(starts[1:], len(exact)) - 1
        found.append((raw[ends] - raw[starts])[ends > starts])
    return np.concatenate(found)


def _mesh(model: WannierModel) -> NDArray[np.float64]:
    first, second, third = (_MESH if repeats else 1 for repeats in model.periodic)
    return KMesh((first, second, third)).points()


def largest_change(model: WannierModel, other: WannierModel) -> float:
    """How far (eV) the farthest band moves on the path of the .win, else along the axes, and on a mesh."""
    points = np.concatenate([k_path(_corners(model), model.lattice, _SEGMENT).points, _mesh(model)])
    return float(np.abs(levels(model, points) - levels(other, points)).max())


def levels(model: WannierModel, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies (eV) at reduced k, (k, band), from H alone."""
    found = []
    for part in np.array_split(points, max(1, len(points) // 64)):
        phases = np.exp(2j * np.pi * part @ model.translations.T)
        found.append(np.linalg.eigvalsh(np.tensordot(phases, model.hamiltonian, axes=1)))
    return np.concatenate(found)


def _corners(model: WannierModel) -> list[tuple[str, tuple[float, ...]]]:
    if model.kpoint_path:
        first = model.kpoint_path[0]
        return [
            (first.start_label, first.start),
            *((segment.end_label, segment.end) for segment in model.kpoint_path),
        ]
    ends = [tuple(row) for row, repeats in zip(np.eye(3) / 2, model.periodic, strict=True) if repeats]
    return [corner for end in ends for corner in (("G", (0.0, 0.0, 0.0)), ("end", end))]
