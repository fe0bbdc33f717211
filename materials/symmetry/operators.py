"""What operations do to operators on lattice vectors: H, positions, observables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import WannierModel
from .orbitals import Action


class Cells:
    """Lattice vectors (R, 3) with a quick way back to their rows."""

    def __init__(self, translations: NDArray[np.int64]) -> None:
        self.translations = translations
        self._low = translations.min(axis=0)
        extent = translations.max(axis=0) - self._low + 1
        self._rows = np.full(extent, -1)
        self._rows[tuple((translations - self._low).T)] = np.arange(len(translations))

    def rows(self, vectors: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each vector (..., 3), -1 where it is none of these."""
        place = vectors - self._low
        inside = ((place >= 0) & (place < self._rows.shape)).all(axis=-1)
        place = np.where(inside[..., None], place, 0)
        found: NDArray[np.int64] = np.where(inside, self._rows[tuple(np.moveaxis(place, -1, 0))], -1)
        return found

    @property
    def home(self) -> int:
        return int(self.rows(np.zeros(3, dtype=np.int64)))


def _relative_shifts(action: Action) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The differences shift_j - shift_i that occur, (difference, 3), and which of them each i, j has."""
    apart = action.shift[None, :] - action.shift[:, None]
    values, which = np.unique(apart.reshape(-1, 3), axis=0, return_inverse=True)
    return values, which.reshape(apart.shape[:2])


def closed_translations(translations: NDArray[np.int64], actions: Sequence[Action]) -> NDArray[np.int64]:
    """All cells into which a group moves matrix elements, sorted."""
    moved = [
        (translations @ action.rotation.T + shift)
        for action in actions
        for shift in _relative_shifts(action)[0]
    ]
    return np.unique(np.concatenate([translations, *moved]), axis=0)


def transformed(
    action: Action, cells: Cells, matrices: NDArray[np.complex128], is_vector: bool = False
) -> NDArray[np.complex128]:
    """Operators after an operation, g X g^-1, (R, component, orbital, orbital) as they were given.

    is_vector : the three components are those of a polar vector
    """
    given = matrices.conj() if action.conjugates else matrices
    # Two products of large matrices, for which many small ones take several times as long.
    turned = np.tensordot(given, action.matrix.conj(), axes=(3, 1))
    turned = np.moveaxis(np.tensordot(action.matrix, turned, axes=(1, 2)), 0, 2)
    if is_vector:
        turned = np.moveaxis(np.tensordot(action.cartesian, turned, axes=(1, 1)), 0, 1)
    shifts, which = _relative_shifts(action)
    inverse = np.rint(np.linalg.inv(action.rotation)).astype(np.int64)
    sources = np.stack([cells.rows((cells.translations - shift) @ inverse.T) for shift in shifts])
    if len(shifts) == 1 and (sources >= 0).all():
        return turned[sources[0]]
    result = np.zeros(turned.shape, dtype=complex)
    for number, source in enumerate(sources):
        there = source >= 0
        result[there] += np.where(which == number, turned[source[there]], 0)
    return result


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
