"""Levels and how they are filled: energy, velocity, carrier density, density of states."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands
from ..lattice import Real
from ..occupations import Weight
from ..transformation import transforms
from .record import BandQuantity, Integral, Term, electrons_per_cell, unchanged


@transforms()
def energy(bands: BlochBands) -> Real:
    """eps_n, (k, band) eV: the eigenvalues as they are, not averaged over a multiplet."""
    return bands.energy


@transforms()
def unity(bands: BlochBands) -> Real:
    """1 for every band, (k, band): what counts states."""
    return np.ones_like(bands.energy)


@transforms()
def electron_content(bands: BlochBands) -> Real:
    """Electrons in each band, (k, band): 1, or Tr_N tau_z/|N| in a superconductor."""
    if bands.operators.field_charge is None:
        return unity(bands)
    if bands.lanes is not None:
        return bands.lanes.electron_content(bands.multiplet_label)
    assert bands.charge_matrix is not None
    diagonal = np.einsum("knn->kn", bands.charge_matrix).real
    return contractions.shared(diagonal, bands.multiplet_label)


@transforms("polar", time_reversal=-1)
def velocity(bands: BlochBands) -> Real:
    """Tr v_a,N/|N|, (k, axis, band) eV angstrom / hbar."""
    if bands.lanes is not None:
        return np.moveaxis(bands.lanes.velocities(bands.multiplet_label), 1, -1)
    return bands.shared_diagonal(bands.velocity)


RECORDS = (
    BandQuantity(
        "energy",
        "band energy",
        "section 2",
        (),
        "eV",
        energy,
        comment="Eigenvalues of H(k) as they are; for band structures and Fermi surfaces.",
    ),
    BandQuantity(
        "velocity",
        "band velocity",
        "section 3",
        ("axis",),
        "eV angstrom / hbar",
        velocity,
        comment="Mean band velocity of each multiplet; for group velocities and slopes of the bands.",
    ),
    Integral(
        "carrier_density",
        "electrons per cell",
        "section 4",
        (),
        electrons_per_cell("1"),
        (Term(electron_content, Weight.SEA),),
        unchanged,
        comment="Electrons per cell below each Fermi energy; to find gaps and to fix the Fermi level.",
    ),
    Integral(
        "density_of_states",
        "density of states per cell",
        "section 4",
        (),
        electrons_per_cell("1/eV", -1),
        (Term(unity, Weight.SURFACE),),
        unchanged,
        comment="States per cell and energy at each Fermi energy; to tell a metal from a gap.",
    ),
)
