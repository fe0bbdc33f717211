"""How values turn under the operations of a crystal: declared once, at the formula that gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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

    def turned(self, values: Real, group: SymmetryGroup, operation: int) -> Real:
        """What one operation of the group makes of values, (indices ..., anything)."""
        rotation = group.cartesian[operation]
        matrices = {
            "polar": rotation,
            "axial": np.linalg.det(rotation) * rotation,
            "observable": group.observables[operation],
        }
        found, before = values, 1
        for axis, index in enumerate(self.indices):
            matrix = matrices[index] ** 2 if self.magnitude else matrices[index]
            found = matrix @ found.reshape(before, values.shape[axis], -1)
            before *= values.shape[axis]
        sign = self.time_reversal if group.time_reversal[operation] else 1
        return sign * found.reshape(values.shape)

    def averaged(self, values: Real, group: SymmetryGroup) -> Real:
        """The mean over all operations: of a sum over irreducible points, that over the whole zone."""
        if group.order == 1:
            return values
        total = self.turned(values, group, 0)
        for operation in range(1, group.order):
            total += self.turned(values, group, operation)
        return total / group.order


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
