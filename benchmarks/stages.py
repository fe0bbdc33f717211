"""Microseconds per k point of each stage of the pipeline, beside the floor."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from spinscreen.kernels import mesh_blocks, solve_bands, sum_span
from spinscreen.kernels.bands import BlochBands
from spinscreen.kernels.occupations import Occupations, Weight
from spinscreen.kernels.quantities import hall, surface
from spinscreen.materials import WannierModel
from spinscreen.workflows.workers import keep_freed_memory

from .cases import SEA, SEA_AND_SURFACE, floor_functions, job, plane_seconds, run_job, side_by_side


def pipeline_and_floor(model: WannierModel) -> dict[str, float]:
    """Microseconds per k: eigh, the 27 products, the whole job at T = 0 and at 300 K.

    Memory of one block of k is used again for the next, as `compute` has it.
    """
    keep_freed_memory()
    cold, warm = job(model, SEA, 0.0), job(model, SEA_AND_SURFACE, 300.0)
    count = max(8, cold.task.block_size)
    floor = floor_functions(cold, count)
    functions: dict[str, Callable[[], None]] = {
        **floor,
        "T = 0": lambda: run_job(cold),
        "300 K": lambda: run_job(warm),
    }
    counts = dict.fromkeys(floor, count) | {"T = 0": cold.kpoints, "300 K": warm.kpoints}
    best = side_by_side(functions)
    spent = {name: seconds / counts[name] for name, seconds in best.items()}
    for name, work in (("T = 0", cold), ("300 K", warm)):
        spent[name] += plane_seconds(work)
    return {name: 1e6 * seconds for name, seconds in spent.items()}


def stages(model: WannierModel, rounds: int = 5) -> dict[str, float]:
    """Microseconds per k of each stage, the best of some rounds."""
    work = job(model, SEA_AND_SURFACE, 300.0)
    best: dict[str, float] = {}
    for _ in range(rounds):
        spent = _one_round(work)
        best = {name: min(best.get(name, seconds), seconds) for name, seconds in spent.items()}
    return {name: 1e6 * seconds / work.kpoints for name, seconds in best.items()}


def _one_round(work) -> dict[str, float]:  # type: ignore[no-untyped-def]
    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[[], object]) -> object:
        started = time.process_time()
        value = function()
        spent[name] += time.process_time() - started
        return value

    blocks = mesh_blocks(work.operators, work.task.mesh.full, work.points, work.task.block_size)
    while True:
        bloch = timed("Fourier sums", lambda: next(blocks, None))
        if bloch is None:
            break
        bands = timed("eigh", lambda bloch=bloch: solve_bands(bloch, work.task.resolution))
        steps: dict[str, Callable[[], object]] = {
            "rotation to bands": lambda bands=bands: _rotated(bands),
            "Berry and conserved curvature": lambda bands=bands: bands.curvature_traces,
            "spin current and T3": lambda bands=bands: hall.conventional_curvature(bands),
            "T8 and T9, velocities": lambda bands=bands: surface.dipole_flow(bands),
        }
        for name, step in steps.items():
            timed(name, step)
        rows = np.moveaxis(surface.dipole_flow(bands), -1, 1).reshape(bands.energy.size, -1)
        occupations = Occupations(bands.energy, work.task.scan)
        timed(
            "Fermi sums (per 27 components)",
            lambda occupations=occupations, rows=rows: occupations.sum(rows, Weight.SEA),
        )
    return spent


def _rotated(bands: BlochBands) -> object:
    """As the formulas take it: in lanes where these bands are."""
    return (bands.slopes_and_positions, bands.observable) if bands.lanes is None else bands.lanes.rotated


def whole_call(model: WannierModel) -> float:
    """Seconds of the job of `stages`, for the sum of its parts to be compared with."""
    work = job(model, SEA_AND_SURFACE, 300.0)
    started = time.process_time()
    sum_span(work.operators, work.task, work.span)
    return time.process_time() - started
