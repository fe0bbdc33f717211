"""The one registry of quantities: what can be computed, under which name, with which dims and unit.

Schema, command line, documentation and planner derive from it. To add a quantity, add its record here
and its analytic test; an observable (spin, orbital, charge ...) is data on the model, not a quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from scipy import constants

from . import curvatures
from .bands import BlochBands
from .errors import InputError
from .lattice import Real
from .occupations import Weight

Kernel = Callable[[BlochBands], Real]

#: e^2/hbar in siemens
CONDUCTANCE = constants.e**2 / constants.hbar


@dataclass(frozen=True)
class BandQuantity:
    """A value per k and band. `dims` stand between the two; `{theta}` in `units` is the observable's unit."""

    name: str
    long_name: str
    theory: str
    dims: tuple[str, ...]
    units: str
    kernel: Kernel

    @property
    def needs_observable(self) -> bool:
        return "observable" in self.dims


@dataclass(frozen=True)
class Sample:
    """What turns a mesh average into an integral.

    dimension of k space, cell measure (angstrom^dimension), temperature (K), and the weight of a band: 1/2
    where particles and holes are counted twice (Bogoliubov-de Gennes)
    """

    dimension: int
    cell_measure: float
    temperature: float
    band_weight: float = 1.0


@dataclass(frozen=True)
class Unit:
    """Unit of an integral in 1, 2 and 3 dimensions, and the factor from a mesh average to it."""

    in_dimension: Mapping[int, str]
    factor: Callable[[Sample], float]


@dataclass(frozen=True)
class Term:
    """One sum over bands and k: an integrand and how its bands are occupied."""

    kernel: Kernel
    weight: Weight
    needs_observable_slopes: bool = False


@dataclass(frozen=True)
class Integral:
    """A Brillouin-zone integral for every Fermi energy. `dims` stand before fermi_energy.

    combine : from the terms' mesh averages, each (components ..., fermi_energy), to the final components
    by_default : computed where the user names no quantities
    """

    name: str
    long_name: str
    theory: str
    dims: tuple[str, ...]
    unit: Unit
    terms: tuple[Term, ...]
    combine: Callable[..., Real]
    by_default: bool = True

    @property
    def needs_observable(self) -> bool:
        return "observable" in self.dims

    @property
    def needs_temperature(self) -> bool:
        return any(term.weight.needs_temperature for term in self.terms)


Quantity = BandQuantity | Integral


def antisymmetric(pseudovector: Real) -> Real:
    """Tensor T_ab = V_c for (a, b, c) cyclic: (..., axis, energy) -> (..., current, field, energy)."""
    levi_civita = np.zeros((3, 3, 3))
    levi_civita[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1
    levi_civita[[1, 2, 0], [0, 1, 2], [2, 0, 1]] = -1
    return np.einsum("abc,...ce->...abe", levi_civita, pseudovector)


def _same(values: Real) -> Real:
    return values


def _negative_antisymmetric(pseudovector: Real) -> Real:
    return -antisymmetric(pseudovector)


def _parts(*parts: Real) -> Real:
    return np.stack(parts)


def _conserved_minus_conventional(conserved: Real, conventional: Real) -> Real:
    return antisymmetric(conserved) - conventional


def _hall_units(suffix: str, prefix: str = "") -> dict[int, str]:
    return {
        3: f"{prefix}{suffix}/cm",
        2: f"{prefix}{suffix}",
        1: f"{prefix}{suffix} cm",
    }


def _conductivity(sample: Sample) -> float:
    # int_k = average / cell measure; 1/angstrom = 1e8/cm for every power that two dimensions lack.
    return CONDUCTANCE * _per_measure(sample) * (1e8) ** (sample.dimension - 2)


def _per_measure(sample: Sample) -> float:
    return sample.band_weight / sample.cell_measure


def _heat(sample: Sample) -> float:
    # kappa = -(1/(hbar T)) int_k Omega int_eps^inf (-df/de) (e - mu)^2 de; (1 eV)^2/hbar is e^2/hbar in W.
    per_metre = 1e10 ** (sample.dimension - 2)
    return -CONDUCTANCE * _per_measure(sample) * per_metre / sample.temperature


def _thermoelectric(sample: Sample) -> float:
    # T10 is -(1/(e T)) int (-df/deps)(eps - mu) sigma; the energy integral of each band is f x - g (eV).
    return -_conductivity(sample) / sample.temperature


_CHARGE = Unit(_hall_units("S"), _conductivity)
_THETA = Unit(_hall_units("S", "({theta}/e) "), _conductivity)
_DRUDE = Unit(_hall_units("S eV", "({theta}/e) "), _conductivity)
_CHARGE_NERNST = Unit(
    {3: "A/(K cm)", 2: "A/K", 1: "A cm/K"},
    _thermoelectric,
)
_THETA_NERNST = Unit({d: "({theta}/e) " + u for d, u in _CHARGE_NERNST.in_dimension.items()}, _thermoelectric)


#: Equilibrium currents and magnetizations: int_k of (unit of the integrand); eV is left as it is.
_MAGNETIZATION = Unit(
    {3: "{theta} eV/(hbar angstrom)", 2: "{theta} eV/hbar", 1: "{theta} eV angstrom/hbar"}, _per_measure
)
_CURRENT = Unit(
    {3: "{theta} eV/(hbar angstrom^2)", 2: "{theta} eV/(hbar angstrom)", 1: "{theta} eV/hbar"},
    _per_measure,
)
_THERMAL = Unit({3: "W/(K m)", 2: "W/K", 1: "W m/K"}, _heat)


def _per_cell(units: str, sign: int = 1) -> Unit:
    return Unit(dict.fromkeys((1, 2, 3), units), lambda sample: sign * sample.band_weight)


_HALL_DIMS = ("current_axis", "field_axis")
_THETA_HALL_DIMS = ("observable", *_HALL_DIMS)

BAND_QUANTITIES = (
    BandQuantity("energy", "band energy", "section 2", (), "eV", curvatures.energy),
    BandQuantity(
        "velocity", "band velocity", "section 3", ("axis",), "eV angstrom / hbar", curvatures.velocity
    ),
    BandQuantity(
        "texture", "texture of the observable", "section 3", ("observable",), "{theta}", curvatures.texture
    ),
    BandQuantity(
        "berry_curvature", "Berry curvature", "T1", ("axis",), "angstrom^2", curvatures.berry_curvature
    ),
    BandQuantity(
        "conserved_curvature",
        "conserved curvature",
        "T5",
        ("observable", "axis"),
        "{theta} angstrom^2",
        curvatures.conserved_curvature,
    ),
    BandQuantity(
        "conventional_curvature",
        "conventional curvature",
        "T3",
        _THETA_HALL_DIMS,
        "{theta} angstrom^2",
        curvatures.conventional_curvature,
    ),
    BandQuantity(
        "wave_packet_dipole",
        "dipole of the wave packet",
        "section 3",
        ("observable", "axis"),
        "{theta} angstrom",
        curvatures.wave_packet_dipole,
    ),
    BandQuantity(
        "wave_packet_moment",
        "circulation of the wave packet",
        "T11",
        ("observable", "axis"),
        "{theta} eV angstrom^2 / hbar",
        curvatures.wave_packet_moment,
    ),
)

#: Labels of the dim `part` of quantities whose terms are stored side by side.
PARTS: Mapping[str, tuple[str, ...]] = {
    "circulation_magnetization": ("moment", "dipole", "berry"),
    "equilibrium_current": ("bare", "berry"),
}

_BERRY_SEA = Term(curvatures.berry_curvature, Weight.SEA)
_CONVENTIONAL_SEA = Term(curvatures.conventional_curvature, Weight.SEA)
_CONSERVED_SEA = Term(curvatures.conserved_curvature, Weight.SEA)

INTEGRALS = (
    Integral(
        "carrier_density",
        "electrons per cell",
        "section 4",
        (),
        _per_cell("1/cell"),
        (Term(curvatures.unity, Weight.SEA),),
        _same,
    ),
    Integral(
        "density_of_states",
        "density of states",
        "section 4",
        (),
        _per_cell("1/(eV cell)", -1),
        (Term(curvatures.unity, Weight.SURFACE),),
        _same,
    ),
    Integral(
        "observable_density",
        "equilibrium value of the observable",
        "section 3",
        ("observable",),
        _per_cell("{theta}/cell"),
        (Term(curvatures.texture, Weight.SEA),),
        _same,
    ),
    Integral(
        "anomalous_hall_conductivity",
        "anomalous Hall conductivity",
        "T2",
        _HALL_DIMS,
        _CHARGE,
        (_BERRY_SEA,),
        _negative_antisymmetric,
    ),
    Integral(
        "conventional_hall_conductivity",
        "conventional Hall conductivity",
        "T4",
        _THETA_HALL_DIMS,
        _THETA,
        (_CONVENTIONAL_SEA,),
        _same,
    ),
    Integral(
        "conserved_hall_conductivity",
        "conserved Hall conductivity",
        "T6",
        _THETA_HALL_DIMS,
        _THETA,
        (_CONSERVED_SEA,),
        antisymmetric,
    ),
    Integral(
        "torque_dipole_conductivity",
        "torque-dipole response",
        "T7",
        _THETA_HALL_DIMS,
        _THETA,
        (_CONSERVED_SEA, _CONVENTIONAL_SEA),
        _conserved_minus_conventional,
    ),
    Integral(
        "dipole_surface_conductivity",
        "dipole Fermi-surface conductivity",
        "T8",
        _THETA_HALL_DIMS,
        _THETA,
        (Term(curvatures.dipole_flow, Weight.SURFACE),),
        _same,
    ),
    Integral(
        "drude_weight",
        "Drude weight of the observable",
        "T9",
        _THETA_HALL_DIMS,
        _DRUDE,
        (Term(curvatures.drude_flow, Weight.SURFACE),),
        _same,
    ),
    Integral(
        "anomalous_nernst_conductivity",
        "anomalous Nernst conductivity",
        "T10",
        _HALL_DIMS,
        _CHARGE_NERNST,
        (Term(curvatures.berry_curvature, Weight.ENTROPY),),
        _negative_antisymmetric,
    ),
    Integral(
        "conventional_nernst_conductivity",
        "conventional Nernst conductivity",
        "T10",
        _THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(curvatures.conventional_curvature, Weight.ENTROPY),),
        _same,
    ),
    Integral(
        "conserved_nernst_conductivity",
        "conserved Nernst conductivity",
        "T10",
        _THETA_HALL_DIMS,
        _THETA_NERNST,
        (Term(curvatures.conserved_curvature, Weight.ENTROPY),),
        antisymmetric,
    ),
    Integral(
        "thermal_hall_conductivity",
        "thermal Hall conductivity",
        "Wiedemann-Franz integral of T2",
        _HALL_DIMS,
        _THERMAL,
        (Term(curvatures.berry_curvature, Weight.HEAT),),
        antisymmetric,
    ),
    Integral(
        "circulation_magnetization",
        "magnetization of the circulating current",
        "T11",
        ("part", "observable", "axis"),
        _MAGNETIZATION,
        (
            Term(curvatures.wave_packet_moment, Weight.SEA),
            Term(curvatures.carried_dipole, Weight.SEA),
            Term(curvatures.conserved_curvature, Weight.GRAND_POTENTIAL),
        ),
        _parts,
        by_default=False,
    ),
    Integral(
        "equilibrium_current",
        "uniform equilibrium current",
        "T12",
        ("part", "observable", "axis"),
        _CURRENT,
        (
            Term(curvatures.texture_flow, Weight.SEA),
            Term(curvatures.texture_slope, Weight.GRAND_POTENTIAL, needs_observable_slopes=True),
        ),
        _parts,
        by_default=False,
    ),
)

QUANTITIES: Mapping[str, Quantity] = {q.name: q for q in (*BAND_QUANTITIES, *INTEGRALS)}


def find_quantity(name: str) -> Quantity:
    """The record of a name. Raises InputError with the nearest known name."""
    try:
        return QUANTITIES[name]
    except KeyError:
        near = [known for known in QUANTITIES if name and name in known]
        near = near or get_close_matches(name, QUANTITIES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "see `spinscreen quantities`."
        raise InputError(f"quantities: {name!r} is not a known quantity; {hint}") from None


def band_quantities(names: Iterable[str]) -> tuple[BandQuantity, ...]:
    """Records for values per k and band. Raises InputError for an unknown name or an integral."""
    found = [find_quantity(name) for name in names]
    for quantity in found:
        if isinstance(quantity, Integral):
            raise InputError(
                f"quantities: {quantity.name!r} is an integral over the Brillouin zone, expected a value "
                "per k and band; use compute() for it."
            )
    return tuple(q for q in found if isinstance(q, BandQuantity))


def integrals(names: Iterable[str]) -> tuple[Integral, ...]:
    """Records for Brillouin-zone integrals. Raises InputError for an unknown name or a per-k value."""
    found = [find_quantity(name) for name in names]
    for quantity in found:
        if isinstance(quantity, BandQuantity):
            raise InputError(
                f"quantities: {quantity.name!r} is a value per k and band, expected a Brillouin-zone "
                "integral; use evaluate() for it."
            )
    return tuple(q for q in found if isinstance(q, Integral))
