"""Matrices on lattice vectors: kept read-only, closed under R -> -R, Hermitian."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

#: eV, angstrom, cells, or a count: no number of a material is as large, core levels and box sizes included.
LARGEST = 1e6

#: angstrom, the value Wannier90 3 uses (CODATA 2010)
BOHR = 0.52917721092

#: Largest |H(R) - H(-R)^dagger| in eV that counts as rounding of a printed file (6 decimals).
HERMITICITY_TOLERANCE = 2e-6


#: Elements of matrices that are worked on at a time.
_SPAN = 1 << 17


def read_only(values: ArrayLike, dtype: type) -> NDArray:
    """The values as an array that nobody can write to: the array itself where it is one already.

    Raises InputError where they make no array of the type.
    """
    if type(values) is np.ndarray and values.dtype == dtype and _is_sealed(values):
        return values
    try:
        array: NDArray = np.array(values, dtype=dtype, copy=True)
    except (TypeError, ValueError, OverflowError) as problem:
        raise InputError(f"model: expected an array of {dtype.__name__}: {problem}.") from None
    array.flags.writeable = False
    return array


def _is_sealed(array: NDArray) -> bool:
    """True where neither the array nor what it is a view of can be written to."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return owner is None or isinstance(owner, bytes)


def centre_position(translations: NDArray[np.int64], centres: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Position matrix with nothing but the Wannier centres, (R, 3, wannier, wannier) angstrom."""
    size = len(centres)
    position = np.zeros((len(translations), 3, size, size), dtype=complex)
    home = int(np.flatnonzero(~translations.any(axis=1))[0])
    position[home][:, np.arange(size), np.arange(size)] = centres.T
    return position


def checked_centres(centres: ArrayLike, size: int) -> NDArray[np.float64]:
    """Centres that a user gave, (size, 3) angstrom. Raises InputError for another shape."""
    array = np.asarray(centres, dtype=float)
    if array.shape != (size, 3):
        raise InputError(f"centres: expected shape {(size, 3)} in angstrom, found {array.shape}.")
    return array


def opposite_rows(translations: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Row of -R for every R, or None if some -R is missing."""
    rows = {tuple(vector): row for row, vector in enumerate(translations.tolist())}
    found = [rows.get((-x, -y, -z), -1) for x, y, z in translations.tolist()]
    return None if -1 in found else np.array(found)


def hermitian_part(
    matrices: NDArray[np.complex128], opposite: NDArray[np.int64]
) -> tuple[NDArray[np.complex128], float]:
    """(X(R) + X(-R)^dagger)/2 and the largest element that was removed."""
    part = np.empty_like(matrices)
    removed = 0.0
    for rows in spans(matrices):
        adjoint = np.conj(np.swapaxes(matrices[opposite[rows]], -1, -2))
        part[rows] = (matrices[rows] + adjoint) / 2
        removed = max(removed, float(np.abs(matrices[rows] - part[rows]).max(initial=0.0)))
    return part, removed


def make_hermitian(matrices: NDArray[np.complex128], opposite: NDArray[np.int64]) -> float:
    """As `hermitian_part`, in the place of the matrices; returns the largest element that was removed."""
    removed = 0.0
    pairs = np.flatnonzero(np.arange(len(matrices)) <= opposite)
    for span in spans(matrices):
        here = pairs[span]
        there = opposite[here]
        one, other = matrices[here], matrices[there]
        for rows, own, facing in ((here, one, other), (there, other, one)):
            part = (own + np.conj(np.swapaxes(facing, -1, -2))) / 2
            removed = max(removed, float(np.abs(own - part).max(initial=0.0)))
            matrices[rows] = part
    return removed


def non_hermitian_part(matrices: NDArray[np.complex128], opposite: NDArray[np.int64]) -> float:
    """The largest element that `hermitian_part` would remove."""
    removed = 0.0
    for rows in spans(matrices):
        adjoint = np.conj(np.swapaxes(matrices[opposite[rows]], -1, -2))
        part = (matrices[rows] + adjoint) / 2
        removed = max(removed, float(np.abs(matrices[rows] - part).max(initial=0.0)))
    return removed


def spans(matrices: NDArray) -> Iterator[slice]:
    """Rows by rows through matrices of any number, so that what is made of them stays small."""
    step = max(1, _SPAN // max(1, matrices[:1].size))
    for first in range(0, len(matrices), step):
        yield slice(first, first + step)


def within(array: NDArray, limit: float) -> bool:
    """True where every real and imaginary part lies between -limit and limit; NaN does not."""
    parts = (array.real, array.imag) if np.iscomplexobj(array) else (array,)
    return not array.size or all(-limit < part.min() and part.max() < limit for part in parts)
