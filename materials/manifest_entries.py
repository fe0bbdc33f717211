"""Entries of a manifest: what a row says of a material, and the source that it is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from spinscreen.kernels import InputError

from .files import is_there, printable, quoted
from .manifests import read_rows
from .matrices import LARGEST
from .scans import library_scan
from .sources import FileSource, LibrarySource


class ManifestEntry(BaseModel):
    """One line of a manifest; columns that are not named here become screening columns."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    id: str = Field(min_length=1, description="name of the material in the store")
    path: str = Field(
        min_length=1, description="what `load_model` takes, from the manifest's folder, or library:MoS2"
    )
    fermi_level: float | None = Field(None, description="eV", gt=-LARGEST, lt=LARGEST, allow_inf_nan=False)
    electrons: float | None = Field(
        None,
        description="per cell in the bands of the Wannier functions, where the level is unknown",
        gt=0,
        lt=LARGEST,
        allow_inf_nan=False,
    )
    spin_ordering: Literal["interlaced", "block", "none"] | None = Field(None, description="see `load_model`")
    soc: str | None = Field(None, description="on-site spin-orbit coupling in eV, such as Fe:d=0.05")
    spin_degeneracy: int | None = Field(None, description="electrons in each band", ge=1, le=2)
    lattice: str | list[FiniteFloat] | list[list[FiniteFloat]] | None = Field(
        None,
        description="nine numbers in angstrom, or a file with a unit cell, from the manifest's folder",
    )
    formula: str | None = None
    space_group: str | None = None
    check: str | None = Field(None, description="what `spinscreen check --write` said; not looked at")


#: Wrong entries of a manifest that are told.
_MOST_TOLD = 5

#: Manifest columns that say how to load a material; all others become screening columns.
LOADING = ("fermi_level", "electrons", "spin_ordering", "spin_degeneracy", "soc", "lattice")


def entries_of(path: Path) -> Iterator[FileSource | LibrarySource]:
    """Sources of the entries but blank ones. Raises InputError that tells the wrong entries, all in one."""
    problems = []
    for number, row in enumerate(read_rows(path), start=1):
        given = {printable(str(key)): value for key, value in row.items() if value not in (None, "")}
        try:
            if any(str(value).strip() for value in given.values()):
                yield _source_of_entry(path, f"{path.name}, entry {number}", given)
        except ValidationError as problem:
            problems.append(f"entry {number}: {_told(problem, given)}")
        except InputError as problem:
            problems.append(f"entry {number}: {problem}")
    if problems:
        more = f" And {len(problems) - _MOST_TOLD} more wrong entries." if len(problems) > _MOST_TOLD else ""
        raise InputError(f"{path}, {' '.join(problems[:_MOST_TOLD])}{more}")


def _source_of_entry(manifest: Path, where: str, given: Mapping[str, Any]) -> FileSource | LibrarySource:
    _check_names(given)
    content = ManifestEntry.model_validate(given).model_dump(exclude_none=True)
    name, place = printable(content.pop("id")), content.pop("path")
    content.pop("check", None)
    overrides = {key: content.pop(key) for key in LOADING if key in content}
    columns = {key: _plain(key, value) for key, value in content.items()}
    if place.startswith("library:") and not is_there(manifest.parent / place):
        if overrides:
            raise InputError(f"{next(iter(overrides))}: {place} is built in, expected files.")
        found = library_scan(place)
        if len(found) > 1:
            raise InputError(f"path: {place} is {len(found)} materials, expected one of each parameter.")
        return replace(found[0], id=name, columns={**found[0].columns, **columns})
    if "lattice" in overrides:
        overrides["lattice"] = cell_of(overrides["lattice"], manifest.parent)
    return FileSource(name, str(manifest.parent / place), overrides, columns, entry=where)


#: Numbers, as many as there may be: no name of a file.
_NUMBERS = re.compile(r"[-+\d.eEdD\s,;\[\]()]+")


def cell_of(given: str | list[Any], folder: Path) -> str:
    """Nine numbers as text, as they can be pickled and compared, or the path of a file."""
    if isinstance(given, str):
        return given if _NUMBERS.fullmatch(given) else str(folder / given)
    return " ".join(str(number) for number in np.ravel(given).tolist())


def _check_names(given: Mapping[str, Any]) -> None:
    """A path must be opened; what an id holds is the store's business."""
    for key in ("id", "path"):
        value = given.get(key)
        if isinstance(value, bool) or (isinstance(value, float) and not abs(value) < float("inf")):
            raise InputError(f"{key}: expected text, found {value}.")
    if "\0" in str(given.get("path", "")):
        raise InputError(f"path: holds a NUL character: {quoted(given['path'])}.")


def _told(problem: ValidationError, given: Mapping[str, Any]) -> str:
    error = problem.errors()[0]
    name = str(error["loc"][0])
    if name in ("id", "path"):
        columns = ", ".join(map(str, given))
        return (
            f"expected an id and a path, found {quoted(given.get('id'))}, {quoted(given.get('path'))} in the "
            f"columns {columns[:60]}."
        )
    field = ManifestEntry.model_fields.get(name)
    unit = f" ({field.description})" if field and field.description else ""
    return f"{name}{unit}: {error['msg'][0].lower()}{error['msg'][1:]}, found {quoted(error['input'])}."


def _plain(name: str, value: object) -> str | float:
    """A number where it is one; names of things stay text, also where they look like numbers.

    Raises InputError for digits beyond the range of numbers.
    """
    text = printable(str(value))
    if name in ("formula", "space_group"):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if math.isinf(number) and any(letter.isdigit() for letter in text):
        raise InputError(f"{quoted(name)}: {quoted(text)} is larger than any number, expected below 1.8e308.")
    return number
