"""Adaptive integration in rounds: leaves with large errors are replaced until all bars are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import LatticeOperators
from spinscreen.kernels.adaptive import (
    Cells,
    Estimate,
    History,
    Leaves,
    Refined,
    Standing,
    add_refined,
    marked,
    refine,
)
from spinscreen.kernels.quantities import Term
from spinscreen.storage import KeptSums

from .adaptive_plan import AdaptivePlan, batched
from .engine import Engine
from .execution import Progress
from .integrated import Integrated

#: What the bars of an adaptive integration are.
ADAPTIVE = "adaptive: independent errors of cells, and what their points may miss"

#: Number of the one batch under which an adaptive integration keeps its state.
_STATE = 0

#: Leaves with the largest errors that are told of.
_WORST = 3


@runtime_checkable
class Aimed(Protocol):
    """Progress that also shows how the largest bar shrinks."""

    def aim(self, bar: float, tolerance: float) -> None:
        """Bar : largest of all quantities, in such units that `tolerance` is the goal of each"""


@dataclass(frozen=True)
class Shortfall:
    """A quantity whose bar is not within the tolerance.

    component : indices before the Fermi energy; energy : eV
    bar, goal : in the unit of the quantity; kpoints : where errors are largest, reduced
    """

    name: str
    component: tuple[int, ...]
    energy: float
    bar: float
    goal: float
    kpoints: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, eq=False)
class AdaptiveResult:
    """What an adaptive integration comes to.

    raw : means over the Brillouin zone of terms whose own sums decide what is said of a result
    shortfalls : the quantity farthest from its goal first
    """

    integrated: Integrated
    raw: Mapping[Term, NDArray[np.float64]]
    shortfalls: tuple[Shortfall, ...]


def run_adaptive(
    operators: LatticeOperators,
    plan: AdaptivePlan,
    tolerance: float,
    budget: int,
    engine: Engine,
    progress: Progress,
    checkpoints: KeptSums | None = None,
) -> AdaptiveResult:
    """Refine until the largest bar of each quantity is within its goal, or the budget of k points is spent.

    The order of additions follows the plan, not the workers.
    checkpoints : where the sums and the leaves are kept after each round, and found again, also by a run with
        another tolerance or budget
    """
    shared = (operators, plan.task)
    kept = _kept(checkpoints, plan)
    if kept is None:
        state = _summed(None, plan.begin(), shared, engine, progress)
        history = History.before(plan.task.channels, len(plan.task.scan.energies))
    else:
        state, history = kept
        progress(state.points)
    while True:
        estimate = Estimate.of(state, plan.task.channels, history)
        standing = Standing.of(plan.chosen, plan.task.channels, estimate, tolerance, plan.least)
        if isinstance(progress, Aimed):
            progress.aim(float(standing.excess.max()) * tolerance, tolerance)
        most = (budget - state.points) // plan.points_per_leaf
        rows = marked(state.leaves, standing, plan.task.box.deepest - 1, max(0, most))
        # Where no cell has an error left, rounds change nothing until the bars know it.
        still = not len(rows) and (most <= 0 or history.is_still)
        if standing.converged.all() or still:
            return _result(plan, state, estimate, standing, tolerance)
        history = history.and_then(estimate, state.points)
        if len(rows):
            tasks = plan.replacing(state.leaves.at(rows))
            state = _summed(state.without(rows), tasks, shared, engine, progress)
            _keep(checkpoints, plan, state, history)


def _summed(
    state: Refined | None,
    tasks: list[Cells],
    shared: tuple[object, ...],
    engine: Engine,
    progress: Progress,
) -> Refined:
    """Add what the tasks change, in their order."""
    for part in engine.sum_in_order(refine, batched(tasks), add_refined, shared=shared, done=_nothing):
        progress(part.points)
        state = part if state is None else add_refined(state, part)
    assert state is not None
    return state


def _nothing(cells: Cells) -> None:
    """How many k points a task took is known from its result."""


def _keep(checkpoints: KeptSums | None, plan: AdaptivePlan, state: Refined, history: History) -> None:
    if checkpoints is not None:
        leaves = state.leaves
        points = np.array([state.points])
        arrays = [state.sums, leaves.level, leaves.coordinates, leaves.error, points, plan.signature]
        arrays += [history.values, history.points]
        checkpoints.save(_STATE, arrays)


def _kept(checkpoints: KeptSums | None, plan: AdaptivePlan) -> tuple[Refined, History] | None:
    """What an earlier try kept; None also where it was cut in another way."""
    arrays = None if checkpoints is None else checkpoints.load(_STATE)
    if arrays is None or len(arrays) != 8 or not np.array_equal(arrays[5], plan.signature):
        return None
    sums, level, coordinates, error, points, _, values, counts = arrays
    return Refined(sums, Leaves(level, coordinates, error), int(points[0])), History(values, counts)


def _result(
    plan: AdaptivePlan, state: Refined, estimate: Estimate, standing: Standing, tolerance: float
) -> AdaptiveResult:
    channels = plan.task.channels
    raw = channels.raw_sums(estimate.value)
    values, errors = {}, {}
    for number, integral in enumerate(plan.chosen):
        factor = integral.unit.factor(plan.sample)
        value, bar = channels.values(number, estimate.value), channels.bounds(number, estimate.bar)
        if integral.can_be_undefined:
            value = integral.combine(*(raw[term] for term in integral.terms))
            bar = np.where(np.isnan(value), np.nan, bar)
        # Adding zero takes the sign from a component that vanishes.
        values[integral.name], errors[integral.name] = factor * value + 0.0, abs(factor) * bar
    converged = {q.name: bool(done) for q, done in zip(plan.chosen, standing.converged, strict=True)}
    integrated = Integrated(values, errors, ADAPTIVE, state.points, tolerance, converged)
    shortfalls = tuple(_shortfalls(plan, state, standing, errors))
    return AdaptiveResult(integrated, raw, shortfalls)


def _shortfalls(
    plan: AdaptivePlan, state: Refined, standing: Standing, errors: Mapping[str, NDArray[np.float64]]
) -> Iterator[Shortfall]:
    for number in np.argsort(-standing.excess, kind="stable"):
        if standing.converged[number]:
            continue
        integral = plan.chosen[number]
        bars = errors[integral.name]
        place = np.unravel_index(int(np.nanargmax(bars)), bars.shape)
        goal = float(standing.goal[number] * abs(integral.unit.factor(plan.sample)))
        worst = np.argsort(-state.leaves.error[:, number], kind="stable")[:_WORST]
        leaves = state.leaves.at(worst)
        points = [
            plan.task.box.points(int(level), cell[None])[0].tolist()
            for level, cell in zip(leaves.level, leaves.coordinates, strict=True)
        ]
        yield Shortfall(
            integral.name,
            tuple(int(i) for i in place[:-1]),
            float(plan.task.scan.energies[place[-1]]),
            float(bars[place]),
            goal,
            tuple((x, y, z) for x, y, z in points),
        )
