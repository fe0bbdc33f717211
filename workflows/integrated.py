"""Integrals with what is known of their errors, however they were summed: what a dataset is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import (
    Dominance,
    Integral,
    PartialSums,
    Sample,
    dominance,
    finish,
    finish_error,
    whole_sums,
)
from spinscreen.kernels.adaptive import MOST_OF_ONE_POINT

from .plan import Plan
from .settings import DEFAULT_TOLERANCE

#: How errors are told, by their source.
SUBMESHES = "spread of interleaved sub-meshes"
UNKNOWN = "unknown: the mesh has no interleaved sub-meshes that differ"


@dataclass(frozen=True, eq=False)
class Integrated:
    """Brillouin-zone integrals by name, each (dims ..., fermi_energy), energies ascending.

    errors : bars of the same shapes, NaN where an error is not known
    error_method : one phrase on what the bars are
    evaluations : k points that were diagonalized
    tolerance : what was asked for; None on a plain mesh
    converged : by name, whether the largest bar is within the tolerance; without those that are not known
    dominances : by name, the largest share of a single k point
    """

    values: Mapping[str, NDArray]
    errors: Mapping[str, NDArray]
    error_method: str
    evaluations: int
    tolerance: float | None = None
    converged: Mapping[str, bool] = field(default_factory=dict)
    dominances: Mapping[str, Dominance] = field(default_factory=dict)

    def reordered(self, order: NDArray) -> Integrated:
        """The same with the Fermi energies at these indices."""

        def taken(found: Mapping[str, NDArray]) -> dict[str, NDArray]:
            return {name: array[..., order] for name, array in found.items()}

        return Integrated(
            taken(self.values),
            taken(self.errors),
            self.error_method,
            self.evaluations,
            self.tolerance,
            self.converged,
            self.dominances,
        )


def integrated_on_mesh(
    chosen: Sequence[Integral],
    sums: PartialSums,
    plan: Plan,
    sample: Sample,
    asked: Mapping[str, NDArray[np.bool_]],
) -> Integrated:
    """What the sums over a plain mesh come to.

    asked : by name, where the components are that decide whether it is converged
    """
    whole, count = whole_sums(sums), plan.task.mesh.full.size
    with np.errstate(all="ignore"):
        values = {q.name: finish(q, whole, count, sample) for q in chosen}
        errors = {q.name: finish_error(q, sums, plan.task, sample) for q in chosen}
    errors = {name: np.where(np.isnan(values[name]), np.nan, bars) for name, bars in errors.items()}
    dominances = {q.name: dominance(q, sums) for q in chosen}
    known = {
        q.name: is_within(
            _at(asked, q.name, values[q.name]),
            _at(asked, q.name, errors[q.name]),
            q.absolute_tolerance(sample),
        )
        and dominances[q.name].share < MOST_OF_ONE_POINT
        for q in chosen
        if np.isfinite(errors[q.name]).any()
    }
    method = SUBMESHES if plan.task.split.count > 1 else UNKNOWN
    return Integrated(values, errors, method, plan.kpoint_count, None, known, dominances)


def _at(asked: Mapping[str, NDArray[np.bool_]], name: str, values: NDArray) -> NDArray:
    """Of values (dims ..., fermi_energy) those that are asked for, all where nothing is said."""
    return values[np.broadcast_to(asked[name], values.shape[:-1])] if name in asked else values


def is_within(
    values: NDArray, errors: NDArray, smallest: float, tolerance: float = DEFAULT_TOLERANCE
) -> bool:
    """Whether the largest bar is at most that share of the largest value, or both together `smallest`."""
    largest = np.abs(values).max(initial=0.0, where=np.isfinite(values))
    bar = errors.max(initial=0.0, where=np.isfinite(errors))
    return bool(bar <= max(tolerance * largest, smallest - largest))
