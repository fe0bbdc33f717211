"""Operators of a calculation on R vectors closed under R -> -R, made Hermitian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..matrices import make_hermitian, opposite_rows
from .wigner_seitz import WignerSeitz


@dataclass(frozen=True, eq=False)
class HermitianMatrices:
    """An operator on R vectors closed under R -> -R, and the largest element that made it not Hermitian.

    translations (R, 3); matrices (R, ..., wannier, wannier); removed is None where the file cannot err
    """

    translations: NDArray[np.int64]
    matrices: NDArray[np.complex128]
    removed: float | None

    def __post_init__(self) -> None:
        # A model keeps read-only arrays as they are.
        self.matrices.flags.writeable = False

    @classmethod
    def of(
        cls, matrices: NDArray[np.complex128], wigner_seitz: WignerSeitz, exact: bool = False
    ) -> HermitianMatrices:
        """Raw matrices with minimal images applied; exact : see `WignerSeitz.expand`."""
        translations, expanded = wigner_seitz.expand(matrices, exact)
        opposite = opposite_rows(translations)
        # The raw R vectors are checked, and minimal images are expanded in pairs.
        assert opposite is not None
        removed = make_hermitian(expanded, opposite)
        return cls(translations, expanded, removed)
