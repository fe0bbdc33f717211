"""Tensors under rotations: in the axes of the crystal, and averaged over its point group."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import QUANTITIES, InputError
from spinscreen.materials import Structure

from ..attributes import texts_of, vectors_of
from ..observables import AXES, Facts, Observables
from ..schema import is_error

#: Share of the largest element that the average over the point group may take away without a warning.
_ASYMMETRY = 0.05

#: Elements below this, in any unit, are zeros with rounding: conductances are of the order of 1e-4 S.
_NOISE = 1e-9

#: Largest cosine between two axes that count as orthogonal.
_ORTHOGONAL = 1e-6


class SymmetryWarning(UserWarning):
    """The tensors do not have the symmetry of the structure: magnetic order, or a model that breaks it."""


def rotated(dataset: xr.Dataset, rotation: NDArray) -> xr.Dataset:
    """Every tensor of a dataset under a Cartesian rotation, proper or not, (3, 3) with new axes as rows.

    Error bars are added up with the sizes of the elements of the rotation, whatever their signs.
    Raises InputError for an observable whose behaviour is unknown, and for axes that were not computed.
    """
    return _averaged(dataset, np.asarray(rotation)[None])


def _averaged(dataset: xr.Dataset, rotations: NDArray) -> xr.Dataset:
    """The mean of a dataset under rotations, (operation, 3, 3)."""
    for dim in ("current_axis", "field_axis", "axis"):
        if dim in dataset.dims and dataset.sizes[dim] < len(AXES):
            axes = ", ".join(map(str, dataset[dim].values))
            raise InputError(
                f"symmetry: expected {', '.join(AXES)} along {dim}, found {axes}; compute it without "
                "components, a tensor turns as a whole."
            )
    pseudo = np.linalg.det(rotations)[:, None, None] * rotations
    mixing: NDArray = np.zeros(0)
    if any("observable" in variable.dims for variable in dataset.data_vars.values()):
        known = Observables.in_dataset(dataset).facts
        mixing = np.array([_of_observables(known, *pair) for pair in zip(rotations, pseudo, strict=True)])
    found = {}
    for name, variable in dataset.data_vars.items():
        matrices = {"current_axis": rotations, "field_axis": rotations, "observable": mixing}
        matrices["axis"] = rotations if _is_polar(str(name)) else pseudo
        own: dict[Hashable, NDArray] = {dim: matrices[str(dim)] for dim in variable.dims if dim in matrices}
        if is_error(name):
            own = {dim: np.abs(matrix) for dim, matrix in own.items()}
        if own:
            found[name] = variable.variable.copy(data=_mean(variable.variable, own, len(rotations)))
    return dataset.assign(found)


def _mean(variable: xr.Variable, matrices: Mapping[Hashable, NDArray], count: int) -> NDArray:
    """Of what each operation makes of the values; matrices : (operation, new, old) along some dims."""
    total: NDArray = np.zeros(1)
    for number in range(count):
        values = variable.values
        for dim, matrix in matrices.items():
            axis = variable.get_axis_num(dim)
            values = np.moveaxis(np.tensordot(matrix[number], values, (1, axis)), 0, axis)
        total = values if not number else total + values
    return total / count


def _is_polar(variable: str) -> bool:
    """Whether the dim `axis` of a variable is a vector; else it is a curl, as of a variable of the user's."""
    quantity = QUANTITIES.get(variable.removesuffix("_error"))
    return quantity is not None and "polar" in quantity.transformation.indices


def _of_observables(known: Mapping[str, Facts], rotation: NDArray, pseudo: NDArray) -> NDArray:
    """How observables mix: a scalar not at all, the components of a vector among themselves."""
    mixing = np.zeros((len(known), len(known)))
    families: dict[tuple[str, str], dict[str, int]] = {}
    for i, (name, facts) in enumerate(known.items()):
        families.setdefault(_family(name, facts), {})[facts.axis] = i
    for i, (name, facts) in enumerate(known.items()):
        vector = families[_family(name, facts)]
        if facts.rotation == "scalar":
            mixing[i, i] = 1.0
        elif facts.rotation and set(vector) == set(AXES):
            turn = pseudo if facts.rotation == "axial" else rotation
            mixing[i, [vector[axis] for axis in AXES]] = turn[AXES.index(facts.axis)]
        else:
            raise InputError(
                f"symmetry: how the observable {name!r} rotates is unknown, expected a scalar such as "
                "charge, or a vector such as spin with all three components; select those first."
            )
    return mixing


def _family(name: str, facts: Facts) -> tuple[str, str]:
    """The same for the three components of one vector, whose names differ by the letter of the axis."""
    before, _, after = name.rpartition(facts.axis) if facts.axis else (name, "", "")
    return facts.rotation, before + after


def crystal_frame(lattice: ArrayLike, x: Sequence[float], z: Sequence[float]) -> NDArray[np.float64]:
    """Rows: unit vectors of a right-handed frame with x along the direction [uvw] and z normal to (hkl).

    Raises InputError where the direction does not lie in the plane.
    """
    cell = np.asarray(lattice, dtype=float)
    along = np.asarray(x, dtype=float) @ cell
    normal = np.asarray(z, dtype=float) @ np.linalg.inv(cell).T
    along, normal = along / np.linalg.norm(along), normal / np.linalg.norm(normal)
    if not abs(along @ normal) < _ORTHOGONAL:
        raise InputError(
            f"in_crystal_axes: the direction {list(x)} does not lie in the plane {list(z)}, expected "
            "h u + k v + l w = 0, for example x=(1, 0, 0), z=(0, 0, 1)."
        )
    return np.array([along, np.cross(normal, along), normal])


def symmetrized(dataset: xr.Dataset, rotations: ArrayLike | None = None) -> xr.Dataset:
    """Tensors averaged over a point group, by default that of the structure that the dataset carries.

    rotations : (operation, 3, 3) Cartesian; in a magnet, give those that are left
    Raises InputError for values per k, an unknown structure, or rotations that are not orthogonal.
    """
    if "k" in dataset.dims:
        raise InputError("symmetrize: expected Brillouin-zone integrals, found values per k point.")
    operations = _rotations_of(dataset) if rotations is None else np.asarray(rotations, dtype=float)
    if operations.ndim != 3 or not np.allclose(operations @ operations.swapaxes(1, 2), np.eye(3), atol=1e-4):
        raise InputError("symmetrize: expected orthogonal matrices, (operation, 3, 3) Cartesian.")
    mean = _averaged(dataset, operations)
    for name, lost in _asymmetries(dataset, mean):
        if lost > _ASYMMETRY:
            warnings.warn(
                f"symmetrize: {name} loses {lost:.0%} of its largest element; with magnetic order, give the "
                "rotations that remain.",
                SymmetryWarning,
                stacklevel=3,
            )
    return mean


def _asymmetries(before: xr.Dataset, after: xr.Dataset) -> Iterator[tuple[str, float]]:
    for name, variable in before.data_vars.items():
        if is_error(name):
            continue
        largest = float(abs(variable).max())
        if largest > _NOISE:
            yield str(name), float(abs(variable - after[name]).max()) / largest


def _rotations_of(dataset: xr.Dataset) -> NDArray[np.float64]:
    symbols = texts_of(dataset.attrs.get("atom_symbols"))
    if not symbols:
        raise InputError(
            "symmetrize: the dataset knows no atoms, expected those of the .win; give rotations= instead."
        )
    lattice = vectors_of(dataset.attrs["lattice"])
    reduced = vectors_of(dataset.attrs["atom_positions"]) @ np.linalg.inv(lattice)
    return Structure(lattice, symbols, reduced).rotations
