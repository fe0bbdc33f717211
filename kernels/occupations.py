"""Occupation weights and sums over bands for a whole scan of Fermi energies (theory section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import constants
from scipy.special import expit, spence

from .contractions import partly_occupied, scatter, spread
from .errors import InputError, checked_number, short
from .lattice import Integer, Real
from .unlocked import cached_property

#: Beyond this many k_B T from the Fermi energy a level is occupied or empty to double precision.
FULLY_OCCUPIED = 37.0

#: int (-df/dy) y^2 dy over all y.
FULL_HEAT = np.pi**2 / 3

#: eV / K
BOLTZMANN = constants.k / constants.e

#: K: below the first, k_B T is lost in the rounding of energies; above the second no solid is left. What
#: divides by k_B T or its square stays far from the ends of the floating-point range.
_TEMPERATURES = (1e-6, 1e6)


def checked_temperature(temperature: float) -> float:
    """Kelvin, 0 or something that a solid can have. Raises InputError for anything else."""
    lowest, highest = _TEMPERATURES
    value = checked_number("temperature", temperature, "kelvin of at least 0")
    if value < 0:
        raise InputError(f"temperature: expected kelvin of at least 0, found {value:g}.")
    if value and not lowest <= value <= highest:
        raise InputError(
            f"temperature: expected 0, the limit of low temperatures, or between {lowest:g} and {highest:g} "
            f"K, found {value:g}."
        )
    # Not -0.0, which would make another key.
    return abs(value)


class Weight(Enum):
    """How a band of energy eps counts at Fermi energy mu; x = eps - mu."""

    SEA = "Fermi sea: f"
    SURFACE = "Fermi surface: df/deps"
    SURFACE_ENTROPY = "entropy of a Fermi-surface term: x df/deps"
    GRAND_POTENTIAL = "grand potential: g = -kT ln(1 + exp(-x/kT))"
    ENTROPY = "entropy: f x - g"
    HEAT = "heat: int_x^inf (-df/dy) y^2 dy"

    @property
    def needs_temperature(self) -> bool:
        """True for weights that are a delta function or vanish at T = 0."""
        return self not in (Weight.SEA, Weight.GRAND_POTENTIAL)

    @property
    def is_thermal(self) -> bool:
        """True for weights that vanish at T = 0, however finely k space is resolved."""
        return self in (Weight.SURFACE_ENTROPY, Weight.ENTROPY, Weight.HEAT)


@dataclass(frozen=True, eq=False)
class FermiScan:
    """Fermi energies (eV, ascending) at one temperature (K). Raises InputError if either makes no sense."""

    energies: Real
    temperature: float = 0.0

    def __post_init__(self) -> None:
        energies = self.energies
        if energies.ndim != 1 or energies.size == 0 or not np.isfinite(energies).all():
            raise InputError(
                "fermi_energy: expected a number or a list of finite energies in eV, found "
                f"{short(energies)}."
            )
        if (np.diff(energies) < 0).any():
            raise InputError("fermi_energy: expected ascending energies.")
        object.__setattr__(self, "temperature", checked_temperature(self.temperature))

    @property
    def thermal_energy(self) -> float:
        """k_B T in eV."""
        return BOLTZMANN * self.temperature

    @property
    def window(self) -> tuple[float, float]:
        """Energies below which a level is filled, and above which it is empty, at all of the scan (eV)."""
        reach = FULLY_OCCUPIED * self.thermal_energy
        return float(self.energies[0]) - reach, float(self.energies[-1]) + reach


@dataclass(frozen=True, eq=False)
class Occupations:
    """How levels are occupied at every Fermi energy of a scan; made once, used for many sums.

    energy : levels in eV, any shape. A level costs only the Fermi energies at which it is partly occupied;
    where it is full its value is added once and accumulated, so hundreds of energies cost what one does.
    group, groups : of each level, and how many there are, which are summed apart; None for one sum of all
    """

    energy: Real
    scan: FermiScan
    group: Integer | None = None
    groups: int = 1

    def sum(self, values: Real, weight: Weight) -> Real:
        """Sum over levels of weight(eps - mu) * value; values (level, component) -> (component, mu).

        With groups (group, component, mu). Raises InputError for a Fermi-surface or entropy weight at T = 0.
        """
        found = self._sums(values, weight).swapaxes(1, 2)
        return found[0] if self.group is None else found

    def _sums(self, values: Real, weight: Weight) -> Real:
        """(group, mu, component)."""
        if self.scan.temperature == 0:
            if weight.needs_temperature:
                raise InputError(
                    "temperature: a Fermi-surface or Nernst quantity needs a temperature above 0 K; "
                    "give one (for example temperature=300), the k mesh must resolve k_B T."
                )
            return self._occupied(self._first_occupied, values, weight)
        window, slots = self._window, len(self.scan.energies)
        first, end = self._offset + window.first, self._offset + window.last
        found = spread(first, self._window_weights(weight), values, self.groups * slots, end)
        partly = found.reshape(self.groups, slots, values.shape[1])
        if weight in (Weight.SURFACE, Weight.SURFACE_ENTROPY, Weight.ENTROPY):
            return partly
        return partly + self._occupied(window.last, values, weight)

    def _window_weights(self, weight: Weight) -> Real:
        window, thermal_energy = self._window, self.scan.thermal_energy
        if weight in (Weight.SEA, Weight.SURFACE):
            return _weight_of(window.occupation, window.occupation, thermal_energy, weight)
        return _weight_of(self._distances, window.occupation, thermal_energy, weight)

    @cached_property
    def _distances(self) -> Real:
        """Distances eps - mu (eV) within the window, (level, width)."""
        window, energies = self._window, self.scan.energies
        slot = window.first[:, None] + np.arange(window.occupation.shape[1])
        return self.energy.reshape(-1, 1) - energies[np.minimum(slot, len(energies) - 1)]

    def _occupied(self, first: Integer, values: Real, weight: Weight) -> Real:
        """Levels count fully from their `first` Fermi energy on: with 1, eps - mu, or (pi k_B T)^2/3."""
        summed = self._accumulated(first, values)
        if weight is Weight.SEA:
            return summed
        if weight is Weight.HEAT:
            return FULL_HEAT * self.scan.thermal_energy**2 * summed
        moment = self._accumulated(first, self.energy.reshape(-1, 1) * values)
        return moment - self.scan.energies[:, None] * summed

    def _accumulated(self, first: Integer, values: Real) -> Real:
        slots = len(self.scan.energies)
        slot = np.where(first < slots, self._offset + first, self.groups * slots)
        found = scatter(slot, values, self.groups * slots).reshape(self.groups, slots, values.shape[1])
        return np.cumsum(found, axis=1, out=found)

    @cached_property
    def _offset(self) -> Integer:
        """Slot of the first Fermi energy of the group of each level."""
        if self.group is None:
            return np.zeros(self.energy.size, dtype=np.int64)
        return self.group.ravel() * len(self.scan.energies)

    @cached_property
    def _first_occupied(self) -> Integer:
        return np.searchsorted(self.scan.energies, self.energy.ravel(), side="left")

    @cached_property
    def _window(self) -> _Window:
        energy, fermi_energies = self.energy.ravel(), self.scan.energies
        reach = FULLY_OCCUPIED * self.scan.thermal_energy
        first = np.searchsorted(fermi_energies, energy - reach)
        last = np.searchsorted(fermi_energies, energy + reach)
        width = int((last - first).max(initial=0))
        occupation = partly_occupied(energy, fermi_energies, self.scan.thermal_energy, first, last, width)
        return _Window(first, last, occupation)


@dataclass(frozen=True, eq=False)
class _Window:
    """The Fermi energies at which each level is partly occupied: first <= index < last.

    occupation : f, (level, width), 0 beyond `last`
    """

    first: Integer
    last: Integer
    occupation: Real


def band_weight(x: Real, thermal_energy: float, weight: Weight) -> Real:
    """Weight of a band at x = eps - mu (eV), k_B T = `thermal_energy` > 0 (eV). See `Weight`."""
    return _weight_of(x, expit(-x / thermal_energy), thermal_energy, weight)


def level_weights(x: Real, thermal_energy: float, weight: Weight) -> Real:
    """`band_weight`, also at T = 0: there the Fermi sea and the grand potential, 0 for what vanishes."""
    if thermal_energy > 0:
        return band_weight(x, thermal_energy, weight)
    if weight is Weight.GRAND_POTENTIAL:
        return np.minimum(x, 0.0)
    return np.where(x <= 0, 1.0, 0.0) if weight is Weight.SEA else np.zeros_like(x)


def _weight_of(x: Real, occupation: Real, thermal_energy: float, weight: Weight) -> Real:
    if weight is Weight.SEA:
        return occupation
    if weight is Weight.SURFACE:
        return occupation * (occupation - 1) / thermal_energy
    if weight is Weight.SURFACE_ENTROPY:
        return x * occupation * (occupation - 1) / thermal_energy
    y = x / thermal_energy
    if weight is Weight.HEAT:
        return thermal_energy**2 * _heat_beyond(y)
    # ln(1 + e^{-y}) = max(-y, 0) + ln(1 + e^{-|y|}) does not overflow.
    grand = -thermal_energy * (np.maximum(-y, 0) + np.log1p(np.exp(-np.abs(y))))
    return grand if weight is Weight.GRAND_POTENTIAL else occupation * x - grand


def _heat_beyond(y: Real) -> Real:
    """int_y^inf (-df/du) u^2 du = u^2 f + 2 u ln(1 + e^{-u}) - 2 Li2(-e^{-u}) at u = |y|; it is even."""
    u = np.abs(y)
    decay = np.exp(-u)
    beyond = u**2 * decay / (1 + decay) + 2 * u * np.log1p(decay) - 2 * spence(1 + decay)
    return np.where(y < 0, FULL_HEAT - beyond, beyond)
