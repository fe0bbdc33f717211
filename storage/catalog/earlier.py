"""A catalog that another one is built on."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import xarray as xr

from ..observables import Facts, Observables
from ..results import ROW_VERSION, TENSORS
from ..schema import SCHEMA_VERSION
from .reading import check_whole, columns_of_headings, scalar_columns
from .scalars import SCALAR_CHUNK, Columns


class EarlierDamagedError(Exception):
    """A catalog that was to be built on cannot be read: it is made anew."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """A catalog to be built on: its folder, its scalars and labels (lazily), and the dims of its tensors."""

    folder: Path
    scalars: xr.Dataset
    tensors: Mapping[str, Sequence[Hashable]]

    @classmethod
    def of(cls, folder: Path | None) -> Earlier | None:
        """None where there is none, or where it is damaged in whatever way: it is then made anew."""
        if folder is None:
            return None
        try:
            check_whole(folder)
            found = xr.open_zarr(folder, consolidated=True, chunks=None)
            if found.attrs.get("schema_version") != SCHEMA_VERSION:
                return None
            if found.attrs.get("row_version") != ROW_VERSION:
                return None
            tensors = {v: found[v].dims for v in TENSORS.values() if v in found}
            return cls(folder, found.drop_vars(list(tensors)), tensors)
        except Exception:
            return None

    @cached_property
    def materials(self) -> list[str]:
        return [str(name) for name in self.scalars["material"].values]

    def rows(self, count: int) -> Iterator[Columns]:
        """The first rows of all columns, some thousand at a time. Raises EarlierDamagedError."""
        names = list(scalar_columns(self.scalars))
        for start in range(0, count, SCALAR_CHUNK):
            part = self.scalars[names].isel(material=slice(start, min(start + SCALAR_CHUNK, count)))
            try:
                values = {name: part[name].values for name in names}
            except Exception as problem:  # whatever Zarr raises about a damaged chunk
                raise EarlierDamagedError from problem
            yield {name: v if v.dtype.kind == "f" else v.astype(object) for name, v in values.items()}

    @property
    def observables(self) -> dict[str, Facts]:
        return dict(Observables.in_dataset(self.scalars).facts)

    @property
    def headings(self) -> dict[str, str]:
        """What the user called a column -> its name."""
        return columns_of_headings(self.scalars)
