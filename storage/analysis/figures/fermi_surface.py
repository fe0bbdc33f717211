"""Fermi lines in a plane of the Brillouin zone, with the spin on them, and maps of curvatures."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ...fermi_level import level_of
from .colors import color_scale
from .per_k import labels_of, per_k
from .plane import Plane, frame_plane, plane_of
from .style import COLORS, add_colorbar, diverging, figure_of, styled_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Arrows along the Fermi lines of a figure, about, and the length of one of spin 1/2 in the size of the zone.
_ARROWS, _ARROW = 70, 0.09

_SPINS = [f"spin_{axis}" for axis in "xyz"]


@dataclass(frozen=True, eq=False)
class _Line:
    """Where a band has the energy: its number, and places on the grid (point, 2)."""

    band: int
    index: NDArray[np.float64]


def draw_fermi_surface(
    dataset: xr.Dataset,
    energy: float | None = None,
    color: str | None = None,
    component: str | Mapping[str, Hashable] | None = None,
    *,
    k3: float = 0.0,
    arrows: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lines of constant energy inside the first Brillouin zone, in the colour of one component of a quantity.

    dataset : `energy`, and what gives the colour, on a mesh (of `evaluate` on a `KMesh`, or of
        `stream_bands`) or in a plane (of `evaluate` on a `k_slice`)
    energy : eV, by default the Fermi level; color : variable, None for one colour
    component : as in `draw_bands`; k3 : reduced third coordinate of the plane, nearest of the mesh
    arrows : whether the spin in the plane is drawn; by default where there is a texture and no other colour;
        colours then show the spin normal to the plane (hbar)
    Raises InputError without matplotlib, for another dataset, and where no band has the energy.
    """
    level = _level(dataset, energy)
    plane = plane_of(dataset, k3)
    lines = _lines(plane, level)
    if not lines:
        raise InputError(f"energy: no band crosses {level:g} eV in this plane.")
    spins = _spins(plane) if arrows or (arrows is None and color is None) else None
    if arrows and spins is None:
        raise InputError("plot_fermi_surface: expected `texture` of spin_x, spin_y and spin_z for arrows.")
    with styled_axes(ax, plane.height) as drawn:
        outline = frame_plane(drawn, plane)
        if color is not None:
            values = per_k(plane.dataset, color)
            labels = labels_of(values, component)
            _colored(drawn, plane, lines, values.sel(labels), labels, outline)
        else:
            _plain(drawn, plane, lines, outline, "0.4" if spins is not None else COLORS[0])
        if spins is not None:
            _arrows(drawn, plane, lines, spins, colored=color is None)
        material = str(dataset.attrs.get("model_name", ""))
        drawn.set_title(f"{material}: {level:.3f} eV", parse_math=False)
    return drawn


def draw_map(
    dataset: xr.Dataset,
    quantity: str = "berry_curvature",
    component: str | Mapping[str, Hashable] | None = None,
    *,
    energy: float | None = None,
    band: int | None = None,
    k3: float = 0.0,
    lines: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """One component of a quantity over the first Brillouin zone, summed over the bands below the Fermi level.

    dataset, component, k3 : as in `draw_fermi_surface`; energy : eV, by default the Fermi level
    band : one band, from 0, instead of the sum; lines : whether Fermi lines are drawn on it
    Colours of curvatures are logarithmic on both sides of zero. Raises InputError as `draw_fermi_surface`.
    """
    level = _level(dataset, energy) if band is None or lines else 0.0
    plane = plane_of(dataset, k3)
    values = per_k(plane.dataset, quantity)
    labels = labels_of(values, component)
    one = values.sel(labels)
    if band is not None and not 0 <= band < one.sizes["band"]:
        raise InputError(f"band: expected 0 to {one.sizes['band'] - 1}, found {band}.")
    filled = plane.dataset["energy"] < level
    summed = (one.where(filled, 0.0).sum("band") if band is None else one.isel(band=band)).assign_attrs(
        values.attrs
    )
    told = "occupied" if band is None else f"band {band}"
    with styled_axes(ax, plane.height) as drawn:
        outline = frame_plane(drawn, plane)
        scale = color_scale(summed, ", ".join([" ".join(map(str, labels.values())), told]))
        grid = plane.grid
        colors = drawn.pcolormesh(
            grid[..., 0], grid[..., 1], summed.values[plane.number], norm=scale.norm, cmap="RdBu_r",
            shading="gouraud", rasterized=True, zorder=0,
        )  # fmt: skip
        colors.set_clip_path(outline)
        add_colorbar(drawn, colors, scale.label, extend=scale.extend, decades=scale.decades)
        if lines and (found := _lines(plane, level)):
            _plain(drawn, plane, found, outline, "black")
        drawn.set_title(str(dataset.attrs.get("model_name", "")), parse_math=False)
    return drawn


def plot_fermi_surface(dataset: xr.Dataset, energy: float | None = None, k3: float = 0.0) -> Figure:
    """Figure of lines of constant energy with the spin on them, see `draw_fermi_surface`."""
    return figure_of(draw_fermi_surface(dataset, energy, k3=k3))


def _level(dataset: xr.Dataset, energy: float | None) -> float:
    level = energy if energy is not None else level_of(dataset)
    if level is None:
        raise InputError(
            "energy: the Fermi level of this dataset is unknown, expected one in eV, found none."
        )
    return float(level)


def _lines(plane: Plane, level: float) -> list[_Line]:
    from contourpy import contour_generator

    energies = plane.values(plane.dataset["energy"])
    return [
        # Contours have the second index first.
        _Line(band, np.asarray(points)[:, ::-1])
        for band, values in enumerate(energies)
        if values.min() < level < values.max()
        for points in contour_generator(z=values).lines(level)
        if plane.inside(plane.place(np.asarray(points)[:, ::-1])).any()
    ]


def _plain(ax: Axes, plane: Plane, lines: list[_Line], outline: Any, color: str) -> None:
    from matplotlib.collections import LineCollection

    drawn = LineCollection([plane.place(line.index) for line in lines], colors=color, linewidths=0.8)
    drawn.set_clip_path(outline)
    ax.add_collection(drawn, autolim=False)


def _colored(
    ax: Axes,
    plane: Plane,
    lines: list[_Line],
    values: xr.DataArray,
    labels: Mapping[str, Hashable],
    outline: Any,
) -> None:
    from matplotlib.collections import LineCollection
    from scipy.ndimage import map_coordinates

    on_grid = plane.values(values)
    segments, colors = [], []
    for line in lines:
        points = plane.place(line.index)
        along = map_coordinates(on_grid[line.band], line.index.T, order=1)
        segments.append(np.stack([points[:-1], points[1:]], axis=1))
        colors.append((along[:-1] + along[1:]) / 2)
    color = np.concatenate(colors)
    on_lines = xr.DataArray(
        color, dims="point", attrs=values.attrs, name=values.name, coords=_scalars(values)
    )
    scale = color_scale(on_lines, " ".join(map(str, labels.values())))
    look: dict[str, Any] = {"cmap": diverging(), "norm": scale.norm, "linewidths": 1.6}
    drawn = LineCollection(list(np.concatenate(segments)), array=color, **look)
    drawn.set_capstyle("round")
    drawn.set_clip_path(outline)
    ax.add_collection(drawn, autolim=False)
    add_colorbar(ax, drawn, scale.label, extend=scale.extend, decades=scale.decades)


def _scalars(values: xr.DataArray) -> dict[Hashable, Any]:
    return {name: coordinate for name, coordinate in values.coords.items() if coordinate.ndim == 0}


def _spins(plane: Plane) -> NDArray[np.float64] | None:
    """Spin along the axes of the plane and normal to it, (3, band, n, m), where the texture has it."""
    dataset = plane.dataset
    if "texture" not in dataset or not set(_SPINS) <= set(map(str, dataset["observable"].values)):
        return None
    cartesian = np.stack([plane.values(dataset["texture"].sel(observable=name)) for name in _SPINS])
    frame = np.array([*plane.axes, plane.normal])
    return np.asarray(np.einsum("ij,jbnm->ibnm", frame, cartesian))


def _arrows(ax: Axes, plane: Plane, lines: list[_Line], spins: NDArray, colored: bool) -> None:
    """Spins of the nearest points of the grid, at equal steps along the lines."""
    step = max(1, sum(len(line.index) for line in lines) // _ARROWS)
    points, found = [], []
    for line in lines:
        for index in line.index[step // 2 :: step]:
            row, column = np.round(index).astype(int)
            points.append(plane.place(index))
            found.append(spins[:, line.band, row, column])
    kept = plane.inside(np.array(points))
    if not kept.any():
        return
    (x, y), (across, along, normal) = np.array(points)[kept].T, np.array(found)[kept].T
    size = float(np.ptp(plane.zone, axis=0).max())
    look: dict[str, Any] = {
        "scale": 0.5 / (_ARROW * size), "scale_units": "xy", "angles": "xy", "width": 0.006, "pivot": "mid",
        "zorder": 3,
    }  # fmt: skip
    if not colored:
        ax.quiver(x, y, across, along, color="0.2", **look)
        return
    drawn = ax.quiver(x, y, across, along, normal, cmap=diverging(), clim=(-0.5, 0.5), **look)
    axis = next((a for a, v in zip("xyz", np.eye(3), strict=True) if np.allclose(plane.normal, v)), "normal")
    add_colorbar(ax, drawn, f"spin {axis} (ħ)")
