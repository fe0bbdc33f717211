"""The observable itself: texture and dipole of the wave packets, equilibrium density."""

from __future__ import annotations

from ..bands import BlochBands
from ..lattice import Real
from ..occupations import Weight
from .record import BandQuantity, Integral, Term, per_cell, trace, unchanged


def texture(bands: BlochBands) -> Real:
    """theta_n = Tr theta_N/|N|, (k, observable, band) in the observable's unit."""
    return bands.share_traces(lambda m: trace(m.texture))


def wave_packet_dipole(bands: BlochBands) -> Real:
    """Tr d_a,N/|N| with d_a = 1/2 (Theta r_a + h.c.), (k, observable, axis, band) in Theta angstrom."""
    return bands.share_traces(lambda m: trace(m.dipole))


RECORDS = (
    BandQuantity("texture", "texture of the observable", "section 3", ("observable",), "{theta}", texture),
    BandQuantity(
        "wave_packet_dipole",
        "dipole of the wave packet",
        "section 3",
        ("observable", "axis"),
        "{theta} angstrom",
        wave_packet_dipole,
        polar=True,
    ),
    Integral(
        "observable_density",
        "equilibrium value of the observable",
        "section 3",
        ("observable",),
        per_cell("{theta}/cell"),
        (Term(texture, Weight.SEA),),
        unchanged,
    ),
)
