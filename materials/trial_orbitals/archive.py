"""Trial orbitals in a group of an HDF5 file, and back without loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, FiniteFloat, TypeAdapter

from .orbitals import TrialOrbital, TrialOrbitals

if TYPE_CHECKING:
    import h5py

_Point = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class _SavedOrbital(BaseModel):
    """The fields of a `TrialOrbital`."""

    position: _Point
    site: str
    name: str
    coefficients: tuple[FiniteFloat, ...]
    axes: tuple[_Point, _Point, _Point]
    radial: int
    zona: FiniteFloat
    spin: Literal[1, -1] | None
    spin_axis: _Point


def write_trial_orbitals(trial: TrialOrbitals, group: h5py.Group) -> None:
    """Write into an empty group."""
    names = list(_SavedOrbital.model_fields)
    orbitals = [{name: getattr(orbital, name) for name in names} for orbital in trial.orbitals]
    # As a dataset: attributes end at 64 kB.
    group["orbitals"] = np.bytes_(json.dumps(orbitals, default=np.ndarray.tolist))
    if trial.overlap is not None:
        group["overlap"] = trial.overlap


def read_trial_orbitals(group: h5py.Group) -> TrialOrbitals:
    """Read what `write_trial_orbitals` wrote. Raises ValueError, TypeError, KeyError for a damaged one."""
    saved = TypeAdapter(list[_SavedOrbital]).validate_json(group["orbitals"][()])
    orbitals = tuple(
        TrialOrbital(**orbital.model_dump(exclude={"axes"}), axes=np.array(orbital.axes)) for orbital in saved
    )
    overlap = group.get("overlap")
    return TrialOrbitals(orbitals, None if overlap is None else np.asarray(overlap))
