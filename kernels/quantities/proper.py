"""The full response of the conserved current (T14) and what accumulates (T15).

T14 is the linear response of the conserved current of Shi, Zhang, Xiao and Niu, PRL 96, 076604, at q -> 0
before omega -> 0. Only pairs of an occupied and an empty level contribute to its sea at T = 0: it is smooth
where T6, its packet-centre part, is singular.
"""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands, Vertex
from ..lattice import CYCLIC, Real
from ..occupations import Weight
from ..transformation import transforms
from .hall import CONVENTIONAL_SEA
from .record import (
    THETA_CONDUCTIVITY,
    THETA_HALL_DIMS,
    BandQuantity,
    Hidden,
    Integral,
    Term,
    unchanged,
)
from .surface import flow_traces


def proper_traces(bands: BlochBands, vertex: Vertex) -> Real:
    """T14's Omega^P_n,ab, (k, band, observable, a, b)."""
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.proper(bands.window)
    return contractions.proper(
        bands.energy,
        bands.multiplet_label,
        bands.position,
        bands.velocity,
        bands.observable,
        vertex.velocity,
    )


def reversed_dipole_traces(bands: BlochBands, vertex: Vertex) -> Real:
    """Re Tr_N[w_a d_b]/|N|, d_b = 1/2 (Theta r^V_b + h.c.), (k, band, observable, a, b)."""
    if vertex is bands.bare:
        return bands.once(flow_traces, vertex)[0].swapaxes(3, 4)
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.reversed_dipoles()
    dipole, _ = contractions.flow_traces(
        bands.multiplet_label, vertex.position, bands.observable, bands.velocity, bands.velocity
    )
    return dipole.swapaxes(3, 4)


def moment_traces(bands: BlochBands, vertex: Vertex) -> Real:
    """Re Tr_N[theta_N m_c]/|N|, m_c = 1/2 (r_a V_b - r^V_b v_a), (k, band, observable, c)."""
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.moments()
    return contractions.moment_traces(
        bands.multiplet_label,
        bands.position,
        vertex.position,
        bands.velocity,
        vertex.velocity,
        bands.observable,
    )


@transforms("observable", "polar", "polar", time_reversal=-1)
def proper_curvature(bands: BlochBands) -> Real:
    """T14's sea: Omega^P_n,ab = sum_{m not in N} (G_nm + G_mn)/(eps_n - eps_m), physics.md has G.

    Antisymmetric in a, b only after the sum over k. Returns (k, observable, current_axis, field_axis, band)
    in Theta angstrom^2.
    """
    return np.moveaxis(bands.once(proper_traces, bands.field), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def proper_flow(bands: BlochBands) -> Real:
    """Integrand of T14's surface part: Re Tr_N[w_a d_b]/|N|, w_a being v_a inside N."""
    return np.moveaxis(bands.once(reversed_dipole_traces, bands.field), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def accumulation_flow(bands: BlochBands) -> Real:
    """Integrand of T15: {Re Tr_N[d_a w_b] - eps_abc Re Tr_N[theta_N m_c]}/|N|."""
    values = bands.once(flow_traces, bands.field)[0].copy()
    moment = bands.once(moment_traces, bands.field)
    for c, (a, b) in enumerate(CYCLIC):
        values[..., a, b] -= moment[..., c]
        values[..., b, a] += moment[..., c]
    return np.moveaxis(values, 1, -1)


def _sum(sea: Real, surface: Real) -> Real:
    return sea + surface


def _minus_conventional(sea: Real, surface: Real, conventional: Real) -> Real:
    return sea + surface - conventional


_SEA = Term(proper_curvature, Weight.SEA, filled_constant=False, hidden=Hidden.CURRENT)
_SURFACE = Term(proper_flow, Weight.SURFACE)
_SURFACE_IF_WARM = Term(proper_flow, Weight.SURFACE, left_out_at_zero=True)

#: Of everything that a field or a temperature gradient drives in a superconductor.
BARE_BUBBLE = "a bare bubble, without vertex corrections of the condensate"

PROPER_NOTE = "the full linear response of the conserved current, beyond the packet picture of T6"

_SEA_ONLY = "its Fermi-sea part only: at T = 0 the Fermi-surface part is left out on a plain mesh"

RECORDS = (
    BandQuantity(
        "proper_curvature",
        "curvature of the full response, sea",
        "T14",
        THETA_HALL_DIMS,
        "{theta} angstrom^2",
        proper_curvature,
        comment="Fermi-sea curvature of the full response; to see where the full Hall conductivity (T14) "
        "comes from.",
    ),
    Integral(
        "proper_hall_conductivity",
        "Hall conductivity of the conserved current, full response",
        "T14",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_SEA, _SURFACE_IF_WARM),
        _sum,
        note=PROPER_NOTE,
        note_at_zero=_SEA_ONLY,
        note_superconducting=BARE_BUBBLE,
        comment="Full linear response of the conserved current; the number to publish as spin Hall "
        "conductivity where no net torque forbids it.",
    ),
    Integral(
        "proper_surface_conductivity",
        "Fermi-surface part of the full response",
        "T14",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_SURFACE,),
        unchanged,
        note_superconducting=BARE_BUBBLE,
        comment="Fermi-surface part of the full response, contained in T14; to see how much of it is of "
        "the Fermi surface.",
    ),
    Integral(
        "proper_torque_dipole_conductivity",
        "torque dipole of the full response, I1 + I2",
        "T14 - T4",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_SEA, _SURFACE_IF_WARM, CONVENTIONAL_SEA),
        _minus_conventional,
        note="T14 - T4; with a broadening above 0, which only T4 has, it is no difference of like with like",
        note_at_zero=_SEA_ONLY,
        note_superconducting=BARE_BUBBLE,
        comment="What the torque dipole adds to the conventional current in the full response, I1 + I2 of "
        "the ab initio literature; to compare with it.",
    ),
    Integral(
        "accumulation_coefficient",
        "accumulation coefficient",
        "T15",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (Term(accumulation_flow, Weight.SURFACE),),
        unchanged,
        note="the density that a gradient of the field builds up, per relaxation time",
        note_wannierized="without the part outside the Wannier functions (.sIu)",
        note_superconducting=BARE_BUBBLE,
        comment="What accumulates of the observable where the field has a gradient, per relaxation time; "
        "for Kerr microscopy and edges, 0 in a gap.",
    ),
)
