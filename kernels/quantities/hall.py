"""Fermi-sea Hall conductivities of the charge and of Theta: T1-T7."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands
from ..lattice import Real
from ..occupations import Weight
from .record import (
    CHARGE_CONDUCTIVITY,
    HALL_DIMS,
    THETA_CONDUCTIVITY,
    THETA_HALL_DIMS,
    BandQuantity,
    Integral,
    Term,
    antisymmetric,
    negative_antisymmetric,
    unchanged,
)


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


def _conserved_minus_conventional(conserved: Real, conventional: Real) -> Real:
    return antisymmetric(conserved) - conventional


_CONVENTIONAL_SEA = Term(conventional_curvature, Weight.SEA)
_CONSERVED_SEA = Term(conserved_curvature, Weight.SEA)

RECORDS = (
    BandQuantity("berry_curvature", "Berry curvature", "T1", ("axis",), "angstrom^2", berry_curvature),
    BandQuantity(
        "conserved_curvature",
        "conserved curvature",
        "T5",
        ("observable", "axis"),
        "{theta} angstrom^2",
        conserved_curvature,
    ),
    BandQuantity(
        "conventional_curvature",
        "conventional curvature",
        "T3",
        THETA_HALL_DIMS,
        "{theta} angstrom^2",
        conventional_curvature,
    ),
    Integral(
        "anomalous_hall_conductivity",
        "anomalous Hall conductivity",
        "T2",
        HALL_DIMS,
        CHARGE_CONDUCTIVITY,
        (Term(berry_curvature, Weight.SEA),),
        negative_antisymmetric,
    ),
    Integral(
        "conventional_hall_conductivity",
        "conventional Hall conductivity",
        "T4",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_CONVENTIONAL_SEA,),
        unchanged,
    ),
    Integral(
        "conserved_hall_conductivity",
        "conserved Hall conductivity",
        "T6",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_CONSERVED_SEA,),
        antisymmetric,
    ),
    Integral(
        "torque_dipole_conductivity",
        "torque-dipole response",
        "T7",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_CONSERVED_SEA, _CONVENTIONAL_SEA),
        _conserved_minus_conventional,
    ),
)
