"""Many materials at once: a folder tree, a manifest, or the built-in library, as a list of sources."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinscreen.kernels import InputError

from . import library
from .loading import load_model
from .model import WannierModel

#: Manifest columns that say how to load a material; all others become screening columns.
_LOADING = ("fermi_level", "spin_ordering")


@dataclass(frozen=True)
class MaterialSource:
    """One material of a collection, not read yet.

    id : its name in the store; path : what `load_model` takes, or None for the library's `id`
    overrides : keywords of `load_model`; columns : further facts, kept for screening
    """

    id: str
    path: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)

    def load(self) -> WannierModel:
        """Read the material. Raises InputError as `load_model` does."""
        if self.path is None:
            return library.load(self.id)
        return load_model(self.path, name=self.id, **self.overrides)


def find_materials(source: str | Path) -> tuple[MaterialSource, ...]:
    """Materials of "library", of a manifest (.csv or .json: id, path, fermi_level, spin_ordering, any other
    column), or of a folder tree, where every folder with one Wannier90 Hamiltonian is one material.

    Paths of a manifest count from its folder. Raises InputError where nothing is found, an id is given twice,
    or a manifest line lacks its id or path.
    """
    path = Path(source)
    if str(source) == "library" and not path.exists():
        return tuple(MaterialSource(name) for name in library.names())
    if path.is_file():
        found = tuple(_from_manifest(path))
    elif path.is_dir():
        found = tuple(_from_tree(path))
    else:
        raise InputError(
            f"{path}: no such manifest or folder; expected a .csv or .json manifest, a folder tree, or "
            "'library'."
        )
    if not found:
        raise InputError(f"{path}: found no material, expected at least one Wannier90 Hamiltonian.")
    seen: set[str] = set()
    for material in found:
        if material.id in seen:
            raise InputError(f"{path}: the id {material.id!r} is given twice, expected each once.")
        seen.add(material.id)
    return found


def _from_tree(root: Path) -> Iterator[MaterialSource]:
    endings = ("_tb.dat", "_tb.dat.gz", "_hr.dat", "_hr.dat.gz")
    stems = {
        file.with_name(file.name[: -len(ending)])
        for file in root.rglob("*.dat*")
        for ending in endings
        if file.name.endswith(ending)
    }
    folders: dict[Path, list[Path]] = {}
    for stem in sorted(stems):
        folders.setdefault(stem.parent, []).append(stem)
    for folder, members in folders.items():
        inside = folder.relative_to(root).as_posix().replace("/", "-")
        for stem in members:
            alone = len(members) == 1 and inside != "."
            name = inside if alone else stem.name if inside == "." else f"{inside}-{stem.name}"
            yield MaterialSource(name, str(stem))


def _from_manifest(path: Path) -> Iterator[MaterialSource]:
    for number, row in enumerate(_rows(path), start=1):
        name, place = row.pop("id", None), row.pop("path", None)
        if not name or not place:
            raise InputError(f"{path}, entry {number}: expected an id and a path, found {name!r}, {place!r}.")
        overrides = {key: row.pop(key) for key in _LOADING if row.get(key) not in (None, "")}
        if "fermi_level" in overrides:
            overrides["fermi_level"] = _number(overrides["fermi_level"], path, number)
        columns = {key: _plain(value) for key, value in row.items() if value not in (None, "")}
        yield MaterialSource(str(name), str(path.parent / str(place)), overrides, columns)


def _rows(path: Path) -> Sequence[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))
    if path.suffix == ".json":
        try:
            rows = json.loads(path.read_text())
        except json.JSONDecodeError as problem:
            raise InputError(f"{path}, line {problem.lineno}: not JSON ({problem.msg}).") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path}: expected a list of objects with id and path.")
        return [dict(row) for row in rows]
    raise InputError(f"{path}: expected a manifest that ends in .csv or .json.")


def _number(value: object, path: Path, entry: int) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise InputError(f"{path}, entry {entry}: expected fermi_level in eV, found {value!r}.") from None


def _plain(value: object) -> str | float:
    try:
        return float(str(value))
    except ValueError:
        return str(value)


def check_material(source: MaterialSource) -> str | None:
    """Read a material without computing; what is wrong with it, or None."""
    try:
        source.load()
    except InputError as problem:
        return str(problem)
    return None
