"""Honeycomb models: Haldane, Kane-Mele, and the buckled monolayers of group IV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import Atom, Provenance, WannierModel
from ..spin import PAULI, spin_matrices
from ..trial_orbitals import exact_orbitals

Hoppings = dict[tuple[int, int, int], NDArray]

#: Normal vector of a 2D cell, angstrom: it separates layers that do not couple.
VACUUM = 20.0

_ORIGIN = (0, 0, 0)
#: Second neighbours of an A site along which the Kane-Mele phase is +, as R vectors; opposite on B.
_TURNS = ((1, 0, 0), (0, -1, 0), (-1, 1, 0))
#: R of the cells whose A site is a neighbour of the B site of the home cell.
_A_NEIGHBOURS_OF_B = (_ORIGIN, (1, 0, 0), (0, 1, 0))


def honeycomb_lattice(constant: float) -> NDArray[np.float64]:
    """a1 = a (1, 0), a2 = a (1/2, sqrt(3)/2), rows in angstrom."""
    lattice = constant * np.array([[1, 0, 0], [0.5, np.sqrt(3) / 2, 0], [0, 0, 0]])
    lattice[2, 2] = VACUUM
    return lattice


def _sites(lattice: NDArray[np.float64], buckling: float = 0.0) -> NDArray[np.float64]:
    """A at the origin, B at (a1 + a2)/3, shifted along the normal."""
    b_site = (lattice[0] + lattice[1]) / 3 + np.array([0, 0, buckling])
    return np.array([np.zeros(3), b_site])


def _add(hoppings: Hoppings, vector: tuple[int, int, int], block: NDArray) -> None:
    hoppings[vector] = hoppings.get(vector, 0) + block


def haldane(
    *,
    t1: float = 1.0,
    t2: float = 0.1,
    phi: float = np.pi / 2,
    mass: float = 0.2,
    lattice_constant: float = 2.46,
) -> WannierModel:
    """Haldane, Phys. Rev. Lett. 61, 2015 (1988): t1, t2, phi, staggered mass (eV), lattice_constant (A)."""
    lattice = honeycomb_lattice(lattice_constant)
    on_a, on_b = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    to_b = np.array([[0, 0], [1, 0]], dtype=complex)
    hoppings: Hoppings = {_ORIGIN: mass * (on_a - on_b) + 0j}
    for vector in _TURNS:
        _add(hoppings, vector, t2 * (np.exp(1j * phi) * on_a + np.exp(-1j * phi) * on_b))
    for vector in _A_NEIGHBOURS_OF_B:
        block = t1 * to_b
        _add(hoppings, vector, block if any(vector) else block + block.conj().T)
    return WannierModel.from_hoppings(
        "haldane",
        lattice,
        hoppings,
        _sites(lattice),
        periodic=(True, True, False),
        fermi_level=0.0,
        trial_orbitals=exact_orbitals(_sites(lattice), ["A", "B"], ["pz"], spinors=False),
        provenance=Provenance(notes=("Haldane, Phys. Rev. Lett. 61, 2015 (1988)",)),
    )


def _kane_mele_hoppings(
    t: float, spin_orbit: float, rashba: float, staggered: float, lattice: NDArray
) -> Hoppings:
    """Basis (A up, A down, B up, B down); every energy is a matrix element, in eV."""
    on_a, on_b = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    to_b = np.array([[0, 0], [1, 0]], dtype=complex)
    hoppings: Hoppings = {_ORIGIN: np.kron(staggered * (on_a - on_b), np.eye(2)) + 0j}
    for vector in _TURNS:
        _add(hoppings, vector, 1j * spin_orbit * np.kron(on_a - on_b, PAULI[2]))
    a_site, b_site = _sites(lattice)
    for vector in _A_NEIGHBOURS_OF_B:
        bond = b_site - a_site - np.array(vector) @ lattice
        x, y = (bond / np.linalg.norm(bond))[:2]
        spin = t * np.eye(2) + 1j * rashba * (PAULI[0] * y - PAULI[1] * x)
        block = np.kron(to_b, spin)
        _add(hoppings, vector, block if any(vector) else block + block.conj().T)
    return hoppings


def kane_mele(
    *,
    t: float = 1.0,
    spin_orbit: float = 0.06,
    rashba: float = 0.05,
    staggered: float = 0.1,
    lattice_constant: float = 2.46,
) -> WannierModel:
    """Kane and Mele, Phys. Rev. Lett. 95, 146802 and 226801 (2005): t, spin_orbit, rashba, staggered (eV)."""
    lattice = honeycomb_lattice(lattice_constant)
    return WannierModel.from_hoppings(
        "kane_mele",
        lattice,
        _kane_mele_hoppings(t, spin_orbit, rashba, staggered, lattice),
        np.repeat(_sites(lattice), 2, axis=0),
        observables=spin_matrices(4, "interlaced"),
        periodic=(True, True, False),
        fermi_level=0.0,
        trial_orbitals=exact_orbitals(_sites(lattice), ["A", "B"], ["pz"]),
        provenance=Provenance(notes=("Kane, Mele, Phys. Rev. Lett. 95, 226801 (2005)",)),
    )


@dataclass(frozen=True)
class GroupIV:
    """lattice constant and buckling (angstrom); hopping, effective and intrinsic Rashba coupling (eV)."""

    symbol: str
    lattice_constant: float
    buckling: float
    t: float
    spin_orbit: float
    rashba: float


_LIU = "Liu, Jiang, Yao, Phys. Rev. B 84, 195430 (2011)"

GROUP_IV: Mapping[str, GroupIV] = {
    "graphene": GroupIV("C", 2.46, 0.0, 2.8, 12e-6, 0.0),
    "silicene": GroupIV("Si", 3.86, 0.46, 1.6, 3.9e-3, 0.7e-3),
    "germanene": GroupIV("Ge", 4.02, 0.68, 1.3, 43e-3, 10.7e-3),
    "stanene": GroupIV("Sn", 4.70, 0.84, 1.3, 100e-3, 9.5e-3),
}

_SOURCES = {"graphene": "Gmitra et al., Phys. Rev. B 80, 235431 (2009) for the gap of 24 micro-eV"}


def group_iv_monolayer(
    name: str,
    *,
    t: float | None = None,
    spin_orbit: float | None = None,
    rashba: float | None = None,
    staggered: float = 0.0,
) -> WannierModel:
    """Liu, Jiang, Yao, Phys. Rev. B 84, 195430 (2011): t, spin_orbit (half the gap), rashba, staggered (eV).

    Spin-orbit coupling i lambda_SO/(3 sqrt 3) nu s_z and intrinsic Rashba coupling -i (2/3) lambda_R mu
    (s x d)_z between second neighbours; `staggered` is the potential of a field along the normal.
    """
    given = GROUP_IV[name]
    t = given.t if t is None else t
    spin_orbit = given.spin_orbit if spin_orbit is None else spin_orbit
    rashba = given.rashba if rashba is None else rashba
    lattice = honeycomb_lattice(given.lattice_constant)
    hoppings = _kane_mele_hoppings(-t, spin_orbit / (3 * np.sqrt(3)), 0.0, staggered, lattice)
    for vector in _TURNS:
        x, y, _ = np.array(vector) @ lattice / given.lattice_constant
        cross = PAULI[0] * y - PAULI[1] * x
        _add(hoppings, vector, -2j / 3 * rashba * np.kron(np.diag([1.0, -1.0]), cross))
    sites = _sites(lattice, given.buckling)
    return WannierModel.from_hoppings(
        name,
        lattice,
        hoppings,
        np.repeat(sites, 2, axis=0),
        observables=spin_matrices(4, "interlaced"),
        periodic=(True, True, False),
        atoms=tuple(Atom(given.symbol, tuple(site)) for site in sites.tolist()),
        fermi_level=0.0,
        trial_orbitals=exact_orbitals(sites, [given.symbol, given.symbol], ["pz"]),
        provenance=Provenance(notes=(_SOURCES.get(name, _LIU),)),
    )
