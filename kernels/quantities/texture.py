"""The observable itself: texture and dipole of the wave packets, equilibrium density."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands
from ..lattice import Real
from ..occupations import Weight
from ..transformation import transforms
from .record import BandQuantity, Integral, Term, per_cell, unchanged


@transforms("observable")
def texture(bands: BlochBands) -> Real:
    """theta_n = Tr theta_N/|N|, (k, observable, band) in the observable's unit."""
    if bands.lanes is not None:
        return np.moveaxis(bands.lanes.textures(bands.multiplet_label), 1, -1)
    return bands.shared_diagonal(bands.observable)


@transforms("observable", "polar")
def wave_packet_dipole(bands: BlochBands) -> Real:
    """Tr d_a,N/|N| with d_a = 1/2 (Theta r_a + h.c.), (k, observable, axis, band) in Theta angstrom."""
    if (lanes := bands.lane_vertex(bands.bare)) is not None:
        return np.moveaxis(lanes.dipoles(), 1, -1)
    # Inside a multiplet r is zero, so the diagonal of d is that of Re(Theta r).
    theta, position = bands.observable.view(float), bands.position.view(float)
    diagonal = theta @ position.swapaxes(2, 3)
    return np.moveaxis(contractions.shared(diagonal, bands.multiplet_label), 1, -1)


RECORDS = (
    BandQuantity(
        "texture",
        "texture of the observable",
        "section 3",
        ("observable",),
        "{theta}",
        texture,
        comment="Mean of the observable in each multiplet; for spin textures and coloured bands.",
    ),
    BandQuantity(
        "wave_packet_dipole",
        "dipole of the wave packet",
        "section 3",
        ("observable", "axis"),
        "{theta} angstrom",
        wave_packet_dipole,
        comment="Dipole of the observable about the packet centre; to see where the torque dipole comes "
        "from.",
    ),
    Integral(
        "observable_density",
        "equilibrium value of the observable per cell",
        "section 3",
        ("observable",),
        per_cell("{theta}"),
        (Term(texture, Weight.SEA),),
        unchanged,
        comment="Equilibrium value of the observable per cell, as the spin moment of a magnet; a check of "
        "the model.",
    ),
)
