"""Values per k and band on a mesh of any size, written to the store by the workers, not by the driver."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client

from spinscreen.kernels import (
    InputError,
    KMesh,
    LatticeOperators,
    LineSpan,
    Resolution,
    band_quantities,
    band_values_on_mesh,
    block_size,
)
from spinscreen.materials import WannierModel
from spinscreen.storage import SCHEMA_VERSION, BandStream, Store, band_dataset, group_name

from .calculation import PER_BAND, Calculation
from .computing import silent
from .dask_engine import engine_of
from .descriptions import model_attributes, observables_of
from .engine import Engine
from .evaluating import bytes_of_values, checked_band_quantities
from .execution import Progress
from .finiteness import check_band_values
from .plan import free_bytes, seconds_per_kpoint
from .settings import complete_kmesh

#: Bytes of one chunk of all arrays, and the longest time (s) of the task that computes it.
_CHUNK_BYTES, _LONGEST = 16 * 2**20, 10.0


@dataclass(frozen=True, eq=False)
class _Job:
    """What is evaluated, the same for every span."""

    mesh: KMesh
    resolution: Resolution
    names: tuple[str, ...]
    block: int
    stream: BandStream
    model_name: str


def stream_bands(
    model: WannierModel,
    kmesh: int | Sequence[int] | None,
    store: str | Path | Store,
    quantities: Sequence[str] = ("energy", "texture"),
    client: Client | Engine | None = None,
    *,
    calculation: Calculation | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> str:
    """Evaluate quantities on a whole mesh into the group /bands/<id> of a store; returns the id.

    Workers write the chunks they compute, so neither the driver nor a worker ever holds the whole. What an
    earlier, killed try has written is not computed again; a published group is left alone. The group has
    dims (k, ..., band), as from `evaluate`, k in the order of `KMesh.points`.
    kmesh, client : as in `compute`; calculation, settings : as in `evaluate`
    Raises InputError, StoreError where the store cannot be written.
    """
    calculation = Calculation.of(calculation, settings, PER_BAND)
    model = calculation.prepare(model)
    chosen = checked_band_quantities(model, quantities)
    mesh = KMesh(complete_kmesh(model, kmesh))
    resolution = calculation.resolution(model)
    stream = band_stream(model, mesh.shape, store, quantities, resolution)
    if stream.is_published:
        stream.check_published()
        return stream.band_id
    _check_space(Store.at(stream.store).path, mesh.size * bytes_of_values(model, chosen))
    free = free_bytes(model.operators, mesh.line_length, calculation.memory_budget)
    job = _Job(mesh, resolution, tuple(quantities), block_size(model.operators, free), stream, model.name)
    one = band_values_on_mesh(model.operators, mesh, LineSpan(0, 1), resolution, chosen, job.block)
    empty = band_dataset(
        {name: values[:0] for name, values in one.items()},
        chosen,
        observables_of(model),
        np.empty((0, 3)),
        model_attributes(model, resolution) | {"k_mesh": list(mesh.shape)},
    )
    lines = _lines_per_chunk(model, mesh, sum(values.nbytes for values in one.values()))
    stream.prepare(empty, mesh.size, lines * mesh.line_length)
    spans = [span for span in mesh.spans(lines) if not stream.has(span.start * mesh.line_length)]
    engine = engine_of(client)
    for _, done in engine.map(_write_span, spans, shared=(model.operators, job)):
        progress(done.result())
    stream.publish()
    return stream.band_id


def band_stream(
    model: WannierModel,
    kmesh: int | Sequence[int] | None,
    store: str | Path | Store,
    quantities: Sequence[str],
    resolution: Resolution,
) -> BandStream:
    """The group that `stream_bands` fills, named after all that its numbers depend on."""
    deciding = [complete_kmesh(model, kmesh), resolution.degeneracy_threshold, resolution.broadening]
    text = json.dumps([SCHEMA_VERSION, model.fingerprint, deciding, list(quantities)])
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    return BandStream(Store.at(store), f"{group_name(model.name)}-{key}")


def _check_space(store: Path, needed: int) -> None:
    folder = next(place for place in (store, *store.parents) if place.exists())
    total = shutil.disk_usage(folder).total
    if needed > total:
        raise InputError(
            f"kmesh: the values need about {needed / 2**30:,.0f} GiB, expected at most the "
            f"{total / 2**30:,.0f} GiB of the disk of {store}; choose a smaller mesh or fewer quantities."
        )


def _lines_per_chunk(model: WannierModel, mesh: KMesh, line_bytes: int) -> int:
    by_time = _LONGEST / (seconds_per_kpoint(model.size) * mesh.line_length)
    return max(1, int(min(_CHUNK_BYTES / line_bytes, by_time, mesh.line_count)))


def _write_span(operators: LatticeOperators, job: _Job, span: LineSpan) -> int:
    """Compute one chunk and write it; returns its number of k points."""
    chosen = band_quantities(job.names)
    values = band_values_on_mesh(operators, job.mesh, span, job.resolution, chosen, job.block)
    points = job.mesh.points(span)
    check_band_values(job.model_name, operators, values, points)
    coordinates = {f"k{i + 1}": points[:, i] for i in range(3)}
    job.stream.write(span.start * job.mesh.line_length, values | coordinates)
    return len(points)
