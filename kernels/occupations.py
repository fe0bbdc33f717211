"""Occupation weights and sums over bands for a whole scan of Fermi energies (theory section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from scipy import constants
from scipy.special import expit, spence

from .contractions import (
    fermi_functions,
    first_not_below,
    partly_occupied,
    rows_of,
    scatter,
    spread,
    vectors_of,
)
from .errors import InputError, checked_number, short
from .lanes.width import aligned
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

    energy : levels in eV, (k, band). A level costs only the Fermi energies at which it is partly occupied;
    where it is full its value is added once and accumulated, so hundreds of energies cost what one does.
    group, groups : of each k, (k,), and how many there are, which are summed apart; None for one sum of all
    watched : indices of energies at which weights are asked for alone
    """

    energy: Real
    scan: FermiScan
    group: Integer | None = None
    groups: int = 1
    watched: Integer = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def sum(self, values: Real, weight: Weight) -> Real:
        """Sum over levels of weight(eps - mu) * value; values (level, component) -> (component, mu).

        With groups (group, component, mu). Raises InputError for a Fermi-surface or entropy weight at T = 0.
        """
        sums = FermiSums(self.scan, weight, self.groups, values.shape[1])
        rows = rows_of([values.reshape(*self.energy.shape, -1)])
        sums.add(self, rows, np.ones(len(self.energy)))
        found = sums.found()
        return found[0] if self.group is None else found

    def weights_at_watched(self, weight: Weight) -> Real:
        """Weights at the watched energies, (k, band, energy).

        At T = 0 those of the Fermi sea and the grand potential, 0 for what vanishes.
        """
        energies, thermal_energy = self.scan.energies[self.watched], self.scan.thermal_energy
        occupation = self._occupied_at_watched
        if weight is Weight.SEA:
            return occupation
        if thermal_energy == 0:
            if weight is Weight.GRAND_POTENTIAL:
                return np.minimum(self.energy[..., None] - energies, 0.0)
            return np.zeros_like(occupation)
        if weight is Weight.SURFACE:
            return _weight_of(occupation, occupation, thermal_energy, weight)
        return _weight_of(self.energy[..., None] - energies, occupation, thermal_energy, weight)

    @cached_property
    def _occupied_at_watched(self) -> Real:
        thermal_energy, watched = self.scan.thermal_energy, self.scan.energies[self.watched]
        return fermi_functions(self.energy, watched, thermal_energy, FULLY_OCCUPIED * thermal_energy)

    def weights_within(self, weight: Weight) -> Real:
        """Weights at the Fermi energies at which a level is partly occupied, (k, band, width)."""
        window, thermal_energy = self.window, self.scan.thermal_energy
        if weight in (Weight.SEA, Weight.SURFACE):
            return _weight_of(window.occupation, window.occupation, thermal_energy, weight)
        return _weight_of(self._distances, window.occupation, thermal_energy, weight)

    @cached_property
    def _distances(self) -> Real:
        """Distances eps - mu (eV) within the window, (k, band, width)."""
        window, energies = self.window, self.scan.energies
        slot = window.first[..., None] + np.arange(window.occupation.shape[2])
        return self.energy[..., None] - energies[np.minimum(slot, len(energies) - 1)]

    @cached_property
    def offset(self) -> Integer:
        """Slot of the first Fermi energy of the group of each k, (k, 1)."""
        group = np.zeros(len(self.energy), dtype=np.int64) if self.group is None else self.group
        return group[:, None] * len(self.scan.energies)

    @cached_property
    def first_full(self) -> Integer:
        """Number of the first Fermi energy from which on a level is full, (k, band)."""
        if self.scan.temperature:
            return self.window.last
        return first_not_below(self.energy, self.scan.energies)

    @cached_property
    def window(self) -> _Window:
        energy, fermi_energies = self.energy, self.scan.energies
        reach = FULLY_OCCUPIED * self.scan.thermal_energy
        first = first_not_below(energy, fermi_energies, -reach)
        last = first_not_below(energy, fermi_energies, reach)
        width = int((last - first).max(initial=0))
        levels = energy.ravel(), first.ravel(), last.ravel()
        occupation = partly_occupied(*levels, fermi_energies, self.scan.thermal_energy, width)
        return _Window(first, last, occupation.reshape(*energy.shape, width))


class FermiSums:
    """Sums over levels at every Fermi energy of a scan, to which blocks of levels are added.

    Raises InputError for a Fermi-surface or entropy weight at T = 0.
    """

    def __init__(self, scan: FermiScan, weight: Weight, groups: int, components: int) -> None:
        if scan.temperature == 0 and weight.needs_temperature:
            raise InputError(
                "temperature: a Fermi-surface or Nernst quantity needs a temperature above 0 K; "
                "give one (for example temperature=300), the k mesh must resolve k_B T."
            )
        self._scan, self._weight, self._components = scan, weight, components
        self._shape = (groups, len(scan.energies), *vectors_of(components))
        fills = weight in (Weight.SEA, Weight.HEAT, Weight.GRAND_POTENTIAL)
        self._full = self._zeros() if fills else None
        self._moment = self._zeros() if weight is Weight.GRAND_POTENTIAL else None
        self._partly = self._zeros() if scan.temperature else None

    def _zeros(self) -> Real:
        groups, slots, *vectors = self._shape
        sums = aligned(groups * slots, *vectors)
        sums[:] = 0.0
        return sums

    def add(self, levels: Occupations, rows: Real, weight: Real) -> None:
        """Add levels; rows : their values, `contractions.rows_of`; weight : (k,) how often a k counts."""
        if self._partly is not None:
            window = levels.window
            first, end = levels.offset + window.first, levels.offset + window.last
            spread(first, end, weight, levels.weights_within(self._weight), rows, self._partly)
        if self._full is None:
            return
        slots, first = self._shape[1], levels.first_full
        slot = np.where(first < slots, levels.offset + first, len(self._full))
        counted = np.broadcast_to(weight[:, None], first.shape)
        scatter(slot, np.ascontiguousarray(counted), rows, self._full)
        if self._moment is not None:
            scatter(slot, counted * levels.energy, rows, self._moment)

    def found(self) -> Real:
        """(group, component, mu)."""
        total = np.zeros(self._shape)
        if self._full is not None:
            total += self._occupied(self._full)
        if self._partly is not None:
            total += self._partly.reshape(self._shape)
        groups, slots = self._shape[:2]
        return total.reshape(groups, slots, -1)[:, :, : self._components].swapaxes(1, 2)

    def _occupied(self, full: Real) -> Real:
        """Levels count fully from some Fermi energy on: with 1, eps - mu, or (pi k_B T)^2/3."""
        summed = np.cumsum(full.reshape(self._shape), axis=1)
        if self._weight is Weight.HEAT:
            return FULL_HEAT * self._scan.thermal_energy**2 * summed
        if self._moment is None:
            return summed
        moment = np.cumsum(self._moment.reshape(self._shape), axis=1)
        return moment - self._scan.energies[:, None, None] * summed


@dataclass(frozen=True, eq=False)
class _Window:
    """The Fermi energies at which each level is partly occupied: first <= index < last.

    first, last : (k, band); occupation : f, (k, band, width), 0 beyond `last`
    """

    first: Integer
    last: Integer
    occupation: Real


def band_weight(x: Real, thermal_energy: float, weight: Weight) -> Real:
    """Weight of a band at x = eps - mu (eV), k_B T = `thermal_energy` > 0 (eV). See `Weight`."""
    return _weight_of(x, expit(-x / thermal_energy), thermal_energy, weight)


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
