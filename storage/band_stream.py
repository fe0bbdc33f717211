"""Values per k and band on a large mesh, written chunk by chunk by whoever computed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from numpy.typing import NDArray

from .store import (
    BANDS,
    consolidating,
    partial_folder,
    prepare_store,
    put_in_place,
    remove_partial,
    writing,
    written_beside,
)


@dataclass(frozen=True)
class BandStream:
    """A group /bands/<id> that grows beside the store and is renamed into it when it is whole.

    What was written of it by a driver that was killed is found again. It travels to the workers as it is.
    """

    store: str
    band_id: str

    @property
    def is_published(self) -> bool:
        return (self._target / "zarr.json").is_file()

    def prepare(self, empty: xr.Dataset, count: int, chunk: int) -> None:
        """Make the arrays like those of `empty` (no k points), `count` long, unless an earlier try did.

        chunk : k points of a chunk. Raises StoreError as `publish` does.
        """
        if (self._folder / "zarr.json").is_file():
            return
        with writing(self.store), written_beside(self.store, "bands") as beside:
            fixed = empty.drop_vars([name for name in empty.variables if "k" in empty[name].dims])
            fixed.to_zarr(beside, mode="w", zarr_format=3, consolidated=False)
            group = zarr.open_group(beside, mode="r+")
            for name, variable in empty.variables.items():
                if "k" in variable.dims:
                    group.create_array(
                        str(name),
                        shape=(count, *variable.shape[1:]),
                        chunks=(chunk, *variable.shape[1:]),
                        dtype=variable.dtype,
                        dimension_names=list(map(str, variable.dims)),
                        attributes=_plain(variable.attrs, empty, str(name)),
                    )
            put_in_place(beside, self._folder)

    def has(self, start: int) -> bool:
        """Whether the chunk that begins at this k point is written."""
        return self._mark(start).is_file()

    def write(self, start: int, values: Mapping[str, NDArray]) -> None:
        """Write one chunk of every array. Raises StoreError as `publish` does."""
        with writing(self.store):
            if self.is_published:
                # A second driver was faster, and its workers wrote the same.
                return
            group = zarr.open_group(self._folder, mode="r+")
            for name, block in values.items():
                array: Any = group[name]
                array[start : start + len(block)] = block
            self._marks.mkdir(parents=True, exist_ok=True)
            self._mark(start).touch()

    def publish(self) -> None:
        """Put the group in place; a second driver may have done so. Raises StoreError."""
        with writing(self.store):
            prepare_store(Path(self.store))
            zarr.open_group(self._target.parent, mode="a", zarr_format=3)
            if not self.is_published:
                with consolidating():
                    zarr.consolidate_metadata(self._folder)
                put_in_place(self._folder, self._target)
        remove_partial(self._folder, self._marks)

    @property
    def _target(self) -> Path:
        return Path(self.store) / BANDS / self.band_id

    @property
    def _folder(self) -> Path:
        return partial_folder(self.store) / f"{self.band_id}.bands"

    @property
    def _marks(self) -> Path:
        return self._folder.with_suffix(".written")

    def _mark(self, start: int) -> Path:
        return self._marks / str(start)


def _plain(attributes: Mapping[Any, Any], dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """Attributes of an array; xarray finds coordinates that are no dims by the attribute `coordinates`."""
    plain = {str(key): value for key, value in attributes.items()}
    if name in dataset.data_vars:
        own = set(dataset[name].dims)
        plain["coordinates"] = " ".join(
            str(c) for c in dataset.coords if c not in dataset.dims and set(dataset[c].dims) <= own
        )
    return plain
