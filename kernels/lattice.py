"""Operators in the Wannier basis: their matrices in R space and their Fourier transform at any k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Integer = NDArray[np.int64]

Result = TypeVar("Result")

#: (a, b) of the components c = x, y, z of an antisymmetric tensor, (a, b, c) cyclic.
CYCLIC = ((1, 2), (2, 0), (0, 1))

#: R vectors whose absolute values are held at a time.
_SLAB = 64


@dataclass(frozen=True, eq=False)
class RealSpaceOperator:
    """Matrices of one or several operators on the lattice vectors where they do not vanish.

    translations : (R, 3) integers
    matrices : (R, component, wannier, wannier) complex
    """

    translations: Integer
    matrices: Complex

    @classmethod
    def pruned(cls, translations: Integer, matrices: Complex) -> RealSpaceOperator:
        """Leave out the R on which every component vanishes; R = 0 always stays."""
        keep = matrices.any(axis=(1, 2, 3)) | ~translations.any(axis=1)
        if keep.all():
            return cls(translations, matrices)
        return cls(translations[keep], matrices[keep])

    @cached_property
    def onsite(self) -> bool:
        """True where only R = 0 is left: the operator does not depend on k."""
        return not self.translations.any()


@dataclass(frozen=True, eq=False)
class LatticeOperators:
    """All that the kernels know of a material (theory section 2): arrays, no files, no names.

    cell : (3, 3) angstrom, rows a1 a2 a3
    hamiltonian : one component, eV
    position : three components, angstrom, Hermitian
    observables : one component per observable (possibly none)
    field_charge : (wannier,) +1 for electrons, -1 for holes, on which an electric field acts oppositely
        (theory section 6); None where all are electrons
    """

    cell: Real
    hamiltonian: RealSpaceOperator
    position: RealSpaceOperator
    observables: RealSpaceOperator
    field_charge: Real | None = None

    @property
    def size(self) -> int:
        """Number of Wannier functions."""
        return self.hamiltonian.matrices.shape[-1]

    @property
    def observable_count(self) -> int:
        return self.observables.matrices.shape[1]

    def once(self, formula: Callable[[LatticeOperators], Result]) -> Result:
        """formula(self), computed once in a process."""
        if formula not in self._known:
            self._known[formula] = formula(self)
        return self._known[formula]  # type: ignore[return-value]

    @cached_property
    def _known(self) -> dict[object, object]:
        return {}

    def __getstate__(self) -> dict[str, object]:
        # What can be computed again does not travel.
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    @property
    def nbytes(self) -> int:
        """Bytes held by the R-space matrices."""
        parts = (self.hamiltonian, self.position, self.observables)
        return sum(part.matrices.nbytes for part in parts)

    @cached_property
    def energy_scale(self) -> float:
        """A bound of |H(k)| at every k (eV): the largest row of sum_R |H(R)|, whatever its phases."""
        blocks = self.hamiltonian.matrices[:, 0]
        rows = np.zeros(self.size)
        with np.errstate(over="ignore"):
            for start in range(0, len(blocks), _SLAB):
                rows += np.abs(blocks[start : start + _SLAB]).sum(axis=(0, 2))
        return float(rows.max(initial=0.0))


@dataclass(frozen=True, eq=False)
class BlochOperators:
    """Fourier transforms at a batch of k, still in the Wannier gauge.

    hamiltonian : (k, wannier, wannier) eV
    stacked : (k, wannier, operator, wannier); operator runs over dH/dk_a (3, eV angstrom), A_a (3, angstrom),
        the observables, and, where the position matrix has R != 0 elements, curl A (3, angstrom^2).
        The row index comes first so that all operators are rotated by two matrix products.
    observable_slopes : dTheta/dk_a, (k, wannier, observable * axis, wannier), where it was asked for and the
        observables depend on k; only T12 needs it
    field_charge : (wannier,) as in `LatticeOperators`
    """

    hamiltonian: Complex
    stacked: Complex
    observable_count: int
    observable_slopes: Complex | None = None
    field_charge: Real | None = None

    @property
    def size(self) -> int:
        """Number of Wannier functions."""
        return self.hamiltonian.shape[-1]

    @property
    def rotated_count(self) -> int:
        """Operators that are needed between all pairs of bands (all but curl A)."""
        return 6 + self.observable_count

    @property
    def has_curl(self) -> bool:
        return self.stacked.shape[2] > self.rotated_count

    def at(self, rows: Integer) -> BlochOperators:
        """Those of some of the k points, (row,)."""
        slopes = self.observable_slopes
        return replace(
            self,
            hamiltonian=self.hamiltonian[rows],
            stacked=self.stacked[rows],
            observable_slopes=None if slopes is None else slopes[rows],
        )

    def electrons(self) -> BlochOperators:
        """The block of the electrons alone: the normal state that a superconductor was made of."""
        assert self.field_charge is not None
        own = np.flatnonzero(self.field_charge > 0)

        def block(matrices: Complex) -> Complex:
            return np.ascontiguousarray(matrices[:, own][..., own])

        slopes = self.observable_slopes
        return BlochOperators(
            block(self.hamiltonian),
            block(self.stacked),
            self.observable_count,
            None if slopes is None else block(slopes),
        )


def stacked_count(operators: LatticeOperators) -> int:
    """Length of the operator axis of `BlochOperators.stacked`."""
    return 6 + operators.observable_count + (0 if operators.position.onsite else 3)


def checked_kpoints(kpoints: ArrayLike) -> Real:
    """Reduced k points as a finite (k, 3) array; InputError otherwise."""
    points = np.asarray(kpoints, dtype=float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise InputError(
            f"kpoints: expected reduced coordinates of shape (n, 3), found shape {points.shape}; "
            "give a 2D material a zero in its third column."
        )
    if not np.isfinite(points).all():
        raise InputError("kpoints: expected finite numbers, found NaN or infinity.")
    return points
