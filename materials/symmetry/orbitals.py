"""What operations do to trial orbitals: real harmonics turn, spinors too, sites change places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from ..spin import PAULI
from ..trial_orbitals import TrialOrbitals, rotation_of_harmonics

#: Harmonics of s, p, d and f.
_HIGHEST = 3

#: angstrom: a site that lands farther from all others of its kind is nowhere.
_SITE_TOLERANCE = 0.05

#: Orbitals of a site that span a whole representation turn into one another to rounding.
_CLOSED = 1e-6

#: Smallest eigenvalue of the overlap of functions of a site that are independent.
_INDEPENDENT = 1e-3

#: i sigma_y: time reversal of a spinor is this times its conjugate.
_REVERSAL = (1j * PAULI[1]).real


@dataclass(frozen=True, eq=False)
class OrbitalBasis:
    """Orthonormal orbitals on sites, and how Wannier functions are made of them.

    sites : (site, 3) angstrom
    site_of : (orbital,) number of the site of each
    radial : (orbital,) orbitals with different numbers differ in their radial parts
    functions : (orbital, harmonic, spin) complex over the real harmonics of s, p, d, f in Wannier90's order;
        spin has length 1 in a model without spinors
    rotation : (wannier, orbital) the unitary W, |orbital> = sum_n |wannier n> W_n,orbital
    """

    sites: NDArray[np.float64]
    site_of: NDArray[np.int64]
    radial: NDArray[np.int64]
    functions: NDArray[np.complex128]
    rotation: NDArray[np.complex128]

    @classmethod
    def of(cls, trial: TrialOrbitals) -> OrbitalBasis:
        """The orthogonalized trial orbitals of a model."""
        first, site_of = np.unique(trial.sites, return_index=True, return_inverse=True)[1:]
        spinors = [orbital.spinor if trial.has_spin else np.ones(1) for orbital in trial.orbitals]
        shapes = [orbital.cartesian_coefficients for orbital in trial.orbitals]
        functions = np.array([np.outer(shape, spinor) for shape, spinor in zip(shapes, spinors, strict=True)])
        parts = np.array([(orbital.radial, orbital.zona) for orbital in trial.orbitals])
        radial = np.unique(parts, axis=0, return_inverse=True)[1].reshape(-1)
        functions = _orthogonalized(functions.astype(complex), site_of, radial)
        return cls(trial.positions[first], site_of, radial, functions, trial.rotation)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Per site, what no rotation changes of its orbitals: radial parts and shares of s, p, d and f."""
        shares = np.stack(
            [(np.abs(shell) ** 2).sum(axis=(1, 2)) for shell in np.split(self.functions, _SHELLS, axis=1)],
            axis=1,
        )
        words = []
        for site in range(len(self.sites)):
            here = self.site_of == site
            kinds = {int(r): shares[here & (self.radial == r)].sum(axis=0) for r in set(self.radial[here])}
            words.append(" ".join(f"{r}:{np.round(share, 3) + 0.0}" for r, share in sorted(kinds.items())))
        return tuple(words)


def _orthogonalized(
    functions: NDArray[np.complex128], site_of: NDArray[np.int64], radial: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Functions of each site and radial part, symmetrically orthogonalized, as the polar factor does.

    Functions that depend on one another stay as they are: no operation has a matrix for them.
    """
    flat = functions.reshape(len(functions), -1)
    overlap = flat.conj() @ flat.T
    together = (site_of[:, None] == site_of) & (radial[:, None] == radial)
    overlap = np.where(together, overlap, 0)
    if np.abs(overlap - np.eye(len(flat))).max() < _CLOSED:
        return functions
    values, vectors = np.linalg.eigh(overlap)
    if values[0] < _INDEPENDENT:
        return functions
    root = (vectors / np.sqrt(values)) @ vectors.conj().T
    return np.asarray((root.conj() @ flat).reshape(functions.shape))


_SHELLS = [l_number**2 for l_number in range(1, _HIGHEST + 1)]


@dataclass(frozen=True, eq=False)
class Action:
    """An operation on orbitals: orbital i of cell R goes to sum_j |j, W R + shift_i> matrix_ji.

    matrix : (orbital, orbital) unitary; shift : (orbital, 3) cells, of the orbital that arrives
    rotation : (3, 3) integers W; cartesian : (3, 3); conjugates : True where time is reversed
    """

    matrix: NDArray[np.complex128]
    shift: NDArray[np.int64]
    rotation: NDArray[np.int64]
    cartesian: NDArray[np.float64]
    conjugates: bool


def spinor_rotation(cartesian: NDArray[np.float64]) -> NDArray[np.complex128]:
    """How a spinor turns, (2, 2), with one of the two signs of the double group; inversion leaves it."""
    angles = Rotation.from_matrix(np.sign(np.linalg.det(cartesian)) * cartesian).as_rotvec()
    return np.asarray(expm(-0.5j * np.tensordot(angles, PAULI, 1)))


def action_of(
    basis: OrbitalBasis,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    rotation: NDArray[np.int64],
    translation: NDArray[np.float64],
    reverses: bool,
    periodic: Sequence[bool],
) -> Action | None:
    """The operation x -> W x + t on a basis, None where a site or an orbital of one has no image.

    reduced : (site, 3) positions of the sites; reverses : time as well; periodic : axes that repeat
    """
    cartesian = lattice.T @ rotation @ np.linalg.inv(lattice.T)
    placed = _images(basis.labels, reduced, lattice, rotation, translation, periodic)
    if placed is None:
        return None
    image, shift = placed
    functions = basis.functions.conj() if reverses else basis.functions
    turned = np.einsum("ab,ibs->ias", rotation_of_harmonics(cartesian), functions)
    if functions.shape[2] == 2:
        spinor = spinor_rotation(cartesian) @ (_REVERSAL if reverses else np.eye(2))
        turned = np.einsum("st,iat->ias", spinor, turned)
    matrix = np.einsum("ias,jas->ij", basis.functions.conj(), turned)
    matrix[basis.site_of[:, None] != image[basis.site_of][None, :]] = 0.0
    matrix[basis.radial[:, None] != basis.radial[None, :]] = 0.0
    if np.abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max() > _CLOSED:
        return None
    arriving = np.empty_like(shift)
    arriving[image] = shift
    return Action(matrix, arriving[basis.site_of], rotation, cartesian, reverses)


Labels = Sequence[str]


def _images(
    labels: Labels,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    rotation: NDArray[np.int64],
    translation: NDArray[np.float64],
    periodic: Sequence[bool],
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Per site, where it lands: number of the site, and cells."""
    apart = (reduced @ rotation.T + translation)[:, None] - reduced[None]
    cells = np.where(periodic, np.rint(apart), 0.0)
    distance = np.linalg.norm((apart - cells) @ lattice, axis=2)
    kinds = np.array(labels)
    distance[kinds[:, None] != kinds[None, :]] = np.inf
    image = distance.argmin(axis=1)
    every = np.arange(len(image))
    if distance[every, image].max() > _SITE_TOLERANCE or len(set(image.tolist())) < len(image):
        return None
    return image, cells[every, image].astype(np.int64)


def invariant_sites(
    labels: Labels,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    rotations: NDArray[np.int64],
    translations: NDArray[np.float64],
    periodic: Sequence[bool],
) -> NDArray[np.float64]:
    """Reduced positions (site, 3) that operations map exactly onto one another: the mean of their images.

    labels : one word per site, equal where an operation may exchange them; periodic : axes that repeat
    """
    total, count = np.zeros_like(reduced), 0
    for rotation, translation in zip(rotations, translations, strict=True):
        placed = _images(labels, reduced, lattice, rotation, translation, periodic)
        if placed is not None:
            image, cells = placed
            total[image] += reduced @ rotation.T + translation - cells
            count += 1
    return total / count
