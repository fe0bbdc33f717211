"""Running a plan: the same sums in the same order, wherever they are computed."""

from __future__ import annotations

from collections.abc import Callable

from numpy.typing import NDArray

from spinscreen.kernels import LatticeOperators, PartialSums, add_sums, sum_span, whole_zone
from spinscreen.storage import KeptSums

from .engine import Engine
from .plan import Plan

#: Called with the number of k points that are done since the last call.
Progress = Callable[[int], None]


def run_plan(
    operators: LatticeOperators,
    plan: Plan,
    engine: Engine,
    progress: Progress,
    checkpoints: KeptSums | None = None,
) -> PartialSums:
    """Sums over the whole mesh. The order of additions follows the plan, not the workers.

    checkpoints : where the job keeps the sums of its batches, and finds those of an earlier try
    """
    batches = list(plan.batches())
    kpoints = dict(zip(plan.spans, plan.kpoints, strict=True))
    if checkpoints is not None:
        checkpoints = checkpoints.of_cut(plan.fingerprint)
    missing = [n for n in range(len(batches)) if _kept(checkpoints, plan, n) is None]
    progress(sum(kpoints[span] for n in set(range(len(batches))) - set(missing) for span in batches[n]))
    computed = engine.sum_in_order(
        sum_span,
        [batches[n] for n in missing],
        add_sums,
        shared=(operators, plan.task),
        done=lambda span: progress(kpoints[span]),
    )
    total: PartialSums | None = None
    for n in range(len(batches)):
        part = None if n in missing else _kept(checkpoints, plan, n)
        if part is None:
            part = next(computed)
            if checkpoints is not None:
                checkpoints.save(n, _arrays(part, plan))
        total = part if total is None else add_sums(total, part)
    assert total is not None
    return whole_zone(total, plan.task.mesh.group)


def _arrays(sums: PartialSums, plan: Plan) -> list[NDArray]:
    return [kind[term] for kind in (sums.values, sums.shares) for term in plan.task.terms]


def _kept(checkpoints: KeptSums | None, plan: Plan, batch: int) -> PartialSums | None:
    """What an earlier try kept of a batch; None also where it kept something else, as older versions did."""
    arrays = None if checkpoints is None else checkpoints.load(batch)
    terms = plan.task.terms
    if arrays is None or len(arrays) != 2 * len(terms) or len(arrays[0]) != plan.task.split.count:
        return None
    values, shares = arrays[: len(terms)], arrays[len(terms) :]
    return PartialSums(dict(zip(terms, values, strict=True)), dict(zip(terms, shares, strict=True)))
