"""Fermi surfaces as files of FermiSurfer (.frmsf) and XCrySDen (.bxsf)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, reciprocal_vectors

from ..attributes import vectors_of
from ..fermi_level import level_of
from .figures.per_k import labels_of, per_k

#: Numbers of the files by the shift of the mesh in steps: k = (i - 1)/N, k = (2 i - 1)/(2 N), i from 1.
_GRIDS = {0.0: 1, 0.5: 2}

_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class _Grid:
    """A whole mesh of a crystal.

    order : (n1, n2, n3) places of its points among those of the dataset; shift : in steps; level : eV
    bands : numbers of those that have the energy; reciprocal : (3, 3) rows b_i, 1/angstrom
    """

    dataset: xr.Dataset
    order: NDArray[np.int64]
    shift: float
    level: float
    bands: NDArray[np.int64]
    reciprocal: NDArray[np.float64]

    def values(self, variable: xr.DataArray) -> NDArray[np.float64]:
        """Of the bands that have the energy, (band, n1, n2, n3)."""
        chosen = variable.transpose("band", "k").isel(band=self.bands)
        return np.asarray(chosen.values)[:, self.order]


def write_frmsf(
    dataset: xr.Dataset,
    path: str | Path,
    energy: float | None = None,
    color: str | None = None,
    component: str | Mapping[str, Hashable] | None = None,
) -> None:
    """Fermi surface for FermiSurfer: energies from the Fermi level (eV), and a quantity as colour.

    dataset : `energy`, and what gives the colour, on a whole mesh of a crystal, of `evaluate` on a `KMesh` or
        of `stream_bands`
    energy : eV, by default the Fermi level; color : variable, by default the speed |v| where `velocity` is
        there, else the number of the band; component : as in `draw_bands`
    Bands that do not have the energy are left out. Raises InputError for another dataset, where no band has
    the energy, and where the file cannot be written.
    """
    grid = _grid_of(dataset, energy, "frmsf")
    if grid.shift not in _GRIDS:
        raise InputError("frmsf: expected a mesh shifted by 0 or half a step along all axes, found another.")
    colors = _colors(grid, color, component)
    with _written(path) as file:
        file.write(" ".join(map(str, grid.order.shape)) + f"\n{_GRIDS[grid.shift]}\n{len(grid.bands)}\n")
        np.savetxt(file, grid.reciprocal, "%.10f")
        np.savetxt(file, (grid.values(grid.dataset["energy"]) - grid.level).ravel(), "%.8e")
        np.savetxt(file, colors.ravel(), "%.8e")


def write_bxsf(dataset: xr.Dataset, path: str | Path, energy: float | None = None) -> None:
    """Fermi surface for XCrySDen and all that reads BXSF: energies (eV) and the Fermi level.

    dataset, energy : as in `write_frmsf`, on a mesh that has Gamma. Raises InputError as that.
    """
    grid = _grid_of(dataset, energy, "bxsf")
    if grid.shift != 0:
        raise InputError("bxsf: expected a mesh that has Gamma, found a shifted one.")
    # Its grids have the first point of each axis at the end again.
    energies = np.pad(grid.values(grid.dataset["energy"]), [(0, 0), (0, 1), (0, 1), (0, 1)], mode="wrap")
    with _written(path) as file:
        file.write(f"BEGIN_INFO\n  Fermi Energy: {grid.level:.8f}\nEND_INFO\n\n")
        file.write("BEGIN_BLOCK_BANDGRID_3D\n  energies_in_eV\n  BEGIN_BANDGRID_3D_spinscreen\n")
        file.write(f"    {len(grid.bands)}\n    {' '.join(map(str, energies.shape[1:]))}\n    0.0 0.0 0.0\n")
        np.savetxt(file, grid.reciprocal, "    %.10f %.10f %.10f")
        for band, values in zip(grid.bands, energies, strict=True):
            file.write(f"  BAND: {band + 1}\n")
            np.savetxt(file, values.reshape(-1, values.shape[-1]), "%.8e")
        file.write("  END_BANDGRID_3D\nEND_BLOCK_BANDGRID_3D\n")


@contextmanager
def _written(path: str | Path) -> Iterator[TextIO]:
    # What is written by names of files knows figures, which are beside this.
    from ..targets import written_whole

    with written_whole(path) as target, target.open("w", encoding="ascii") as file:
        yield file


def _grid_of(dataset: xr.Dataset, energy: float | None, kind: str) -> _Grid:
    level = energy if energy is not None else level_of(dataset)
    if level is None:
        raise InputError(
            f"energy: the Fermi level of this dataset is unknown, {kind} expects one in eV, found none."
        )
    names = ("k1", "k2", "k3")
    if "energy" not in dataset or not set(names) <= set(dataset.coords) or "lattice" not in dataset.attrs:
        raise InputError(f"{kind}: expected `energy` on a mesh of k points, found {_found(dataset)}.")
    reduced = np.stack([dataset[name].values for name in names]) % 1
    places = [np.unique(column.round(9) % 1) for column in reduced]
    shape = tuple(len(column) for column in places)
    if np.prod(shape) != dataset.sizes["k"] or min(shape) < 2 or int(dataset.attrs.get("dimension", 3)) < 3:
        raise InputError(f"{kind}: expected a whole mesh of a crystal, found {_found(dataset)}.")
    steps = [column * len(column) - np.arange(len(column)) for column in places]
    shifts = np.concatenate(steps)
    if np.ptp(shifts) > _ROUNDING * max(shape):
        raise InputError(f"{kind}: expected equal steps with one shift along all axes, found others.")
    order = np.lexsort([column.round(9) % 1 for column in reduced[::-1]]).reshape(shape)
    energies = dataset["energy"].transpose("band", "k").values
    bands = np.flatnonzero((energies.min(1) <= level) & (energies.max(1) >= level))
    if not len(bands):
        raise InputError(f"energy: no band crosses {float(level):g} eV.")
    reciprocal = reciprocal_vectors(vectors_of(dataset.attrs["lattice"]))
    return _Grid(dataset, order, round(float(shifts.mean()), 4) + 0.0, float(level), bands, reciprocal)


def _found(dataset: xr.Dataset) -> str:
    return f"{dataset.sizes['k']:,} k points" if "k" in dataset.dims else "values without k points"


def _colors(
    grid: _Grid, color: str | None, component: str | Mapping[str, Hashable] | None
) -> NDArray[np.float64]:
    if color is not None:
        values = per_k(grid.dataset, color)
        return grid.values(values.sel(labels_of(values, component)))
    if "velocity" in grid.dataset:
        speed: xr.DataArray = (grid.dataset["velocity"] ** 2).sum("axis") ** 0.5
        return grid.values(speed)
    return np.broadcast_to(grid.bands[:, None, None, None] + 1.0, (len(grid.bands), *grid.order.shape))
