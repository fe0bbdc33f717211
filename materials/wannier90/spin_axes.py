"""Whether the components of a spin matrix are x, y, z of the crystal, by the symmetry of its bands.

Commutators cannot tell: any proper rotation of a spin is a spin. Nor can a crystal without any symmetry, or
one whose moments are not parallel: only spin-orbit coupling ties them to the lattice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..model import Atom
from .checkpoint import Checkpoint
from .equivalence import EQUAL, cartesian, isometries, places

#: eV: levels that are closer are one multiplet, of which only all states together mean something.
_MULTIPLET = 1e-2

#: Of the anisotropy of the spins of bands, what is not as the crystal: 1e-10 to 1e-4 (Pt, Fe, GaAs), of
#: components in another order 0.3 and more.
_OBEYED, _BROKEN = 0.03, 0.15

#: Share of the spins of bands along one axis from which they are those of a magnet (without one: 1/3), and
#: part of the squares that rounding leaves beside it.
_MAGNET, _NOISE = 0.6, 1e-8

#: hbar: part of the spin at an atom from which a crystal is a magnet, and share of the squares of all across
#: their common axis from which it is not collinear.
_MOMENT, _CANTED = 0.05, 1e-3

#: Orders and signs of the components that make a spin of a spin, the given one first.
_TURNS = np.array(
    [
        turn
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
        if np.linalg.det(turn := np.eye(3)[list(order)] * np.array(signs)[:, None]) > 0
    ]
)
#: Rows of `_TURNS` that exchange x, y and z in a circle and change no sign.
_CYCLIC = [n for n, turn in enumerate(_TURNS) if (turn >= 0).all() and n]


def check_axes(
    path: Path,
    hamiltonian: NDArray[np.complex128],
    spin: NDArray[np.complex128],
    checkpoint: Checkpoint,
    atoms: Sequence[Atom] = (),
) -> bool:
    """True where another order of x, y and z would have been seen.

    hamiltonian (k, wannier, wannier) eV, spin (k, 3, wannier, wannier) hbar at the k points of the .chk
    atoms : of the crystal; without them one whose moments cancel counts as nonmagnetic
    At equivalent points the tensor Tr(S_a S_b) of a multiplet is turned as the crystal is, whether an
    operation comes with time reversal or not. Raises InputError where that of the components as given is not,
    and that of another order or other signs is.
    """
    # Bands of moments that are not parallel obey operations that turn spins otherwise than the crystal, as
    # far as spin-orbit coupling is weak: Litvin and Opechowski, Physica 76, 538 (1974).
    if _is_canted(_moments(hamiltonian, spin, checkpoint, atoms)):
        return False
    misfit = _misfits(hamiltonian, spin, checkpoint)
    if misfit is None:
        return False
    best = int(misfit.argmin())
    if misfit[0] > _BROKEN and misfit[best] < _OBEYED:
        order = ", ".join(
            f"{'-' if row.sum() < 0 else ''}{'xyz'[int(np.abs(row).argmax())]}" for row in _TURNS[best]
        )
        raise InputError(
            f"{path}: at k points that are equivalent by symmetry the spins of the bands are not turned as "
            f"the crystal is, expected x, y, z along the axes of the unit cell; taken as {order} they are: "
            "the order or the axes of its components are others: write the .spn again, or give "
            "spin_ordering='none' to go on without."
        )
    return bool(misfit[0] < _OBEYED and misfit[_CYCLIC].min() > _BROKEN)


def _moments(
    hamiltonian: NDArray[np.complex128],
    spin: NDArray[np.complex128],
    checkpoint: Checkpoint,
    atoms: Sequence[Atom],
) -> NDArray[np.float64]:
    """Spin of the lower half of the bands in the Wannier functions nearest to each atom, (atom, 3) hbar.

    Bands count in pairs, as time reversal makes them. Partners under it sit at one atom, so that theirs
    cancel.
    """
    states = np.linalg.eigh(hamiltonian)[1]
    lower = states[:, :, : max(states.shape[2] // 4 * 2, 1)]
    filled = lower @ lower.conj().swapaxes(1, 2)
    of_functions = np.einsum("knm,kamn->na", filled, spin, optimize=True).real / len(filled)
    if not atoms:
        return of_functions.sum(axis=0, keepdims=True)
    positions = np.array([atom.position for atom in atoms])
    apart = (checkpoint.centres[:, None] - positions) @ np.linalg.inv(checkpoint.lattice)
    distances = np.linalg.norm((apart - np.round(apart)) @ checkpoint.lattice, axis=2)
    moments = np.zeros((len(atoms), 3))
    np.add.at(moments, distances.argmin(axis=1), of_functions)
    return moments


def _is_canted(moments: NDArray[np.float64]) -> bool:
    """True for moments (atom, 3) hbar of a magnet that do not all point along one axis."""
    if np.linalg.norm(moments, axis=1).max() < _MOMENT:
        return False
    squares = np.linalg.eigvalsh(moments.T @ moments)
    return bool(squares[:2].sum() > _CANTED * squares.sum())


def _misfits(
    hamiltonian: NDArray[np.complex128], spin: NDArray[np.complex128], checkpoint: Checkpoint
) -> NDArray[np.float64] | None:
    """For each of `_TURNS` the share of the anisotropy that is not as the crystal; None without symmetry."""
    energies, states = np.linalg.eigh(hamiltonian)
    # The upper half may be cut out of bands in a way that breaks their symmetry.
    lower = max(energies.shape[1] // 2, 1)
    tensors = _tensors(energies, states.conj().swapaxes(1, 2)[:, None] @ spin @ states[:, None])[:, :lower]
    energies = energies[:, :lower]
    found, total = np.zeros(len(_TURNS)), 0.0
    for rotation in isometries(checkpoint.lattice):
        place = places(checkpoint.kpoints, rotation)
        first = np.flatnonzero(place >= 0)
        moved = first[place[first] != first]
        # Without a point that moves, equal energies say nothing.
        if not len(moved) or np.abs(energies[moved] - energies[place[moved]]).max() > EQUAL:
            continue
        here, there = (tensors[rows].reshape(-1, 9) for rows in (first, place[first]))
        overlap = (there.T @ here).reshape(3, 3, 3, 3)
        size = float((here**2).sum() + (there**2).sum())
        # What the turned components C S do under R is what the given ones do under C^T R C.
        turned = _TURNS.swapaxes(1, 2) @ cartesian(rotation, checkpoint.lattice) @ _TURNS
        found += size - 2 * np.einsum("abcd,tac,tbd->t", overlap, turned, turned)
        total += size
    return found / total if total > 0 else None


def _tensors(energies: NDArray[np.float64], spin: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Tr(S_a S_b) without its isotropic part, of the multiplet of each band, (k, band, 3, 3)

    Of a magnet without the part along its axis, which says nothing where spin-orbit coupling is too weak to
    turn it; all zero where nothing else is left.
    """
    starts = np.diff(energies, axis=1, prepend=-np.inf) > _MULTIPLET
    number = np.cumsum(starts, axis=1)
    together = (number[:, :, None] == number[:, None, :]).astype(float)
    own = np.einsum("kanm,kbmn,knm->knab", spin, spin, together, optimize=True).real
    tensor: NDArray[np.float64] = np.einsum("knm,kmab->knab", together, own)
    shares, axes = np.linalg.eigh(tensor.sum(axis=(0, 1)))
    if shares[-1] > _MAGNET * shares.sum():
        along = axes[:, -1]
        part = np.einsum("a,knab,b->kn", along, tensor, along)
        rest = tensor - part[..., None, None] * np.outer(along, along)
        is_noise = (rest**2).sum() < _NOISE * (tensor**2).sum()
        return np.zeros_like(tensor) if is_noise else rest
    trace = np.einsum("knaa->kn", tensor) / 3
    return tensor - trace[..., None, None] * np.eye(3)
