"""What operations do to operators on lattice vectors: H, positions, observables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..model import WannierModel
from .orbitals import Action, codes_of


class Cells:
    """Lattice vectors (R, 3) with a quick way back to their rows."""

    def __init__(self, translations: NDArray[np.int64]) -> None:
        self.translations = translations
        self._low = translations.min(axis=0)
        self._extent = translations.max(axis=0) - self._low + 1
        self._strides = np.array([self._extent[1] * self._extent[2], self._extent[2], 1])
        self._rows = np.full(self._extent.prod(), -1)
        self._rows[(translations - self._low) @ self._strides] = np.arange(len(translations))

    def rows(self, vectors: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each vector (..., 3), -1 where it is none of these."""
        place = vectors - self._low
        inside = ((place >= 0) & (place < self._extent)).all(axis=-1)
        if inside.all():
            return np.asarray(self._rows[place @ self._strides])
        return np.where(inside, self._rows[np.where(inside, place @ self._strides, 0)], -1)

    def sources(self, actions: Sequence[Action]) -> NDArray[np.int64]:
        """Rows of the cells that operations move to each cell, (operation, difference, R), by their relative
        shifts.
        """
        inverse = np.array([action.inverse for action in actions])
        moved = self.translations - _padded_shifts(actions)[:, :, None]
        return self.rows(moved @ inverse.swapaxes(1, 2)[:, None])

    @cached_property
    def home(self) -> int:
        return int(self.rows(np.zeros(3, dtype=np.int64)))


def closed_translations(translations: NDArray[np.int64], actions: Sequence[Action]) -> NDArray[np.int64]:
    """All cells into which a group moves matrix elements, sorted."""
    rotations = np.array([action.rotation for action in actions])
    moved = (translations @ rotations.swapaxes(1, 2))[:, None] + _padded_shifts(actions)[:, :, None]
    every = np.concatenate([translations, moved.reshape(-1, 3)])
    return every[np.unique(codes_of(every), return_index=True)[1]]


def _padded_shifts(actions: Sequence[Action]) -> NDArray[np.int64]:
    """The relative shifts of each operation, (operation, difference, 3), the last repeated where others have
    more.
    """
    shifts = [action.relative_shifts[0] for action in actions]
    most = max(map(len, shifts))
    if min(map(len, shifts)) == most:
        return np.array(shifts)
    return np.array([np.concatenate([own, own[-1:].repeat(most - len(own), axis=0)]) for own in shifts])


def transformed(
    actions: Sequence[Action], cells: Cells, matrices: NDArray[np.complex128], polar: slice = slice(0)
) -> NDArray[np.complex128]:
    """Operators after each operation, g X g^-1, (operation, R, component, orbital, orbital).

    matrices : (R, component, orbital, orbital); polar : which components are those of a polar vector
    """
    reverses = np.array([action.conjugates for action in actions])
    unitary = np.stack([action.matrix for action in actions])
    right = np.where(reverses[:, None, None], unitary, unitary.conj())
    # A few products of large matrices, for which many small ones take several times as long.
    turned = np.moveaxis(np.tensordot(matrices, right, axes=(3, 2)), (3, 2), (0, 1))
    turned[reverses] = turned[reverses].conj()
    count, size, *others = turned.shape
    turned = (unitary @ turned.reshape(count, size, -1)).reshape(count, size, *others)
    turned = np.moveaxis(turned, 1, 3)
    if polar.stop:
        cartesian = np.stack([action.cartesian for action in actions])
        x, y, z = np.moveaxis(turned[:, :, polar], 2, 0)[:, :, :, None]
        # Term by term: numpy.einsum takes four times as long.
        by_axis = cartesian[:, None, :, :, None, None]
        turned[:, :, polar] = by_axis[:, :, :, 0] * x + by_axis[:, :, :, 1] * y + by_axis[:, :, :, 2] * z
    return _moved(actions, cells, turned)


def _moved(actions: Sequence[Action], cells: Cells, turned: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Elements of operators in the cells into which operations move them, as `turned`."""
    sources = cells.sources(actions)
    numbers = np.arange(len(actions))
    if sources.shape[1] == 1:
        sources = sources[:, 0]
        result = turned[numbers[:, None], sources]
        return result if (sources >= 0).all() else np.where((sources >= 0)[..., None, None, None], result, 0)
    which = np.array([action.relative_shifts[1] for action in actions])
    place = np.moveaxis(sources[numbers[:, None, None], which], 3, 1)[:, :, None]
    orbitals = np.arange(turned.shape[-1])
    result = turned[
        numbers[:, None, None, None, None],
        place,
        np.arange(turned.shape[2])[:, None, None],
        orbitals[:, None],
        orbitals,
    ]
    return np.where(place >= 0, result, 0)


@dataclass(frozen=True, eq=False)
class Operators:
    """A model's operators in a basis of orbitals, positions counted from the sites.

    hamiltonian (R, 1, n, n) eV; position (R, 3, n, n) angstrom; observables (R, observable, n, n)
    """

    cells: Cells
    hamiltonian: NDArray[np.complex128]
    position: NDArray[np.complex128]
    observables: NDArray[np.complex128]

    @classmethod
    def of(
        cls,
        model: WannierModel,
        translations: NDArray[np.int64],
        rotation: NDArray[np.complex128],
        origins: NDArray[np.float64],
    ) -> Operators:
        """Of a model, on more lattice vectors than it has.

        rotation : (wannier, orbital) unitary; origins : (orbital, 3) angstrom, from which positions count
        """
        cells = Cells(translations)
        rows = cells.rows(model.translations)

        def on_orbitals(matrices: NDArray) -> NDArray[np.complex128]:
            wide = np.zeros((len(translations), *matrices.shape[1:]), dtype=complex)
            wide[rows] = rotation.conj().T @ matrices @ rotation
            return wide

        home = int(np.flatnonzero(~model.translations.any(axis=1))[0])
        observables = np.zeros(
            (len(model.translations), len(model.observables), model.size, model.size), complex
        )
        for number, matrix in enumerate(model.observables.values()):
            if matrix.ndim == 2:
                observables[home, number] = matrix
            else:
                observables[:, number] = matrix
        position = on_orbitals(model.position)
        every = np.arange(model.size)
        position[cells.home][:, every, every] -= origins.T
        return cls(cells, on_orbitals(model.hamiltonian[:, None]), position, on_orbitals(observables))
