"""What xarray finds by itself where spinscreen is installed: `dataset.spinscreen`, and files of results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

# xarray loads this module before it opens its first dataset, whoever asks for it: so the accessor is there.
from spinscreen.storage import SpinscreenAccessor as SpinscreenAccessor


class SpinscreenBackend(BackendEntrypoint):
    """`xr.open_dataset("results.zarr/materials/Pt-0123456789.zip")`: one result of a store, lazily."""

    description = "One result of a spinscreen store"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = ("filename_or_obj", "drop_variables")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether it is a zipped group in the folder `materials` of a store."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = Path(filename_or_obj)
        return path.suffix == ".zip" and path.parent.name == "materials"

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> xr.Dataset:
        """The dataset as plain xarray opens it. Raises whatever Zarr raises for another file."""
        return xr.open_dataset(f"zip::{filename_or_obj}", engine="zarr", drop_variables=drop_variables)
