"""What a group is called."""

from __future__ import annotations

import warnings

import numpy as np
import spglib
from numpy.typing import NDArray

from spinscreen.kernels.symmetry import SymmetryGroup

#: Share of a lattice vector within which a translation is none.
_WHOLE = 1e-4


def group_name(group: SymmetryGroup, lattice: NDArray[np.float64]) -> str:
    """International symbol of the operations that keep time and, of a magnet, the BNS number (by spglib).

    lattice : (3, 3) angstrom. A model that is symmetric under time reversal itself has "and time reversal".
    """
    with warnings.catch_warnings():
        # spglib announces that it will raise where it now returns None.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _name(group, lattice)


def _name(group: SymmetryGroup, lattice: NDArray[np.float64]) -> str:
    keeps = ~group.time_reversal
    found = spglib.get_spacegroup_type_from_symmetry(
        group.rotations[keeps].astype(np.intc), group.translations[keeps], lattice
    )
    symbol = "unknown" if found is None else str(found.international_short)
    if not group.time_reversal.any():
        return symbol
    unmoved = (group.rotations == np.eye(3, dtype=int)).all(axis=(1, 2)) & group.time_reversal
    shifts = group.translations[unmoved]
    if (np.abs(shifts - np.rint(shifts)) < _WHOLE).all(axis=1).any():
        return f"{symbol} and time reversal"
    magnetic = spglib.get_magnetic_spacegroup_type_from_symmetry(
        group.rotations.astype(np.intc), group.translations, group.time_reversal.astype(np.intc), lattice
    )
    number = "" if magnetic is None else f", magnetic group BNS {magnetic.bns_number}"
    return f"{symbol}{number}"
