"""Where the Fermi level lies in a scan: values at it are those of an energy at it, or there are none."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

#: Distance (eV) to the next scanned energy within which the level counts as scanned: a step of 0.1 eV is fine
#: enough, whatever its offset.
_NEAR = 0.05

#: Rounding of energies that were counted up in steps.
_ROUNDING = 1e-9


def place_of_level(energies: ArrayLike, level: float) -> int | None:
    """Index of the scanned energy (eV) that stands for a level; None where none is within 0.05 eV of it."""
    distances = np.abs(np.asarray(energies, dtype=float) - level)
    nearest = int(distances.argmin())
    return nearest if distances[nearest] <= _NEAR + _ROUNDING else None


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
