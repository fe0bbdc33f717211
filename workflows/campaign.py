"""A campaign: the same job on many materials, resumed where it stopped, failures recorded, nothing lost."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from distributed import Client, as_completed

from spinscreen.kernels import DEFAULT_DEGENERACY_THRESHOLD, InputError
from spinscreen.materials import MaterialSource, WannierModel
from spinscreen.storage import (
    build_catalog,
    forget_failure,
    is_published,
    publish,
    record_failure,
)

from .computing import compute_settings
from .execution import WorkerSetup
from .plan import DEFAULT_MEMORY_BUDGET
from .settings import DEFAULT_SCAN, Settings, make_settings

#: Materials in flight per worker thread: one to compute, one waiting.
_IN_FLIGHT = 2


@dataclass(frozen=True)
class Campaign:
    """What is computed for every material.

    materials : from `find_materials`; kmesh : points, or None for a spacing of 0.1/angstrom
    half_width, energies : the scan about each Fermi level (eV) and its number of points
    temperature (K), degeneracy_threshold, broadening (eV), quantities : as in `compute`
    attempts : how often a failing material is tried in all; memory_budget : per worker
    """

    materials: Sequence[MaterialSource]
    kmesh: int | tuple[int, ...] | None = None
    half_width: float = DEFAULT_SCAN[1]
    energies: int = DEFAULT_SCAN[0]
    temperature: float = 0.0
    degeneracy_threshold: float = DEFAULT_DEGENERACY_THRESHOLD
    broadening: float = 0.0
    quantities: tuple[str, ...] | None = None
    attempts: int = 2
    memory_budget: str | int = DEFAULT_MEMORY_BUDGET

    def settings(self, model: WannierModel) -> Settings:
        """Settings for one model. Raises InputError where they do not fit it."""
        scan = None
        if model.fermi_level is not None and not model.is_bogoliubov:
            scan = model.fermi_level + np.linspace(-self.half_width, self.half_width, self.energies)
        return make_settings(
            model,
            self.kmesh,
            scan,
            self.temperature,
            self.degeneracy_threshold,
            self.broadening,
            self.quantities,
        )


@dataclass(frozen=True)
class Outcome:
    """How one material ended: status is "computed", "present" or "failed"; error only if failed."""

    id: str
    status: str
    error: str | None = None


@dataclass(frozen=True)
class CampaignReport:
    """How all materials ended."""

    outcomes: tuple[Outcome, ...]

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def _unseen(outcome: Outcome) -> None:
    """Progress that nobody looks at."""


def run_campaign(
    campaign: Campaign,
    store: str | Path,
    client: Client | None = None,
    progress: Callable[[Outcome], None] = _unseen,
) -> CampaignReport:
    """Compute what is missing of a campaign, one task per material, and rebuild the catalog.

    What is published under the same model and settings is not computed again, so a campaign that was killed
    at any moment goes on when it is run again, and ends with the same numbers. A failing material is tried
    `attempts` times, recorded in the store with its error, and does not stop the others. The number of
    materials in flight is bounded. Raises InputError where the store cannot be written.
    """
    outcomes = []
    for outcome in _outcomes(campaign, str(Path(store).resolve()), client):
        outcomes.append(outcome)
        progress(outcome)
    if any(outcome.status != "failed" for outcome in outcomes):
        build_catalog(store)
    return CampaignReport(tuple(sorted(outcomes, key=lambda outcome: outcome.id)))


def _outcomes(campaign: Campaign, store: str, client: Client | None) -> Iterator[Outcome]:
    if client is None:
        for source in campaign.materials:
            yield run_material(campaign, source, store)
        return
    client.register_plugin(WorkerSetup())
    template = _without_materials(campaign)
    waiting = iter(campaign.materials)
    threads = sum(client.nthreads().values()) or 1
    running = as_completed()
    for source in _take(waiting, _IN_FLIGHT * threads):
        running.add(client.submit(run_material, template, source, store, pure=False))
    for future in running:
        yield future.result()
        for source in _take(waiting, 1):
            running.add(client.submit(run_material, template, source, store, pure=False))


def _take(waiting: Iterator[MaterialSource], count: int) -> Iterator[MaterialSource]:
    for _ in range(count):
        source = next(waiting, None)
        if source is not None:
            yield source


def _without_materials(campaign: Campaign) -> Campaign:
    """The settings alone: a task does not carry the whole list."""
    return replace(campaign, materials=())


def run_material(campaign: Campaign, source: MaterialSource, store: str) -> Outcome:
    """Load, compute and publish one material; a failure is recorded, not raised. Safe to run twice."""
    error = "was never tried"
    for _ in range(max(1, campaign.attempts)):
        try:
            outcome = _try_material(campaign, source, store)
        except (InputError, ArithmeticError, np.linalg.LinAlgError, MemoryError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        else:
            forget_failure(store, source.id)
            return outcome
    record_failure(store, source.id, error)
    return Outcome(source.id, "failed", error)


def _try_material(campaign: Campaign, source: MaterialSource, store: str) -> Outcome:
    with warnings.catch_warnings():
        # Assumptions are in the notes of the result.
        warnings.simplefilter("ignore", UserWarning)
        model = source.load()
        settings = campaign.settings(model)
        material_id = settings.material_id(model)
        if is_published(store, material_id):
            return Outcome(source.id, "present")
        dataset = compute_settings(model, settings, None, campaign.memory_budget)
    publish(_with_columns(dataset, model, source), store, material_id)
    return Outcome(source.id, "computed")


def _with_columns(dataset: xr.Dataset, model: WannierModel, source: MaterialSource) -> xr.Dataset:
    formula = "".join(sorted({atom.symbol for atom in model.atoms}))
    columns = {"formula": formula, **source.columns}
    return dataset.assign_attrs(material=source.id, columns=columns)


def default_workers() -> int:
    """One worker process per core."""
    return os.cpu_count() or 1
