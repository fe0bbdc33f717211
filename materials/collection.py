"""Many materials at once: a folder tree, a manifest, or the built-in library, as a list of sources."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spinscreen.kernels import InputError

from . import library
from .discovery import companions
from .loading import load_model
from .model import WannierModel
from .structure import composition


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

    def stamp(self) -> str | None:
        """What changes when a file of the material does (name, size or time), or how it is loaded.

        None where that cannot be told without reading it.
        """
        if self.path is None:
            return None
        path = Path(self.path)
        folder = path if path.is_dir() else path.parent
        try:
            files = [(file.name, file.stat()) for file in companions(folder, path.name)]
        except OSError:
            return None
        content = [
            [(name, info.st_size, info.st_mtime_ns) for name, info in files],
            self.path,
            sorted(map(repr, self.overrides.items())),
        ]
        return hashlib.sha256(repr(content).encode()).hexdigest()


def find_materials(source: str | Path) -> tuple[MaterialSource, ...]:
    """Materials of "library", of a manifest (.csv, .json or .yaml, see `ManifestEntry`), or of a folder tree,
    where every Wannier90 Hamiltonian is one material.

    Paths of a manifest count from its folder. Raises InputError where nothing is found, an id is given twice,
    or a manifest line lacks its id or path.
    """
    # Workers may run in another folder, so paths are absolute.
    path = Path(source).resolve()
    if str(source) == "library" and not path.exists():
        return tuple(MaterialSource(name, columns=_library_columns(name)) for name in library.names())
    if path.is_file():
        found = tuple(_from_manifest(path))
    elif path.is_dir():
        found = tuple(_from_tree(path))
    else:
        raise InputError(
            f"{source}: no such manifest or folder; expected a .csv, .json or .yaml manifest, a folder tree, "
            "or 'library'."
        )
    if not found:
        raise InputError(f"{path}: found no material, expected at least one Wannier90 Hamiltonian.")
    seen: set[str] = set()
    for material in found:
        if material.id in seen:
            raise InputError(f"{path}: the id {material.id!r} is given twice, expected each once.")
        seen.add(material.id)
    return found


def _library_columns(name: str) -> dict[str, str | float]:
    formula = library.formula(name)
    return {} if formula is None else {"formula": formula}


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


class ManifestEntry(BaseModel):
    """One line of a manifest; columns that are not named here become screening columns."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    id: str = Field(min_length=1, description="name of the material in the store")
    path: str = Field(min_length=1, description="what `load_model` takes, from the manifest's folder")
    fermi_level: float | None = Field(None, description="eV", allow_inf_nan=False)
    electrons: float | None = Field(
        None, description="per cell in the bands of the Wannier functions, where the level is unknown", gt=0
    )
    spin_ordering: Literal["interlaced", "block", "none"] | None = Field(None, description="see `load_model`")
    formula: str | None = None
    space_group: str | None = None


#: Manifest columns that say how to load a material; all others become screening columns.
_LOADING = ("fermi_level", "electrons", "spin_ordering")


def _from_manifest(path: Path) -> Iterator[MaterialSource]:
    for number, row in enumerate(_rows(path), start=1):
        given = {str(key): value for key, value in row.items() if value not in (None, "")}
        try:
            entry = ManifestEntry.model_validate(given)
        except ValidationError as problem:
            raise InputError(f"{path}, entry {number}: {_told(problem, given)}") from None
        content = entry.model_dump(exclude_none=True)
        name, place = content.pop("id"), content.pop("path")
        overrides = {key: content.pop(key) for key in _LOADING if key in content}
        columns = {key: _plain(key, value) for key, value in content.items()}
        yield MaterialSource(name, str(path.parent / place), overrides, columns)


def _told(problem: ValidationError, given: Mapping[str, Any]) -> str:
    error = problem.errors()[0]
    name = str(error["loc"][0])
    if name in ("id", "path"):
        return f"expected an id and a path, found {given.get('id')!r}, {given.get('path')!r}."
    field = ManifestEntry.model_fields[name]
    unit = f" ({field.description})" if field.description else ""
    return f"{name}{unit}: {error['msg'][0].lower()}{error['msg'][1:]}, found {error['input']!r}."


def _rows(path: Path) -> Sequence[dict[str, Any]]:
    try:
        if path.suffix == ".csv":
            with path.open(newline="") as stream:
                return list(csv.DictReader(stream))
        if path.suffix == ".json":
            return _list_of_rows(json.loads(path.read_text()), path)
        if path.suffix in (".yaml", ".yml"):
            return _list_of_rows(yaml.safe_load(path.read_text()), path)
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError, csv.Error) as problem:
        told = " ".join(str(problem).split())
        raise InputError(f"{path}: cannot be read as {path.suffix[1:]} ({told}).") from None
    raise InputError(f"{path}: expected a manifest that ends in .csv, .json or .yaml.")


def _list_of_rows(content: object, path: Path) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise InputError(f"{path}: expected a list of entries with id and path.")
    return [dict(row) for row in content]


def _plain(name: str, value: object) -> str | float:
    """A number where it is one; names of things stay text, also where they look like numbers."""
    if name in ("formula", "space_group"):
        return str(value)
    try:
        return float(str(value))
    except ValueError:
        return str(value)


@dataclass(frozen=True)
class MaterialCheck:
    """What reading a material showed: `error` where it is broken, `missing` and `found` where it is not."""

    id: str
    error: str | None = None
    missing: tuple[str, ...] = ()
    found: str = ""


def check_material(source: MaterialSource) -> MaterialCheck:
    """Read a material without computing: what is broken, what is missing, what was found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = source.load()
            columns = {**composition(model, source), **source.columns}
        except Exception as problem:  # as a campaign, which records whatever a material does
            kind = "" if isinstance(problem, InputError) else f"{type(problem).__name__}: "
            return MaterialCheck(source.id, f"{kind}{problem}")
    lacks = {
        "spin": not model.observables,
        "Fermi level": model.fermi_level is None,
        "position matrix": any(note.startswith("position:") for note in model.provenance.notes),
        "composition": "formula" not in columns,
    }
    level = "unknown" if model.fermi_level is None else f"{model.fermi_level:.4f} eV"
    found = f"{model.size} Wannier functions, {model.dimension}D, Fermi level {level}"
    if "formula" in columns:
        found = f"{columns['formula']} {columns.get('space_group', '')}, {found}"
    return MaterialCheck(source.id, None, tuple(name for name, absent in lacks.items() if absent), found)
