"""Scalar columns of a catalog while it is built: some thousand rows in memory, the others on the disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ..files.encoding import encoded, encoded_texts
from ..files.whole import make_folder
from ..schema import labels

#: Materials in a chunk of a scalar column.
SCALAR_CHUNK = 4096

#: Columns by name, numbers or objects, None or NaN where a row says nothing.
Columns = Mapping[str, NDArray]


#: What people and spreadsheets write for a number that nobody knows, in small letters.
_NOTHING = frozenset(("n/a", "#n/a", "na", "nan", "none", "null", "-", "--", "?"))


def _is_nothing(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in _NOTHING


@dataclass
class _Kind:
    """What the values of a column are. texts, numbers : whether there are any; truths : how many are that;
    nothing : whether there are words that among numbers say that one is missing
    """

    texts: bool = False
    nothing: bool = False
    numbers: bool = False
    truths: int = 0

    def see(self, values: NDArray) -> None:
        """Look at more of them."""
        if values.dtype != object:
            self.numbers = True
            return
        for value in values.tolist():
            if isinstance(value, bool):
                self.truths += 1
            elif isinstance(value, Real):
                self.numbers = True
            elif _is_nothing(value):
                self.nothing = True
            elif value is not None:
                self.texts = True


class Scalars:
    """Columns that grow by rows. folder : for rows that are put aside, removed by `close`"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: list[tuple[int, Columns]] = []
        self._waiting = self._blocks = 0
        self._kinds: dict[str, _Kind] = {}
        self.count = 0

    def append(self, columns: Columns) -> None:
        """Further rows, one at least. Raises OSError."""
        count = len(next(iter(columns.values())))
        self.count += count
        self._waiting += count
        self._tables.append((count, columns))
        for name, values in columns.items():
            if name not in self._kinds:
                self._kinds[name] = _Kind()
            self._kinds[name].see(values)
        if self._waiting >= SCALAR_CHUNK:
            self._put_aside()

    def close(self) -> None:
        """Remove what is on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def only_value(self, name: str) -> Any:
        """The one value that all rows have of a column, None where they have several."""
        found = {value for block in self._each() for value in block.get(name, np.array([None])).tolist()}
        return found.pop() if len(found) == 1 else None

    @property
    def types(self) -> dict[str, type]:
        """Name of each column -> str, bool or float: text where any row has text."""
        return {name: self._type(kind) for name, kind in self._kinds.items()}

    def _type(self, kind: _Kind) -> type:
        if kind.texts or (kind.nothing and not kind.numbers):
            return str
        # Truth values that some materials lack are numbers, like all that can be missing.
        return bool if kind.truths == self.count and not kind.numbers else float

    def write(self, catalog: Path) -> None:
        """Write the chunks of all columns. Raises OSError.

        catalog : folder of the arrays, whose metadata are there
        """
        for number, block in enumerate(self._each()):
            rows = max(map(len, block.values()))
            for name, kind in self.types.items():
                write_chunk(catalog / name, number, _plain(block.get(name), kind, rows))

    def _each(self) -> Iterator[Columns]:
        """All rows, `SCALAR_CHUNK` at a time."""
        for number in range(self._blocks):
            yield self._read(number)
        if self._waiting:
            yield _joined(self._tables)

    def _put_aside(self) -> None:
        whole, rest = _joined(self._tables), self._waiting % SCALAR_CHUNK
        for start in range(0, self._waiting - rest, SCALAR_CHUNK):
            self._keep({name: values[start : start + SCALAR_CHUNK] for name, values in whole.items()})
        self._tables = []
        if rest:
            self._tables = [(rest, {name: values[-rest:].copy() for name, values in whole.items()})]
        self._waiting = rest

    def _keep(self, block: Columns) -> None:
        make_folder(self._folder)
        numbers = [name for name, values in block.items() if values.dtype != object]
        others = {name: values.tolist() for name, values in block.items() if values.dtype == object}
        place = self._folder / str(self._blocks)
        np.save(place.with_suffix(".npy"), np.array([block[name] for name in numbers]))
        place.with_suffix(".json").write_text(json.dumps([list(block), numbers, others]))
        self._blocks += 1

    def _read(self, number: int) -> Columns:
        place = self._folder / str(number)
        order, numbers, others = json.loads(place.with_suffix(".json").read_text())
        found = dict(zip(numbers, np.load(place.with_suffix(".npy")), strict=True))
        found |= {name: np.array(values, dtype=object) for name, values in others.items()}
        return {name: found[name] for name in order}


def _joined(tables: Sequence[tuple[int, Columns]]) -> dict[str, NDArray]:
    names = dict.fromkeys(name for _, columns in tables for name in columns)
    found = {}
    for name in names:
        parts = [columns[name] if name in columns else np.full(count, None) for count, columns in tables]
        # Joined with objects, numbers become Python's.
        found[name] = np.concatenate(parts)
    return found


def _plain(values: NDArray | None, kind: type, rows: int) -> NDArray:
    """Values of one type; NaN or "" where one is missing."""
    if values is None:
        values = np.full(rows, None)
    if kind is str:
        texts = ["" if value is None or value != value else str(value) for value in values.tolist()]
        return np.array(texts, dtype=object)
    if kind is float and values.dtype == object:
        known = (value if isinstance(value, Real) else np.nan for value in values.tolist())
        return np.fromiter(known, float, len(values))
    return values.astype(kind)


def write_chunk(array: Path, number: int, values: NDArray) -> None:
    """A chunk of a column, filled up where it is the last. Raises OSError."""
    missing = SCALAR_CHUNK - len(values)
    filling = {"O": "", "f": np.nan}.get(values.dtype.kind, False)
    padded = np.concatenate([values, np.full(missing, filling, values.dtype)])
    content = encoded_texts(padded) if values.dtype == object else encoded(padded)
    make_folder(array / "c")
    (array / "c" / str(number)).write_bytes(content)


def plain_values(column: pd.Series) -> NDArray:
    """A column as the catalog holds it: truth values, numbers, or texts; NaN or "" where one is missing."""
    numbers = column.mask(list(map(_is_nothing, column)))
    if numbers.notna().any() and all(isinstance(value, Real) for value in numbers):
        column = numbers
    if is_bool_dtype(column):
        return column.to_numpy(bool)
    # Truth values that some materials lack are numbers, like all that can be missing.
    if is_numeric_dtype(column) or all(isinstance(value, Real) for value in column):
        return column.to_numpy(float)
    return labels(_texts(column))


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]
