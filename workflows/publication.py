"""One way from a source to a published result, for one material as for a campaign of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spinscreen.kernels import IrreducibleMesh
from spinscreen.materials import Source, WannierModel, composition
from spinscreen.storage import (
    KeptSums,
    Store,
    check_figure,
    checked_store,
    is_published,
    publish,
)
from spinscreen.storage.attributes import make_portable

from .adaptive import STATE
from .calculation import Calculation
from .computing import compute_settings, silent
from .engine import Engine
from .execution import Progress
from .plan import estimated_seconds
from .settings import Settings


@dataclass(frozen=True)
class Targets:
    """Where a result goes, looked at before anything is computed. Raises InputError."""

    store: Path | None = None
    plot: Path | None = None

    @classmethod
    def checked(cls, store: Path | None, plot: Path | None = None) -> Targets:
        """Both as they were given; links of the store are followed."""
        place = None if store is None else checked_store(store)
        if plot is not None:
            check_figure(plot, "--plot")
        return cls(place, plot)


@dataclass(frozen=True)
class Work:
    """One material that is read and prepared, and what is computed of it.

    facts : attributes of the result beside its numbers, such as the campaign that it is of
    """

    source: Source
    model: WannierModel
    settings: Settings
    memory_budget: str | int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, model: WannierModel, calculation: Calculation, **facts: Any) -> Work:
        """What a calculation comes to for a model that was read. Raises InputError where it does not fit."""
        prepared = calculation.prepare(model)
        return cls(source, prepared, calculation.resolve(prepared), calculation.memory_budget, facts)

    def as_called_before(self, store: str | Path | Store) -> Work:
        """The same by the name under which a store has its result, where the source was called so once."""
        names = (self.model.name, *getattr(self.source, "former_ids", ()))
        for name in names:
            if is_published(store, self.settings.id_of(name, self.model.fingerprint)):
                return (
                    self if name == self.model.name else replace(self, model=replace(self.model, name=name))
                )
        return self

    @property
    def material_id(self) -> str:
        return self.settings.material_id(self.model)

    @property
    def sums_id(self) -> str:
        """Name of what is kept: a run that ends later goes on from it."""
        return replace(self.settings, tolerance=None, budget=None).material_id(self.model)

    @cached_property
    def mesh(self) -> IrreducibleMesh:
        """The k points that are computed."""
        return IrreducibleMesh.of(self.settings.mesh, self.model.symmetry_group)

    @property
    def seconds(self) -> float:
        """Rough cost on one core."""
        return estimated_seconds(self.model.size, self.rough_kpoints)

    @property
    def rough_kpoints(self) -> int:
        """About how many k points are computed, at most."""
        return self.settings.budget or self.mesh.full.size // self.mesh.order

    @property
    def most_kpoints(self) -> int:
        """How many k points are computed, at most."""
        return self.settings.budget or self.mesh.size

    def is_published(self, store: str | Path | Store) -> bool:
        return is_published(store, self.material_id)

    def result(
        self,
        engine: Engine,
        store: str | Path | Store | None = None,
        progress: Progress = silent,
        keeps_sums: bool = True,
    ) -> xr.Dataset:
        """Compute, and publish before anything is said of it: whatever fails later must not cost it.

        store : None where it is only returned; whoever publishes brings the catalog up to date
        keeps_sums : whether partial sums are kept in the store, for a try that goes on
        Raises InputError, StoreError where the store cannot be written.
        """
        if store is None:
            return compute_settings(self.model, self.settings, engine, self.memory_budget, progress)
        # A structure file that cannot be read is said before the work.
        _ = self.columns
        checkpoints = KeptSums(Store.at(store), self.sums_id) if keeps_sums else None
        dataset = self.described(
            compute_settings(self.model, self.settings, engine, self.memory_budget, progress, checkpoints)
        )
        publish(dataset, store, self.material_id)
        if checkpoints is not None and self.settings.is_adaptive:
            # A smaller tolerance or a larger budget goes on from there.
            checkpoints.retain(STATE)
        elif checkpoints is not None:
            checkpoints.clear()
        return dataset

    @cached_property
    def columns(self) -> Mapping[str, str | float]:
        """Facts for screening beside those that are computed. Raises InputError as `composition`."""
        return {**composition(self.model, self.source), **self.source.columns}

    def described(self, dataset: xr.Dataset) -> xr.Dataset:
        """A dataset of this work with what a store keeps of its material."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        dataset.attrs |= {
            "material": self.source.id,
            "computed": now,
            "columns": dict(self.columns),
            **self.facts,
        }
        make_portable(dataset)
        # Not by `assign_coords`, which copies and aligns what stays as it is.
        dataset.variables["name"].values = np.array(str(self.source.id))
        return dataset
