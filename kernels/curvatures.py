"""Per-k quantities: pure functions from Bloch bands to (k, ..., band) real arrays (theory sections 3 and 4).

A Latin index in a formula runs over bands, N is the multiplet of n. A trace over N is shared equally
among its members, so every function is invariant under any rotation inside a multiplet.
"""

from __future__ import annotations

import numpy as np

from . import contractions
from .bands import BlochBands, Multiplet
from .lattice import CYCLIC, Complex, Real


def _trace(matrices: Complex) -> Real:
    return np.trace(matrices, axis1=-2, axis2=-1).real


def energy(bands: BlochBands) -> Real:
    """eps_n, (k, band) eV: the eigenvalues as they are, not averaged over a multiplet."""
    return bands.energy


def unity(bands: BlochBands) -> Real:
    """1 for every band, (k, band): what counts states."""
    return np.ones_like(bands.energy)


def velocity(bands: BlochBands) -> Real:
    """Tr v_a,N/|N|, (k, axis, band) eV angstrom / hbar."""
    return bands.share_traces(lambda m: _trace(m.velocity))


def texture(bands: BlochBands) -> Real:
    """theta_n = Tr theta_N/|N|, (k, observable, band) in the observable's unit."""
    return bands.share_traces(lambda m: _trace(m.texture))


def berry_curvature(bands: BlochBands) -> Real:
    """T1: Omega_n,ab = Tr F_ab/|N| as a pseudovector, (k, axis, band) angstrom^2.

    Sign of Omega = i<d_a u|d_b u> - c.c.; postw90's kpath prints its negative.
    """
    return np.moveaxis(bands.curvature_traces[0], 1, -1)


def conserved_curvature(bands: BlochBands) -> Real:
    """T5: Omega^cons_n,ab = Re Tr[theta_N F_ab]/|N|, (k, observable, axis, band) in Theta angstrom^2."""
    return np.moveaxis(bands.curvature_traces[1], 1, -1)


def conventional_curvature(bands: BlochBands) -> Real:
    """T3: -2 Im sum_{m not in N} (j_a)_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2).

    j_a = 1/2 (Theta v_a + v_a Theta), eta the `broadening`. Returns (k, observable, current_axis,
    field_axis, band) in Theta angstrom^2. Source of the formula without its multiplets: Qiao et al.
    PRB 98, 214402 (the "simple" spin current of WannierBerri).
    """
    values = contractions.conventional(
        bands.observable_velocity,
        bands.velocity,
        bands.energy,
        bands.multiplet_label,
        bands.resolution.broadening,
    )
    return np.moveaxis(values, 1, -1)


def wave_packet_dipole(bands: BlochBands) -> Real:
    """Tr d_a,N/|N| with d_a = 1/2 (Theta r_a + h.c.), (k, observable, axis, band) in Theta angstrom."""
    return bands.share_traces(lambda m: _trace(m.dipole))


def wave_packet_moment(bands: BlochBands) -> Real:
    """m_n,c = 1/2 Re Tr_N[r_a j_b - r_b j_a]/|N|, (a, b, c) cyclic, (k, observable, axis, band).

    The localized circulation of the wave packet (T11), Theta eV angstrom^2 / hbar. For Theta = -1 it is the
    orbital moment of a band.
    """
    count, size, observables = bands.observable_velocity.shape[:3]
    current = contractions.current_matrices(bands.observable_velocity)
    # (r_a j_b)_nn = sum_m r_a,nm conj(j_b,nm): a real product of real and imaginary parts side by side.
    rows = current.reshape(count, size, observables * 3, size).view(float)
    products = bands.position.view(float) @ rows.swapaxes(2, 3)
    products = products.reshape(count, size, 3, observables, 3)
    moment = np.stack([(products[:, :, a, :, b] - products[:, :, b, :, a]) / 2 for a, b in CYCLIC], axis=-1)
    return np.moveaxis(contractions.shared(moment, bands.multiplet_label), 1, -1)


def carried_dipole(bands: BlochBands) -> Real:
    """1/2 (d x v)_n,c = 1/4 Re Tr_N[{d_a, v_b} - {d_b, v_a}]/|N|, (k, observable, axis, band).

    The dipole that the moving packet carries (T11), Theta eV angstrom^2 / hbar; zero for a conserved Theta.
    """
    flow = bands.flow_traces[0]
    curl = np.stack([(flow[..., a, b] - flow[..., b, a]) / 2 for a, b in CYCLIC], axis=-1)
    return np.moveaxis(curl, 1, -1)


def texture_flow(bands: BlochBands) -> Real:
    """Re Tr_N[theta_N v_a]/|N|, the bare part of T12, (k, observable, axis, band) Theta eV angstrom/hbar."""

    def trace(m: Multiplet) -> Real:
        return np.einsum("qsij,qaji->qsa", m.texture, m.velocity, optimize=True).real

    return bands.share_traces(trace)


def texture_slope(bands: BlochBands) -> Real:
    """d_a theta_n, the Berry-phase part of T12, (k, observable, axis, band) Theta angstrom.

    2 Im sum_{m not in N} Theta_nm r^H_a,mn + Re (d_a Theta bar)_nn with r^H_nm = -i dHbar_nm/(eps_n - eps_m):
    the true k derivative of the texture, to which the position matrix does not belong.
    """
    slopes = bands.slopes_and_positions.copy()
    slopes[:, :, 3:] = 0
    _, hamiltonian_part = contractions.interband(bands.energy, bands.multiplet_label, slopes)
    # Im(Theta_nm r_mn) = Im(Theta_nm conj(r_nm)), see conventional_by_numpy.
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


def dipole_flow(bands: BlochBands) -> Real:
    """Integrand of T8: Re Tr_N[d_a v_b]/|N|, d_n,a v_n,b for a single band; (k, observable, a, b, band)."""
    return np.moveaxis(bands.flow_traces[0], 1, -1)


def drude_flow(bands: BlochBands) -> Real:
    """Integrand of T9: 1/2 Re Tr_N[{theta_N, v_a} v_b]/|N|, (k, observable, a, b, band)."""
    return np.moveaxis(bands.flow_traces[1], 1, -1)
