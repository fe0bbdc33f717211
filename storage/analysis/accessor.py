"""`dataset.spinscreen`: components by name, values at the Fermi level, figures, in any xarray session."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr
from numpy.typing import ArrayLike

from spinscreen.kernels import InputError, short

from ..attributes import vectors_of
from ..catalog import of_dimension, select
from ..component import Component
from ..fermi_level import RELATIVE, at_level, level_of, rounded, why_missing
from ..observables import Observables
from ..schema import BANDS, CATALOG, INTEGRALS, MESH, kind_of
from .components import largest_component
from .fermi_surface_files import write_bxsf, write_frmsf
from .figures import (
    draw_bands,
    draw_curve,
    draw_fermi_surface,
    draw_map,
    draw_scatter,
    figure_of,
    plot_fermi_surface,
    plot_scatter,
)
from .symmetry import crystal_frame, rotated, symmetrized
from .units import converted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class WrongKindError(InputError, AttributeError):
    """Another kind of dataset has what was asked for. An AttributeError too, so that `hasattr` is False."""


class SpinscreenAccessor:
    """Shortcuts on every dataset of `compute`, `evaluate`, `stream_bands` and on the catalog.

    Each kind has its own besides; what another kind has is a sentence that says which. Registered by
    importing `spinscreen.storage`.
    """

    #: What a dataset of this kind is.
    phrase: ClassVar[str] = "a dataset"

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Any:
        others = [kind.phrase for kind in _KINDS.values() if hasattr(kind, name)]
        if name.startswith("_") or not others:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise WrongKindError(f"{name}: expected {' or '.join(others)}, found {self.phrase}.")

    @property
    def kind(self) -> str:
        """What the dataset holds: "integrals", "bands", "mesh" or "catalog"."""
        return kind_of(self._dataset)

    def component(self, variable: str, name: str) -> xr.DataArray:
        """One component of a tensor by its name.

        name : "xy_z" or "z_xy" is the current of spin_z along x in a field along y; "xy_charge" and any other
            observable in full; "xy" for a tensor without an observable; "spin_z,x,y" label by label
        Raises InputError for an unknown variable or component.
        """
        values = self._variable(variable)
        return Component.of(values, name).select(values)

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
        turned = rotated(self._dataset, crystal_frame(vectors_of(self._dataset.attrs["lattice"]), x, z))
        return turned.assign_attrs(axes=f"x along {list(x)}, z normal to {list(z)}")

    def _variable(self, name: str) -> xr.DataArray:
        if name not in self._dataset:
            raise InputError(
                f"{name!r} is not in the dataset, expected one of "
                f"{', '.join(map(str, self._dataset.data_vars))}."
            )
        return self._dataset[name]


class IntegralsAccessor(SpinscreenAccessor):
    """Of Brillouin-zone integrals for a scan of Fermi energies, as from `compute`."""

    phrase = "Brillouin-zone integrals"

    def at_fermi_level(self, energy: float | None = None) -> xr.Dataset:
        """The dataset at its Fermi level, or at `energy` (eV): at the scanned energy that is nearest.

        Raises InputError where no energy is given and the Fermi level is unknown, where no scanned energy is
        within 0.05 eV, and where the level is more than 1 meV outside of the scan.
        """
        level = energy if energy is not None else level_of(self._dataset)
        if level is None:
            raise InputError("at_fermi_level: the Fermi level of this dataset is unknown, expected energy=.")
        try:
            found = at_level(self._dataset, float(level))
        except (TypeError, ValueError):
            raise InputError(f"at_fermi_level: expected an energy in eV, found {short(level)}.") from None
        if found is None:
            told = why_missing(self._dataset["fermi_energy"].values, float(level), f"{float(level):g} eV")
            raise InputError(
                f"at_fermi_level: {told}; compute with fermi_energy= that contains it, or with none."
            )
        return found

    def relative_to_fermi_level(self) -> xr.Dataset:
        """The dataset with energies counted from the Fermi level, where `xarray.concat` joins materials.

        Equal steps about two levels give equal energies, to the last bit: they are rounded to 1e-9 eV. A
        dataset without observables gets the dim with nothing along it, so that it joins those that have some.
        Raises InputError where the level is unknown.
        """
        level = level_of(self._dataset)
        if level is None:
            raise InputError("relative_to_fermi_level: the Fermi level of this dataset is unknown.")
        told = {"long_name": "energy above the Fermi level", "units": "eV", "relative_to": RELATIVE}
        shifted = rounded(self._dataset["fermi_energy"].values - level)
        # How numbers were stored says nothing of joined ones, in which some are missing.
        found = self._dataset.drop_encoding().assign_coords(fermi_energy=("fermi_energy", shifted, told))
        return found if "observable" in found.coords else found.assign_coords(Observables(()).coordinates)

    def symmetrize(self, rotations: ArrayLike | None = None) -> xr.Dataset:
        """All tensors averaged over the point group of the structure, or over `rotations` (Cartesian).

        A SymmetryWarning says where that changes much: with magnetic order the structure has more symmetry
        than the electrons. Raises InputError where no atoms are known.
        """
        return symmetrized(self._dataset, rotations)

    def largest_component(self, quantity: str | None = None) -> Component:
        """The largest component at the Fermi level, of a Hall conductivity or of `quantity`.

        Unpacks as observable, current_axis, field_axis.
        """
        return largest_component(self._dataset, quantity)

    def draw(
        self,
        quantity: str | Sequence[str] | None = None,
        component: str | None = None,
        *,
        window: tuple[float, float] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Integrals against the Fermi energy with their errors, see `draw_curve`.

        quantity : "hall" (default), "nernst", "anomalous", "dos", "magnetization", a name in full, or several
        component : as in `component`, by default the largest; window : eV about the Fermi level
        """
        return draw_curve(self._dataset, quantity, component, window=window, ax=ax)

    def plot(
        self,
        name: str | None = None,
        quantity: str | Sequence[str] | None = None,
        window: tuple[float, float] | None = None,
    ) -> Figure:
        """A figure of its own of what `draw` draws; by default the Hall conductivities (T4, T6, T14).

        name : the component, as in `component`, by default the largest
        """
        return figure_of(self.draw(quantity, name, window=window))


class BandsAccessor(SpinscreenAccessor):
    """Of values per k point and band, as from `evaluate`."""

    phrase = "values per k point and band"

    def draw_bands(
        self,
        color: str | None = None,
        component: str | None = None,
        *,
        window: tuple[float, float] | None = None,
        ax: Axes | None = None,
        **labels: Hashable,
    ) -> Axes:
        """Bands along a path as lines, coloured by a variable, for example "texture" with component="spin_z".

        component : as in `component`, by default the largest; labels : the same, dim by dim
        window : eV about the Fermi level. Raises InputError for values that are not along a path.
        """
        if component is not None and labels and color is not None:
            values = self._variable(color)
            labels |= Component.of(values, component).labels(tuple(map(str, values.dims)))
        return draw_bands(self._dataset, color, labels or component, window=window, ax=ax)

    def plot_bands(self, color: str = "texture", component: str | None = None, **labels: Hashable) -> Figure:
        """A figure of its own of what `draw_bands` draws."""
        return figure_of(self.draw_bands(color, component, window=None, ax=None, **labels))


class MeshAccessor(SpinscreenAccessor):
    """Of values per k point and band on a mesh, as from `stream_bands` and `evaluate` on a `KMesh`."""

    phrase = "a mesh of k points"

    def draw_fermi_surface(
        self,
        energy: float | None = None,
        color: str | None = None,
        component: str | None = None,
        *,
        k3: float = 0.0,
        arrows: bool | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Lines of constant energy inside the Brillouin zone, see `draw_fermi_surface`.

        energy : eV, by default the Fermi level; color, component : as in `draw_bands`
        k3 : plane of a mesh; arrows : whether the spin in the plane is drawn
        """
        return draw_fermi_surface(self._dataset, energy, color, component, k3=k3, arrows=arrows, ax=ax)

    def draw_map(
        self,
        quantity: str = "berry_curvature",
        component: str | None = None,
        *,
        energy: float | None = None,
        band: int | None = None,
        k3: float = 0.0,
        lines: bool = True,
        ax: Axes | None = None,
    ) -> Axes:
        """A quantity over the Brillouin zone, of one band or summed over occupied ones, see `draw_map`."""
        given: dict[str, Any] = {"energy": energy, "band": band, "k3": k3, "lines": lines, "ax": ax}
        return draw_map(self._dataset, quantity, component, **given)

    def plot_fermi_surface(self, energy: float | None = None, k3: float = 0.0) -> Figure:
        """Fermi lines in a plane of a mesh with spin arrows, see `plot_fermi_surface`."""
        return plot_fermi_surface(self._dataset, energy, k3)

    def to_frmsf(
        self,
        path: str | Path,
        energy: float | None = None,
        color: str | None = None,
        component: str | None = None,
    ) -> None:
        """Write the Fermi surface for FermiSurfer, in the colour of a quantity, see `write_frmsf`."""
        write_frmsf(self._dataset, path, energy, color, component)

    def to_bxsf(self, path: str | Path, energy: float | None = None) -> None:
        """Write the Fermi surface for XCrySDen and all that reads BXSF, see `write_bxsf`."""
        write_bxsf(self._dataset, path, energy)


class CatalogAccessor(SpinscreenAccessor):
    """Of the catalog of a store."""

    phrase = "a catalog"

    def screen(
        self,
        where: str | None = None,
        sort: str | None = None,
        top: int | None = None,
        quality: Sequence[str] | None = None,
        mixed: bool = False,
    ) -> xr.Dataset:
        """The materials that pass, sorted and cut as by `screen`, with all their arrays."""
        return select(self._dataset, where, sort, top, quality, mixed=mixed)

    def draw_scatter(
        self,
        component: str = "xy_z",
        *,
        x: str | None = None,
        y: str | None = None,
        color: str | None = None,
        dimension: int | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Conserved against conventional Hall conductivity, or any two columns, see `draw_scatter`."""
        return draw_scatter(self._dataset, component, x=x, y=y, color=color, dimension=dimension, ax=ax)

    def plot_scatter(self, component: str = "xy_z", **columns: Any) -> Figure:
        """A figure of its own of what `draw_scatter` draws, a panel for each dimension of materials."""
        return plot_scatter(self._dataset, component, **columns)

    def of_dimension(self, dimension: int) -> xr.Dataset:
        """The crystals (3), layers (2) or chains (1) of it, in units that `pint.quantify()` takes."""
        return of_dimension(self._dataset, dimension)


_KINDS: Mapping[str, type[SpinscreenAccessor]] = {
    INTEGRALS: IntegralsAccessor,
    BANDS: BandsAccessor,
    MESH: MeshAccessor,
    CATALOG: CatalogAccessor,
}


def accessor_of(dataset: xr.Dataset) -> SpinscreenAccessor:
    """The accessor of a dataset, by its attribute `kind`."""
    return _KINDS[kind_of(dataset)](dataset)
