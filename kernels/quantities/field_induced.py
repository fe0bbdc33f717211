"""Density of Theta that a field induces (Edelstein effect), and the premise of a conserved current: T16."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .. import contractions
from ..bands import BlochBands, Vertex
from ..lattice import Real
from ..occupations import Weight
from .proper import BARE_BUBBLE
from .record import BandQuantity, Integral, Term, Unit, density_units, per_measure, unchanged


def field_texture(bands: BlochBands) -> Real:
    """Omega^Theta_n,b = -2 Im sum_{m not in N} Theta_nm (v_b)_mn/((eps_n - eps_m)^2 + eta^2).

    eta the `broadening`. Returns (k, observable, field_axis, band) in Theta angstrom / eV.
    """
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
    return contractions.texture_flow(bands.multiplet_label, bands.observable, vertex.velocity)


def texture_drift(bands: BlochBands) -> Real:
    """Re Tr_N[theta_N v_b]/|N|, (k, observable, field_axis, band) Theta eV angstrom/hbar."""
    return np.moveaxis(bands.once(drift_traces, bands.field)[0], 1, -1)


def texture_drift_bound(bands: BlochBands) -> Real:
    """What `texture_drift` cannot exceed, whatever the phases and signs that symmetry makes cancel."""
    return np.moveaxis(bands.once(drift_traces, bands.field)[1], 1, -1)


def _first(rate: Real, bound: Real) -> Real:
    return rate


_RATE = Term(texture_drift, Weight.SURFACE)
_BOUND = Term(texture_drift_bound, Weight.SURFACE)

#: Share that is left where symmetry forbids a torque: raw Wannier models break it by a few per mille.
_CANCELLED = 1e-2


#: Bound per k, in Theta angstrom, below which a Fermi surface is the thermal tail of a gap.
_TAIL = 1e-6


def has_net_torque(sums: Mapping[Term, Real], kpoint_count: int) -> NDArray[np.bool_] | None:
    """Which observables have a net torque per field at some Fermi energy, (observable,); None: not summed."""
    if _RATE not in sums:
        return None
    largest = np.abs(sums[_BOUND]).max(axis=(1, 2), keepdims=True)
    size = np.abs(sums[_RATE])
    return ((size > _CANCELLED * largest) & (largest > _TAIL * kpoint_count)).any(axis=(1, 2))


RECORDS = (
    BandQuantity(
        "field_texture",
        "interband texture per field",
        "T16",
        ("observable", "field_axis"),
        "{theta} angstrom / eV",
        field_texture,
    ),
    Integral(
        "field_induced_density",
        "density induced by a field, intrinsic",
        "T16",
        ("observable", "field_axis"),
        Unit(density_units("/(V"), per_measure),
        (Term(field_texture, Weight.SEA, filled_constant=False),),
        unchanged,
        note_superconducting=BARE_BUBBLE,
    ),
    Integral(
        "field_induced_density_rate",
        "density induced by a field, per relaxation time",
        "T16",
        ("observable", "field_axis"),
        Unit(density_units(" e/(hbar"), per_measure),
        (_RATE, _BOUND),
        _first,
        note="times e E tau/hbar; also the net torque per field: where symmetry does not make it zero no "
        "conserved current exists",
        note_superconducting=BARE_BUBBLE,
    ),
)
