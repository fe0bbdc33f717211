"""Point groups of lattices, magnetic ones among them, and models with p orbitals that obey them exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation

from spinscreen.kernels import SymmetryGroup
from spinscreen.materials import WannierModel
from spinscreen.materials.model import hermitian_part, opposite_rows

LATTICES = {
    "fcc": np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 1.4,
    "bcc": np.array([[-1.0, 1, 1], [1, -1, 1], [1, 1, -1]]) * 1.3,
    "hexagonal": np.array([[2.0, 0, 0], [-1, 3**0.5, 0], [0, 0, 2.6]]),
    "rhombohedral": np.array([[1.0, 0.2, 0.2], [0.2, 1, 0.2], [0.2, 0.2, 1]]) * 2,
    "tetragonal": np.diag([2.0, 2.0, 2.7]),
    "triclinic": np.array([[2.0, 0.3, 0.1], [-0.4, 2.5, 0.2], [0.3, 0.1, 3.1]]),
}

#: i sigma_y, the unitary part of time reversal.
TURN_OVER = np.array([[0, 1], [-1, 0]])

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def holohedry(lattice: np.ndarray) -> np.ndarray:
    """All operations of a lattice on reduced coordinates, (operation, 3, 3), the identity first."""
    metric = lattice @ lattice.T
    found = [
        matrix
        for entries in product((-1, 0, 1), repeat=9)
        if abs(np.linalg.det(matrix := np.array(entries).reshape(3, 3))) > 0.5
        and np.allclose(matrix.T @ metric @ matrix, metric)
    ]
    found.sort(key=lambda matrix: not np.array_equal(matrix, np.eye(3)))
    return np.array(found)


def generated(lattice: np.ndarray, generators: Sequence[tuple[np.ndarray, bool]]) -> SymmetryGroup:
    """The group of operations, each with whether it reverses time, for three spins and the charge."""
    known = {(tuple(np.eye(3, dtype=int).ravel()), False)}
    while True:
        products = {
            (tuple((np.reshape(a, (3, 3)) @ b).ravel()), s != t) for a, s in known for b, t in generators
        }
        if products <= known:
            break
        known |= products
    ordered = sorted(known, key=lambda one: (one[0] != tuple(np.eye(3, dtype=int).ravel()), one[1]))
    rotations = np.array([one for one, _ in ordered]).reshape(-1, 3, 3)
    reverses = np.array([flag for _, flag in ordered])
    columns = lattice.T
    cartesian = np.einsum("ij,njk,kl->nil", columns, rotations, np.linalg.inv(columns))
    observables = np.zeros((len(rotations), 4, 4))
    observables[:, 3, 3] = 1
    sign = np.where(reverses, -1, 1) * np.linalg.det(cartesian)
    observables[:, :3, :3] = sign[:, None, None] * cartesian
    return SymmetryGroup(rotations, np.zeros((len(rotations), 3)), cartesian, reverses, observables)


def representation(group: SymmetryGroup) -> np.ndarray:
    """Unitary parts of the operations on px, py, pz times spin up and down, (operation, 6, 6)."""
    matrices = []
    for rotation, reverses in zip(group.cartesian, group.time_reversal, strict=True):
        turn = Rotation.from_matrix(rotation * np.linalg.det(rotation)).as_rotvec()
        angle = np.linalg.norm(turn)
        axis = turn / angle if angle else turn
        spin = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * np.tensordot(axis, PAULI, 1)
        matrices.append(np.kron(rotation, spin @ TURN_OVER if reverses else spin))
    return np.array(matrices)


def obedient_model(group: SymmetryGroup, lattice: np.ndarray, seed: int) -> WannierModel:
    """Random H, A and spins of p orbitals at the origin, averaged over the group."""
    rng = np.random.default_rng(seed)
    near = np.array(list(product((-1, 0, 1), repeat=3)))
    vectors = np.unique(np.concatenate([near @ rotation.T for rotation in group.rotations]), axis=0)
    decay = np.exp(-np.linalg.norm(vectors @ lattice, axis=1) / 2)
    shape = (len(vectors), 7, 6, 6)
    matrices = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * decay[:, None, None, None]
    number = {tuple(vector): row for row, vector in enumerate(vectors.tolist())}
    total = np.zeros_like(matrices)
    turns = representation(group)
    for g in range(group.order):
        rotation, reverses = group.cartesian[g], group.time_reversal[g]
        there = [number[tuple(vector)] for vector in (vectors @ group.rotations[g].T).tolist()]
        mixing = np.zeros((7, 7))
        mixing[0, 0], mixing[1:4, 1:4], mixing[4:, 4:] = 1, rotation, group.observables[g][:3, :3]
        image = np.einsum("xy,ryij->rxij", mixing, matrices.conj() if reverses else matrices)
        total[there] += turns[g] @ image @ turns[g].conj().T
    hermitian = hermitian_part(total / group.order, opposite_rows(vectors))[0]
    model = WannierModel(
        f"obedient-{seed}",
        lattice,
        vectors,
        hermitian[:, 0],
        0.3 * hermitian[:, 1:4],
        observables={f"spin_{axis}": hermitian[:, 4 + s] for s, axis in enumerate("xyz")},
        fermi_level=0.0,
    )
    return model.with_charge()
