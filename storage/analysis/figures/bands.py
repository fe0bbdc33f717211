"""Bands along a path as lines, in the colour of a texture or a curvature."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ...attributes import texts_of
from ...fermi_level import level_of
from .colors import color_scale
from .labels import energy_label
from .per_k import labels_of, per_k
from .style import COLORS, FAINT, GUIDE, add_colorbar, diverging, figure_of, styled_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Width of a gap between pieces of a path, in the length of the whole.
_GAP = 0.02

_GREEK = {"GAMMA": "Γ", "G": "Γ", "SIGMA": "Σ", "DELTA": "Δ", "LAMBDA": "Λ"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def draw_bands(
    dataset: xr.Dataset,
    color: str | None = None,
    component: str | Mapping[str, Hashable] | None = None,
    *,
    window: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Bands along a path, with lines in the colour of one component of a quantity.

    dataset : of `evaluate` on a path; color : variable such as "texture" or "berry_curvature", None for none
    component : "spin_z", "z", "xy_z", or labels dim by dim; by default the largest over most of the path
    window : eV, energies that are shown, counted from the Fermi level where that is known
    Spins are coloured between -1/2 and 1/2, curvatures logarithmically on both sides of zero. A line is one
    number of the sorted energies, so lines that meet go apart again. Raises InputError without matplotlib,
    for values that are not along a path, and for what the dataset lacks.
    """
    if "distance" not in dataset.coords or "energy" not in dataset:
        raise InputError(
            "plot_bands: expected values along a path, `energy` among them, as from "
            "evaluate(model, k_path(...), ['energy', ...])."
        )
    level = level_of(dataset)
    energy = dataset["energy"].values - (level or 0.0)
    path = _Path(dataset["distance"])
    shown = np.ones(energy.shape[1], bool)
    if window is not None:
        shown = (energy.max(0) >= window[0]) & (energy.min(0) <= window[1])
        if not shown.any():
            unknown = "; they count from 0, the Fermi level is unknown" if level is None else ""
            raise InputError(
                f"window: expected one with bands, which reach from {energy.min():.4g} to "
                f"{energy.max():.4g} eV{unknown}, found {window[0]:g} to {window[1]:g} eV."
            )
    with styled_axes(ax, 2.7) as drawn:
        if color is None or color == "energy":
            _plain_lines(drawn, path, energy[:, shown])
        else:
            values = per_k(dataset, color)
            labels = labels_of(values, component)
            _colored_lines(drawn, path, energy[:, shown], values.sel(labels).isel(band=shown), labels)
        drawn.autoscale_view()
        if window is not None:
            drawn.set_ylim(*window)
        _mark_path(drawn, path)
        if level is not None:
            drawn.axhline(0, color=GUIDE, linewidth=0.7, linestyle=":", zorder=0)
        drawn.set_ylabel(energy_label(level is not None, scanned=False))
        drawn.set_title(str(dataset.attrs.get("model_name", "")), parse_math=False)
    return drawn


def plot_bands(
    dataset: xr.Dataset, color_by: str, selection: Mapping[str, Hashable], fermi_level: float | None
) -> Figure:
    """Figure of bands along a path, see `draw_bands`.

    color_by : variable; selection : labels for its other dims; fermi_level : eV, zero of the energies
    """
    levelled = dataset.drop_vars("fermi_level", errors="ignore")
    levelled.attrs = {name: value for name, value in dataset.attrs.items() if name != "fermi_level"}
    if fermi_level is not None:
        levelled.attrs["fermi_level"] = float(fermi_level)
    return figure_of(draw_bands(levelled, color_by, selection))


class _Path:
    """Places along the axis, with a gap where the path breaks off.

    place : (k,); pieces : slices of points that are joined; ticks : (place, label);
    edges : places of lines down the figure; gaps : (begin, end) of nothing
    """

    def __init__(self, distance: xr.DataArray) -> None:
        length = distance.values
        breaks = [int(number) for number in np.atleast_1d(distance.attrs.get("breaks", ()))]
        gap = _GAP * float(length[-1] - length[0])
        self.place = length + gap * np.searchsorted(breaks, np.arange(len(length)), side="right")
        self.pieces = [slice(*ends) for ends in pairwise((0, *breaks, len(length)))]
        self.gaps = [(float(self.place[b - 1]), float(self.place[b])) for b in breaks]
        self.ticks: list[tuple[float, str]] = []
        self.edges: list[float] = []
        positions = np.atleast_1d(distance.attrs["tick_positions"])
        for position, label in zip(positions, texts_of(distance.attrs["tick_labels"]), strict=True):
            at = [i for i, b in enumerate(breaks) if np.isclose(length[b], position)]
            before = sum(length[b] < position and not np.isclose(length[b], position) for b in breaks)
            ends = self.gaps[at[0]] if at else (position + gap * before,) * 2
            self.ticks.append((sum(ends) / 2, _printed(label)))
            self.edges += sorted(set(ends))


def _printed(label: str) -> str:
    """Greek letters and subscripts, as in "X|K_1" and GAMMA."""
    parts = [_GREEK.get(part.upper().lstrip("\\"), part) for part in re.split(r"(\||_)", label)]
    text = "".join(parts)
    return re.sub(r"_(\d+)", lambda number: number[1].translate(_SUBSCRIPTS), text)


def _plain_lines(ax: Axes, path: _Path, energy: NDArray) -> None:
    from matplotlib.collections import LineCollection

    lines = [np.column_stack([path.place[piece], band[piece]]) for band in energy.T for piece in path.pieces]
    ax.add_collection(LineCollection(lines, colors=COLORS[0], linewidths=1.0))


def _colored_lines(
    ax: Axes, path: _Path, energy: NDArray, values: xr.DataArray, labels: Mapping[str, Hashable]
) -> None:
    from matplotlib.collections import LineCollection

    points = np.stack(np.broadcast_arrays(path.place[:, None], energy), axis=-1)
    numbers = values.transpose("k", "band").values
    segments, colors = [], []
    for piece in path.pieces:
        ends = points[piece]
        segments.append(np.stack([ends[:-1], ends[1:]], axis=2).reshape(-1, 2, 2))
        colors.append((numbers[piece][:-1] + numbers[piece][1:]).ravel() / 2)
    color = np.concatenate(colors)
    # Of lines on each other, the one with more to tell is seen.
    order = np.argsort(np.abs(color), kind="stable")
    scale = color_scale(values, " ".join(map(str, labels.values())))
    lines = LineCollection(
        list(np.concatenate(segments)[order]),
        array=color[order],
        cmap=diverging(),
        norm=scale.norm,
        linewidths=1.4,
    )
    lines.set_capstyle("round")
    ax.add_collection(lines)
    add_colorbar(ax, lines, scale.label, extend=scale.extend, decades=scale.decades)


def _mark_path(ax: Axes, path: _Path) -> None:
    from matplotlib.patches import Rectangle

    ax.set_xlim(path.place[0], path.place[-1])
    for edge in path.edges:
        ax.axvline(edge, color=FAINT, linewidth=0.7, zorder=0)
    for begin, end in path.gaps:
        # Over the frame as well, which is no line of the path.
        ax.add_patch(
            Rectangle(
                (begin, -0.01), end - begin, 1.02, transform=ax.get_xaxis_transform(), color="white",
                zorder=3, clip_on=False, linewidth=0,
            )
        )  # fmt: skip
        for edge in (begin, end):
            ax.axvline(edge, color="black", linewidth=0.7, zorder=4)
    ax.set_xticks([place for place, _ in path.ticks], [label for _, label in path.ticks], parse_math=False)
    ax.tick_params(axis="x", length=0)
