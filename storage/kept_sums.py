"""Sums of a long job, kept in the store: a killed driver or worker loses minutes, not days.

Those from which a finer result can go on outlive the result, as long as there is room for them.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files.sealed import DamagedError, read_sealed, sealed
from .files.whole import group_name, make_folder, write_whole, writing
from .place import Place, StoreLike

#: Folder of what finer results go on from, and its bytes at most: the oldest go first.
STATES, MOST_BYTES = "states", 2**30


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
        for file in (self._file(batch), self._retained(batch)):
            try:
                members = read_sealed(file)
                names = [f"{i}.npy" for i in range(len(members))]
                return [np.load(io.BytesIO(members[name]), allow_pickle=False) for name in names]
            except (OSError, DamagedError, ValueError, KeyError, EOFError):
                continue
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

    def retain(self, batch: int, most_bytes: int = MOST_BYTES) -> None:
        """Keep one batch beyond the publication of the result, and remove the others.

        most_bytes : of all that the store retains
        Raises StoreError where nothing can be written.
        """
        file, target = self._file(batch), self._retained(batch)
        with writing(self._place.path):
            if file.exists():
                make_folder(target.parent)
                file.replace(target)
        self.clear()
        _trim(self._place, most_bytes)

    @property
    def _place(self) -> Place:
        return Place.at(self.store)

    @property
    def _folder(self) -> Path:
        return self._place.partial / f"{group_name(self.material_id)}.sums"

    def _file(self, batch: int) -> Path:
        return self._folder / f"batch-{self.cut and self.cut + '-'}{batch:06d}.npz"

    def _retained(self, batch: int) -> Path:
        return self._place.path / STATES / f"{group_name(self.material_id)}.{self._file(batch).name}"


def retained_of(place: Place, material_id: str) -> list[Path]:
    """What is retained of any result of the same model's name."""
    name = material_id.rpartition("-")[0]
    folder = place.path / STATES
    files = folder.iterdir() if folder.is_dir() else ()
    return [file for file in files if file.name.partition(".batch-")[0].rpartition("-")[0] == name]


def _trim(place: Place, most_bytes: int) -> None:
    """Remove what was retained first where all of it takes more room."""
    sizes = {}
    folder = place.path / STATES
    for entry in os.scandir(folder) if folder.is_dir() else ():
        # Another driver may remove it meanwhile.
        with contextlib.suppress(OSError):
            found = entry.stat()
            sizes[Path(entry.path)] = found.st_mtime, found.st_size
    total = sum(size for _, size in sizes.values())
    for file, (_, size) in sorted(sizes.items(), key=lambda item: item[1]):
        if total <= most_bytes:
            return
        place.remove(file)
        total -= size


#: For one version: how `KeptSums` was called before.
Checkpoints = KeptSums
