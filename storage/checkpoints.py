"""Partial sums of a long job, kept beside the store: a killed driver or worker loses minutes, not days."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .store import partial_folder, remove_partial, writing


@dataclass(frozen=True)
class Checkpoints:
    """Arrays of one result, by the number of the batch they are the sum of.

    store, material_id : what they will become part of; equal ids have equal settings, hence equal batches
    """

    store: str
    material_id: str

    def load(self, batch: int) -> list[NDArray] | None:
        """The arrays of a batch in their order, or None where it is still to be computed."""
        try:
            with np.load(self._file(batch)) as found:
                return [found[f"arr_{i}"] for i in range(len(found.files))]
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def save(self, batch: int, arrays: Sequence[NDArray]) -> None:
        """Keep a batch, whole or not at all. Raises StoreError where nothing can be written."""
        with writing(self.store):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f"{uuid.uuid4().hex}.npz"
            np.savez(beside, *arrays)
            beside.replace(self._file(batch))

    def clear(self) -> None:
        """Remove all of them, once the result is published."""
        remove_partial(self._folder)

    @property
    def _folder(self) -> Path:
        return partial_folder(self.store) / f"{self.material_id}.sums"

    def _file(self, batch: int) -> Path:
        return self._folder / f"batch-{batch:06d}.npz"
