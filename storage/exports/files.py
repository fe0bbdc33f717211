"""Results of a store written into a file, one line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinscreen.kernels import InputError

from ..place import Place
from ..results import CatalogRow, read_attributes, read_material, read_rows
from ..targets import written_whole
from .optimade import entry, header_lines, properties_of
from .record import material_record

Lines = Iterator[dict[str, Any]]
Rows = Callable[[], Iterator[CatalogRow]]


@dataclass(frozen=True)
class Export:
    """written : how many materials; left : for each that could not be read the sentence that says why"""

    written: int
    left: tuple[str, ...]


def export_results(store: Place, material_ids: Sequence[str], path: str | Path, form: str) -> Export:
    """Write results of a store into a file, whole or not at all.

    form : of `EXPORTS`; "optimade", JSON lines for an OPTIMADE server, or "records", one `material_record` a
        line
    Raises InputError for another form, for no results, and where the file cannot be written.
    """
    if form not in EXPORTS:
        raise InputError(f"format: expected one of {', '.join(EXPORTS)}, found {form!r}.")
    left: dict[str, None] = {}

    def rows() -> Iterator[CatalogRow]:
        """Read anew each time: memory does not grow with their number."""
        for row in read_rows(store, material_ids):
            if isinstance(row, str):
                left[row] = None
            else:
                yield row

    written = 0
    with written_whole(path) as file, file.open("w", encoding="utf-8") as stream:
        for line in EXPORTS[form](store, rows):
            stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            written += "id" in line and line.get("type") != "info"
        if not written:
            told = f" ({next(iter(left))})" if left else ""
            raise InputError(f"{store.path}: no result to export{told}, expected one at least.")
    return Export(written, tuple(left))


def _optimade(store: Place, rows: Rows) -> Lines:
    properties = properties_of(rows())
    yield from header_lines(properties)
    for row in rows():
        yield entry(row, read_attributes(store, row.material), properties)


def _records(store: Place, rows: Rows) -> Lines:
    for row in rows():
        yield dict(material_record(read_material(store, row.material).load(), row.material))


#: Format -> the lines that it makes of some results.
EXPORTS: dict[str, Callable[[Place, Rows], Lines]] = {
    "optimade": _optimade,
    "records": _records,
}
