"""Partial sums of a long job, kept in the store: a killed driver or worker loses minutes, not days."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files.sealed import DamagedError, read_sealed, sealed
from .files.whole import group_name, make_folder, write_whole, writing
from .place import Place, StoreLike


@dataclass(frozen=True)
class KeptSums:
    """Arrays of one result, by the number of the batch they are the sum of.

    store, material_id : what they will become part of
    cut : how the job is cut into batches; sums of another cut, as of another version, are not found
    """

    store: StoreLike
    material_id: str
    cut: str = ""

    def of_cut(self, fingerprint: str) -> KeptSums:
        """The same for a job that is cut in a way known by its fingerprint."""
        return replace(self, cut=fingerprint[:16])

    def load(self, batch: int) -> list[NDArray] | None:
        """The arrays of a batch in their order, or None where it is still to be computed.

        What a power loss has cut is computed again, too.
        """
        try:
            members = read_sealed(self._file(batch))
            names = [f"{i}.npy" for i in range(len(members))]
            return [np.load(io.BytesIO(members[name]), allow_pickle=False) for name in names]
        except (OSError, DamagedError, ValueError, KeyError, EOFError):
            return None

    def save(self, batch: int, arrays: Sequence[NDArray]) -> None:
        """Keep a batch, whole or not at all. Raises StoreError where nothing can be written."""
        members = {}
        for i, array in enumerate(arrays):
            stream = io.BytesIO()
            np.save(stream, array, allow_pickle=False)
            members[f"{i}.npy"] = stream.getvalue()
        with writing(self._place.path):
            self._place.bound().check()
            make_folder(self._folder)
            write_whole(self._file(batch), sealed(members), self._folder, replace=True)

    def clear(self) -> None:
        """Remove all of them, once the result is published."""
        place = self._place
        if place.path.is_dir():
            place.remove(self._folder)
            place.tidy()

    @property
    def _place(self) -> Place:
        return Place.at(self.store)

    @property
    def _folder(self) -> Path:
        return self._place.partial / f"{group_name(self.material_id)}.sums"

    def _file(self, batch: int) -> Path:
        return self._folder / f"batch-{self.cut and self.cut + '-'}{batch:06d}.npz"
