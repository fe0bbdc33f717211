"""The premise of a conserved current: that a field exerts no net torque on its observable (T16)."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError
from spinscreen.materials import WannierModel
from spinscreen.storage.analysis import SymmetryWarning, symmetrized
from spinscreen.storage.observables import AXES

#: T16 per relaxation time, which is the net torque per field as well.
RATE = "field_induced_density_rate"

#: Quantities that presuppose that the torque averages to zero.
CONSERVED = (
    "conserved_hall_conductivity",
    "conserved_hall_conductivity_occupied",
    "torque_dipole_conductivity",
    "proper_hall_conductivity",
    "proper_surface_conductivity",
    "proper_torque_dipole_conductivity",
    "accumulation_coefficient",
    "conserved_nernst_conductivity",
    "proper_nernst_conductivity",
)


def note_unchecked_torque(
    dataset: xr.Dataset, model: WannierModel, observables: Collection[str] | None = None
) -> None:
    """The premise of a conserved current, where T16 was not computed and symmetry does not grant it.

    observables : those that are told of, None: all
    """
    concerned = [name for name in CONSERVED if name in dataset]
    if not concerned or RATE in dataset:
        return
    names = [n for n in may_have_net_torque(model) if observables is None or n in observables]
    for variable in concerned if names else ():
        attributes = dataset.variables[variable].attrs
        told = (
            f"unchecked is the premise that a field exerts no net torque on {', '.join(names)}: {RATE} above "
            "0 K checks it"
        )
        attributes["net_torque"] = "unchecked"
        attributes["note"] = "; ".join(filter(None, (attributes.get("note"), told)))


def may_have_net_torque(model: WannierModel) -> tuple[str, ...]:
    """Observables that H does not conserve, and on which the group of the model allows a torque per field."""
    group = model.symmetry_group
    mixing = np.where(group.time_reversal[:, None, None], -1.0, 1.0) * group.observables
    # An invariant tensor (observable, field axis) turns by M on one side and the rotation on the other.
    mean = np.einsum("gst,gab->satb", mixing, group.cartesian) / group.order
    allowed = np.abs(mean).max(axis=(1, 2, 3)) > _ALLOWED
    return tuple(
        name
        for name, is_allowed in zip(model.observables, allowed, strict=True)
        if is_allowed and not _is_conserved(model, name)
    )


#: Elements of a mean over a group that are no rounding; the smallest true one is 1/48.
_ALLOWED = 1e-6


def _is_conserved(model: WannierModel, name: str) -> bool:
    """Whether an observable that acts inside the cell commutes with every H(R)."""
    theta, hamiltonian = model.observables[name], model.hamiltonian
    if theta.ndim == 3:
        if theta[model.translations.any(axis=1)].any():
            return False
        theta = model.onsite(name)
    scale = np.abs(theta).max() * np.abs(hamiltonian).max()
    return bool(np.abs(hamiltonian @ theta - theta @ hamiltonian).max() <= _COMMUTES * scale)


#: Share of |H| |Theta| that is rounding in a commutator.
_COMMUTES = 1e-12


def _with_whole_vectors(dataset: xr.Dataset) -> xr.Dataset:
    """With zeros for components of spin and orbital momentum that are not carried: a vector turns as a whole.

    What symmetry forbids a component is taken from it whatever the others are.
    """
    names = [str(name) for name in dataset["observable"].values]
    stems = [stem for stem in ("spin", "orbital") if any(name in names for name in _vector(stem))]
    missing = [name for stem in stems for name in _vector(stem) if name not in names]
    if not missing:
        return dataset
    facts = [name for name in dataset.coords if name != "observable" and "observable" in dataset[name].dims]
    return dataset.drop_vars(facts).reindex(observable=[*names, *missing], fill_value=0.0)


def _vector(stem: str) -> tuple[str, ...]:
    return tuple(f"{stem}_{axis}" for axis in AXES)


def forbidden_by_crystal(dataset: xr.Dataset) -> NDArray[np.bool_] | None:
    """Where the point group of the structure allows no torque, (observable, field_axis); None: not known.

    Raw Wannier functions have less symmetry than their crystal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymmetryWarning)
        try:
            left = symmetrized(_with_whole_vectors(dataset[[RATE]]))[RATE]
        except InputError:
            # No atoms are known, or how an observable rotates.
            return None
    largest = float(abs(dataset[RATE]).max())
    left = left.isel(observable=slice(dataset.sizes["observable"]))
    size = abs(left).max("fermi_energy").transpose("observable", "field_axis").values
    return np.asarray(size <= _ALLOWED * largest)
