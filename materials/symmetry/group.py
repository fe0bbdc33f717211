"""The group that a model obeys to rounding, and how its observables follow."""

from __future__ import annotations

from dataclasses import replace

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
    mixing: dict[int, NDArray[np.float64]] = {0: np.eye(candidates.operators.observables.shape[1])}

    def obeys(number: int) -> bool:
        if not keeps_metric(lattice, candidates.operations.rotations[number]):
            return False
        if candidates.change(number) > ROUNDING:
            return False
        mixing[number], residual = observable_mixing(
            candidates.operators.observables, candidates.after(number, "observables")
        )
        return residual <= ROUNDING

    rows = obeyed_group(candidates.operations, obeys)
    group = chosen(candidates.operations, rows)
    return replace(group, observables=whole_mixing(candidates.operations, rows, mixing))


def keeps_metric(lattice: NDArray[np.float64], rotation: NDArray[np.int64]) -> bool:
    """Whether a rotation (3, 3), as columns, is orthogonal in a lattice (rows, angstrom) to rounding."""
    metric = lattice @ lattice.T
    return bool(np.abs(rotation.T @ metric @ rotation - metric).max() <= _STRAIN * np.abs(metric).max())


def observable_mixing(
    before: NDArray[np.complex128], after: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], float]:
    """M of an operation, theta'_s = sum_t M_st theta_t, and what of the observables it cannot express.

    before, after : (R, observable, orbital, orbital) the observables and g Theta g^-1
    The residual is the largest element that is left, as a share of the largest of the observable.
    """
    count = before.shape[1]
    if not count:
        return np.zeros((0, 0)), 0.0
    flat = np.moveaxis(before, 1, 0).reshape(count, -1)
    # Each counted in units of its own size, as observables may have any unit.
    size = np.maximum(np.linalg.norm(flat, axis=1), np.finfo(float).tiny)[:, None]
    old, new = flat / size, np.moveaxis(after, 1, 0).reshape(count, -1) / size
    overlaps = (old.conj() @ old.T).real
    forward = (new @ old.conj().T).real @ np.linalg.pinv(overlaps, rcond=_DEPENDENT, hermitian=True)
    left = np.abs(new - forward @ old).max(axis=1) / np.maximum(np.abs(old).max(axis=1), np.finfo(float).tiny)
    # Operators follow X_s -> sum_t N_st X_t, so values in the state that was turned follow the inverse.
    return np.linalg.pinv(forward, rcond=_DEPENDENT) * size / size.T, float(left.max())


def whole_mixing(
    operations: SymmetryGroup, rows: list[int], mixing: dict[int, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """M of every operation of a group, from those that were tested: they generate it."""
    products = Products(operations)
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
