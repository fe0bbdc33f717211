"""What operations do to trial orbitals: real harmonics turn, spinors too, sites change places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels.symmetry import SymmetryGroup

from ..spin import PAULI
from ..trial_orbitals import TrialOrbitals, rotation_of_harmonics
from .operations import rotation_codes

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
    def field_operators(self) -> NDArray[np.complex128]:
        """The unit matrix and, with spinors, the three of Pauli, within each site and radial part,
        (1 or 4, orbital, orbital).
        """
        spins = np.ones((1, 1, 1))
        if self.functions.shape[2] == 2:
            spins = np.concatenate([np.eye(2)[None], PAULI])
        # Two products; what numpy.einsum plans for three factors costs more than all of it in a small model.
        flat = self.functions.reshape(len(self.functions), -1)
        turned = (self.functions @ spins[:, None].swapaxes(-1, -2)).reshape(len(spins), *flat.shape)
        matrices = flat.conj() @ turned.swapaxes(1, 2)
        same = (self.site_of[:, None] == self.site_of) & (self.radial[:, None] == self.radial)
        return np.asarray(np.where(same, matrices, 0))

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
            words.append(" ".join(f"{r}:{_word(tuple(share))}" for r, share in sorted(kinds.items())))
        return tuple(words)


@lru_cache(maxsize=256)
def _word(shares: tuple[float, ...]) -> str:
    return str(np.round(shares, 3) + 0.0)


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


def codes_of(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each vector of whole numbers (..., 3), in their order: rows of numbers sort slowly."""
    return cells @ np.array([2**40, 2**20, 1])


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

    @cached_property
    def relative_shifts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The differences shift_j - shift_i that occur, (difference, 3), and which of them each i, j has."""
        return _relative_shifts(self.shift[None])[0]

    @cached_property
    def inverse(self) -> NDArray[np.int64]:
        """Of W, (3, 3)."""
        return _inverses(self.rotation)


def _inverses(rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of whole matrices (..., 3, 3) with determinant 1 or -1."""
    return np.rint(np.linalg.inv(rotations)).astype(np.int64)


def _relative_shifts(shift: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """`Action.relative_shifts` of each operation, from its shifts (operation, orbital or site, 3)."""
    apart = shift[:, None] - shift[:, :, None]
    if not apart.any():
        alone = apart[0, 0, :1], np.zeros(apart.shape[1:3], dtype=np.int64)
        return [alone] * len(shift)
    first, which = np.unique(codes_of(apart), return_index=True, return_inverse=True)[1:]
    which = which.reshape(apart.shape[:3])
    every = apart.reshape(-1, 3)[first]
    occurs = np.zeros((len(shift), len(every)), dtype=bool)
    occurs[np.arange(len(shift))[:, None, None], which] = True
    rank = np.cumsum(occurs, axis=1) - 1
    return [(every[occurs[g]], rank[g][which[g]]) for g in range(len(shift))]


def _spinor_rotations(cartesian: NDArray[np.float64]) -> NDArray[np.complex128]:
    """How spinors turn, (operation, 2, 2), with one of the two signs of the double group; inversion leaves
    them.
    """
    from scipy.spatial.transform import Rotation

    proper = np.linalg.det(cartesian)[:, None, None] * cartesian
    vectors = Rotation.from_matrix(proper).as_rotvec()
    # cos(a/2) - i sin(a/2) n.sigma, the sine over the angle as sinc has it.
    half = np.linalg.norm(vectors, axis=1)[:, None, None] / 2
    turn = np.tensordot(vectors, PAULI, 1)
    return np.asarray(np.cos(half) * np.eye(2) - 0.5j * np.sinc(half / np.pi) * turn)


def actions_of(
    basis: OrbitalBasis,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    operations: SymmetryGroup,
    periodic: Sequence[bool],
) -> list[Action | None]:
    """Each operation x -> W x + t on a basis, None where a site or an orbital of one has no image.

    reduced : (site, 3) positions of the sites; periodic : axes that repeat
    operations : those with time reversed in the second half, as `Crystal` has them
    """
    half = operations.order // 2
    rotations, translations = operations.rotations[:half], operations.translations[:half]
    cartesian = lattice.T @ rotations @ np.linalg.inv(lattice.T)
    image, shift, lands = _images(basis.labels, reduced, lattice, rotations, translations, periodic)
    # Operations that differ by a translation alone turn functions alike.
    first, which = np.unique(rotation_codes(rotations), return_index=True, return_inverse=True)[1:]
    turned = np.einsum("gab,ibs->gias", rotation_of_harmonics(cartesian[first]), basis.functions)
    turned = np.concatenate([turned[which], turned[which].conj()])
    if basis.functions.shape[2] == 2:
        spinors = _spinor_rotations(cartesian[first])[which]
        turned = np.einsum("gst,giat->gias", np.concatenate([spinors, spinors @ _REVERSAL]), turned)
    flat = basis.functions.reshape(len(basis.functions), -1)
    matrices = flat.conj() @ turned.reshape(*turned.shape[:2], -1).swapaxes(1, 2)
    apart = basis.site_of[:, None] != image[:, basis.site_of][:, None, :]
    apart |= basis.radial[:, None] != basis.radial[None, :]
    matrices[np.concatenate([apart, apart])] = 0.0
    lost = np.abs(matrices.conj().swapaxes(1, 2) @ matrices - np.eye(len(flat))).max(axis=(1, 2))
    arriving = np.empty_like(shift)
    np.put_along_axis(arriving, image[..., None], shift, axis=1)
    # Known at once for all operations, which one by one takes longer than the rest of a small model.
    between_sites, inverses = _relative_shifts(arriving), _inverses(rotations)
    found: list[Action | None] = [None] * operations.order
    for g in np.flatnonzero(lands).tolist():
        differences, sites = between_sites[g]
        known = {
            "relative_shifts": (differences, sites[basis.site_of[:, None], basis.site_of]),
            "inverse": inverses[g],
        }
        for number, reverses in ((g, False), (half + g, True)):
            if lost[number] <= _CLOSED:
                shifts = arriving[g, basis.site_of]
                action = Action(matrices[number], shifts, rotations[g], cartesian[g], reverses)
                vars(action).update(known)
                found[number] = action
    return found


Labels = Sequence[str]


def _images(
    labels: Labels,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    rotations: NDArray[np.int64],
    translations: NDArray[np.float64],
    periodic: Sequence[bool],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Per operation and site, where it lands: number of the site, and cells; and whether all of them land."""
    moved = reduced @ rotations.swapaxes(1, 2) + translations[:, None]
    kinds = np.array(labels)
    image = np.zeros(moved.shape[:2], dtype=np.int64)
    cells = np.zeros(moved.shape, dtype=np.int64)
    lands = np.ones(len(moved), dtype=bool)
    # Of one kind after the other: sites of all kinds among one another would be too many to look at.
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        for site in members:
            apart = moved[:, site, None] - reduced[members]
            whole = np.where(periodic, np.rint(apart), 0.0)
            distance = np.linalg.norm((apart - whole) @ lattice, axis=2)
            nearest = distance.argmin(axis=1)
            every = np.arange(len(moved))
            image[:, site], cells[:, site] = members[nearest], whole[every, nearest]
            lands &= distance[every, nearest] <= _SITE_TOLERANCE
    lands &= (np.sort(image, axis=1) == np.arange(len(reduced))).all(axis=1)
    return image, cells, lands


def invariant_sites(
    labels: Labels,
    reduced: NDArray[np.float64],
    lattice: NDArray[np.float64],
    rotations: NDArray[np.int64],
    translations: NDArray[np.float64],
    periodic: Sequence[bool],
) -> NDArray[np.float64]:
    """Reduced positions (site, 3) that operations map exactly onto one another: the mean of their images.

    Those where no operation maps all of them stay where they are.
    labels : one word per site, equal where an operation may exchange them; periodic : axes that repeat
    """
    image, cells, lands = _images(labels, reduced, lattice, rotations, translations, periodic)
    if not lands.any():
        return reduced
    moved = reduced @ rotations.swapaxes(1, 2) + translations[:, None] - cells
    total = np.zeros_like(reduced)
    np.add.at(total, image[lands], moved[lands])
    return total / np.count_nonzero(lands)
