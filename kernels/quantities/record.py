"""What is recorded of a quantity, and the units that families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from scipy import constants

from ..bands import BlochBands
from ..lattice import CYCLIC, Real
from ..occupations import Weight
from ..transformation import Index, Transformation, transformation_of

Kernel = Callable[[BlochBands], Real]

#: e^2/hbar in siemens
CONDUCTANCE = constants.e**2 / constants.hbar

#: Mesh average, in eV, angstrom and hbar, that is as good as zero where a unit says nothing of it.
_SMALL_AVERAGE = 1e-5

HALL_DIMS = ("current_axis", "field_axis")
THETA_HALL_DIMS = ("observable", *HALL_DIMS)


@dataclass(frozen=True)
class BandQuantity:
    """A value per k and band. `dims` stand between the two; `{theta}` in `units` is the observable's unit.

    comment : one sentence, what it is and when to use it, stored with it
    """

    name: str
    long_name: str
    theory: str
    dims: tuple[str, ...]
    units: str
    kernel: Kernel
    comment: str = ""

    @property
    def needs_observable(self) -> bool:
        return "observable" in self.dims

    @property
    def transformation(self) -> Transformation:
        """How its values turn, index by index of `dims`."""
        return transformation_of(self.kernel)


@dataclass(frozen=True)
class Sample:
    """What turns a mesh average into an integral.

    dimension of k space, cell measure (angstrom^dimension), temperature (K), the weight of a band: 1/2
    where particles and holes are counted twice (Bogoliubov-de Gennes), and how many electrons a band holds: 2
    in a model without spin
    """

    dimension: int
    cell_measure: float
    temperature: float
    band_weight: float = 1.0
    spin_degeneracy: int = 1


@dataclass(frozen=True)
class Unit:
    """Unit of an integral in 1, 2 and 3 dimensions, and the factor from a mesh average to it.

    smallest : by dimension, what is as good as zero in that unit; by default a mesh average of 1e-5
    per_kelvin : what is as good as zero is that at 1 K and grows with the temperature
    counts_electrons : the factor has the spin degeneracy of the model in it
    """

    in_dimension: Mapping[int, str]
    factor: Callable[[Sample], float]
    smallest: Mapping[int, float] = field(default_factory=dict)
    per_kelvin: bool = False
    counts_electrons: bool = False


class Hidden(Enum):
    """What a small distance of two levels, eps_m - eps_n, can hide from a mesh, per pair of bands."""

    NOTHING = "no more than elsewhere"
    CURVATURE = "2 |v_a,nm| |v_b,nm|/(eps_n - eps_m)^2, for an observable times |Theta| of the pair"
    CURRENT = (
        "the same, and 2 |Theta_nm| |v_a| |v_b,nm|/(eps_n - eps_m)^2, v being the mean of their velocities"
    )
    RESPONSE = "2 |Theta_nm| |v_b,nm|/(eps_n - eps_m)^2"


@dataclass(frozen=True)
class Term:
    """One sum over bands and k: an integrand and how its bands are occupied.

    left_out_at_zero : the integral does without it at T = 0, and says so
    filled_constant : a superconductor's sum lacks half of what all electron bands, filled, give (theory
        section 6); False where that is 0 after the sum over k, and for what counts levels
    cold : bands are occupied as at T = 0 whatever the temperature, for what asks where the levels are
    needed_alone : its own sum decides what is said of a result
    hidden : how large the integrand may become where two levels nearly meet between the points of a mesh
    pseudovector : what gives an antisymmetric tensor as the axis it stands for, in the place of both indices;
        for models of electrons alone
    """

    kernel: Kernel
    weight: Weight
    needs_observable_slopes: bool = False
    left_out_at_zero: bool = False
    filled_constant: bool = True
    cold: bool = False
    needed_alone: bool = False
    hidden: Hidden = Hidden.NOTHING
    pseudovector: Kernel | None = None

    @property
    def transformation(self) -> Transformation:
        """How the sum turns, index by index of its components."""
        return transformation_of(self.kernel)


@dataclass(frozen=True)
class Integral:
    """A Brillouin-zone integral for every Fermi energy. `dims` stand before fermi_energy.

    combine : from the terms' mesh averages, each (components ..., fermi_energy), to the final components;
        0 stands for a term that is left out at T = 0
    by_default : computed where the user names no quantities
    parts : labels of the dim `part` of a quantity whose terms are stored side by side
    can_be_undefined : NaN is an answer, where the note says so
    judged_by : the quantity by whose size its error is judged, for what measures a change of it
    note : what a reader of the number must know, stored with it
    note_at_zero, note_superconducting, note_wannierized : the same, at T = 0, for a superconductor, and for
        Wannier functions of files, outside of which there is more
    refused_superconducting : why the quantity has no meaning in a superconductor
    comment : one sentence, what it is and when to use it, stored with it
    """

    name: str
    long_name: str
    theory: str
    dims: tuple[str, ...]
    unit: Unit
    terms: tuple[Term, ...]
    combine: Callable[..., Real]
    by_default: bool = True
    parts: tuple[str, ...] = ()
    can_be_undefined: bool = False
    judged_by: str = ""
    note: str = ""
    note_at_zero: str = ""
    note_superconducting: str = ""
    note_wannierized: str = ""
    refused_superconducting: str = ""
    comment: str = ""

    @property
    def needs_observable(self) -> bool:
        return "observable" in self.dims

    @property
    def transformation(self) -> Transformation:
        """How it turns, index by index of `dims` but for `part`: as its first term.

        What a term gives as a curl may stand as the antisymmetric tensor of two vectors.
        """
        first = self.terms[0].transformation
        if "axis" in self.dims:
            return first
        kinds: dict[str, Index] = {"observable": "observable", "current_axis": "polar", "field_axis": "polar"}
        return replace(first, indices=tuple(kinds[dim] for dim in self.dims))

    @property
    def is_thermal(self) -> bool:
        """True where nothing is left at T = 0, on whatever points."""
        return any(term.weight.is_thermal for term in self.terms)

    @property
    def needs_temperature(self) -> bool:
        """True where nothing is left at T = 0 on a plain mesh."""
        return any(term.weight.needs_temperature and not term.left_out_at_zero for term in self.terms)

    def terms_at(self, temperature: float) -> tuple[Term, ...]:
        """The terms that are summed at a temperature (K)."""
        return tuple(term for term in self.terms if temperature > 0 or not term.left_out_at_zero)

    def absolute_tolerance(self, sample: Sample) -> float:
        """Error, in its unit, that is small however small the integral is, as where it vanishes."""
        own = self.unit.smallest.get(sample.dimension)
        if own is None:
            return _SMALL_AVERAGE * abs(self.unit.factor(sample))
        return own * sample.temperature if self.unit.per_kelvin else own

    def note_of(
        self,
        temperature: float,
        superconducting: bool = False,
        wannierized: bool = False,
        adaptive: bool = False,
    ) -> str:
        """What a reader of the number at a temperature (K) must know.

        adaptive : of the adaptive integration, which leaves no term out
        """
        notes = (
            self.note,
            self.note_wannierized if wannierized else "",
            self.note_at_zero if temperature == 0 and not adaptive else "",
            self.note_superconducting if superconducting else "",
        )
        return "; ".join(note for note in notes if note)


Quantity = BandQuantity | Integral


def antisymmetric(pseudovector: Real) -> Real:
    """Tensor T_ab = V_c for (a, b, c) cyclic: (..., axis, energy) -> (..., current, field, energy)."""
    tensor = np.zeros((*pseudovector.shape[:-2], 3, *pseudovector.shape[-2:]))
    for c, (a, b) in enumerate(CYCLIC):
        tensor[..., a, b, :] = pseudovector[..., c, :]
        np.negative(pseudovector[..., c, :], out=tensor[..., b, a, :])
    return tensor


def negative_antisymmetric(pseudovector: Real) -> Real:
    """-T of `antisymmetric`."""
    return -antisymmetric(pseudovector)


def unchanged(values: Real) -> Real:
    """The one term itself."""
    return values


def side_by_side(*parts: Real) -> Real:
    """One entry of the dim `part` per term."""
    return np.stack(parts)


def per_measure(sample: Sample) -> float:
    """int_k = average / cell measure."""
    return sample.band_weight / sample.cell_measure


def conductivity_factor(sample: Sample) -> float:
    """e^2/hbar int_k in S/cm^(d-2): 1/angstrom = 1e8/cm for every power that two dimensions lack."""
    return CONDUCTANCE * per_measure(sample) * (1e8) ** (sample.dimension - 2)


def conductivity_units(suffix: str, prefix: str = "") -> dict[int, str]:
    """`suffix` is the unit in 2D."""
    return {3: f"{prefix}{suffix}/cm", 2: f"{prefix}{suffix}", 1: f"{prefix}{suffix} cm"}


#: S/cm of a crystal; a thousandth of e^2/h of a layer, and of that times 1 angstrom of a chain.
SMALL_CONDUCTIVITY = {
    3: 1.0,
    2: 1e-3 * CONDUCTANCE / (2 * np.pi),
    1: 1e-11 * CONDUCTANCE / (2 * np.pi),
}

#: e^2/hbar int_k: conductivity of the charge, and of Theta
CHARGE_CONDUCTIVITY = Unit(conductivity_units("S"), conductivity_factor, SMALL_CONDUCTIVITY)
THETA_CONDUCTIVITY = Unit(conductivity_units("S", "({theta}/e) "), conductivity_factor, SMALL_CONDUCTIVITY)


def density_units(suffix: str) -> dict[int, str]:
    """Per volume, area or length; `suffix` is what divides in addition, the first factor being {theta}."""
    return {d: f"{{theta}}{suffix}" + {3: " angstrom^2)", 2: " angstrom)", 1: ")"}[d] for d in (3, 2, 1)}


def per_cell(units: str) -> Unit:
    """A density per cell, in any dimension."""
    return Unit(dict.fromkeys((1, 2, 3), units), lambda sample: sample.band_weight)


def electrons_per_cell(units: str, sign: int = 1) -> Unit:
    """A number of electrons per cell, both spins where the model has none, in any dimension."""
    return Unit(
        dict.fromkeys((1, 2, 3), units),
        lambda sample: sign * sample.band_weight * sample.spin_degeneracy,
        counts_electrons=True,
    )
