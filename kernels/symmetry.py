"""Point operations that a model obeys, and what they do to k points and to components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lattice import Integer, Real


@dataclass(frozen=True, eq=False)
class SymmetryGroup:
    """Operations x -> W x + t of the crystal that a model obeys, the identity first.

    rotations : (operation, 3, 3) integers W on reduced coordinates of real space, written as columns
    translations : (operation, 3) t, reduced
    cartesian : (operation, 3, 3) the same W on Cartesian vectors, written as columns
    time_reversal : (operation,) True where time is reversed as well
    observables : (operation, observable, observable) M: a state that the operation turned has the expectation
        values theta'_s = sum_t M_st theta_t, time reversal included
    """

    rotations: Integer
    translations: Real
    cartesian: Real
    time_reversal: NDArray[np.bool_]
    observables: Real

    @classmethod
    def identity(cls, observable_count: int) -> SymmetryGroup:
        """The operation that changes nothing, alone."""
        one = np.eye(3)[None]
        return cls(
            one.astype(np.int64), np.zeros((1, 3)), one, np.zeros(1, bool), np.eye(observable_count)[None]
        )

    def subgroup(self, chosen: NDArray) -> SymmetryGroup:
        """The operations that a mask or a list of indices names, which must be a group by themselves."""
        return SymmetryGroup(
            self.rotations[chosen],
            self.translations[chosen],
            self.cartesian[chosen],
            self.time_reversal[chosen],
            self.observables[chosen],
        )

    @property
    def order(self) -> int:
        return len(self.rotations)

    @property
    def on_kpoints(self) -> Integer:
        """(operation, 3, 3) integers K, k' = K k on reduced k as columns; time reversal turns the sign."""
        inverse = np.rint(np.linalg.inv(self.rotations)).astype(np.int64).transpose(0, 2, 1)
        return np.where(self.time_reversal[:, None, None], -inverse, inverse)
