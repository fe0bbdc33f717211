"""Adaptive integration in rounds: leaves with large errors are replaced until all bars are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import Dominance, LatticeOperators
from spinscreen.kernels.adaptive import (
    MOST_OF_ONE_POINT,
    Cells,
    Estimate,
    History,
    Leaves,
    Refined,
    Standing,
    add_refined,
    marked,
    refine,
    spread,
)
from spinscreen.kernels.lattice import Integer
from spinscreen.kernels.quantities import Term
from spinscreen.storage import KeptSums

from .adaptive_plan import AdaptivePlan, batched
from .engine import Engine
from .execution import Progress
from .integrated import Integrated

#: What the bars of an adaptive integration are.
ADAPTIVE = "adaptive: independent errors of cells, and what their points may miss"

#: Number of the one batch under which an adaptive integration keeps its state.
STATE = 0

#: Tolerances for which cells are refined one after the other, each half of the one before.
_FIRST_STAGE, _LAST_STAGE = 0.64, 1e-12

#: To how small a tolerance some quantities are refined while others only wait for points.
_FINEST_FOR_OTHERS = 1e-3

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
    bar, goal : in the unit of the quantity; kpoints : where errors are largest, reduced; or none
    finest : whether the cells there are as small as cells get
    """

    name: str
    component: tuple[int, ...]
    energy: float
    bar: float
    goal: float
    kpoints: tuple[tuple[float, float, float], ...]
    finest: bool


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

    The order of additions follows the plan, not the workers. What is refined in which round depends on
    neither tolerance nor budget: a run is the beginning of one that ends later.
    checkpoints : where the sums and the leaves are kept after each round, and found again, also by a run with
        a smaller tolerance or a larger budget
    """
    shared = (operators, plan.task)
    kept = None if checkpoints is None else _kept(checkpoints, plan)
    if kept is not None and not kept.passed.is_open(tolerance, budget):
        # A run that ends earlier does without: its numbers do not depend on what others have kept.
        kept, checkpoints = None, None
    if kept is None:
        state = _summed(None, plan.begin(), shared, engine, progress)
        kept = _Kept(state, History.before(plan.task.channels, len(plan.task.scan.energies)), _Passed())
    else:
        progress(kept.state.points)
    state, history, passed = kept.state, kept.history, kept.passed
    while True:
        estimate = Estimate.of(state, plan.task.channels, history, plan.task.box.copies)
        standing = Standing.of(plan.chosen, plan.task.channels, estimate, state.leaves, plan.least)
        goals = standing.goal(tolerance)
        if isinstance(progress, Aimed):
            excess = standing.bar / np.maximum(goals, np.finfo(float).tiny)
            progress.aim(float(excess.max()) * tolerance, tolerance)
        most = (budget - state.points) // plan.points_per_leaf
        rows = _to_replace(plan, state, standing, history, None)
        # Where no cell has an error left, rounds change nothing until the bars know it.
        still = not len(rows) and history.is_still
        if standing.converged(tolerance).all() or still or (len(rows) and most < 1):
            return _result(plan, state, estimate, standing, tolerance)
        before, history = history, history.and_then(estimate, state.points)
        passed = passed.and_then(standing, state.points + len(rows) * plan.points_per_leaf)
        if len(rows) > most:
            # The budget ends within this round, which a run with a larger one does whole.
            rows, checkpoints = _to_replace(plan, state, standing, before, most), None
        if len(rows):
            tasks = plan.replacing(state.leaves.at(rows))
            state = _summed(state.without(rows), tasks, shared, engine, progress)
            if checkpoints is not None:
                _keep(checkpoints, plan, _Kept(state, history, passed))


def _to_replace(
    plan: AdaptivePlan, state: Refined, standing: Standing, history: History, most: int | None
) -> Integer:
    """Numbers of the leaves that come next. most : of them, None: all"""
    leaves, deepest, stage = state.leaves, plan.deepest, _stage(standing)
    rows = marked(leaves, standing, stage, deepest, most)
    if len(rows) or not history.is_still:
        return rows
    # Quantities whose cells have no errors wait for more points: those of the others first, then anywhere.
    while stage > _FINEST_FOR_OTHERS and not len(rows):
        stage /= 2
        rows = marked(leaves, standing, stage, deepest, most)
    wanted = -(-state.points // plan.points_per_leaf)
    return rows if len(rows) else spread(leaves, deepest, wanted)[:most]


def _stage(standing: Standing) -> float:
    """The first tolerance of a ladder that is not reached: errors are balanced for it."""
    stage = _FIRST_STAGE
    while standing.converged(stage).all() and stage > _LAST_STAGE:
        stage /= 2
    return stage


@dataclass(frozen=True)
class _Passed:
    """What the rounds before tell of the runs that they belong to.

    tolerance : the smallest that one of them was within; a run to a larger one ended there
    points : the largest number that one of them might have asked for; a smaller budget cut it
    """

    tolerance: float = np.inf
    points: int = 0

    def is_open(self, tolerance: float, budget: int) -> bool:
        """Whether a run goes through all of them."""
        return tolerance < self.tolerance and budget >= self.points

    def and_then(self, standing: Standing, points: int) -> _Passed:
        """With one round more, and the points that there are at most after it."""
        carried = bool((standing.share >= MOST_OF_ONE_POINT).any())
        reached = np.inf if carried else float(standing.reached.max())
        return _Passed(min(self.tolerance, reached), max(self.points, points))


@dataclass(frozen=True, eq=False)
class _Kept:
    """Between two rounds."""

    state: Refined
    history: History
    passed: _Passed


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


def _keep(checkpoints: KeptSums, plan: AdaptivePlan, kept: _Kept) -> None:
    state, leaves = kept.state, kept.state.leaves
    passed = np.array([kept.passed.tolerance, kept.passed.points, state.points])
    arrays: list[NDArray[Any]] = [state.sums, leaves.level, leaves.coordinates, leaves.error, leaves.size]
    arrays += [kept.history.values, kept.history.bars, kept.history.points, passed, plan.signature]
    checkpoints.save(STATE, arrays)


def _kept(checkpoints: KeptSums, plan: AdaptivePlan) -> _Kept | None:
    """What an earlier try kept; None also where it was cut in another way."""
    arrays = checkpoints.load(STATE)
    if arrays is None or len(arrays) != 10 or not np.array_equal(arrays[-1], plan.signature):
        return None
    sums, level, coordinates, error, size, values, bars, counts, (tolerance, most, points), _ = arrays
    state = Refined(sums, Leaves(level, coordinates, error, size), int(points))
    return _Kept(state, History(values, bars, counts), _Passed(float(tolerance), int(most)))


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
    done = standing.converged(tolerance)
    converged = {q.name: bool(verdict) for q, verdict in zip(plan.chosen, done, strict=True)}
    dominances = dict(_dominances(plan, state, standing))
    integrated = Integrated(values, errors, ADAPTIVE, state.points, tolerance, converged, dominances)
    shortfalls = tuple(_shortfalls(plan, state, standing, tolerance, errors))
    return AdaptiveResult(integrated, raw, shortfalls)


def _dominances(plan: AdaptivePlan, state: Refined, standing: Standing) -> Iterator[tuple[str, Dominance]]:
    """The cell that carries most of each sum over occupied states; of a Fermi surface few may carry all."""
    for number in np.flatnonzero(standing.size > 0):
        most = int(state.leaves.size[:, number].argmax())
        (point,) = _centres(plan, state.leaves.at(np.array([most])))
        finest = bool(state.leaves.level[most] >= plan.deepest)
        yield plan.chosen[number].name, Dominance(float(standing.share[number]), point, finest)


def _centres(plan: AdaptivePlan, leaves: Leaves) -> tuple[tuple[float, float, float], ...]:
    """Reduced k of leaves."""
    points = [
        plan.task.box.points(int(level), cell[None])[0].tolist()
        for level, cell in zip(leaves.level, leaves.coordinates, strict=True)
    ]
    return tuple((x, y, z) for x, y, z in points)


def _shortfalls(
    plan: AdaptivePlan,
    state: Refined,
    standing: Standing,
    tolerance: float,
    errors: Mapping[str, NDArray[np.float64]],
) -> Iterator[Shortfall]:
    for number in np.argsort(-standing.reached, kind="stable"):
        if standing.reached[number] <= tolerance:
            continue
        integral = plan.chosen[number]
        bars = errors[integral.name]
        place = np.unravel_index(int(np.nanargmax(bars)), bars.shape)
        goal = float(standing.goal(tolerance)[number] * abs(integral.unit.factor(plan.sample)))
        error = state.leaves.error[:, number]
        worst = np.argsort(-error, kind="stable")[:_WORST]
        worst = worst[error[worst] > 0]
        yield Shortfall(
            integral.name,
            tuple(int(i) for i in place[:-1]),
            float(plan.task.scan.energies[place[-1]]),
            float(bars[place]),
            goal,
            _centres(plan, state.leaves.at(worst)),
            len(worst) > 0 and bool((state.leaves.level[worst] >= plan.deepest).all()),
        )
