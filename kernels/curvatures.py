"""Per-k quantities: pure functions from Bloch bands to (k, ..., band) real arrays (theory sections 3 and 4).

A Latin index in a formula runs over bands, N is the multiplet of n. A trace over N is shared equally
among its members, so every function is invariant under any rotation inside a multiplet.
"""

from __future__ import annotations

import numpy as np

from . import contractions
from .bands import BlochBands
from .lattice import Complex, Real


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
        bands.observable,
        bands.velocity,
        bands.energy,
        bands.multiplet_label,
        bands.resolution.broadening,
    )
    return np.moveaxis(values, 1, -1)


def wave_packet_dipole(bands: BlochBands) -> Real:
    """Tr d_a,N/|N| with d_a = 1/2 (Theta r_a + h.c.), (k, observable, axis, band) in Theta angstrom."""
    return bands.share_traces(lambda m: _trace(m.dipole))


def dipole_flow(bands: BlochBands) -> Real:
    """Integrand of T8: Re Tr_N[d_a v_b]/|N|, d_n,a v_n,b for a single band; (k, observable, a, b, band)."""
    return np.moveaxis(bands.flow_traces[0], 1, -1)


def drude_flow(bands: BlochBands) -> Real:
    """Integrand of T9: 1/2 Re Tr_N[{theta_N, v_a} v_b]/|N|, (k, observable, a, b, band)."""
    return np.moveaxis(bands.flow_traces[1], 1, -1)
