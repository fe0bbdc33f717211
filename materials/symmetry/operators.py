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

    def sources(self, action: Action) -> NDArray[np.int64]:
        """Rows of the cells that an operation moves to each cell, (difference, R), by its relative shifts."""
        inverse = np.rint(np.linalg.inv(action.rotation)).astype(np.int64)
        return self.rows((self.translations - action.relative_shifts[0][:, None]) @ inverse.T)

    @cached_property
    def home(self) -> int:
        return int(self.rows(np.zeros(3, dtype=np.int64)))


def closed_translations(translations: NDArray[np.int64], actions: Sequence[Action]) -> NDArray[np.int64]:
    """All cells into which a group moves matrix elements, sorted."""
    moved = [
        (translations @ action.rotation.T + shift)
        for action in actions
        for shift in action.relative_shifts[0]
    ]
    every = np.concatenate([translations, *moved])
    return every[np.unique(codes_of(every), return_index=True)[1]]


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
        turned[:, :, polar] = np.einsum("gab,grbij->graij", cartesian, turned[:, :, polar])
    return np.stack([_moved(action, cells, part) for action, part in zip(actions, turned, strict=True)])


def _moved(action: Action, cells: Cells, turned: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Elements of operators in the cells into which an operation moves them."""
    shifts, which = action.relative_shifts
    sources = cells.sources(action)
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
