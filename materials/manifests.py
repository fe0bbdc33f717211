"""Manifests: .csv, .json and .yaml files as rows of plain values, whoever wrote them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml

from spinscreen.kernels import InputError

from .files import quoted, read_bytes, reason

#: Values in one entry, those in lists included; characters in one of them.
_MOST_VALUES = 10_000
_LONGEST_VALUE = 1 << 17


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a manifest, as the ending of its name says. Raises InputError where it cannot be read."""
    readers = {".csv": _csv_rows, ".json": _json_rows, ".yaml": _yaml_rows, ".yml": _yaml_rows}
    reader = readers.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: expected a manifest that ends in .csv, .json or .yaml.")
    kind = path.suffix[1:]
    try:
        # Spreadsheets begin a file with a byte order mark.
        text = bytes(read_bytes(path)).decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds a NUL byte, expected text")
        rows = reader(text)
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: cannot be read as {kind} ({reason(problem)}); save it as UTF-8.") from None
    except RecursionError:
        raise InputError(f"{path}: cannot be read as {kind} (nested too deeply).") from None
    except (ValueError, ArithmeticError, yaml.YAMLError, csv.Error) as problem:
        raise InputError(f"{path}: cannot be read as {kind} ({reason(problem)}).") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: expected a list of entries with id and path.")
    for number, row in enumerate(rows, start=1):
        _check_size(row, f"{path}, entry {number}")
        yield row


def _csv_rows(text: str) -> list[dict[str, Any]]:
    lines = csv.reader(io.StringIO(text, newline=""))
    heading: list[str] | None = None
    rows = []
    try:
        for cells in lines:
            if heading is None:
                heading = cells
                _unique((name, None) for name in cells if name)
            elif cells:
                if any(cells[len(heading) :]):
                    raise ValueError(
                        f"line {lines.line_num} has {len(cells)} cells, the heading {len(heading)}; put text "
                        "with a comma in quotes"
                    )
                # A heading without a name is what spreadsheets make of an empty column.
                pairs = zip(heading, cells, strict=False)
                rows.append({name: cell for name, cell in pairs if name or cell})
    except csv.Error as problem:
        raise ValueError(f"line {lines.line_num}: {problem}") from None
    return rows


def _json_rows(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{quoted(key)} is given twice, expected each once")
        found[key] = value
    return found


def _yaml_rows(text: str) -> object:
    return yaml.load(text, _PlainLoader)


class _PlainLoader(yaml.SafeLoader):
    """Text, true, false, null and .nan, in lists and mappings.

    Numbers stay text until they are known to be numbers: YAML 1.1 reads an id 1:30 as 90 and 010 as 8. So do
    words such as NO, the formula that it reads as false.
    """

    yaml_implicit_resolvers: ClassVar[dict] = {}
    yaml_constructors: ClassVar[dict] = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "bool", "float", "str", "seq", "map")
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._merged: set[yaml.Node] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge `<<`, which may repeat itself again and again, and refuse keys given twice."""
        if node not in self._merged:
            self._merged.add(node)
            _unique((key.value, None) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            super().flatten_mapping(node)
        if len(node.value) > _MOST_VALUES:
            raise ValueError(f"line {node.start_mark.line + 1}: more than {_MOST_VALUES} values in one entry")


for _kind, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "float": r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}.items():
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), None)


def _check_size(row: dict[str, Any], where: str) -> None:
    """Lists may hold each other again and again, so that text of them would have no end."""
    values: list[object] = [row]
    seen = 0
    while values:
        value = values.pop()
        seen += 1
        if isinstance(value, dict):
            values += (*value, *value.values())
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str) and len(value) > _LONGEST_VALUE:
            raise InputError(
                f"{where}: has a value of {len(value)} characters, expected at most {_LONGEST_VALUE}."
            )
        if seen + len(values) > _MOST_VALUES:
            raise InputError(
                f"{where}: has more than {_MOST_VALUES} values, expected the columns of one material; lists "
                "are repeated in each other, or it is no manifest."
            )
