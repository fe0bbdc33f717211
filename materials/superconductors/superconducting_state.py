"""What kind of superconductor a Bogoliubov-de Gennes model is: gap, nodes, Chern number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, KMesh, bloch_operators

from ..model import WannierModel

#: eV: a smaller excitation energy is a node.
NODE_ENERGY = 1e-7

#: Local minima of the mesh that are followed downhill.
_STARTS = 24

#: k points of one diagonalization.
_BATCH = 4096


@dataclass(frozen=True)
class SuperconductingState:
    """gap : smallest excitation energy, eV, 0 at a node
    nodes : reduced k of point nodes (a line of nodes shows as several)
    chern_number : of the occupied Bogoliubov bands, (1/2 pi) int Omega_xy, where 2D and gapped; else None
    """

    gap: float
    nodes: tuple[tuple[float, float, float], ...]
    chern_number: int | None


def pairing_amplitude(model: WannierModel) -> float:
    """Largest element of Delta(R) in eV, an upper scale of the gap; 0 without pairing."""
    half = model.size // 2
    return float(np.abs(model.hamiltonian[:, :half, half:]).max())


def superconducting_state(model: WannierModel, kmesh: int = 24) -> SuperconductingState:
    """Find gap and nodes by a mesh of `kmesh` points per periodic axis and descent from its lowest minima.

    Raises InputError for a model that is not a superconductor.
    """
    if not model.is_bogoliubov:
        raise InputError(f"model {model.name!r} is not a superconductor, expected one of bogoliubov().")
    mesh = KMesh(tuple(kmesh if repeats else 1 for repeats in model.periodic))  # type: ignore[arg-type]
    points = mesh.points()
    excitation = np.concatenate(
        [_lowest(model, points[i : i + _BATCH]) for i in range(0, len(points), _BATCH)]
    )
    lowest = points[np.argsort(excitation)[:_STARTS]]
    found = [_descend(model, start) for start in lowest]
    gap = min(energy for _, energy in found)
    nodes = _distinct([k for k, energy in found if energy < NODE_ENERGY])
    two_dimensional = model.dimension == 2
    chern = _chern_number(model, mesh) if two_dimensional and gap >= NODE_ENERGY else None
    return SuperconductingState(float(gap) if gap >= NODE_ENERGY else 0.0, nodes, chern)


def _lowest(model: WannierModel, points: NDArray[np.float64]) -> NDArray[np.float64]:
    energy = np.linalg.eigvalsh(bloch_operators(model.operators, points).hamiltonian)
    return np.abs(energy).min(axis=1)


def _descend(model: WannierModel, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    # Takes longer to import than a small material to compute.
    from scipy.optimize import minimize

    free = np.array(model.periodic)

    def squared(k: NDArray[np.float64]) -> float:
        point = start.copy()
        point[free] = k
        return float(_lowest(model, point[None])[0] ** 2)

    # The square of the energy is smooth at a node, the energy is not.
    options: Any = {"xatol": 1e-10, "fatol": 1e-20, "maxiter": 600, "initial_simplex": _simplex(start[free])}
    best = minimize(squared, start[free], method="Nelder-Mead", options=options)
    point = start.copy()
    point[free] = best.x
    return point, float(np.sqrt(best.fun))


def _simplex(start: NDArray[np.float64], step: float = 0.01) -> NDArray[np.float64]:
    return np.vstack([start, start + step * np.eye(len(start))])


def _distinct(points: list[NDArray[np.float64]]) -> tuple[tuple[float, float, float], ...]:
    kept: list[NDArray[np.float64]] = []
    for point in points:
        folded = point - np.round(point)
        distance = [np.abs(folded - k - np.round(folded - k)).max() for k in kept]
        if not distance or min(distance) > 1e-4:
            kept.append(folded)
    return tuple((float(x), float(y), float(z)) for x, y, z in kept)


def _chern_number(model: WannierModel, mesh: KMesh) -> int:
    """Plaquette fluxes of link variables (Fukui, Hatsugai, Suzuki, J. Phys. Soc. Jpn. 74, 1674)."""
    axes = [axis for axis in range(3) if model.periodic[axis]]
    shape = (mesh.shape[axes[0]], mesh.shape[axes[1]])
    first, second = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    points = np.zeros((first.size, 3))
    points[:, axes[0]], points[:, axes[1]] = first.ravel(), second.ravel()
    occupied = model.size // 2
    _, states = np.linalg.eigh(bloch_operators(model.operators, points).hamiltonian)
    states = states[:, :, :occupied].reshape(*shape, model.size, occupied)

    def links(axis: int) -> NDArray[np.complex128]:
        shifted = np.roll(states, -1, axis=axis)
        overlap = np.linalg.det(states.conj().swapaxes(2, 3) @ shifted)
        unit: NDArray[np.complex128] = overlap / np.abs(overlap)
        return unit

    along, across = links(0), links(1)
    loop = along * np.roll(across, -1, axis=0) / (np.roll(along, -1, axis=1) * across)
    # <u|u'> ~ exp(-i A dk) with A = i <u|du>, so the flux is minus the angle of the loop.
    flux = -np.angle(loop).sum() / (2 * np.pi)
    orientation = np.sign(np.linalg.det(model.lattice))
    return int(np.rint(flux * orientation))
