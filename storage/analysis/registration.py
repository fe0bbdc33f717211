"""`dataset.spinscreen`, whose code is imported when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    from .accessor import SpinscreenAccessor


@xr.register_dataset_accessor("spinscreen")  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def accessor_of(dataset: xr.Dataset) -> SpinscreenAccessor:
    """The accessor of a dataset, by its attribute `kind`."""
    from .accessor import accessor_of

    return accessor_of(dataset)
