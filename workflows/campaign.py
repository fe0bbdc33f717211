"""A campaign: the same job on many materials; here what it is, and what a worker does with one material."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import xarray as xr
from pydantic import BaseModel, SkipValidation, ValidationError

from spinscreen.kernels import InputError, KMesh, SpinscreenError
from spinscreen.materials import Source, WannierModel, sources_of
from spinscreen.storage import SCHEMA_VERSION, Store, StoreError, forget_failure, record_failure
from spinscreen.storage.schema import VERSION

from .calculation import Calculation
from .configuration import CampaignCalculation
from .dask_engine import engine_of_task
from .plan import budget_bytes, estimated_seconds
from .publication import Work
from .setting_names import modern_names
from .settings import complete_kmesh
from .streaming import band_stream, stream_bands
from .telling import warnings_of
from .validation import validation_sentence

#: Settings that say how a result is reached; what it is does not depend on them.
_HOW = ("attempts", "material_timeout", "memory_budget", "spread_after")


#: How many times the matrices of a model fit into the memory budget if workers may hold those of several.
_LIGHT = 16


class Campaign(CampaignCalculation):
    """What is computed for every material.

    materials : from `find_materials`, or models in memory: a list, or a mapping of names to them; a
        `ModelSource` brings columns besides
    calculation : settings that those given by name change, all of them those of `CampaignCalculation`
    Raises InputError for a setting that is unknown or makes no sense, and for models that are called alike.

    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.workflows import Campaign
    >>> campaign = Campaign(find_materials("library"), kmesh=30, temperature=300)
    >>> len(campaign.materials), campaign.temperature
    (15, 300.0)

    A scan of a parameter:

    >>> from spinscreen.materials import library
    >>> masses = {f"haldane_{mass}": library.load("haldane", mass=mass) for mass in (0.0, 0.1, 0.2)}
    >>> [material.id for material in Campaign(masses).materials]
    ['haldane_0.0', 'haldane_0.1', 'haldane_0.2']
    """

    materials: SkipValidation[Sequence[Source]]

    def __init__(
        self,
        materials: Iterable[Source | WannierModel] | Mapping[str, WannierModel],
        calculation: Calculation | None = None,
        **settings: Any,
    ) -> None:
        given = ({} if calculation is None else calculation.given) | modern_names(settings)
        sources = sources_of(materials)
        try:
            BaseModel.__init__(self, materials=sources, **given)
        except ValidationError as problem:
            raise InputError(f"Campaign: {validation_sentence(type(self), problem)}") from None

    def stamp(self, source: Source) -> str | None:
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
        settings = {name: value for name, value in self.record.items() if name not in _HOW}
        if self.pairing is not None and "degeneracy_threshold" not in self.model_fields_set:
            # It hangs on each material then.
            settings["degeneracy_threshold"] = None
        return [SCHEMA_VERSION, VERSION, settings]

    @property
    def record(self) -> dict[str, Any]:
        """All settings without the materials, as they are recorded."""
        return self.model_dump(mode="json", exclude={"materials"})


@dataclass(frozen=True)
class Outcome:
    """How one material ended.

    status : "computed", "present" or "failed", the last with its error; seconds : that a worker spent on it
    material_id : name of its result in the store, None where that was not looked at
    called : what its result is called, where that is an id that the material had before
    converged : whether the errors of what was computed are within the tolerance, None where nobody looked
    warnings : sentences that the computed result has been given
    """

    id: str
    status: str
    error: str | None = None
    seconds: float = 0.0
    material_id: str | None = None
    called: str | None = None
    converged: bool | None = None
    warnings: tuple[str, ...] = ()


class _LargeError(Exception):
    """A material that spreads over the cluster, among others that wait for it."""


def run_material(
    campaign: Campaign, source: Source, store: Store, record: str = "", alone: bool = True
) -> Outcome | None:
    """Load, compute and publish one material; a failure is recorded, not raised. Safe to run twice.

    record : id of the campaign's settings in the store
    alone : whether no other material waits for it; else a large one is not computed, and None returned
    Raises StoreError: a store that cannot be written, or is no more the one that the campaign began with, is
    no material's fault.
    """
    error, started = "", time.perf_counter()
    for _ in range(campaign.attempts):
        try:
            outcome = _try_material(campaign, source, store, record, alone)
        except StoreError:
            raise
        except _LargeError:
            return None
        except Exception as problem:  # one material, whatever is wrong with it, must not stop the others
            error = _told(problem)
        else:
            forget_failure(store, source.id, record)
            return replace(outcome, seconds=time.perf_counter() - started)
    record_failure(store, source.id, error, record, source.path)
    return Outcome(source.id, "failed", error, time.perf_counter() - started)


def _told(problem: Exception) -> str:
    """One line for the record; for what nobody foresaw, also the place in the code."""
    if isinstance(problem, SpinscreenError):
        return str(problem)
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__}: {problem} (in {frame.name}, {frame.filename}, line {frame.lineno})"


def _try_material(campaign: Campaign, source: Source, store: Store, record: str, alone: bool) -> Outcome:
    """Raises _LargeError for a large one that is not alone."""
    with warnings.catch_warnings():
        # Assumptions are in the notes of the result, what was warned about is in its attribute `warnings`.
        warnings.simplefilter("ignore", UserWarning)
        # Before it is read: what changes meanwhile is another material.
        stamp = campaign.stamp(source) or ""
        model = source.load()
        work = Work.of(source, model, campaign, campaign=record, source_stamp=stamp).as_called_before(store)
        dataset = _integrate(campaign, work, store, alone)
        computed = dataset is not None
        if campaign.band_kmesh is not None:
            computed |= _stream(campaign, work.model, campaign.band_kmesh, store)
    called = None if work.model.name == model.name else work.model.name
    outcome = Outcome(
        source.id, "computed" if computed else "present", material_id=work.material_id, called=called
    )
    if dataset is None:
        return outcome
    verdict = dataset.attrs.get("converged")
    converged = None if verdict is None else bool(verdict)
    return replace(outcome, converged=converged, warnings=warnings_of(dataset))


def _integrate(campaign: Campaign, work: Work, store: Store, alone: bool) -> xr.Dataset | None:
    """Compute and publish the Brillouin-zone integrals; None where they are there already."""
    if work.is_published(store):
        return None
    large = work.seconds > campaign.spread_after
    if large and not alone:
        raise _LargeError
    light = _LIGHT * work.model.operators.nbytes < budget_bytes(campaign.memory_budget)
    with engine_of_task(large, light) as engine:
        return work.result(engine, store, keeps_sums=large)


def _stream(campaign: Campaign, model: WannierModel, kmesh: int | tuple[int, ...], store: Store) -> bool:
    """Stream values per k and band; False where they are there already."""
    resolution = campaign.resolution(model)
    if band_stream(model, kmesh, store, campaign.band_quantities, resolution).is_published:
        return False
    mesh = KMesh(complete_kmesh(model, kmesh))
    # The model is prepared already.
    how = asdict(resolution) | {"memory_budget": campaign.memory_budget}
    with engine_of_task(estimated_seconds(model.size, mesh.size) > campaign.spread_after) as engine:
        stream_bands(model, kmesh, store, campaign.band_quantities, engine, **how)
    return True
