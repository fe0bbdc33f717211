"""The group that a model obeys to rounding, and how its observables follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels.symmetry import SymmetryGroup

from ..model import WannierModel
from .candidates import Candidates, candidates_of
from .operations import Products, chosen, obeyed_group

#: eV, angstrom: what sums over R leave of a symmetric model; printed files break symmetry by a thousand times
#: more.
ROUNDING = 1e-9

#: Share of a squared length by which an operation may change lengths: sums over k follow strain as it is.
_STRAIN = 1e-11

#: Squared length below which a direction among observables is one that they do not have.
_DEPENDENT = 1e-10


def symmetry_group(model: WannierModel) -> SymmetryGroup:
    """Operations that H, A and every observable of a model obey to rounding, always with the identity.

    Candidates are the operations of the crystal (spglib on the atoms or, where none are known, on the sites
    of the trial orbitals), each with and without time reversed, as they act on the trial orbitals; without
    trial orbitals time reversal alone. An operation that turns an observable into something that is no real
    combination of observables is left out: quantities of that observable could not be followed.
    """
    return _obeyed(candidates_of(model), model.lattice)


def know_group(model: WannierModel, candidates: Candidates) -> None:
    """Give a model its group, measured among candidates that are at hand: finding its own costs more.

    candidates : with operators that are those of the model to rounding
    """
    if "symmetry_group" not in vars(model):
        vars(model)["symmetry_group"] = _obeyed(candidates, model.lattice)


def _obeyed(candidates: Candidates, lattice: NDArray[np.float64]) -> SymmetryGroup:
    before = Observed.of(candidates.operators.observables)
    mixing: dict[int, NDArray[np.float64]] = {0: np.eye(len(before.rows))}

    def obeys(number: int) -> bool:
        if not keeps_metric(lattice, candidates.operations.rotations[number]):
            return False
        if candidates.change(number) > ROUNDING:
            return False
        mixing[number], residual = before.mixing(candidates.after(number, "observables"))
        return residual <= ROUNDING

    rows = obeyed_group(candidates.products, obeys)
    group = chosen(candidates.operations, rows)
    return replace(group, observables=whole_mixing(candidates.products, rows, mixing))


def keeps_metric(lattice: NDArray[np.float64], rotation: NDArray[np.int64]) -> bool:
    """Whether a rotation (3, 3), as columns, is orthogonal in a lattice (rows, angstrom) to rounding."""
    metric = lattice @ lattice.T
    return bool(np.abs(rotation.T @ metric @ rotation - metric).max() <= _STRAIN * np.abs(metric).max())


@dataclass(frozen=True, eq=False)
class Observed:
    """Observables as vectors, to tell what operations turn them into.

    rows : (observable, element), each in units of its own size, as observables may have any unit
    sizes : (observable, 1); inverse : of their overlaps
    """

    rows: NDArray[np.complex128]
    sizes: NDArray[np.float64]
    inverse: NDArray[np.float64]

    @classmethod
    def of(cls, observables: NDArray[np.complex128]) -> Observed:
        """Of a model, (R, observable, orbital, orbital)."""
        flat = _flattened(observables)
        sizes = np.maximum(np.linalg.norm(flat, axis=1), np.finfo(float).tiny)[:, None]
        rows = flat / sizes
        overlaps = (rows.conj() @ rows.T).real
        return cls(rows, sizes, np.linalg.pinv(overlaps, rcond=_DEPENDENT, hermitian=True))

    def mixing(self, after: NDArray[np.complex128]) -> tuple[NDArray[np.float64], float]:
        """M of an operation, theta'_s = sum_t M_st theta_t, and what of the observables it cannot express.

        after : (R, observable, orbital, orbital) g Theta g^-1
        The residual is the largest element that is left, as a share of the largest of the observable.
        """
        if not len(self.rows):
            return np.zeros((0, 0)), 0.0
        old, new = self.rows, _flattened(after) / self.sizes
        forward = (new @ old.conj().T).real @ self.inverse
        largest = np.maximum(np.abs(old).max(axis=1), np.finfo(float).tiny)
        left = np.abs(new - forward @ old).max(axis=1) / largest
        # Operators follow X_s -> sum_t N_st X_t, so values in the state that was turned follow the inverse.
        return np.linalg.pinv(forward, rcond=_DEPENDENT) * self.sizes / self.sizes.T, float(left.max())


def _flattened(observables: NDArray[np.complex128]) -> NDArray[np.complex128]:
    count = observables.shape[1]
    return np.moveaxis(observables, 1, 0).reshape(count, observables.size // max(count, 1))


def whole_mixing(
    products: Products, rows: list[int], mixing: dict[int, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """M of every operation of a group, from those that were tested: they generate it."""
    known = {number: matrix for number, matrix in mixing.items() if number in rows}
    generators, new = [number for number in known if number], [0]
    found = {0: known[0]}
    while new:
        last, new = new, []
        for generator in generators:
            for number in last:
                product = products.of(generator, number)
                if product is not None and product not in found:
                    found[product] = known[generator] @ found[number]
                    new.append(product)
    return np.array([found[row] for row in rows])
