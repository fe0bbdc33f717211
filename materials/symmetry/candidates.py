"""Operations that a model may obey, with what they do to its orbitals and operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels.symmetry import SymmetryGroup

from ..model import SPIN, WannierModel
from ..spin import PAULI
from .operations import Products, chosen, find_crystal, with_time_reversal
from .operators import Operators, closed_translations, transformed
from .orbitals import Action, OrbitalBasis, actions_of, invariant_sites

#: Memory of the operators after as many operations as are looked at together.
_BYTES_TOGETHER = 8 * 2**20


@dataclass(frozen=True, eq=False)
class Deviations:
    """What operations change: largest element of H (eV), of the positions (angstrom), and of the mean level
    and exchange field of a site (eV); (operation,) each.
    """

    hamiltonian: NDArray[np.float64]
    position: NDArray[np.float64]
    fields: NDArray[np.float64]

    def only(self, rows: Sequence[int]) -> Deviations:
        """Those of some of the operations."""
        picked = list(rows)
        return Deviations(self.hamiltonian[picked], self.position[picked], self.fields[picked])


@dataclass(frozen=True, eq=False)
class Candidates:
    """Operations, the identity first, and the model as they see it.

    operations : without observables; actions : what each does
    found : number of operations of the crystal; those that map no orbital onto others are no candidates
    operators : of the model in the basis of the actions, on cells that no operation leaves
    rotation : (wannier, orbital) the unitary into that basis; origins : (orbital, 3) angstrom
    lattice : (3, 3) angstrom, for which rotations are orthogonal
    basis : None where nothing is known of the orbitals
    """

    operations: SymmetryGroup
    actions: tuple[Action, ...]
    operators: Operators
    rotation: NDArray[np.complex128]
    origins: NDArray[np.float64]
    lattice: NDArray[np.float64]
    found: int
    basis: OrbitalBasis | None = None

    def after(self, number: int, name: str) -> NDArray[np.complex128]:
        """One of the operators, by its name, after an operation, (R, component, orbital, orbital)."""
        polar = slice(3 if name == "position" else 0)
        return transformed(
            [self.actions[number]], self.operators.cells, getattr(self.operators, name), polar
        )[0]

    @cached_property
    def products(self) -> Products:
        """Of its operations."""
        return Products(self.operations)

    @cached_property
    def _changes(self) -> dict[int, float]:
        return {}

    def change(self, number: int) -> float:
        """Largest element of H (eV) or of the positions (angstrom) that an operation changes."""
        if "deviations" in vars(self):
            return float(max(self.deviations.hamiltonian[number], self.deviations.position[number]))
        if number not in self._changes:
            self._changes[number] = max(
                float(np.abs(self.after(number, name) - getattr(self.operators, name)).max())
                for name in ("hamiltonian", "position")
            )
        return self._changes[number]

    @property
    def largest_change(self) -> float:
        """The largest `change` of those operations that were looked at."""
        if "deviations" in vars(self):
            return float(max(self.deviations.hamiltonian.max(), self.deviations.position.max()))
        return max(self._changes.values(), default=np.inf)

    @cached_property
    def deviations(self) -> Deviations:
        """How far the model is from obeying each operation."""
        before = np.concatenate([self.operators.hamiltonian, self.operators.position], axis=1)
        together = max(1, _BYTES_TOGETHER // before.nbytes)
        found = []
        for start in range(0, len(self.actions), together):
            actions = self.actions[start : start + together]
            change = transformed(actions, self.operators.cells, before, slice(1, 4)) - before
            fields = site_fields(self.basis, change[:, self.operators.cells.home, 0])
            size = np.abs(change).max(axis=(1, 3, 4))
            found.append((size[:, 0], size[:, 1:].max(axis=1), np.abs(fields).max(axis=(1, 2), initial=0.0)))
        return Deviations(*map(np.concatenate, zip(*found, strict=True)))

    def only(self, rows: Sequence[int]) -> Candidates:
        """Some of the operations."""
        if list(rows) == list(range(self.operations.order)):
            return self
        fewer = replace(
            self, operations=chosen(self.operations, rows), actions=tuple(self.actions[row] for row in rows)
        )
        if "deviations" in vars(self):
            vars(fewer)["deviations"] = self.deviations.only(rows)
        return fewer


def site_fields(basis: OrbitalBasis | None, home: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Mean level Tr_site(H)/n of each site and, with spinors, its exchange field Tr_site(H sigma)/n, eV.

    home : (..., orbital, orbital) H(R = 0) in the basis. Returns (..., site, 1 or 4)
    """
    if basis is None:
        return np.zeros((*home.shape[:-2], 0, 1))
    of_orbitals = np.einsum("...ij,xji->...ix", home, basis.field_operators).real
    here = basis.site_of == np.arange(len(basis.sites))[:, None]
    return np.asarray((here / here.sum(axis=1, keepdims=True)) @ of_orbitals)


def candidates_of(model: WannierModel) -> Candidates:
    """Operations of the crystal whose trial orbitals are known; else time reversal alone."""
    if model.trial_orbitals is None:
        return _time_reversal_alone(model)
    basis = OrbitalBasis.of(model.trial_orbitals)
    crystal = find_crystal(model, basis.sites, basis.labels)
    operations, lattice = crystal.operations, crystal.lattice
    half = operations.order // 2
    spatial = operations.rotations[:half], operations.translations[:half]
    reduced = basis.sites @ np.linalg.inv(model.lattice)
    reduced = invariant_sites(basis.labels, reduced, lattice, *spatial, model.periodic)
    found = actions_of(basis, reduced, lattice, operations, model.periodic)
    if found[0] is None:
        # Orbitals that depend on one another, or stand at one place: no operation has a matrix for them.
        return _time_reversal_alone(model)
    rows = [row for row, action in enumerate(found) if action is not None]
    actions = tuple(action for action in found if action is not None)
    origins = (reduced @ lattice)[basis.site_of]
    operators = Operators.of(model, closed_translations(model.translations, actions), basis.rotation, origins)
    return Candidates(
        chosen(operations, rows),
        actions,
        operators,
        basis.rotation,
        origins,
        lattice,
        operations.order,
        basis,
    )


def _time_reversal_alone(model: WannierModel) -> Candidates:
    """Identity and time reversal, which needs to know of no more than the order of the spinors."""
    home = np.eye(3, dtype=np.int64)
    operations = with_time_reversal(home[None], np.zeros((1, 3)), model.lattice)
    origins = np.zeros((model.size, 3))
    identity = np.eye(model.size, dtype=complex)
    operators = Operators.of(model, model.translations, identity, origins)
    still = Action(identity, np.zeros((model.size, 3), dtype=np.int64), home, np.eye(3), False)
    found = []
    for matrix in _reversals(model):
        reversal = replace(still, matrix=matrix.astype(complex), conjugates=True)
        found.append(
            Candidates(
                operations, (still, reversal), operators, identity, origins, np.array(model.lattice), 2
            )
        )
    return min(found, key=lambda c: float(np.abs(c.after(1, "hamiltonian") - c.operators.hamiltonian).max()))


def _reversals(model: WannierModel) -> list[NDArray]:
    """What time reversal may do besides conjugating: nothing to real orbitals, i sigma_y to spinors."""
    size = model.size
    if not set(SPIN) & set(model.observables) or size % 2:
        return [np.eye(size)]
    flip, rest = (1j * PAULI[1]).real, np.eye(size // 2)
    orders = [np.kron(rest, flip), np.kron(flip, rest)]
    if model.is_bogoliubov and size % 4 == 0:
        part = np.eye(size // 4)
        orders.append(np.kron(np.eye(2), np.kron(flip, part)))
    return orders
