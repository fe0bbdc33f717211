"""Fermi-surface slices with spin arrows, from values per k and band on a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..attributes import vectors_of
from ..fermi_level import level_of
from .plots import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Arrows along the Fermi lines of a figure, about.
_ARROWS = 90


@dataclass(frozen=True, eq=False)
class _Slice:
    """A plane of k points, one row and column repeated so that lines close over the zone's border.

    position : (2, n, m) 1/angstrom in the plane; energy : (n, m, band) eV; spin : (3, n, m, band) or None
    """

    position: NDArray
    energy: NDArray
    spin: NDArray | None


def plot_fermi_surface(dataset: xr.Dataset, energy: float | None = None, k3: float = 0.0) -> Figure:
    """Lines of constant energy in the plane of the first two reciprocal vectors, with the spin on them.

    dataset : `energy`, and if there `texture`, on a mesh (of `evaluate` on a `KMesh`, or of `stream_bands`)
    energy : eV, by default the Fermi level; k3 : reduced third coordinate of the plane, nearest of the mesh
    Arrows show spin x and y, colours spin z (hbar). Raises InputError for another dataset.
    """
    level = energy if energy is not None else level_of(dataset)
    if level is None:
        raise InputError("plot_fermi_surface: the Fermi level of this dataset is unknown, expected energy=.")
    plane = _slice(dataset, k3)
    figure = new_figure()(figsize=(5.6, 4.8), layout="constrained")
    ax = figure.subplots()
    lines = []
    for band in range(plane.energy.shape[-1]):
        values = plane.energy[..., band]
        if values.min() < float(level) < values.max():
            contours = ax.contour(
                *plane.position, values, levels=[float(level)], colors="0.4", linewidths=0.8
            )
            lines += [(band, segment) for segment in contours.allsegs[0] if len(segment) > 1]
    if not lines:
        raise InputError(f"plot_fermi_surface: no band crosses {float(level):g} eV in this plane.")
    if plane.spin is not None:
        _draw_spins(ax, figure, plane, lines)
    ax.set_aspect("equal")
    ax.set_xlabel("k along b1 (1/Å)")
    ax.set_ylabel("k normal to b1 (1/Å)")
    ax.set_title(f"{dataset.attrs.get('model_name', '')}: {float(level):.3f} eV", fontsize="medium")
    return figure


def _slice(dataset: xr.Dataset, k3: float) -> _Slice:
    if (
        "energy" not in dataset
        or not {"k1", "k2", "k3"} <= set(dataset.coords)
        or "lattice" not in dataset.attrs
    ):
        raise InputError(
            "plot_fermi_surface: expected `energy` on a k mesh, as from stream_bands or evaluate(model, "
            "KMesh(...), ['energy', 'texture'])."
        )
    third = dataset["k3"].values
    distance = np.abs((third - k3 + 0.5) % 1 - 0.5)
    plane = dataset.isel(k=np.flatnonzero(distance == distance.min())).load()
    # Gamma in the middle of the figure.
    first, second = ((plane[name].values + 0.5) % 1 - 0.5 for name in ("k1", "k2"))
    shape = (len(np.unique(first.round(9))), len(np.unique(second.round(9))))
    if shape[0] * shape[1] != plane.sizes["k"] or min(shape) < 3:
        raise InputError(f"plot_fermi_surface: expected a mesh of k points, found {plane.sizes['k']} points.")
    order = np.lexsort((second.round(9), first.round(9)))
    reciprocal = 2 * np.pi * np.linalg.inv(vectors_of(dataset.attrs["lattice"])).T
    reduced = _closed(np.stack([first, second])[:, order].reshape(2, *shape), 1.0)
    energy = _closed(plane["energy"].values[order].T.reshape(-1, *shape))
    spin = None
    names = [f"spin_{a}" for a in "xyz"]
    if "texture" in plane and set(names) <= set(map(str, plane["observable"].values)):
        texture = plane["texture"].sel(observable=names).transpose("observable", "band", "k").values
        spin = np.moveaxis(_closed(texture[..., order].reshape(3, -1, *shape)), 1, -1)
    return _Slice(_in_plane(reduced, reciprocal), np.moveaxis(energy, 0, -1), spin)


def _closed(values: NDArray, period: float = 0.0) -> NDArray:
    """Repeat the first row and column at the end; reduced coordinates go on by one."""
    values = np.concatenate([values, values[..., :1, :]], axis=-2)
    values = np.concatenate([values, values[..., :1]], axis=-1)
    if period:
        values[0, -1, :] += period
        values[1, :, -1] += period
    return values


def _in_plane(reduced: NDArray, reciprocal: NDArray) -> NDArray:
    """Cartesian positions (2, n, m): along b1, and normal to it in the plane of b1 and b2."""
    first = reciprocal[0] / np.linalg.norm(reciprocal[0])
    rest = reciprocal[1] - (reciprocal[1] @ first) * first
    second = rest / np.linalg.norm(rest)
    frame = np.array([[b @ first, b @ second] for b in reciprocal[:2]])
    return np.einsum("inm,ij->jnm", reduced, frame)


def _draw_spins(ax: Axes, figure: Figure, plane: _Slice, lines: list[tuple[int, NDArray]]) -> None:
    assert plane.spin is not None
    points, spins = [], []
    step = max(1, sum(len(segment) for _, segment in lines) // _ARROWS)
    grid = plane.position.reshape(2, -1)
    for band, segment in lines:
        values = plane.spin[..., band].reshape(3, -1)
        for point in segment[step // 2 :: step]:
            nearest = int(np.argmin(((grid - point[:, None]) ** 2).sum(0)))
            points.append(point)
            spins.append(values[:, nearest])
    if not points:
        return
    x, y = np.array(points).T
    sx, sy, sz = np.array(spins).T
    arrows: Any = ax.quiver(
        x, y, sx, sy, sz, cmap="coolwarm", clim=(-0.5, 0.5), scale=8, width=0.006, pivot="mid"
    )
    figure.colorbar(arrows).set_label("spin z (ħ)")
