"""`dataset.spinscreen`: components by name, values at the Fermi level, figures, in any xarray session."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from spinscreen.kernels import InputError

from .fermi_surface import plot_fermi_surface
from .plots import Component, largest_component, plot_bands, plot_hall, plot_scatter
from .screening import select
from .symmetry import crystal_frame, rotated, symmetrized
from .units import converted

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@xr.register_dataset_accessor("spinscreen")  # type: ignore[no-untyped-call, unused-ignore]
class SpinscreenAccessor:
    """Shortcuts on datasets of `compute` and `evaluate` and on the catalog.

    Registered by importing `spinscreen.storage`.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def component(self, variable: str, name: str) -> xr.DataArray:
        """One component of a tensor by its name.

        name : "z_xy" is the current of spin_z along x in a field along y; "charge_xy" and any other
            observable in full; "xy" for a tensor without an observable
        Raises InputError for an unknown variable or component.
        """
        values = self._variable(variable)
        match = re.fullmatch(r"(?:(.+)_)?([xyz])([xyz])", name)
        if match is None or "current_axis" not in values.dims:
            raise InputError(f"component: expected a name such as 'z_xy' of a tensor, found {name!r}.")
        chosen = values.sel(current_axis=match[2], field_axis=match[3])
        if "observable" not in values.dims:
            return chosen
        known = [str(label) for label in values["observable"].values]
        for label in (match[1], f"spin_{match[1]}"):
            if label in known:
                return chosen.sel(observable=label)
        raise InputError(
            f"component: {name!r} names the observable {match[1]!r}, expected one of {', '.join(known)}."
        )

    def _variable(self, name: str) -> xr.DataArray:
        if name not in self._dataset:
            raise InputError(
                f"{name!r} is not in the dataset, expected one of "
                f"{', '.join(map(str, self._dataset.data_vars))}."
            )
        return self._dataset[name]

    def at_fermi_level(self, energy: float | None = None) -> xr.Dataset:
        """The dataset at the Fermi energy of its scan that is nearest to `energy` (eV), or the Fermi level.

        Raises InputError where no energy is given and the Fermi level is unknown.
        """
        level = energy if energy is not None else self._dataset.attrs.get("fermi_level")
        if level is None:
            raise InputError("at_fermi_level: the Fermi level of this dataset is unknown, expected energy=.")
        return self._dataset.sel(fermi_energy=float(level), method="nearest")

    def relative_to_fermi_level(self) -> xr.Dataset:
        """The dataset with energies counted from the Fermi level. Raises InputError where it is unknown."""
        level = self._dataset.attrs.get("fermi_level")
        if level is None:
            raise InputError("relative_to_fermi_level: the Fermi level of this dataset is unknown.")
        shifted = self._dataset["fermi_energy"] - float(level)
        return self._dataset.assign_coords(
            fermi_energy=shifted.assign_attrs(long_name="energy above the Fermi level", units="eV")
        )

    def in_units(self, variable: str, units: str, component: str | None = None) -> xr.DataArray:
        """A variable, or one component of it, in other units: "(hbar/e) S/m", "e/(2 pi)", "A/m" ...

        Raises InputError where the unit is unknown or of another kind.
        """
        values = self._variable(variable) if component is None else self.component(variable, component)
        return converted(values, units)

    def in_crystal_axes(self, x: Sequence[float] = (1, 0, 0), z: Sequence[float] = (0, 0, 1)) -> xr.Dataset:
        """All tensors in the frame with x along the lattice direction [uvw] and z normal to the plane (hkl).

        Spin and current are both turned. Raises InputError where the direction does not lie in the plane, or
        the dataset knows no lattice.
        """
        if "lattice" not in self._dataset.attrs:
            raise InputError(
                "in_crystal_axes: the dataset has no attribute `lattice`, expected one of compute()."
            )
        turned = rotated(self._dataset, crystal_frame(self._dataset.attrs["lattice"], x, z))
        return turned.assign_attrs(axes=f"x along {list(x)}, z normal to {list(z)}")

    def symmetrize(self, rotations: ArrayLike | None = None) -> xr.Dataset:
        """All tensors averaged over the point group of the structure, or over `rotations` (Cartesian).

        A SymmetryWarning says where that changes much: with magnetic order the structure has more symmetry
        than the electrons. Raises InputError for values per k, or where no atoms are known.
        """
        return symmetrized(self._dataset, rotations)

    def screen(self, where: str | None = None, sort: str | None = None, top: int | None = None) -> xr.Dataset:
        """Of a catalog: the materials that pass, sorted and cut as by `screen`, with all their arrays."""
        return select(self._dataset, where, sort, top)

    def largest_component(self) -> Component:
        """Labels (observable, current_axis, field_axis) of the largest Hall component in the scan."""
        return largest_component(self._dataset)

    def plot(self, name: str | None = None) -> Figure:
        """Conventional beside conserved Hall conductivity; name as in `component`, by default the largest."""
        if name is None:
            return plot_hall(self._dataset)
        for variable in ("conserved_hall_conductivity", "conventional_hall_conductivity"):
            if variable in self._dataset:
                chosen = self.component(variable, name)
                labels = (str(np.asarray(chosen[d])) for d in ("observable", "current_axis", "field_axis"))
                observable, current, field = labels
                return plot_hall(self._dataset, (observable, current, field))
        return plot_hall(self._dataset)

    def plot_bands(self, color: str = "texture", **selection: Hashable) -> Figure:
        """Bands along a path, coloured by a variable, for example "texture" with observable="spin_z"."""
        return plot_bands(self._dataset, color, {**selection}, self._dataset.attrs.get("fermi_level"))

    def plot_fermi_surface(self, energy: float | None = None, k3: float = 0.0) -> Figure:
        """Fermi lines in a plane of a mesh with spin arrows, see `plot_fermi_surface`."""
        return plot_fermi_surface(self._dataset, energy, k3)

    def plot_scatter(self, component: str = "xy_z") -> Figure:
        """Of a catalog: conserved against conventional Hall conductivity of all materials."""
        return plot_scatter(self._dataset, component)
