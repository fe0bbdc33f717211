"""A campaign: the same job on many materials; here what it is, and what a worker does with one material."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

from distributed import Client, Semaphore, worker_client
from pydantic import SkipValidation, ValidationError

from spinscreen.kernels import InputError, KMesh, Resolution
from spinscreen.materials import MaterialSource, WannierModel, composition
from spinscreen.storage import (
    SCHEMA_VERSION,
    Checkpoints,
    Store,
    StoreError,
    forget_failure,
    is_published,
    publish,
    record_failure,
)

from .computing import compute_settings
from .configuration import Calculation, validation_sentence
from .plan import estimated_seconds
from .preparation import prepared_model
from .settings import Settings, complete_kmesh, default_scan, make_settings
from .streaming import band_stream, stream_bands
from .workers import is_worker

#: Settings that say how a result is reached; what it is does not depend on them.
_HOW = ("attempts", "material_timeout", "memory_budget", "spread_after")


class Campaign(Calculation):
    """What is computed for every material.

    materials : from `find_materials`; all other settings are those of `Calculation`
    Raises InputError for a setting that is unknown or makes no sense.

    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.workflows import Campaign
    >>> campaign = Campaign(find_materials("library"), kmesh=30, temperature=300)
    >>> len(campaign.materials), campaign.temperature
    (15, 300.0)
    """

    materials: SkipValidation[Sequence[MaterialSource]]

    def __init__(self, materials: Sequence[MaterialSource], **settings: Any) -> None:
        try:
            super().__init__(materials=tuple(materials), **settings)  # type: ignore[call-arg]
        except ValidationError as problem:
            raise InputError(f"Campaign: {validation_sentence(type(self), problem)}") from None

    def prepare(self, model: WannierModel) -> WannierModel:
        """The model with the observables and the pairing that the campaign asks for."""
        return prepared_model(
            model,
            charge=self.charge,
            orbital=self.orbital,
            pairing=self.pairing,
            gap=self.gap,
            temperature=self.temperature,
        )

    def settings(self, model: WannierModel) -> Settings:
        """Settings for one prepared model. Raises InputError where they do not fit it."""
        return make_settings(
            model,
            self.kmesh,
            default_scan(model, self.energies, self.half_width),
            self.temperature,
            self.degeneracy_threshold,
            self.broadening,
            self.quantities,
        )

    def stamp(self, source: MaterialSource) -> str | None:
        """Equal stamps give equal results: of settings, code version and source; None if that is unknown.

        Values per k are looked for one by one, so a campaign that streams them has none.
        """
        files = source.stamp()
        if files is None or self.band_kmesh is not None:
            return None
        deciding = [*self._deciding, source.id, files]
        return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:16]

    @cached_property
    def _deciding(self) -> list[Any]:
        """What all materials' stamps share."""
        settings = {name: value for name, value in self.calculation.items() if name not in _HOW}
        return [SCHEMA_VERSION, version("spinscreen"), settings]

    @property
    def calculation(self) -> dict[str, Any]:
        """All settings without the materials, as they are recorded."""
        return self.model_dump(mode="json", exclude={"materials"})


@dataclass(frozen=True)
class Outcome:
    """How one material ended.

    status : "computed", "present" or "failed", the last with its error; seconds : that a worker spent on it
    material_id : name of its result in the store, None where that was not looked at
    """

    id: str
    status: str
    error: str | None = None
    seconds: float = 0.0
    material_id: str | None = None


def run_material(campaign: Campaign, source: MaterialSource, store: Store, record: str = "") -> Outcome:
    """Load, compute and publish one material; a failure is recorded, not raised. Safe to run twice.

    record : id of the campaign's settings in the store
    Raises StoreError: a store that cannot be written, or is no more the one that the campaign began with, is
    no material's fault.
    """
    error, started = "", time.perf_counter()
    for _ in range(campaign.attempts):
        try:
            outcome = _try_material(campaign, source, store, record)
        except StoreError:
            raise
        except Exception as problem:  # one material, whatever is wrong with it, must not stop the others
            error = _told(problem)
        else:
            forget_failure(store, source.id, record)
            return replace(outcome, seconds=time.perf_counter() - started)
    record_failure(store, source.id, error, record, source.path)
    return Outcome(source.id, "failed", error, time.perf_counter() - started)


def _told(problem: Exception) -> str:
    """One line for the record; for what nobody foresaw, also the place in the code."""
    if isinstance(problem, InputError):
        return str(problem)
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__}: {problem} (in {frame.name}, {frame.filename}, line {frame.lineno})"


def _try_material(campaign: Campaign, source: MaterialSource, store: Store, record: str) -> Outcome:
    with warnings.catch_warnings():
        # Assumptions are in the notes of the result.
        warnings.simplefilter("ignore", UserWarning)
        # Before it is read: what changes meanwhile is another material.
        stamp = campaign.stamp(source) or ""
        model = campaign.prepare(source.load())
        settings = campaign.settings(model)
        computed = _integrate(campaign, source, model, settings, store, record, stamp)
        if campaign.band_kmesh is not None:
            computed |= _stream(campaign, model, campaign.band_kmesh, store)
    status = "computed" if computed else "present"
    return Outcome(source.id, status, material_id=settings.material_id(model))


def _integrate(
    campaign: Campaign,
    source: MaterialSource,
    model: WannierModel,
    settings: Settings,
    store: Store,
    record: str,
    stamp: str,
) -> bool:
    """Compute and publish the Brillouin-zone integrals; False where they are there already."""
    material_id = settings.material_id(model)
    if is_published(store, material_id):
        return False
    large = estimated_seconds(model.size, settings.mesh) > campaign.spread_after
    checkpoints = Checkpoints(store, material_id) if large else None
    with _helpers(large) as client:
        dataset = compute_settings(model, settings, client, campaign.memory_budget, checkpoints=checkpoints)
    columns = {**composition(model, source), **source.columns}
    dataset.attrs |= {"material": source.id, "columns": columns, "campaign": record, "source_stamp": stamp}
    publish(dataset, store, material_id)
    if checkpoints is not None:
        checkpoints.clear()
    return True


def _stream(campaign: Campaign, model: WannierModel, kmesh: int | tuple[int, ...], store: Store) -> bool:
    """Stream values per k and band; False where they are there already."""
    resolution = Resolution(campaign.degeneracy_threshold, campaign.broadening)
    if band_stream(model, kmesh, store, campaign.band_quantities, resolution).is_published:
        return False
    mesh = KMesh(complete_kmesh(model, kmesh))
    with _helpers(estimated_seconds(model.size, mesh) > campaign.spread_after) as client:
        stream_bands(
            model,
            kmesh,
            store,
            campaign.band_quantities,
            client,
            degeneracy_threshold=campaign.degeneracy_threshold,
            broadening=campaign.broadening,
            memory_budget=campaign.memory_budget,
        )
    return True


@contextmanager
def _helpers(large: bool) -> Iterator[Client | None]:
    """The whole cluster for a large material, whose k points spread; this worker alone for a small one.

    One large material at a time: every worker holds its matrices. Unlike a lock, a semaphore is free again
    when its holder is killed.
    """
    if large and is_worker():
        with worker_client() as client, Semaphore(max_leases=1, name="spinscreen-large-material"):
            yield client
    else:
        yield None
