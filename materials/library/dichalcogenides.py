"""Three-band model of the group-VI dichalcogenide monolayers with spin-orbit coupling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import Atom, Provenance, WannierModel
from ..spin import PAULI, spin_matrices
from ..trial_orbitals import exact_orbitals
from .honeycomb import honeycomb_lattice


@dataclass(frozen=True)
class ThreeBand:
    """Table II (GGA, nearest neighbours) and table IV of the reference; a in angstrom, the rest in eV."""

    metal: str
    a: float
    e1: float
    e2: float
    t0: float
    t1: float
    t2: float
    t11: float
    t12: float
    t22: float
    spin_orbit: float


#: L_z between d_z2, d_xy and d_x2-y2, hbar.
_ANGULAR = np.array([[0, 0, 0], [0, 0, 2j], [0, -2j, 0]])

PARAMETERS: Mapping[str, ThreeBand] = {
    "MoS2": ThreeBand("Mo", 3.190, 1.046, 2.104, -0.184, 0.401, 0.507, 0.218, 0.338, 0.057, 0.073),
    "WS2": ThreeBand("W", 3.191, 1.130, 2.275, -0.206, 0.567, 0.536, 0.286, 0.384, -0.061, 0.211),
    "MoSe2": ThreeBand("Mo", 3.326, 0.919, 2.065, -0.188, 0.317, 0.456, 0.211, 0.290, 0.130, 0.091),
    "WSe2": ThreeBand("W", 3.325, 0.943, 2.179, -0.207, 0.457, 0.486, 0.263, 0.329, 0.034, 0.228),
    "MoTe2": ThreeBand("Mo", 3.557, 0.605, 1.972, -0.169, 0.228, 0.390, 0.207, 0.239, 0.252, 0.107),
    "WTe2": ThreeBand("W", 3.560, 0.606, 2.102, -0.175, 0.342, 0.410, 0.233, 0.270, 0.190, 0.237),
}


def dichalcogenide(name: str, *, spin_orbit: float | None = None) -> WannierModel:
    """Liu, Shan, Yao, Yao, Xiao, Phys. Rev. B 88, 085433 (2013), nearest-neighbour GGA set: spin_orbit (eV).

    Orbitals d_z2, d_xy, d_x2-y2 of the metal, each with spin up and down in turn.
    """
    given = PARAMETERS[name]
    coupling = given.spin_orbit if spin_orbit is None else spin_orbit
    lattice = honeycomb_lattice(given.a)
    hoppings: dict[tuple[int, int, int], NDArray] = {}
    for vector, block in _orbital_hoppings(given).items():
        if vector > (0, 0, 0):
            hoppings[vector] = np.kron(block, np.eye(2))
    onsite = np.kron(np.diag([given.e1, given.e2, given.e2]), np.eye(2))
    hoppings[0, 0, 0] = onsite + coupling / 2 * np.kron(_ANGULAR, PAULI[2])
    return WannierModel.from_hoppings(
        name,
        lattice,
        hoppings,
        np.zeros((6, 3)),
        observables=spin_matrices(6, "interlaced"),
        periodic=(True, True, False),
        atoms=(Atom(given.metal, (0.0, 0.0, 0.0)),),
        fermi_level=_mid_gap(given, coupling),
        trial_orbitals=exact_orbitals(np.zeros((1, 3)), [given.metal], ["dz2", "dxy", "dx2-y2"]),
        provenance=Provenance(notes=("Liu et al., Phys. Rev. B 88, 085433 (2013)",)),
    )


def _orbital_hoppings(p: ThreeBand) -> dict[tuple[int, int, int], NDArray[np.complex128]]:
    """H(R) of the spinless model: three points per direction resolve nearest-neighbour hoppings exactly."""
    hoppings: dict[tuple[int, int, int], NDArray] = {}
    steps = np.arange(3)
    k1, k2 = (m.ravel() / 3 for m in np.meshgrid(steps, steps, indexing="ij"))
    bloch = _bloch_hamiltonian(p, k1, k2)
    for n1 in (-1, 0, 1):
        for n2 in (-1, 0, 1):
            phases = np.exp(-2j * np.pi * (k1 * n1 + k2 * n2))
            block = np.tensordot(phases, bloch, axes=1) / len(phases)
            if np.abs(block).max() > 1e-12:
                hoppings[n1, n2, 0] = block
    return hoppings


def _bloch_hamiltonian(p: ThreeBand, k1: NDArray, k2: NDArray) -> NDArray[np.complex128]:
    """Equations (11)-(17) of the reference at reduced k, (k, 3, 3) eV."""
    alpha = np.pi * k1
    beta = np.pi * (2 * k2 - k1)
    sin_a, cos_a, sin_b, cos_b = np.sin(alpha), np.cos(alpha), np.sin(beta), np.cos(beta)
    cos_2a, sin_2a, root = np.cos(2 * alpha), np.sin(2 * alpha), np.sqrt(3)
    h0 = 2 * p.t0 * (cos_2a + 2 * cos_a * cos_b) + p.e1
    h1 = -2 * root * p.t2 * sin_a * sin_b + 2j * p.t1 * (sin_2a + sin_a * cos_b)
    h2 = 2 * p.t2 * (cos_2a - cos_a * cos_b) + 2j * root * p.t1 * cos_a * sin_b
    h11 = 2 * p.t11 * cos_2a + (p.t11 + 3 * p.t22) * cos_a * cos_b + p.e2
    h22 = 2 * p.t22 * cos_2a + (3 * p.t11 + p.t22) * cos_a * cos_b + p.e2
    h12 = root * (p.t22 - p.t11) * sin_a * sin_b + 4j * p.t12 * sin_a * (cos_a - cos_b)
    rows = [[h0, h1, h2], [h1.conj(), h11, h12], [h2.conj(), h12.conj(), h22]]
    return np.moveaxis(np.array(rows), -1, 0)


def _mid_gap(p: ThreeBand, coupling: float) -> float:
    """Middle between the highest valence and the lowest conduction state at K, eV."""
    orbital = _bloch_hamiltonian(p, np.array([1 / 3]), np.array([2 / 3]))[0]
    energies = np.stack([np.linalg.eigvalsh(orbital + s * coupling / 2 * _ANGULAR) for s in (1, -1)])
    return float((energies[:, 0].max() + energies[:, 1].min()) / 2)
