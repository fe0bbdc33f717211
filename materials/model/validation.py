"""What a model must be: shapes, finite numbers, Hermitian matrices, a cell."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import HERMITICITY_TOLERANCE, LARGEST, non_hermitian_part, opposite_rows, within

if TYPE_CHECKING:
    from .wannier_model import WannierModel

#: As `LARGEST`, for observables, whose unit may be the user's own.
LARGEST_OBSERVABLE = 1e12

#: angstrom: no lattice vector is shorter.
SHORTEST = 1e-3


def validate(model: WannierModel, valid: Sequence[NDArray] = ()) -> None:
    """Raises InputError for the first thing that cannot be right.

    valid : lattice, translations, hamiltonian, position and observables that passed before, together
    """
    where = f"model {model.name!r}"
    arrays = (model.lattice, model.translations, model.hamiltonian, model.position)
    unchanged = len(valid) >= len(arrays) and all(map(operator.is_, arrays, valid))
    _validate_settings(model, where)
    if not unchanged:
        _validate_arrays(model, where)
    passed = {id(array) for array in valid} if unchanged else set()
    for name, observable in model.observable_facts.items():
        if id(observable.matrix) not in passed:
            _validate_observable(model, where, f"observable {name!r}", observable.matrix)


def _validate_settings(model: WannierModel, where: str) -> None:
    level = model.fermi_level
    if level is not None and not abs(level) < LARGEST:
        raise InputError(f"{where}: fermi_level is {level} eV, expected a finite number below {LARGEST:g}.")
    if model.spin_degeneracy not in (1, 2):
        raise InputError(f"{where}: spin_degeneracy is {model.spin_degeneracy!r}, expected 1 or 2.")
    if len(model.periodic) != 3:
        raise InputError(f"{where}: periodic has {len(model.periodic)} entries, expected 3.")
    if not any(model.periodic):
        raise InputError(f"{where}: periodic has no true entry, expected one to three.")
    trial = model.trial_orbitals
    if trial is not None and model.hamiltonian.ndim and len(trial) != model.size:
        raise InputError(
            f"{where}: trial_orbitals has {len(trial)} orbitals, expected one for each of {model.size} "
            "Wannier functions."
        )


def _validate_arrays(model: WannierModel, where: str) -> None:
    count = len(model.translations)
    size = model.hamiltonian.shape[-1] if model.hamiltonian.ndim else 0
    _validate_shape(model, where, "lattice", model.lattice, [(3, 3)])
    _validate_shape(model, where, "translations", model.translations, [(count, 3)])
    _validate_shape(model, where, "hamiltonian", model.hamiltonian, [(count, size, size)])
    _validate_shape(model, where, "position", model.position, [(count, 3, size, size)])
    for name in ("lattice", "translations", "hamiltonian", "position"):
        _validate_size(where, name, getattr(model, name), LARGEST)
    lengths = np.linalg.norm(model.lattice, axis=1)
    volume = abs(np.linalg.det(model.lattice))
    if volume < 1e-6 * lengths.prod() or lengths.min() < SHORTEST:
        raise InputError(
            f"{where}: lattice is singular (cell volume {volume:.3g} angstrom^3), expected three "
            f"linearly independent vectors of at least {SHORTEST:g} angstrom; give a 2D material a third "
            "vector along its normal."
        )
    if len(np.unique(model.translations, axis=0)) != len(model.translations):
        raise InputError(f"{where}: an R vector appears twice, expected each once.")
    opposite = opposite_rows(model.translations)
    if opposite is None or not (~model.translations.any(axis=1)).any():
        raise InputError(f"{where}: expected R = 0 and, for every R vector, its negative.")
    for name in ("hamiltonian", "position"):
        _validate_hermiticity(where, name, getattr(model, name), opposite)


def _validate_observable(model: WannierModel, where: str, name: str, matrix: NDArray) -> None:
    count, size = len(model.translations), model.size
    _validate_shape(model, where, name, matrix, [(size, size), (count, size, size)])
    _validate_size(where, name, matrix, LARGEST_OBSERVABLE)
    opposite = np.zeros(1, dtype=int) if matrix.ndim == 2 else opposite_rows(model.translations)
    # R vectors are validated before observables.
    assert opposite is not None
    _validate_hermiticity(where, name, matrix[None] if matrix.ndim == 2 else matrix, opposite)


def _validate_size(where: str, name: str, array: NDArray, limit: float) -> None:
    if not within(array, limit):
        raise _beyond(where, name, array, limit)


def _beyond(where: str, name: str, array: NDArray, limit: float) -> InputError:
    found, wrong = "a NaN or infinite element", ~np.isfinite(array)
    if not wrong.any():
        found = "an element that is too large"
        wrong = np.maximum(abs(array.real.astype(float)), abs(array.imag.astype(float))) >= limit
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return InputError(
        f"{where}: {name} has {found} at index {first} ({array[first]:g}), expected finite numbers below "
        f"{limit:g}; check the file it was read from."
    )


def _validate_shape(
    model: WannierModel, where: str, name: str, array: NDArray, shapes: Sequence[tuple[int, ...]]
) -> None:
    if array.shape not in shapes or 0 in array.shape:
        size = model.hamiltonian.shape[-1] if model.hamiltonian.ndim else 0
        raise InputError(
            f"{where}: {name} has shape {array.shape}, expected {' or '.join(map(str, shapes))} for "
            f"{len(model.translations)} R vectors and {size} Wannier functions."
        )


def _validate_hermiticity(where: str, name: str, matrix: NDArray, opposite: NDArray[np.int64]) -> None:
    size = non_hermitian_part(matrix, opposite)
    if size > HERMITICITY_TOLERANCE:
        raise InputError(
            f"{where}: {name} is not Hermitian, X(R) and X(-R)^dagger differ by {2 * size:.3g}, "
            f"expected at most {2 * HERMITICITY_TOLERANCE:.1g}; the file may be incomplete."
        )
