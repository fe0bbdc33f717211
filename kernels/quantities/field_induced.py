"""Density of Theta that a field induces (Edelstein effect), and the premise of a conserved current: T16."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .. import contractions
from ..bands import BlochBands, Vertex
from ..lattice import Real
from ..occupations import Weight
from ..transformation import transforms
from .proper import BARE_BUBBLE
from .record import BandQuantity, Hidden, Integral, Term, Unit, density_units, per_measure, unchanged


@transforms("observable", "polar")
def field_texture(bands: BlochBands) -> Real:
    """Omega^Theta_n,b = -2 Im sum_{m not in N} Theta_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2).

    eta the `broadening`. Returns (k, observable, field_axis, band) in Theta angstrom / eV.
    """
    if (lanes := bands.lane_vertex(bands.field)) is not None:
        return np.moveaxis(lanes.responses(bands.resolution.broadening), 1, -1)
    # T3 with Theta in the place of the current; Theta is Hermitian, its Hermitian part is itself.
    values = contractions.response(
        bands.observable,
        bands.field.velocity,
        bands.energy,
        bands.multiplet_label,
        bands.resolution.broadening,
    )
    return np.moveaxis(values, 1, -1)


def drift_traces(bands: BlochBands, vertex: Vertex) -> tuple[Real, Real]:
    """Re Tr_N[theta_N v_b]/|N| and its bound, (k, band, observable, b)."""
    if (lanes := bands.lane_vertex(vertex)) is not None:
        return lanes.drifts()
    return contractions.texture_flow(bands.multiplet_label, bands.observable, vertex.velocity)


@transforms("observable", "polar", time_reversal=-1)
def texture_drift(bands: BlochBands) -> Real:
    """Re Tr_N[theta_N v_b]/|N|, (k, observable, field_axis, band) Theta eV angstrom/hbar."""
    return np.moveaxis(bands.once(drift_traces, bands.field)[0], 1, -1)


@transforms("observable", "polar", magnitude=True)
def texture_drift_bound(bands: BlochBands) -> Real:
    """What `texture_drift` cannot exceed, whatever the phases and signs that symmetry makes cancel."""
    return np.moveaxis(bands.once(drift_traces, bands.field)[1], 1, -1)


def _first(rate: Real, bound: Real) -> Real:
    return rate


_RATE = Term(texture_drift, Weight.SURFACE, needed_alone=True)
_BOUND = Term(texture_drift_bound, Weight.SURFACE, needed_alone=True)

#: Share of the bound that is left where symmetry forbids a torque: raw Wannier models break it by a few per
#: mille. It decides where nothing is known of the error of the mesh, or the crystal is more symmetric.
_CANCELLED = 1e-2

#: Share of the bound that is rounding.
_ROUNDING = 1e-9

#: Error bars beyond which a torque is no error of the mesh.
_BARS = 2.0

#: Bound per k, in Theta angstrom, below which a Fermi surface is the thermal tail of a gap.
_TAIL = 1e-6


def has_net_torque(
    sums: Mapping[Term, Real],
    kpoint_count: float,
    bars: Real | None = None,
    forbidden: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_] | None:
    """Which observables have a net torque per field at some Fermi energy, (observable,); None: not summed.

    bars : error bars of the mesh average, (observable, field_axis, fermi_energy), NaN where not known; a
        torque is what lies beyond two of them
    forbidden : (observable, field_axis) True where the crystal has no torque, whatever its Wannier functions
    """
    if _RATE not in sums:
        return None
    size, bound = np.abs(sums[_RATE]) / kpoint_count, np.abs(sums[_BOUND]) / kpoint_count
    largest = bound.max(axis=(1, 2), keepdims=True)
    # Where nothing is known of the mesh, what symmetry may have left decides.
    known = np.full(size.shape, np.nan) if bars is None else bars
    noise = np.where(np.isfinite(known), np.maximum(_BARS * known, _ROUNDING * largest), _CANCELLED * largest)
    if forbidden is not None:
        noise = np.where(forbidden[..., None], np.maximum(noise, _CANCELLED * largest), noise)
    return ((size > noise) & (largest > _TAIL)).any(axis=(1, 2))


RECORDS = (
    BandQuantity(
        "field_texture",
        "interband texture per field",
        "T16",
        ("observable", "field_axis"),
        "{theta} angstrom / eV",
        field_texture,
        comment="Interband change of the observable per field; to see where the induced density (T16) "
        "comes from.",
    ),
    Integral(
        "field_induced_density",
        "density induced by a field, intrinsic",
        "T16",
        ("observable", "field_axis"),
        Unit(density_units("/(V"), per_measure),
        (Term(field_texture, Weight.SEA, filled_constant=False, hidden=Hidden.RESPONSE),),
        unchanged,
        note_superconducting=BARE_BUBBLE,
        comment="Density of the observable that a field induces between bands; for the intrinsic "
        "Edelstein effect and spin-orbit torques.",
    ),
    Integral(
        "field_induced_density_rate",
        "density induced by a field, per relaxation time",
        "T16",
        ("observable", "field_axis"),
        Unit(density_units(" e/(hbar"), per_measure),
        (_RATE, _BOUND),
        _first,
        note="times the field and tau, e/hbar is in the unit; also the net torque per field: where symmetry "
        "does not make it zero no conserved current exists",
        note_superconducting=BARE_BUBBLE,
        comment="Density of the observable that a field induces per relaxation time; for the Edelstein "
        "effect, and the check that no net torque forbids a conserved current.",
    ),
)
