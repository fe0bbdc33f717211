"""Occupation weights and sums over bands for a whole scan of Fermi energies (theory section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from scipy import constants
from scipy.special import expit

from .contractions import scatter, spread
from .errors import InputError
from .lattice import Integer, Real

#: Beyond this many k_B T from the Fermi energy a level is occupied or empty to double precision.
FULLY_OCCUPIED = 40.0

#: eV / K
BOLTZMANN = constants.k / constants.e


class Weight(Enum):
    """How a band of energy eps counts at Fermi energy mu; x = eps - mu."""

    SEA = "Fermi sea: f"
    SURFACE = "Fermi surface: df/deps"
    GRAND_POTENTIAL = "grand potential: g = -kT ln(1 + exp(-x/kT))"
    ENTROPY = "entropy: f x - g"

    @property
    def needs_temperature(self) -> bool:
        """True for weights that are a delta function or vanish at T = 0."""
        return self in (Weight.SURFACE, Weight.ENTROPY)


@dataclass(frozen=True, eq=False)
class FermiScan:
    """Fermi energies (eV, ascending) at one temperature (K). Raises InputError if either makes no sense."""

    energies: Real
    temperature: float = 0.0

    def __post_init__(self) -> None:
        energies = self.energies
        if energies.ndim != 1 or energies.size == 0 or not np.isfinite(energies).all():
            raise InputError(
                f"fermi_energy: expected a number or a list of finite energies in eV, found {energies!r}."
            )
        if (np.diff(energies) < 0).any():
            raise InputError("fermi_energy: expected ascending energies.")
        if not (np.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"temperature: expected kelvin of at least 0, found {self.temperature}.")

    @property
    def thermal_energy(self) -> float:
        """k_B T in eV."""
        return BOLTZMANN * self.temperature


@dataclass(frozen=True, eq=False)
class Occupations:
    """How levels are occupied at every Fermi energy of a scan; made once, used for many values.

    energy : levels in eV, any shape. At T = 0 each level counts from the first Fermi energy at which it is
    occupied (eps <= mu), so hundreds of energies cost what one does. Raises InputError for a Fermi-surface
    or entropy weight at T = 0.
    """

    energy: Real
    scan: FermiScan
    weight: Weight

    def __post_init__(self) -> None:
        if self.weight.needs_temperature and self.scan.temperature == 0:
            raise InputError(
                "temperature: a Fermi-surface or Nernst quantity needs a temperature above 0 K; "
                "give one (for example temperature=300), the k mesh must resolve k_B T."
            )

    def sum(self, values: Real) -> Real:
        """Sum over levels of weight(eps - mu) * value; values (level, component) -> (component, mu)."""
        if self.scan.temperature == 0:
            return self._occupied(self._first_occupied, values).T
        first, weights, occupied = self._window
        partly = spread(first, weights, values, len(self.scan.energies))
        if self.weight.needs_temperature:
            return partly.T
        return (partly + self._occupied(occupied, values)).T

    def _occupied(self, first: Integer, values: Real) -> Real:
        """Levels count fully from their `first` Fermi energy on, with 1 or (grand potential) eps - mu."""
        slots = len(self.scan.energies)
        summed = np.cumsum(scatter(first, values, slots), axis=0)
        if self.weight is Weight.SEA:
            return summed
        moment = np.cumsum(scatter(first, self._energies[:, None] * values, slots), axis=0)
        return moment - self.scan.energies[:, None] * summed

    @property
    def _energies(self) -> Real:
        return self.energy.ravel()

    @cached_property
    def _first_occupied(self) -> Integer:
        return np.searchsorted(self.scan.energies, self._energies, side="left")

    @cached_property
    def _window(self) -> tuple[Integer, Real, Integer]:
        """First mu at which a level is partly occupied, its weights from there on, and the mu after them."""
        reach = FULLY_OCCUPIED * self.scan.thermal_energy
        first = np.searchsorted(self.scan.energies, self._energies - reach)
        last = np.searchsorted(self.scan.energies, self._energies + reach)
        width = int((last - first).max(initial=0))
        slot = first[:, None] + np.arange(width)
        x = self._energies[:, None] - self.scan.energies[np.minimum(slot, len(self.scan.energies) - 1)]
        weights = band_weight(x, self.scan.thermal_energy, self.weight)
        weights[slot >= last[:, None]] = 0
        return first, weights, last


def band_weight(x: Real, thermal_energy: float, weight: Weight) -> Real:
    """Weight of a band at x = eps - mu (eV), k_B T = `thermal_energy` > 0 (eV). See `Weight`."""
    reduced = x / thermal_energy
    occupied = expit(-reduced)
    if weight is Weight.SEA:
        return occupied
    if weight is Weight.SURFACE:
        return -occupied * expit(reduced) / thermal_energy
    # ln(1 + e^{-y}) = max(-y, 0) + ln(1 + e^{-|y|}) does not overflow.
    grand = -thermal_energy * (np.maximum(-reduced, 0) + np.log1p(np.exp(-np.abs(reduced))))
    return grand if weight is Weight.GRAND_POTENTIAL else occupied * x - grand
