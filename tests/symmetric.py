"""Random models that obey a group exactly: averages of noise over the operations of a crystal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.linalg import block_diag
from support import random_unitary

from spinscreen.kernels.symmetry import SymmetryGroup
from spinscreen.materials import Atom, TrialOrbital, TrialOrbitals, WannierModel
from spinscreen.materials.model import hermitian_part, opposite_rows
from spinscreen.materials.spin import spin_matrices
from spinscreen.materials.symmetry.average import averaged, rebuilt
from spinscreen.materials.symmetry.candidates import Candidates, candidates_of
from spinscreen.materials.symmetry.selection import known_mixing

_FCC = 2.0 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
_BCC = 1.5 * np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
_HEXAGONAL = np.array([[3.0, 0.0, 0.0], [-1.5, 1.5 * np.sqrt(3), 0.0], [0.0, 0.0, 4.9]])
_RHOMBOHEDRAL = np.array([[2.0, 0.0, 3.0], [-1.0, np.sqrt(3), 3.0], [-1.0, -np.sqrt(3), 3.0]])


@dataclass(frozen=True)
class Crystal:
    """sites : symbol, reduced position and names of the orbitals of each

    order : of the group that is expected; moments : of each site, Cartesian, which a magnet keeps
    """

    lattice: np.ndarray
    sites: tuple[tuple[str, tuple[float, float, float], str], ...]
    order: int
    periodic: tuple[bool, bool, bool] = (True, True, True)
    moments: tuple[tuple[float, float, float], ...] = ()
    spinors: bool = True


_SP3 = " ".join(f"sp3-{number}" for number in (1, 2, 3, 4))
_SP3D2 = " ".join(f"sp3d2-{number}" for number in range(1, 7))
_D = "dz2 dxz dyz dx2-y2 dxy"
_P = "pz px py"

CRYSTALS = {
    "zincblende": Crystal(_FCC, (("Ga", (0, 0, 0), _SP3), ("As", (0.25, 0.25, 0.25), _SP3)), 48),
    "ferromagnet": Crystal(_BCC, (("Fe", (0, 0, 0), _SP3D2 + " dxz dyz dxy"),), 16, moments=((0, 0, 1),)),
    # Grey but for spins: each operation that exchanges the two atoms reverses time or the moments.
    "antiferromagnet": Crystal(
        np.diag([3.0, 3.0, 4.0]),
        (("Mn", (0, 0, 0), _D), ("Mn", (0.5, 0.5, 0.5), _D)),
        # P4/mmm of the cell with the body's centre, 32 operations twice, of which half keep the moments.
        32,
        moments=((0, 0, 1), (0, 0, -1)),
    ),
    "rhombohedral": Crystal(
        _RHOMBOHEDRAL, (("Bi", (0.237,) * 3, _P), ("Bi", (-0.237,) * 3, _P), ("Te", (0.5,) * 3, "s")), 24
    ),
    "screw axis": Crystal(
        _HEXAGONAL, (("Mg", (1 / 3, 2 / 3, 0.25), "s " + _P), ("Mg", (2 / 3, 1 / 3, 0.75), "s " + _P)), 48
    ),
    "hexagonal layer": Crystal(
        _HEXAGONAL,
        (
            ("Mo", (1 / 3, 2 / 3, 0.0), _D),
            ("S", (2 / 3, 1 / 3, 0.3), _P),
            ("S", (2 / 3, 1 / 3, -0.3), _P),
        ),
        24,
        periodic=(True, True, False),
    ),
    "chain": Crystal(
        np.diag([3.0, 8.0, 9.0]),
        (("C", (0.1, 0.0, 0.0), "pz s"), ("C", (-0.1, 0.0, 0.0), "pz s")),
        # m m m, without spinors
        16,
        periodic=(True, False, False),
        spinors=False,
    ),
}


@cache
def crystal_model(name: str, seed: int = 0) -> WannierModel:
    """A random model with the symmetry of one of `CRYSTALS`, in Wannier functions that look like none."""
    crystal, rng = CRYSTALS[name], np.random.default_rng(seed)
    positions = [tuple((np.array(place) @ crystal.lattice).tolist()) for _, place, _ in crystal.sites]
    plain = tuple(
        TrialOrbital(position, symbol, orbital)
        for position, (symbol, _, orbitals) in zip(positions, crystal.sites, strict=True)
        for orbital in orbitals.split()
    )
    orbitals = plain
    if crystal.spinors:
        orbitals = tuple(replace(orbital, spin=spin) for orbital in plain for spin in (1, -1))
    trial = TrialOrbitals(orbitals)
    blocks = [random_unitary(rng, int(count)) for count in np.unique(trial.sites, return_counts=True)[1]]
    shuffled = block_diag(*blocks)[rng.permutation(len(orbitals))]
    noise = _noise(rng, crystal.periodic, len(orbitals))
    spins = spin_matrices(len(orbitals), "interlaced") if crystal.spinors else {}
    noise[1][noise[2]][:, np.arange(len(orbitals)), np.arange(len(orbitals))] += trial.positions.T
    model = WannierModel(
        name,
        crystal.lattice,
        noise[0],
        noise[3],
        noise[1],
        observables=spins,
        periodic=crystal.periodic,
        atoms=tuple(
            Atom(symbol, position) for position, (symbol, _, _) in zip(positions, crystal.sites, strict=True)
        ),
        fermi_level=0.0,
        trial_orbitals=trial,
    )
    return _in_functions(_averaged(model, _keeps(crystal)), TrialOrbitals(orbitals, shuffled))


def _noise(rng, periodic, size):
    """R vectors, positions, row of R = 0, H."""
    reach = [np.arange(-1, 2) if repeats else np.zeros(1, int) for repeats in periodic]
    vectors = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
    shape = (len(vectors), 4, size, size)
    decay = np.exp(-np.linalg.norm(vectors, axis=1))[:, None, None, None]
    matrices = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * decay
    matrices = hermitian_part(matrices, opposite_rows(vectors))[0]
    home = int(np.flatnonzero(~vectors.any(axis=1))[0])
    return vectors, 0.3 * matrices[:, 1:], home, matrices[:, 0]


def _keeps(crystal: Crystal) -> Callable[[Candidates, int], bool]:
    """Whether an operation keeps the moments of a magnet."""
    moments = np.array(crystal.moments, dtype=float)

    def keeps(candidates: Candidates, number: int) -> bool:
        if not len(moments):
            return True
        action = candidates.actions[number]
        turned = moments @ (np.linalg.det(action.cartesian) * action.cartesian).T
        turned = -turned if action.conjugates else turned
        assert candidates.basis is not None
        reached = np.abs(action.matrix[:, [0]]).argmax()
        first = candidates.basis.site_of[reached]
        # With two sites, where the first goes says where the second does.
        order = [first] if len(moments) == 1 else [first, 1 - first]
        return bool(np.allclose(moments[order], turned))

    return keeps


def _averaged(model: WannierModel, keeps: Callable[[Candidates, int], bool]) -> WannierModel:
    candidates = candidates_of(model)
    candidates = candidates.only([n for n in range(candidates.operations.order) if keeps(candidates, n)])
    mixing = np.array([known_mixing(model, action) for action in candidates.actions])
    return rebuilt(model, candidates, averaged(candidates, mixing))


def _in_functions(model: WannierModel, trial: TrialOrbitals) -> WannierModel:
    """The same in the Wannier functions of W: X = W X' W^dagger."""
    turned = trial.to_wannier
    return replace(
        model,
        hamiltonian=turned(model.hamiltonian),
        position=turned(model.position),
        observables={name: turned(matrix) for name, matrix in model.observables.items()},
        trial_orbitals=replace(trial, orbitals=model.trial_orbitals.orbitals),
    )


def turned_axes(group: SymmetryGroup, number: int) -> tuple[np.ndarray, np.ndarray, float]:
    """What an operation does to polar and axial vectors, and the sign of what time reversal turns."""
    cartesian = group.cartesian[number]
    return cartesian, np.linalg.det(cartesian) * cartesian, -1.0 if group.time_reversal[number] else 1.0
