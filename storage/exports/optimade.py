"""OPTIMADE JSON lines: the file from which https://www.optimade.org/ servers are made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from spinscreen.kernels import QUANTITIES
from spinscreen.materials.elements import element_of, reduced_formula

from ..attributes import texts_of, vectors_of
from ..results import TENSORS, CatalogRow
from ..results.column_names import unused
from .plain import dimension_of, has_unit_of_dimension, plain, units_by_column
from .ucum import ucum_of

#: Of the specification that the lines follow.
OPTIMADE_VERSION = "1.1.0"

#: Before the names of properties that are no standard ones. It is not registered as a provider's.
PREFIX = "_spinscreen_"

#: Structural properties of the standard, each with its type; which of them are known hangs on the material.
_STANDARD: Mapping[str, str] = {
    "id": "string",
    "type": "string",
    "immutable_id": "string",
    "last_modified": "timestamp",
    "elements": "list",
    "nelements": "integer",
    "elements_ratios": "list",
    "chemical_formula_descriptive": "string",
    "chemical_formula_reduced": "string",
    "chemical_formula_anonymous": "string",
    "space_group_it_number": "integer",
    "dimension_types": "list",
    "nperiodic_dimensions": "integer",
    "lattice_vectors": "list",
    "cartesian_site_positions": "list",
    "nsites": "integer",
    "species": "list",
    "species_at_sites": "list",
    "structure_features": "list",
}

#: Units of the standard's own properties.
_STANDARD_UNITS: Mapping[str, str] = {"lattice_vectors": "Ao", "cartesian_site_positions": "Ao"}

_FORMULA = re.compile(r"([A-Z][a-z]?)(\d*)")


@dataclass(frozen=True)
class Property:
    """What an own property is: type of OPTIMADE, sentence, unit in UCUM or None."""

    type: str
    description: str
    unit: str | None


#: Column and, where its unit hangs on it, dimension of the material -> name of the property and what it is.
Properties = Mapping[tuple[str, int | None], tuple[str, Property]]


def properties_of(rows: Iterable[CatalogRow]) -> Properties:
    """What the columns of some materials are as properties, each in one unit: those of crystals, layers and
    chains are told apart where the units differ.
    """
    found: dict[tuple[str, int | None], Property] = {}
    for row in rows:
        units = units_by_column(row)
        for column, value in row.columns.items():
            place = _place(row, column)
            if place in found and found[place].type == _type(value):
                continue
            told = Property(_type(value), _description(row, place), _code(units.get(column)))
            told = replace(told, description=told.description + _unit_told(units.get(column)))
            found[place] = _joined(found.get(place), told)
    names: dict[str, tuple[str, int | None]] = {}
    for place in found:
        names[unused(_name(place), names)] = place
    return {place: (name, found[place]) for name, place in names.items()}


def header_lines(properties: Properties) -> Sequence[dict[str, Any]]:
    """The first two lines: what the file is, and what its structures have."""
    standard = {
        name: {"description": f"See the OPTIMADE specification: {name}.", "type": kind}
        | ({"unit": _STANDARD_UNITS[name]} if name in _STANDARD_UNITS else {})
        for name, kind in _STANDARD.items()
    }
    own = {
        name: {"description": told.description, "type": told.type}
        | ({} if told.unit is None else {"unit": told.unit})
        for name, told in properties.values()
    }
    return [
        {"x-optimade": {"meta": {"api_version": OPTIMADE_VERSION}}},
        {
            "type": "info",
            "id": "structures",
            "description": "Materials whose conserved currents spinscreen has computed.",
            "properties": standard | own,
            "formats": ["json"],
            "output_fields_by_format": {"json": [*standard, *own]},
        },
    ]


def entry(row: CatalogRow, attributes: Mapping[str, Any], properties: Properties) -> dict[str, Any]:
    """One material as an entry of the type structures.

    attributes : of its dataset. Sites are given where the model knows all atoms of the formula.
    """
    own = {}
    for column, value in row.columns.items():
        name, told = properties[_place(row, column)]
        value = plain(value)
        own[name] = str(value) if told.type == "string" and value is not None else value
    return {
        "id": row.material,
        "type": "structures",
        "attributes": {
            **dict.fromkeys(name for name in _STANDARD if name not in ("id", "type")),
            "immutable_id": attributes.get("key"),
            "last_modified": _timestamp(attributes.get("computed")),
            "structure_features": [],
            **_composition(row),
            **_cell(row, attributes),
            **own,
        },
    }


def _place(row: CatalogRow, column: str) -> tuple[str, int | None]:
    return column, dimension_of(row) if has_unit_of_dimension(row, column) else None


def _name(place: tuple[str, int | None]) -> str:
    """As OPTIMADE has identifiers: small letters of ASCII, digits and underscores."""
    column, dimension = place
    ending = "" if dimension is None else f"_{dimension}d"
    return PREFIX + re.sub(r"[^a-z0-9_]", "_", column.lower()) + ending


def _type(value: object) -> str:
    if isinstance(value, str):
        return "string"
    return "integer" if isinstance(value, int) else "float"


def _joined(first: Property | None, second: Property) -> Property:
    """One property for two materials; what is a number here and a text there is a text."""
    if first is None or first.type == second.type:
        return second
    return replace(second, type="string" if "string" in (first.type, second.type) else "float")


def _description(row: CatalogRow, place: tuple[str, int | None]) -> str:
    column, dimension = place
    if column in row.headings:
        return f"{row.headings[column]!r}, given with the material."
    told = f"Column {column} of the catalog of spinscreen"
    kind = column.partition("_")[0]
    variable = TENSORS.get(kind, "circulation_magnetization" if kind == "magnetization" else "")
    if dimension is not None and variable in QUANTITIES:
        told += f", of materials that repeat along {dimension} axes: {QUANTITIES[variable].long_name}"
        if column.endswith("_error"):
            told += ", error bar"
        if column.endswith("_sensitivity"):
            told += ", change at four times the degeneracy threshold"
        if column.endswith("_max"):
            return f"{told}, its largest value within 1 eV of the Fermi level."
        return f"{told}, at the Fermi level."
    return f"{told}."


def _unit_told(unit: str | None) -> str:
    return "" if unit in (None, "1") else f" Unit: {unit}."


def _code(unit: str | None) -> str | None:
    return None if unit is None else ucum_of(unit)


def _timestamp(computed: Any) -> str | None:
    if not isinstance(computed, str):
        return None
    return datetime.fromisoformat(computed).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _composition(row: CatalogRow) -> dict[str, Any]:
    """What the formula says; nothing where there is none, or a user's one is not of elements."""
    counts = _counts(str(row.columns.get("formula", "")))
    if not counts:
        return {}
    total = sum(counts.values())
    number = row.columns.get("space_group_number")
    reduced = reduced_formula(Counter(counts).elements())
    return {
        "elements": list(counts),
        "nelements": len(counts),
        "elements_ratios": [count / total for count in counts.values()],
        "chemical_formula_descriptive": row.columns["formula"],
        "chemical_formula_reduced": reduced,
        "chemical_formula_anonymous": _anonymous(_counts(str(reduced))),
        "space_group_it_number": int(number) if isinstance(number, int | float) and number > 0 else None,
    }


def _counts(formula: str) -> dict[str, int]:
    """Element -> atoms, in alphabetical order; none for a text that is no formula."""
    parts = _FORMULA.findall(formula)
    if "".join(symbol + number for symbol, number in parts) != formula:
        return {}
    counts: Counter[str] = Counter()
    for symbol, number in parts:
        counts[symbol] += int(number or 1)
    if any(element_of(symbol) != symbol for symbol in counts) or 0 in counts.values():
        return {}
    return dict(sorted(counts.items()))


def _anonymous(counts: Mapping[str, int]) -> str:
    """Of elements that are called A, B, C ... from the most frequent one."""
    letters = [chr(ord("A") + n) for n in range(26)]
    names = letters + [first + second.lower() for second in letters for first in letters]
    sizes = sorted(counts.values(), reverse=True)
    return "".join(f"{name}{size if size > 1 else ''}" for name, size in zip(names, sizes, strict=False))


def _cell(row: CatalogRow, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Lattice, and sites where the model knows the atoms of the whole formula."""
    found: dict[str, Any] = {"lattice_vectors": vectors_of(attributes["lattice"]).tolist()}
    periodic = attributes.get("periodic")
    dimension = dimension_of(row)
    if periodic is not None or dimension == 3:
        found["dimension_types"] = [1, 1, 1] if periodic is None else [int(one) for one in periodic]
        found["nperiodic_dimensions"] = dimension
    symbols = [element_of(symbol) for symbol in texts_of(attributes.get("atom_symbols"))]
    known = [symbol for symbol in symbols if symbol is not None]
    counts = _counts(str(row.columns.get("formula", "")))
    if (
        not counts
        or len(known) < len(symbols)
        or reduced_formula(known) != reduced_formula(Counter(counts).elements())
    ):
        return found
    species = [
        {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]}
        for symbol in sorted(set(known))
    ]
    return found | {
        "species": species,
        "species_at_sites": known,
        "nsites": len(known),
        "cartesian_site_positions": vectors_of(attributes["atom_positions"]).tolist(),
    }
