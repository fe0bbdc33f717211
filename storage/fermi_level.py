"""Where the Fermi level lies in a scan: values at it are those of an energy at it, or there are none."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

#: Distance (eV) to the next scanned energy within which the level counts as scanned: a step of 0.1 eV is fine
#: enough, whatever its offset.
NEAR = 0.05

#: Distance (eV) up to which an energy is the level: levels are typed with few digits.
_SAME = 1e-3

#: Rounding of energies that were counted up in steps.
_ROUNDING = 1e-9


def place_of_level(energies: ArrayLike, level: float) -> int | None:
    """Index of the scanned energy (eV) that stands for a level: the nearest, where it is within 0.05 eV.

    None where there is none, and where the level lies outside of the scan by more than 1 meV: the edge of a
    scan says nothing of what is beyond it. One energy is no scan, and stands for a level 1 meV away at most.
    """
    scanned = np.asarray(energies, dtype=float)
    distances = np.abs(scanned - level)
    nearest = int(distances.argmin())
    beyond = max(scanned.min() - level, level - scanned.max())
    stands = distances[nearest] <= NEAR + _ROUNDING and beyond <= _SAME + _ROUNDING
    return nearest if stands else None


def is_level(energy: float, level: float) -> bool:
    """True where an energy (eV) is the level itself, up to 1 meV, not one beside it that stands for it."""
    return abs(energy - level) <= _SAME + _ROUNDING


def why_missing(energies: ArrayLike, level: float, called: str | None = None) -> str:
    """Why no energy of a scan (eV) stands for a level, part of a sentence; called : instead of the level."""
    called = f"the Fermi level, {level:g} eV" if called is None else called
    scanned = np.asarray(energies, dtype=float)
    if len(scanned) == 1:
        return f"the one Fermi energy, {scanned[0]:g} eV, is not {called}"
    scan = f"the {len(scanned)} Fermi energies from {scanned.min():g} to {scanned.max():g} eV"
    if np.abs(scanned - level).min() <= NEAR + _ROUNDING:
        return f"{scan} do not reach {called}"
    return f"none of {scan} is within {NEAR:g} eV of {called}"


#: Value of the attribute `relative_to` of energies that are counted from the Fermi level.
RELATIVE = "Fermi level"

#: Attribute of the coordinate `fermi_level`, its value; of joined materials that of the first.
AS_COMPUTED = "as_computed"


def level_of(dataset: xr.Dataset) -> float | None:
    """The Fermi level (eV) of a dataset, None where it is unknown: 0 where energies are counted from it.

    Raises InputError where the dataset is of several materials, as `xarray.concat` makes them.
    """
    if "fermi_energy" in dataset.coords and dataset["fermi_energy"].attrs.get("relative_to") == RELATIVE:
        return 0.0
    said = dataset.attrs.get("fermi_level")
    if "fermi_level" not in dataset.coords or not dataset.attrs:
        return None if said is None else float(said)
    level = dataset["fermi_level"]
    if level.ndim:
        raise InputError(
            f"fermi_level: expected one material, found {level.size} along {level.dims[0]!r}; select one, or "
            "concatenate datasets of relative_to_fermi_level()."
        )
    # Of joined materials the attribute is that of the first; it counts where it was changed by hand.
    if said is not None and (np.isnan(level) or level.attrs.get(AS_COMPUTED) == float(level)):
        return float(said)
    return None if np.isnan(level) else float(level)


def at_level(dataset: xr.Dataset, level: float | None = None) -> xr.Dataset | None:
    """A dataset of integrals at its Fermi level, or another level (eV); None where the scan lacks it.

    Energies may come in any order.
    """
    wanted = level_of(dataset) if level is None else level
    if wanted is None:
        return None
    place = place_of_level(dataset["fermi_energy"].values, float(wanted))
    return None if place is None else dataset.isel(fermi_energy=place)


def rounded(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies (eV) to 1e-9 eV, so that what differs by rounding is equal to the last bit."""
    # The place where a number goes up rather than down is off the halves, on which short decimals and powers
    # of two lie: there the rounding of a difference would decide.
    return np.floor(energies * 1e9 + 0.63) / 1e9
