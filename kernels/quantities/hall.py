"""Fermi-sea Hall conductivities of the charge and of Theta: T1-T7."""

from __future__ import annotations

import numpy as np

from .. import contractions
from ..bands import BlochBands, Vertex
from ..lattice import CYCLIC, Complex, Real
from ..occupations import Weight
from ..transformation import transforms
from .levels import unity
from .record import (
    CHARGE_CONDUCTIVITY,
    HALL_DIMS,
    THETA_CONDUCTIVITY,
    THETA_HALL_DIMS,
    BandQuantity,
    Hidden,
    Integral,
    Kernel,
    Term,
    negative_antisymmetric,
    unchanged,
)


@transforms("axial", time_reversal=-1)
def berry_curvature(bands: BlochBands) -> Real:
    """T1: Omega_n,ab = Tr F_ab/|N| as a pseudovector, (k, axis, band) angstrom^2.

    Sign of Omega = i<d_a u|d_b u> - c.c.; postw90's kpath prints its negative.
    """
    return np.moveaxis(bands.curvature_traces[0], 1, -1)


@transforms("axial", time_reversal=-1)
def field_berry_curvature(bands: BlochBands) -> Real:
    """Integrand of T2: T1 with r^V_a and r^V_b of the field, (k, axis, band) angstrom^2."""
    if bands.field is bands.bare:
        return berry_curvature(bands)
    if (lanes := bands.lane_vertex(bands.field)) is not None:
        return np.moveaxis(lanes.berry(), 1, -1)
    berry, _ = contractions.curvature_traces(
        bands.multiplet_label,
        bands.field.position,
        bands.slopes_and_positions,
        bands.observable[:, :, :0],
        bands.half_rotated[:, :, bands.operators.observable_count :].copy(),
        bands.states,
    )
    return np.moveaxis(berry, 1, -1)


@transforms("observable", "axial", time_reversal=-1)
def conserved_curvature(bands: BlochBands) -> Real:
    """T5: Omega^cons_n,ab = Re Tr[theta_N F_ab]/|N|, (k, observable, axis, band) in Theta angstrom^2.

    The antisymmetric part, as a pseudovector; where electrons and holes stand side by side there is another.
    """
    if bands.field is bands.bare:
        return np.moveaxis(bands.curvature_traces[1], 1, -1)
    tensor = bands.once(conserved_traces, bands.field)
    pseudovector = [(tensor[..., a, b] - tensor[..., b, a]) / 2 for a, b in CYCLIC]
    return np.moveaxis(np.stack(pseudovector, axis=-1), 1, -1)


@transforms("observable", "polar", "polar", time_reversal=-1)
def conserved_tensor(bands: BlochBands) -> Real:
    """T5 with all its components, (k, observable, current_axis, field_axis, band) in Theta angstrom^2."""
    return np.moveaxis(bands.once(conserved_traces, bands.field), 1, -1)


def conserved_traces(bands: BlochBands, vertex: Vertex) -> Real:
    """Re Tr[theta_N F_ab]/|N| with F_ab = bracket + i (r_a r^V_b - r^V_b r_a), (k, band, observable, a, b).

    bracket : the curvature of the Wannier subspace itself, times tau_z for a field on electrons and holes
    """
    if vertex is bands.bare:
        return _tensor_of(bands.curvature_traces[1])
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.conserved()
    count, size = bands.energy.shape
    member = bands.multiplet_label[:, :, None] == bands.multiplet_label[:, None, :]
    theta = bands.observable * member[:, :, None]
    rows = theta.reshape(count, -1, size)

    def product(first: Complex, second: Complex) -> Complex:
        # (theta_N X_a)_nm conj(Y_b,nm), summed over m: Y is Hermitian.
        left = (rows @ first.reshape(count, size, -1)).reshape(count, size, -1, size)
        return left @ second.conj().swapaxes(2, 3)

    r, field = bands.position, vertex.position
    forward = product(r, field).reshape(count, size, -1, 3, 3)
    backward = product(field, r).reshape(count, size, -1, 3, 3).swapaxes(3, 4)
    values = (1j * (forward - backward)).real
    own = np.einsum("knsm,kmcn->knsc", theta, wannier_bracket(bands, vertex), optimize=True).real
    return contractions.shared(values + _tensor_of(own), bands.multiplet_label)


def wannier_bracket(bands: BlochBands, vertex: Vertex) -> Complex:
    """The curl of A minus i [A_a, A_b] between bands, for a field times tau_z, (k, n, c, m) angstrom^2."""
    operators, count = bands.operators, bands.operators.rotated_count
    position = operators.stacked[:, :, 3:6].swapaxes(1, 2)
    curvature = np.stack([-1j * (position[:, a] @ position[:, b]) for a, b in CYCLIC], axis=2)
    curvature += curvature.conj().swapaxes(1, 3)
    if operators.has_curl:
        curvature += operators.stacked[:, :, count:]
    if vertex is not bands.bare and operators.field_charge is not None:
        curvature *= operators.field_charge[:, None, None]
    return bands.rotated(curvature)


def _tensor_of(pseudovector: Real) -> Real:
    """(..., c) -> (..., a, b) with T_ab = V_c for (a, b, c) cyclic and T_ba = -V_c."""
    tensor = np.zeros((*pseudovector.shape, 3))
    for c, (a, b) in enumerate(CYCLIC):
        tensor[..., a, b], tensor[..., b, a] = pseudovector[..., c], -pseudovector[..., c]
    return tensor


@transforms("observable", "polar", "polar", time_reversal=-1)
def conventional_curvature(bands: BlochBands) -> Real:
    """T3: -2 Im sum_{m not in N} (j_a)_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2).

    j_a = 1/2 (Theta v_a + v_a Theta), eta the `broadening`. Returns (k, observable, current_axis,
    field_axis, band) in Theta angstrom^2. Source of the formula without its multiplets: Qiao et al.
    PRB 98, 214402 (the "simple" spin current of WannierBerri).
    """
    return np.moveaxis(bands.once(conventional_traces, bands.field), 1, -1)


def conventional_traces(bands: BlochBands, vertex: Vertex) -> Real:
    """T3 per band with the velocity of a vertex, (k, band, observable, a, b)."""
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.conventional(bands.resolution.broadening, bands.window)
    return contractions.conventional(
        bands.observable_velocity,
        vertex.velocity,
        bands.energy,
        bands.multiplet_label,
        bands.resolution.broadening,
    )


@transforms("observable", "polar", "polar", time_reversal=-1)
def sensitivity(bands: BlochBands) -> Real:
    """T5 at `SENSITIVITY_FACTOR` times the degeneracy threshold minus T5, as `conserved_tensor`."""
    return _change(bands, conserved_tensor)


@transforms("observable", "axial", time_reversal=-1)
def sensitivity_of_curvature(bands: BlochBands) -> Real:
    """The same as `conserved_curvature`."""
    return _change(bands, conserved_curvature)


def _change(bands: BlochBands, kernel: Kernel) -> Real:
    coarse = bands.at_threshold(SENSITIVITY_FACTOR * bands.resolution.degeneracy_threshold)
    if np.array_equal(coarse.multiplet_label, bands.multiplet_label):
        return np.zeros_like(kernel(bands))
    return kernel(coarse) - kernel(bands)


@transforms("observable", "polar", "polar", time_reversal=-1)
def occupied_curvature(bands: BlochBands) -> Real:
    """What each band adds to Re Tr[theta_occ F_occ], all levels up to it being one multiplet.

    Summed over the occupied bands of an insulator this is T6 with one multiplet of them all. Returns (k,
    observable, current_axis, field_axis, band) in Theta angstrom^2.
    """
    if bands.lanes is not None and bands.field is bands.bare:
        increments = bands.lanes.occupied_increments(bands.multiplet_label)
        return np.moveaxis(_tensor_of(increments), 1, -1)
    values = contractions.occupied_increments(
        bands.multiplet_label,
        bands.position,
        bands.field.position,
        bands.observable,
        wannier_bracket(bands, bands.field),
    )
    return np.moveaxis(values, 1, -1)


@transforms()
def level_number(bands: BlochBands) -> Real:
    """2 n + 1 for n = 0, 1 ...: summed over the lowest N bands it is N^2. (k, band)."""
    number = np.broadcast_to(2.0 * np.arange(bands.energy.shape[1]) + 1, bands.energy.shape)
    return contractions.shared(number, bands.multiplet_label)


def _conserved_minus_conventional(conserved: Real, conventional: Real) -> Real:
    return conserved - conventional


def _where_gapped(values: Real, count: Real, squared_count: Real) -> Real:
    """NaN where the number of occupied bands differs between k points: no set of them is one multiplet."""
    return np.where(squared_count - count**2 < _GAP_VARIANCE, values, np.nan)


#: Variance of the number of bands below the Fermi energy that is rounding: one point of 10^7 would be more.
_GAP_VARIANCE = 1e-8

#: The sensitivity of T6 compares thresholds that differ by this factor.
SENSITIVITY_FACTOR = 4.0

CONVENTIONAL_SEA = Term(conventional_curvature, Weight.SEA, filled_constant=False, hidden=Hidden.CURRENT)
_CONSERVED_SEA = Term(conserved_tensor, Weight.SEA, hidden=Hidden.CURVATURE, pseudovector=conserved_curvature)
_SENSITIVITY_SEA = Term(
    sensitivity, Weight.SEA, hidden=Hidden.CURVATURE, pseudovector=sensitivity_of_curvature
)

RECORDS = (
    BandQuantity(
        "berry_curvature",
        "Berry curvature",
        "T1",
        ("axis",),
        "angstrom^2",
        berry_curvature,
        comment="Curl of the Berry connection, of each multiplet; to see where a Hall effect comes from.",
    ),
    BandQuantity(
        "conserved_curvature",
        "conserved curvature",
        "T5",
        ("observable", "axis"),
        "{theta} angstrom^2",
        conserved_curvature,
        comment="Spin texture times Berry curvature of each multiplet; to see where the conserved Hall "
        "conductivity (T6) comes from.",
    ),
    BandQuantity(
        "conventional_curvature",
        "conventional curvature",
        "T3",
        THETA_HALL_DIMS,
        "{theta} angstrom^2",
        conventional_curvature,
        comment="Curvature of the conventional current (vs + sv)/2; to see where the conventional Hall "
        "conductivity (T4) comes from.",
    ),
    Integral(
        "anomalous_hall_conductivity",
        "anomalous Hall conductivity",
        "T2",
        HALL_DIMS,
        CHARGE_CONDUCTIVITY,
        (Term(field_berry_curvature, Weight.SEA, filled_constant=False, hidden=Hidden.CURVATURE),),
        negative_antisymmetric,
        comment="Intrinsic Hall conductivity of the charge; for anomalous Hall effects and Chern numbers.",
    ),
    Integral(
        "conventional_hall_conductivity",
        "conventional Hall conductivity",
        "T4",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (CONVENTIONAL_SEA,),
        unchanged,
        note="of the conventional current; alone among T4, T6 and T14 it is smeared by `broadening`",
        comment="Linear response of the conventional current (vs + sv)/2, which is not conserved; for "
        "comparison with most of the literature and other codes.",
    ),
    Integral(
        "conserved_hall_conductivity",
        "conserved Hall conductivity, packet picture",
        "T6",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_CONSERVED_SEA,),
        unchanged,
        note="the result of Xiao and Niu: the packet-centre part of the conserved current, which depends on "
        "the degeneracy threshold where levels nearly meet; the full response of the same current is "
        "proper_hall_conductivity (T14)",
        comment="Conserved current of Xiao and Niu in the packet picture; where that picture is the "
        "subject, together with its sensitivity.",
    ),
    Integral(
        "conserved_hall_conductivity_sensitivity",
        "change of T6 at four times the degeneracy threshold",
        "T6",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_SENSITIVITY_SEA,),
        unchanged,
        note="0 says no more than that no two levels lie between the threshold and four times it",
        judged_by="conserved_hall_conductivity",
        comment="Change of T6 when the degeneracy threshold is four times as large; T6 can be trusted "
        "where this is small.",
    ),
    Integral(
        "conserved_hall_conductivity_occupied",
        "conserved Hall conductivity, occupied bands one multiplet",
        "T6",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (
            Term(occupied_curvature, Weight.SEA, hidden=Hidden.CURVATURE),
            Term(unity, Weight.SEA, filled_constant=False, cold=True),
            Term(level_number, Weight.SEA, filled_constant=False, cold=True),
        ),
        _where_gapped,
        by_default=False,
        can_be_undefined=True,
        note="NaN where bands cross the Fermi energy, so that the mesh has no gap there",
        refused_superconducting="pairing mixes occupied and empty bands of the electrons, so that none of "
        "their sets is the occupied multiplet",
        comment="T6 with all occupied bands as one multiplet; for insulators, where it does not depend on "
        "the threshold.",
    ),
    Integral(
        "torque_dipole_conductivity",
        "torque-dipole response, packet picture",
        "T7",
        THETA_HALL_DIMS,
        THETA_CONDUCTIVITY,
        (_CONSERVED_SEA, CONVENTIONAL_SEA),
        _conserved_minus_conventional,
        note="T6 - T4, meaningful within the packet picture; the torque dipole of the ab initio literature, "
        "I1 + I2, is proper_torque_dipole_conductivity; with a broadening above 0, which only T4 has, it is "
        "no difference of like with like",
        comment="What the torque dipole adds to the conventional current in the packet picture; to see "
        "how far T6 and T4 are apart.",
    ),
)
