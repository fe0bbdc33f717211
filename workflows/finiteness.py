"""Numbers that cannot be: whatever is not finite is a failure with its reason, before anybody stores it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, LatticeOperators

#: Matrix elements (eV, angstrom) beyond which they are the likely reason of an overflow.
_PLAUSIBLE = 1e6


def check_integrals(
    model_name: str,
    operators: LatticeOperators,
    values: Mapping[str, NDArray[np.float64]],
    fermi_energy: Sequence[float],
) -> None:
    """Raise InputError for the first integral, (..., fermi_energy), that is not finite."""
    for name, found in values.items():
        _check(
            model_name,
            operators,
            name,
            found,
            lambda place: f"fermi_energy = {fermi_energy[place[-1]]:.6g} eV",
        )


def check_band_values(
    model_name: str,
    operators: LatticeOperators,
    values: Mapping[str, NDArray[np.float64]],
    points: NDArray[np.float64],
) -> None:
    """Raise InputError for the first value per k and band, (k, ..., band), that is not finite."""
    for name, found in values.items():
        _check(
            model_name,
            operators,
            name,
            found,
            lambda place: f"k = {' '.join(f'{x:.6g}' for x in points[place[0]])}",
        )


def _check(
    model_name: str,
    operators: LatticeOperators,
    name: str,
    values: NDArray[np.float64],
    where: Callable[[Sequence[int]], str],
) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    place = [int(i) for i in np.argwhere(~finite)[0]]
    raise InputError(
        f"{model_name}: {name} at {where(place)} is {values[tuple(place)]}, expected a finite number; "
        f"{_reason(operators)}."
    )


def _reason(operators: LatticeOperators) -> str:
    parts = {
        "the Hamiltonian (eV)": operators.hamiltonian.matrices,
        "the position matrix (angstrom)": operators.position.matrices,
        "the observables": operators.observables.matrices,
        "the lattice (angstrom)": operators.cell,
    }
    largest = {name: float(np.abs(matrix).max(initial=0.0)) for name, matrix in parts.items()}
    strange = [f"{name} holds {size:.3g}" for name, size in largest.items() if not size < _PLAUSIBLE]
    if strange:
        return f"{' and '.join(strange)}, which the files of the model should not"
    return "choose temperature, broadening and degeneracy_threshold less extreme"
