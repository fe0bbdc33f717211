"""`evaluate`: values per k and band; Brillouin-zone integrals are in `computing`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import xarray as xr
from distributed.system import MEMORY_LIMIT
from numpy.typing import ArrayLike

from spinscreen.kernels import (
    BandQuantity,
    InputError,
    KMesh,
    KPath,
    KSlice,
    band_quantities,
    band_values,
    block_size,
    checked_kpoints,
)
from spinscreen.materials import WannierModel
from spinscreen.storage import band_dataset
from spinscreen.storage.attributes import make_portable
from spinscreen.storage.schema import with_plane

from .calculation import PER_BAND, Calculation
from .descriptions import model_attributes, observables_of
from .finiteness import check_band_values
from .plan import budget_bytes
from .settings import check_observables, checked_names


def evaluate(
    model: WannierModel,
    kpoints: ArrayLike | KPath | KMesh | KSlice,
    quantities: Sequence[str] = ("energy",),
    *,
    calculation: Calculation | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Quantities at each k and band.

    kpoints : (n, 3) reduced, a `KPath`, a `KMesh` or a `KSlice`
    quantities : names such as energy, velocity, texture, berry_curvature, conserved_curvature,
        conventional_curvature, wave_packet_dipole (see docs/quantities.md)
    calculation, settings : degeneracy_threshold, broadening, fermi_level (eV), electrons, charge, orbital and
        memory_budget, of a `Calculation` or by name
    Returns dims (k, ..., band); a path adds the coordinate `distance`, a slice `plane_1` and `plane_2`
    (1/angstrom). Raises InputError.

    >>> from spinscreen.materials import library
    >>> from spinscreen.workflows import evaluate
    >>> bands = evaluate(library.load("haldane"), [[0.0, 0.0, 0.0]], ["energy", "berry_curvature"])
    >>> dict(bands["berry_curvature"].sizes)
    {'k': 1, 'axis': 3, 'band': 2}
    >>> bands["energy"].values.round(3)
    array([[-3.007,  3.007]])
    """
    started = time.perf_counter()
    calculation = Calculation.of(calculation, settings, PER_BAND)
    model = calculation.prepare(model)
    chosen = checked_band_quantities(model, quantities)
    resolution = calculation.resolution(model)
    block = block_size(model.operators, budget_bytes(calculation.memory_budget))
    if isinstance(kpoints, KMesh):
        _check_memory(model, kpoints, chosen)
    points = checked_kpoints(_points(kpoints))
    values = band_values(model.operators, points, resolution, chosen, block)
    check_band_values(model.name, model.operators, values, points)
    attributes = model_attributes(model, resolution)
    attributes["elapsed_seconds"] = time.perf_counter() - started
    dataset = band_dataset(values, chosen, observables_of(model), points, attributes)
    if isinstance(kpoints, KPath):
        ticks = {
            "long_name": "distance along the path",
            "units": "1/angstrom",
            "tick_positions": [position for position, _ in kpoints.ticks],
            "breaks": list(kpoints.breaks),
            "tick_labels": [label for _, label in kpoints.ticks],
        }
        dataset = dataset.assign_coords(distance=("k", kpoints.distance, ticks))
        make_portable(dataset)
    if isinstance(kpoints, KSlice):
        dataset = with_plane(dataset, kpoints.place, kpoints.shape, kpoints.axes, kpoints.zone)
    return dataset


def checked_band_quantities(model: WannierModel, quantities: Sequence[str]) -> tuple[BandQuantity, ...]:
    """Records of values per k and band that the model has. Raises InputError."""
    names = checked_names(quantities)
    chosen = band_quantities(names)
    if not chosen:
        raise InputError("quantities: expected at least one name, found none.")
    for name in names:
        check_observables(model, name)
    return chosen


def bytes_of_values(model: WannierModel, chosen: Sequence[BandQuantity]) -> int:
    """Size of what `evaluate` returns for one k point."""
    lengths = {"observable": len(model.observables)}
    return 24 + 8 * model.size * sum(math.prod(lengths.get(dim, 3) for dim in q.dims) for q in chosen)


def _check_memory(model: WannierModel, mesh: KMesh, chosen: Sequence[BandQuantity]) -> None:
    needed = mesh.size * bytes_of_values(model, chosen)
    if needed > MEMORY_LIMIT:
        raise InputError(
            f"kpoints: values on {mesh.size:,} k points need {needed / 2**30:,.0f} GiB, expected at most "
            f"the {MEMORY_LIMIT / 2**30:.0f} GiB of memory of this machine; stream_bands() writes them to "
            "a store."
        )


def _points(kpoints: ArrayLike | KPath | KMesh | KSlice) -> ArrayLike:
    if isinstance(kpoints, KPath | KSlice):
        return kpoints.points
    return kpoints.points() if isinstance(kpoints, KMesh) else kpoints
