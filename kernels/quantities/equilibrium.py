"""Circulating equilibrium currents and their magnetization: T11-T13. eV is left as it is."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands
from ..lattice import CYCLIC, Real
from ..occupations import Weight
from ..transformation import transforms
from .field_induced import drift_traces
from .hall import conserved_traces
from .record import BandQuantity, Hidden, Integral, Term, Unit, per_measure, side_by_side
from .surface import flow_traces


@transforms("observable", "axial", time_reversal=-1)
def wave_packet_moment(bands: BlochBands) -> Real:
    """m_n,c = 1/2 Re Tr_N[r_a j_b - r_b j_a]/|N|, (a, b, c) cyclic, (k, observable, axis, band).

    The localized circulation of the wave packet (T11), Theta eV angstrom^2 / hbar. For Theta = -1 it is the
    orbital moment of a band.
    """
    if (lanes := bands.lane_vertex(bands.bare)) is not None:
        return np.moveaxis(lanes.circulations(), 1, -1)
    count, size, observables = bands.observable_velocity.shape[:3]
    current = contractions.current_matrices(bands.observable_velocity)
    # (r_a j_b)_nn = sum_m r_a,nm conj(j_b,nm): a real product of real and imaginary parts side by side.
    rows = current.reshape(count, size, observables * 3, size).view(float)
    products = bands.position.view(float) @ rows.swapaxes(2, 3)
    products = products.reshape(count, size, 3, observables, 3)
    moment = np.stack([(products[:, :, a, :, b] - products[:, :, b, :, a]) / 2 for a, b in CYCLIC], axis=-1)
    return np.moveaxis(contractions.shared(moment, bands.multiplet_label), 1, -1)


@transforms("observable", "axial", time_reversal=-1)
def packet_curvature(bands: BlochBands) -> Real:
    """T5 without any field: it is that of T11 in a superconductor as well, (k, observable, axis, band)."""
    tensor = bands.once(conserved_traces, bands.bare)
    return np.moveaxis(np.stack([tensor[..., a, b] for a, b in CYCLIC], axis=-1), 1, -1)


@transforms("observable", "axial", time_reversal=-1)
def carried_dipole(bands: BlochBands) -> Real:
    """1/2 (d x v)_n,c = 1/4 Re Tr_N[{d_a, v_b} - {d_b, v_a}]/|N|, (k, observable, axis, band).

    The dipole that the moving packet carries (T11), Theta eV angstrom^2 / hbar; zero for a conserved Theta.
    """
    flow = bands.once(flow_traces, bands.bare)[0]
    curl = np.stack([(flow[..., a, b] - flow[..., b, a]) / 2 for a, b in CYCLIC], axis=-1)
    return np.moveaxis(curl, 1, -1)


@transforms("observable", "polar", time_reversal=-1)
def texture_flow(bands: BlochBands) -> Real:
    """Re Tr_N[theta_N v_a]/|N|, the bare part of T12, (k, observable, axis, band) Theta eV angstrom/hbar."""
    return np.moveaxis(bands.once(drift_traces, bands.bare)[0], 1, -1)


@transforms("observable", "polar", time_reversal=-1)
def texture_slope(bands: BlochBands) -> Real:
    """d_a theta_n, the Berry-phase part of T12, (k, observable, axis, band) Theta angstrom.

    2 Im sum_{m not in N} Theta_nm r^H_a,mn + Re (d_a Theta bar)_nn with r^H_nm = -i dHbar_nm/(eps_n - eps_m):
    the true k derivative of the texture, to which the position matrix does not belong.
    """
    if bands.lanes is not None:
        return np.moveaxis(bands.lanes.texture_slopes(bands.multiplet_label), 1, -1)
    slopes = bands.slopes_and_positions.copy()
    slopes[:, :, 3:] = 0
    _, hamiltonian_part = contractions.interband(bands.energy, bands.multiplet_label, slopes)
    # Im(Theta_nm r_mn) = Im(Theta_nm conj(r_nm)), a real product of (Re, Im) with (Re, -Im) swapped by i.
    turned = (1j * hamiltonian_part).view(float)
    slope = 2 * (bands.observable.copy().view(float) @ turned.swapaxes(2, 3))
    own = bands.operators.observable_slopes
    if own is not None:
        count, size = bands.energy.shape
        half = own.reshape(count, -1, size) @ bands.states
        half = half.reshape(count, size, -1, size)
        diagonal = np.einsum("kwn,kwxn->knx", bands.states.conj(), half).real
        slope += diagonal.reshape(count, size, -1, 3)
    return np.moveaxis(contractions.shared(slope, bands.multiplet_label), 1, -1)


_MAGNETIZATION = Unit(
    {3: "{theta} eV/(hbar angstrom)", 2: "{theta} eV/hbar", 1: "{theta} eV angstrom/hbar"}, per_measure
)
_CURRENT = Unit(
    {3: "{theta} eV/(hbar angstrom^2)", 2: "{theta} eV/(hbar angstrom)", 1: "{theta} eV/hbar"}, per_measure
)

RECORDS = (
    BandQuantity(
        "wave_packet_moment",
        "circulation of the wave packet",
        "T11",
        ("observable", "axis"),
        "{theta} eV angstrom^2 / hbar",
        wave_packet_moment,
        comment="Circulation of the observable about the packet centre; the orbital moment where the "
        "observable is the charge.",
    ),
    Integral(
        "circulation_magnetization",
        "magnetization of the circulating current",
        "T11",
        ("part", "observable", "axis"),
        _MAGNETIZATION,
        (
            Term(wave_packet_moment, Weight.SEA),
            Term(carried_dipole, Weight.SEA),
            Term(packet_curvature, Weight.GRAND_POTENTIAL, hidden=Hidden.CURVATURE),
        ),
        side_by_side,
        by_default=False,
        parts=("moment", "dipole", "berry"),
        note_wannierized="without the matrix elements of r H r that lie outside the Wannier functions (.uHu)",
        note_superconducting="of the quasiparticles: the condensate's own part is not in it",
        comment="Magnetization of the circulating equilibrium current; of the charge it is the orbital "
        "magnetization.",
    ),
    Integral(
        "equilibrium_current",
        "uniform equilibrium current",
        "T12",
        ("part", "observable", "axis"),
        _CURRENT,
        (
            Term(texture_flow, Weight.SEA),
            Term(texture_slope, Weight.GRAND_POTENTIAL, needs_observable_slopes=True),
        ),
        side_by_side,
        by_default=False,
        parts=("bare", "berry"),
        comment="Uniform current without a field; 0 for a conserved one, so a check of the numbers.",
    ),
)
