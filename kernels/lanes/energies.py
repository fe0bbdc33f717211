"""Energies alone at any list of k points: what is asked for many times at few points each."""

from __future__ import annotations

import numpy as np

from ..lattice import LatticeOperators, Real
from . import layout
from .bloch import tables_of_points
from .sums import Sums, powers_of, reach


def energies_at(operators: LatticeOperators, kpoints: Real) -> Real | None:
    """Energies (k, band), ascending in eV; None where QL does not converge on all of them.

    kpoints : (k, 3) reduced
    """
    hamiltonian = operators.once(tables_of_points)[:1]
    line, powers = np.zeros(len(kpoints), dtype=np.int64), powers_of(kpoints, reach(hamiltonian))
    levels, _, converged = Sums.of(operators.size, hamiltonian, line, powers).solved()
    if not converged.ravel()[: len(kpoints)].all():
        return None
    energy = np.empty((len(kpoints), operators.size))
    layout.unpack_levels(levels, energy)
    return energy
