"""Columns of a row as they are kept: numbers side by side, whose names many rows share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ColumnNames:
    """Names of columns. others : places of those that are no numbers"""

    names: tuple[str, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PackedColumns(Mapping[str, Any]):
    """A mapping of names to values that becomes one when somebody asks.

    known : the same object in all rows that are named alike
    numbers : those of the columns that are numbers, in their order; others : the other values
    """

    known: ColumnNames
    numbers: NDArray[np.float64]
    others: Sequence[Any]

    @cached_property
    def _values(self) -> dict[str, Any]:
        values = self.numbers.tolist()
        for place, value in zip(self.known.others, self.others, strict=True):
            values.insert(place, value)
        return dict(zip(self.known.names, values, strict=True))

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known.names)

    def __len__(self) -> int:
        return len(self.known.names)

    def __repr__(self) -> str:
        return repr(self._values)


def together(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray | list[Any]] | None:
    """By name the values of rows that are packed and named alike, None where one is not."""
    packed = [row for row in rows if isinstance(row, PackedColumns)]
    if not packed or len(packed) < len(rows) or any(row.known is not packed[0].known for row in packed):
        return None
    known = packed[0].known
    numbers = iter(np.array([row.numbers for row in packed]).T.copy())
    others = dict(
        zip(known.others, map(list, zip(*(row.others for row in packed), strict=True)), strict=True)
    )
    return {
        name: others[place] if place in others else next(numbers) for place, name in enumerate(known.names)
    }
