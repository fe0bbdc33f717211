"""What a temperature gradient drives: T10, and the thermal Hall conductivity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import constants

from .. import contractions
from ..bands import BlochBands
from ..lattice import Real
from ..occupations import Weight
from ..transformation import transforms
from .hall import berry_curvature, conserved_traces, conventional_traces
from .proper import PROPER_NOTE, proper_traces, reversed_dipole_traces
from .record import (
    CONDUCTANCE,
    HALL_DIMS,
    SMALL_CONDUCTIVITY,
    THETA_HALL_DIMS,
    Hidden,
    Integral,
    Sample,
    Term,
    Unit,
    antisymmetric,
    conductivity_factor,
    negative_antisymmetric,
    per_measure,
    unchanged,
)


def _thermoelectric(sample: Sample) -> float:
    # T10 is -(1/(e T)) int (-df/deps)(eps - mu) sigma; the energy integral of each band is f x - g (eV).
    return -conductivity_factor(sample) / sample.temperature


def _heat(sample: Sample) -> float:
    # kappa = -(1/(hbar T)) int_k Omega int_eps^inf (-df/de) (e - mu)^2 de; (1 eV)^2/hbar is e^2/hbar in W.
    per_metre = 1e10 ** (sample.dimension - 2)
    return -CONDUCTANCE * per_measure(sample) * per_metre / sample.temperature


@transforms("axial", time_reversal=-1)
def thermal_berry_curvature(bands: BlochBands) -> Real:
    """T1; in a superconductor that of the charge, Re Tr[(tau_z)_N F]/|N|, (k, axis, band) angstrom^2."""
    if bands.operators.field_charge is None:
        return berry_curvature(bands)
    if bands.lanes is not None:
        return np.moveaxis(bands.lanes.charge_curvature(bands.multiplet_label), 1, -1)
    assert bands.charge_matrix is not None
    _, charge = contractions.curvature_traces(
        bands.multiplet_label,
        bands.position,
        bands.slopes_and_positions,
        bands.charge_matrix[:, :, None],
        # One observable stands between the position matrix and its curl.
        bands.half_rotated[:, :, bands.operators.observable_count - 1 :].copy(),
        bands.states,
    )
    return np.moveaxis(charge[:, :, 0], 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def thermal_conventional(bands: BlochBands) -> Real:
    """T3 of a temperature gradient, which drives electrons and holes alike: with the bare v_b."""
    return np.moveaxis(bands.once(conventional_traces, bands.bare), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def thermal_conserved(bands: BlochBands) -> Real:
    """T5 of a temperature gradient, (k, observable, current_axis, field_axis, band)."""
    return np.moveaxis(bands.once(conserved_traces, bands.bare), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def thermal_proper(bands: BlochBands) -> Real:
    """T14's sea of a temperature gradient."""
    return np.moveaxis(bands.once(proper_traces, bands.bare), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def thermal_proper_surface(bands: BlochBands) -> Real:
    """T14's surface part of a temperature gradient."""
    return np.moveaxis(bands.once(reversed_dipole_traces, bands.bare), 1, -1)


def _sum(sea: Real, surface: Real) -> Real:
    return sea + surface


#: k_B^2 pi^2/3 in (eV/K)^2: the Lorenz number, in V^2/K^2.
_LORENZ = np.pi**2 / 3 * (constants.k / constants.e) ** 2

#: Per kelvin, what Mott's relation and the law of Wiedemann and Franz make of a conductivity that is as good
#: as zero: its change over 1 eV, and its heat. A cm/K and W m/K of a chain, with 1 S cm = 0.01 S m.
_SMALL_NERNST = {d: _LORENZ * small for d, small in SMALL_CONDUCTIVITY.items()}
_SMALL_HEAT = {d: _LORENZ * small * 100.0 ** (d - 2) for d, small in SMALL_CONDUCTIVITY.items()}

_CHARGE_NERNST = Unit({3: "A/(K cm)", 2: "A/K", 1: "A cm/K"}, _thermoelectric, _SMALL_NERNST, per_kelvin=True)
_THETA_NERNST = replace(
    _CHARGE_NERNST, in_dimension={d: "({theta}/e) " + u for d, u in _CHARGE_NERNST.in_dimension.items()}
)

RECORDS = (
    Integral(
        "anomalous_nernst_conductivity",
        "anomalous Nernst conductivity",
        "T10",
        HALL_DIMS,
        _CHARGE_NERNST,
        (Term(thermal_berry_curvature, Weight.ENTROPY, hidden=Hidden.CURVATURE),),
        negative_antisymmetric,
        comment="Hall current of the charge in a temperature gradient; for anomalous Nernst effects.",
    ),
    Integral(
        "conventional_nernst_conductivity",
        "conventional Nernst conductivity",
        "T10",
        THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(thermal_conventional, Weight.ENTROPY, hidden=Hidden.CURRENT),),
        unchanged,
        comment="Conventional current in a temperature gradient; for comparison with the literature on "
        "the spin Nernst effect.",
    ),
    Integral(
        "conserved_nernst_conductivity",
        "conserved Nernst conductivity",
        "T10",
        THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(thermal_conserved, Weight.ENTROPY, hidden=Hidden.CURVATURE),),
        unchanged,
        comment="Conserved current of the packet picture in a temperature gradient; where that picture is "
        "the subject.",
    ),
    Integral(
        "proper_nernst_conductivity",
        "Nernst conductivity of the conserved current, full response",
        "T10",
        THETA_HALL_DIMS,
        _THETA_NERNST,
        (
            Term(thermal_proper, Weight.ENTROPY, hidden=Hidden.CURRENT),
            Term(thermal_proper_surface, Weight.SURFACE_ENTROPY),
        ),
        _sum,
        note=PROPER_NOTE,
        comment="Full response of the conserved current to a temperature gradient; the number to publish "
        "as spin Nernst conductivity.",
    ),
    Integral(
        "thermal_hall_conductivity",
        "thermal Hall conductivity",
        "Wiedemann-Franz integral of T2",
        HALL_DIMS,
        Unit({3: "W/(K m)", 2: "W/K", 1: "W m/K"}, _heat, _SMALL_HEAT, per_kelvin=True),
        (Term(berry_curvature, Weight.HEAT, hidden=Hidden.CURVATURE),),
        antisymmetric,
        comment="Transverse heat current of the electrons; for the thermal Hall effect of metals and "
        "magnets.",
    ),
)
