"""A plane of k points inside the first Brillouin zone: of a mesh, repeated to fill it, or of a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, plane_axes, reciprocal_vectors, zone_section

from ...attributes import vectors_of
from ...schema import PLANE
from .style import COLUMN

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Inches beside and above the axes: labels, title and the scale of the colours.
_BESIDE = (1.2, 0.75)

#: Margin about the zone, in its size.
_MARGIN = 0.03


@dataclass(frozen=True, eq=False)
class Plane:
    """Points on a grid of parallelograms over the first Brillouin zone.

    dataset : values on them, dims (k, ..., band); number : (n, m) place of each grid point among them
    origin : (2,) and steps : (2, 2), 1/angstrom along `axes`: of the first point, and from one to the next
    axes : (2, 3) Cartesian unit vectors; zone : (corner, 2) its outline
    """

    dataset: xr.Dataset
    number: NDArray[np.int64]
    origin: NDArray[np.float64]
    steps: NDArray[np.float64]
    axes: NDArray[np.float64]
    zone: NDArray[np.float64]

    def values(self, variable: xr.DataArray) -> NDArray[np.float64]:
        """One component per band on the grid, (band, n, m)."""
        return variable.transpose("band", "k").values[:, self.number]

    def place(self, index: NDArray) -> NDArray[np.float64]:
        """Positions (..., 2) of places on the grid (..., 2)."""
        return self.origin + index @ self.steps

    @property
    def grid(self) -> NDArray[np.float64]:
        """Positions (n, m, 2) of all points."""
        return self.place(np.moveaxis(np.indices(self.number.shape), 0, -1))

    @property
    def height(self) -> float:
        """Inches of a figure of the usual width that the zone fills."""
        wide, high = np.ptp(self.zone, axis=0)
        return _BESIDE[1] + (COLUMN - _BESIDE[0]) * float(high / wide)

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(*self.axes)

    def inside(self, points: NDArray) -> NDArray[np.bool_]:
        """Which points (..., 2) lie in the zone."""
        after = np.roll(self.zone, -1, axis=0)
        edges = after - self.zone
        apart = points[..., None, :] - self.zone
        return np.asarray((edges[:, 0] * apart[..., 1] - edges[:, 1] * apart[..., 0] >= 0).all(axis=-1))


def plane_of(dataset: xr.Dataset, k3: float = 0.0) -> Plane:
    """The slice of a dataset, or the plane of a mesh at the third reduced coordinate that is nearest to `k3`.

    Raises InputError for values that are neither.
    """
    if "energy" not in dataset or "lattice" not in dataset.attrs:
        raise _no_mesh("no energies")
    return _of_slice(dataset) if PLANE[0] in dataset.coords else _of_mesh(dataset, k3)


def _no_mesh(found: str) -> InputError:
    return InputError(
        "plot_fermi_surface: expected a mesh of k points with `energy`, as from stream_bands or "
        f"evaluate(model, KMesh(...), ['energy', 'texture']), or a k_slice, found {found}."
    )


def _of_slice(dataset: xr.Dataset) -> Plane:
    told = dataset[PLANE[0]].attrs
    shape = tuple(int(n) for n in told["shape"])
    places = np.stack([dataset[name].values for name in PLANE], axis=-1).reshape(*shape, 2)
    steps = np.array([places[1, 0] - places[0, 0], places[0, 1] - places[0, 0]])
    number = np.arange(places.shape[0] * places.shape[1]).reshape(shape)
    zone = np.reshape(np.asarray(told["zone"], float), (-1, 2))
    return Plane(dataset.load(), number, places[0, 0], steps, vectors_of(told["axes"]), zone)


def _of_mesh(dataset: xr.Dataset, k3: float) -> Plane:
    names = ("k1", "k2", "k3")
    if not set(names) <= set(dataset.coords):
        raise _no_mesh("values without reduced k points")
    reduced = np.stack([dataset[name].values for name in names], axis=-1)
    lengths = [len(np.unique(column.round(9))) for column in reduced.T]
    periodic = [True] * 3
    third = 2
    if int(dataset.attrs.get("dimension", 3)) == 2:
        # Results of before do not say which axes repeat; along the one that does not there is one point.
        told = dataset.attrs.get("periodic")
        third = int(np.argmin(lengths if told is None else np.atleast_1d(told)))
        periodic[third] = False
    distance = np.abs((reduced[:, third] - k3 + 0.5) % 1 - 0.5)
    chosen = np.flatnonzero(distance <= distance.min() + 1e-9)
    sides = [axis for axis in range(3) if axis != third]
    first, second = (np.round(reduced[chosen, axis] % 1, 9) % 1 for axis in sides)
    shape = (len(np.unique(first)), len(np.unique(second)))
    if shape[0] * shape[1] != len(chosen) or min(shape) < 3:
        raise _no_mesh(f"{len(chosen)} points")
    order = np.lexsort((second, first)).reshape(shape)
    lattice = vectors_of(dataset.attrs["lattice"])
    reciprocal = reciprocal_vectors(lattice, periodic)
    spanning = reciprocal if len(reciprocal) == 2 else reciprocal[sides]
    axes = plane_axes(_upward(np.cross(*spanning)))
    height = (reduced[chosen[0], third] - round(reduced[chosen[0], third])) if periodic[third] else 0.0
    level = height * reciprocal[third] if periodic[third] else np.zeros(3)
    normal = np.cross(*axes)
    zone = zone_section(reciprocal, (level @ normal) * normal, axes)
    in_plane = spanning @ axes.T
    corners = (zone - level @ axes.T) @ np.linalg.inv(in_plane)
    start = [first.min(), second.min()]
    # Repeated as far as the zone reaches, and a step further.
    ranges = [
        np.arange(np.floor((low - s) * n) - 1, np.ceil((high - s) * n) + 2).astype(int)
        for low, high, s, n in zip(corners.min(0), corners.max(0), start, shape, strict=True)
    ]
    steps = in_plane / np.array(shape)[:, None]
    begin = np.array([r[0] / n + s for r, n, s in zip(ranges, shape, start, strict=True)])
    number = order[np.ix_(ranges[0] % shape[0], ranges[1] % shape[1])]
    return Plane(dataset.isel(k=chosen).load(), number, begin @ in_plane + level @ axes.T, steps, axes, zone)


def _upward(normal: NDArray) -> NDArray:
    """The normal or its opposite: with its largest component positive, so that kx and ky stay themselves."""
    return normal if normal[np.abs(normal).argmax()] > 0 else -normal


def frame_plane(ax: Axes, plane: Plane) -> Any:
    """Axes with the outline of the zone, to which what is drawn inside is cut; returns that outline."""
    from matplotlib.patches import Polygon

    outline = Polygon(plane.zone, closed=True, fill=False, edgecolor="black", linewidth=0.8, zorder=4)
    ax.add_patch(outline)
    margin = _MARGIN * float(np.ptp(plane.zone, axis=0).max())
    (left, bottom), (right, top) = plane.zone.min(0) - margin, plane.zone.max(0) + margin
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal")
    ax.set_xlabel(f"{_direction(plane.axes[0])} (1/Å)")
    ax.set_ylabel(f"{_direction(plane.axes[1])} (1/Å)")
    return outline


def _direction(vector: NDArray) -> str:
    """Kx along a Cartesian axis; else k along a vector of small whole numbers, or of what it is."""
    for letter, axis in zip("xyz", np.eye(3), strict=True):
        if np.allclose(vector, axis, atol=1e-6):
            return f"$k_{letter}$"
    whole = vector / np.abs(vector[np.abs(vector) > 1e-6]).min()
    numbers = np.round(whole) if np.allclose(whole, np.round(whole), atol=1e-3) else np.round(vector, 2)
    return f"k along ({', '.join(f'{n:g}' for n in numbers + 0.0)})"
