"""How values turn under the operations of a crystal: declared once, at the formula that gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np

from .lattice import Real
from .symmetry import SymmetryGroup

#: What one index of a value is: a component of a vector, of a curl, or one of the observables.
Index = Literal["polar", "axial", "observable"]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


@dataclass(frozen=True)
class Transformation:
    """F at the k that an operation turned, in terms of F at k.

    indices : what each index is, in their order; an observable turns as the group says
    time_reversal : the sign that time reversal gives, beside that of the observable
    magnitude : absolute values, which mix by the squares of the coefficients: exact where an operation
        exchanges axes, else a mean
    """

    indices: tuple[Index, ...] = ()
    time_reversal: int = 1
    magnitude: bool = False

    def mean(self, group: SymmetryGroup) -> Real:
        """The mean over all operations as a matrix on flattened indices, (index, index): it projects on what
        the group leaves as it is. Read-only.
        """
        return _mean(self, group)

    def _mean_over(self, group: SymmetryGroup) -> Real:
        signs = np.where(group.time_reversal, self.time_reversal, 1) / group.order
        total, length = signs[:, None, None], 1
        for index in self.indices[:-1]:
            matrix = self._turning(group, index)
            length *= matrix.shape[1]
            both = total[:, :, None, :, None] * matrix[:, None, :, None, :]
            total = both.reshape(group.order, length, length)
        last = self._turning(group, self.indices[-1]) if self.indices else np.ones((group.order, 1, 1))
        size = last.shape[1]
        # The sum over operations as one product: nothing of the size (operation, index, index) is formed.
        summed = total.reshape(group.order, -1).T @ last.reshape(group.order, -1)
        apart = summed.reshape(length, length, size, size).swapaxes(1, 2)
        return np.ascontiguousarray(apart.reshape(length * size, length * size))

    def _turning(self, group: SymmetryGroup, index: Index) -> Real:
        """(operation, n, n) what each operation does to one index."""
        if index == "observable":
            matrices = group.observables
        else:
            signs = np.linalg.det(group.cartesian) if index == "axial" else np.ones(group.order)
            matrices = signs[:, None, None] * group.cartesian
        return matrices**2 if self.magnitude else matrices

    def averaged(self, values: Real, group: SymmetryGroup) -> Real:
        """The mean over all operations of values, (indices ..., anything): of a sum over irreducible points,
        that over the whole zone.
        """
        if group.order == 1:
            return values
        mean = self.mean(group)
        return (mean @ values.reshape(len(mean), -1)).reshape(values.shape)


@lru_cache(maxsize=64)
def _mean(transformation: Transformation, group: SymmetryGroup) -> Real:
    """Kept, as several quantities turn alike and are looked at more than once."""
    found = transformation._mean_over(group)
    found.flags.writeable = False
    return found


def transforms(
    *indices: Index, time_reversal: int = 1, magnitude: bool = False
) -> Callable[[_Kernel], _Kernel]:
    """Declare of a kernel how its values, between k and band, turn; see `Transformation`."""
    declared = Transformation(indices, time_reversal, magnitude)

    def declare(kernel: _Kernel) -> _Kernel:
        vars(kernel)["transformation"] = declared
        return kernel

    return declare


def transformation_of(kernel: Callable[..., Any]) -> Transformation:
    """What a kernel has declared. Raises TypeError for one that has not: no symmetry could be used."""
    try:
        declared: Transformation = vars(kernel)["transformation"]
        return declared
    except (KeyError, TypeError):
        raise TypeError(
            f"{kernel!r} does not say how its values turn, expected the decorator transforms(...)."
        ) from None
