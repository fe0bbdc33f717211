"""What a temperature gradient drives: T10, and the thermal Hall conductivity."""

from __future__ import annotations

from ..occupations import Weight
from .hall import berry_curvature, conserved_curvature, conventional_curvature
from .record import (
    CONDUCTANCE,
    HALL_DIMS,
    THETA_HALL_DIMS,
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


_CHARGE_NERNST = Unit({3: "A/(K cm)", 2: "A/K", 1: "A cm/K"}, _thermoelectric)
_THETA_NERNST = Unit({d: "({theta}/e) " + u for d, u in _CHARGE_NERNST.in_dimension.items()}, _thermoelectric)

RECORDS = (
    Integral(
        "anomalous_nernst_conductivity",
        "anomalous Nernst conductivity",
        "T10",
        HALL_DIMS,
        _CHARGE_NERNST,
        (Term(berry_curvature, Weight.ENTROPY),),
        negative_antisymmetric,
    ),
    Integral(
        "conventional_nernst_conductivity",
        "conventional Nernst conductivity",
        "T10",
        THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(conventional_curvature, Weight.ENTROPY),),
        unchanged,
    ),
    Integral(
        "conserved_nernst_conductivity",
        "conserved Nernst conductivity",
        "T10",
        THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(conserved_curvature, Weight.ENTROPY),),
        antisymmetric,
    ),
    Integral(
        "thermal_hall_conductivity",
        "thermal Hall conductivity",
        "Wiedemann-Franz integral of T2",
        HALL_DIMS,
        Unit({3: "W/(K m)", 2: "W/K", 1: "W m/K"}, _heat),
        (Term(berry_curvature, Weight.HEAT),),
        antisymmetric,
    ),
)
