"""Fermi-surface conductivities of Theta: T8 and T9."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands, Vertex
from ..lattice import Real
from ..occupations import Weight
from ..transformation import transforms
from .record import (
    THETA_CONDUCTIVITY,
    THETA_HALL_DIMS,
    Integral,
    Term,
    Unit,
    conductivity_factor,
    conductivity_units,
    unchanged,
)


def flow_traces(bands: BlochBands, vertex: Vertex) -> tuple[Real, Real]:
    """Re Tr_N[d_a V_b]/|N| and 1/2 Re Tr_N[{theta_N, v_a} V_b]/|N|, (k, band, observable, a, b)."""
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.flows()
    return contractions.flow_traces(
        bands.multiplet_label, bands.position, bands.observable, bands.velocity, vertex.velocity
    )


@transforms("observable", "polar", "polar", time_reversal=-1)
def dipole_flow(bands: BlochBands) -> Real:
    """Integrand of T8: Re Tr_N[d_a v_b]/|N|, d_n,a v_n,b for a single band; (k, observable, a, b, band)."""
    return np.moveaxis(bands.once(flow_traces, bands.field)[0], 1, -1)


@transforms("observable", "polar", "polar")
def drude_flow(bands: BlochBands) -> Real:
    """Integrand of T9: 1/2 Re Tr_N[{theta_N, v_a} v_b]/|N|, (k, observable, a, b, band)."""
    return np.moveaxis(bands.once(flow_traces, bands.field)[1], 1, -1)


RECORDS = (
    Integral(
        "dipole_surface_conductivity",
        "dipole Fermi-surface conductivity",
        "T8",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (Term(dipole_flow, Weight.SURFACE),),
        unchanged,
        comment="Fermi-surface response of the dipole of the wave packet; for metals without inversion, "
        "where it scales with the relaxation time.",
    ),
    Integral(
        "drude_weight",
        "Drude weight of the observable",
        "T9",
        THETA_HALL_DIMS,
        Unit(conductivity_units("S eV", "({theta}/e) "), conductivity_factor),
        (Term(drude_flow, Weight.SURFACE),),
        unchanged,
        note_superconducting="the quasiparticles' part only, without the superfluid weight",
        comment="Response of the conventional current per relaxation time; times tau it is a longitudinal "
        "conductivity, of the charge the ordinary one.",
    ),
)
