"""Where the Fermi level lies in a scan: values at it are those of an energy at it, or there are none."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

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


def at_level(dataset: xr.Dataset, level: float | None = None) -> xr.Dataset | None:
    """A dataset of integrals at its Fermi level, or another level (eV); None where the scan lacks it.

    Energies may come in any order.
    """
    wanted = dataset.attrs.get("fermi_level") if level is None else level
    if wanted is None:
        return None
    place = place_of_level(dataset["fermi_energy"].values, float(wanted))
    return None if place is None else dataset.isel(fermi_energy=place)
