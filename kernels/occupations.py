"""Occupation weights and sums over bands for a whole scan of Fermi energies (theory section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import constants
from scipy.sparse import csr_array
from scipy.special import expit

from .errors import InputError
from .lattice import Real

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


def occupation_sum(energy: Real, values: Real, scan: FermiScan, weight: Weight) -> Real:
    """Sum over k and bands of weight(eps - mu) * value, for every Fermi energy mu.

    energy : (k, band) eV; values : (k, band, component); returns (component, fermi_energy).
    At T = 0 each value is added once, to the first Fermi energy at which its band is occupied
    (eps <= mu), and accumulated: hundreds of energies cost what one does.
    Raises InputError for a Fermi-surface or entropy weight at T = 0.
    """
    if weight.needs_temperature and scan.temperature == 0:
        raise InputError(
            "temperature: a Fermi-surface or Nernst quantity needs a temperature above 0 K; "
            "give one (for example temperature=300), the k mesh must resolve k_B T."
        )
    flat_energy, flat_values = energy.ravel(), values.reshape(energy.size, -1)
    if scan.temperature > 0:
        return _at_finite_temperature(flat_energy, flat_values, scan, weight)
    summed = _accumulate(flat_energy, flat_values, scan.energies)
    if weight is Weight.SEA:
        return summed
    moment = _accumulate(flat_energy, flat_energy[:, None] * flat_values, scan.energies)
    return moment - scan.energies * summed


def _accumulate(energy: Real, values: Real, fermi_energies: Real) -> Real:
    slot = np.searchsorted(fermi_energies, energy, side="left")
    counts = len(fermi_energies)
    placed = csr_array((np.ones(len(slot)), (slot, np.arange(len(slot)))), shape=(counts + 1, len(slot)))
    return np.cumsum(np.asarray(placed @ values)[:counts], axis=0).T


def _at_finite_temperature(energy: Real, values: Real, scan: FermiScan, weight: Weight) -> Real:
    factors = band_weight(energy - scan.energies[:, None], scan.thermal_energy, weight)
    return (factors @ values).T


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
