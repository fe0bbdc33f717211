"""Many materials at once: a folder tree, a manifest, or the built-in library, as a list of sources."""

from __future__ import annotations

import csv
import errno
import itertools
import math
import os
import re
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from spinscreen.kernels import InputError

from . import library
from .files import at_the_door, is_folder, is_there, kind_of, printable, quoted
from .foreign import is_wannierberri
from .manifests import read_rows
from .matrices import LARGEST
from .model import WannierModel
from .packed import archive_stem, inside
from .scans import is_library, library_scan
from .sources import FileSource, LibrarySource, Source, composition
from .wannier90 import OUTPUTS, hamiltonians_below, pairs_among, seednames_of
from .wording import in_words_of_a_manifest

#: Names of files: with an extension of letters, or those of VASP.
_FILE = re.compile(r"\.[A-Za-z]{1,6}$|^[A-Z]*CAR$|^(CHG|IBZKPT)$")


class SameIdWarning(UserWarning):
    """Two materials of a collection have one id; the second gets a number behind it."""


def find_materials(source: str | Path, **overrides: Any) -> tuple[Source, ...]:
    """Materials of "library", of a scan such as "library:MoS2?soc=0:0.2:0.05", of a manifest (.csv, .json or
    .yaml, see `ManifestEntry`), or of a folder tree, where every Wannier90 Hamiltonian is one material, in
    archives too, and so is a folder or an archive that cannot be read, for whoever loads it to be told.

    overrides : keywords of `load_model` for each material whose line in a manifest does not say otherwise
    Paths of a manifest count from its folder; `library:MoS2?soc=0.1` is one too. Ids that are given again get
    a number, with a `SameIdWarning`. Raises InputError where nothing is found, a manifest cannot be read or
    entries of it are wrong, all of which it names, and for overrides of built-in models.
    """
    with at_the_door(source):
        path = _resolved(source)
        if isinstance(overrides.get("lattice"), str):
            overrides["lattice"] = _cell(overrides["lattice"], Path.cwd())
        if overrides and is_library(str(source)) and not is_there(path):
            raise InputError(f"{next(iter(overrides))}: {source} is built in, expected files.")
        if str(source) == "library" and not is_there(path):
            return tuple(source for name in library.names() for source in library_scan(f"library:{name}"))
        if is_library(str(source)) and not is_there(path):
            return library_scan(str(source))
        found = tuple(_from_tree(path) if is_folder(path) else _from_manifest(_manifest(path)))
        if not found:
            raise InputError(f"{path}: found no material, expected at least one Wannier90 Hamiltonian.")
        if not overrides:
            return _told_apart(found)
        files = [one for one in found if isinstance(one, FileSource)]
        built_in = next((one.id for one in found if isinstance(one, LibrarySource)), None)
        if built_in is not None:
            raise InputError(f"{next(iter(overrides))}: {built_in} is built in, expected files.")
        return _told_apart([replace(one, overrides={**overrides, **one.overrides}) for one in files])


def _told_apart(found: Sequence[FileSource | LibrarySource]) -> tuple[Source, ...]:
    """The sources with ids that differ, also on file systems that do not tell capitals."""
    first: dict[str, FileSource | LibrarySource] = {}
    taken = {source.id.casefold() for source in found}
    apart = []
    for source in found:
        earlier = first.setdefault(source.id.casefold(), source)
        if earlier is not source:
            numbered = (f"{source.id}-{number}" for number in itertools.count(2))
            name = next(name for name in numbered if name.casefold() not in taken)
            taken.add(name.casefold())
            whose = [
                f"library:{s.model}" if isinstance(s, LibrarySource) else s.path for s in (earlier, source)
            ]
            told = f"{whose[0]} twice" if whose[0] == whose[1] else " and of ".join(whose)
            warnings.warn(
                f"the id {quoted(source.id)} is that of {told}, the second of which is called "
                f"{quoted(name)}; give ids of their own in a manifest",
                SameIdWarning,
                stacklevel=3,
            )
            source = replace(source, id=name)
        apart.append(source)
    return tuple(apart)


def _resolved(source: str | Path) -> Path:
    """Absolute, as workers may run in another folder."""
    try:
        return Path(source).resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(source)) from None
    except ValueError:
        raise InputError(f"{source}: holds a NUL character, expected the name of a file.") from None


def _manifest(path: Path) -> Path:
    if not is_there(path):
        raise InputError(
            f"{path}: no such manifest or folder; expected a .csv, .json or .yaml manifest, a folder tree, "
            "or 'library'."
        )
    if kind := kind_of(path):
        raise InputError(f"{path}: is {kind}, expected a .csv, .json or .yaml manifest or a folder tree.")
    return path


def _walk(root: Path) -> Iterator[tuple[Path, list[str] | OSError]]:
    """Every folder of a tree once, with the names of its files or why it cannot be read.

    Links to folders are followed when all others were seen, so that a folder has the name that it has without
    them, and links that lead in circles end.
    """
    seen: set[tuple[int, int]] = set()
    linked = deque([root])
    while linked:
        problems: list[OSError] = []
        for folder, inner, names in os.walk(linked.popleft(), onerror=problems.append):
            place = Path(folder).stat()
            if (place.st_dev, place.st_ino) in seen:
                inner.clear()
                continue
            seen.add((place.st_dev, place.st_ino))
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            linked += [Path(folder, name) for name in inner if Path(folder, name).is_symlink()]
            yield Path(folder), sorted(name for name in names if not name.startswith("."))
        for problem in problems:
            yield Path(problem.filename), problem


def _from_tree(root: Path) -> Iterator[FileSource]:
    unreadable: dict[Path, Exception] = {}
    stems: set[Path] = set()
    # Materials that are folders themselves.
    whole: set[Path] = set()
    gone: list[Path] = []
    for place, names in [(root.parent, [root.name])] if root.is_file() else _walk(root):
        if isinstance(names, OSError):
            unreadable[place] = names
            continue
        stems |= {place / seedname for seedname in seednames_of(names)}
        gone += [place / name for name in names if _may_be_a_folder(name) and _leads_nowhere(place / name)]
        if is_wannierberri(names):
            whole.add(place)
        for archive in (place / name for name in names if archive_stem(name) is not None):
            try:
                stems |= set(hamiltonians_below(archive)) if archive.is_file() else set()
            except InputError as problem:
                unreadable[archive] = problem
    if root in unreadable:
        raise unreadable[root]
    # Among materials, a link to nothing was one of them; beside files of one it is one of its files.
    occupied = {stem.parent for stem in stems}
    above = {root}.union(*(stem.parents for stem in stems))
    whole |= {link for link in gone if link.parent in above - occupied}
    folders: dict[Path, list[Path]] = {}
    whole |= set(unreadable)
    for stem in sorted(stems | whole):
        folders.setdefault(stem if stem in whole else stem.parent, []).append(stem)
    for folder, found in folders.items():
        label = _label(folder, root)
        members = _with_pairs(folder, found)
        for stem in members:
            own = printable(stem.name)
            if label == ".":
                yield FileSource(own, str(stem))
                continue
            # A Hamiltonian more in the folder, or one less, does not make it another material.
            longer = f"{label}-{own}"
            name, former = (label, longer) if len(members) == 1 else (longer, label)
            yield FileSource(name, str(stem), former_ids=(former,))


def _leads_nowhere(path: Path) -> bool:
    """True for a link to nothing; one that leads in a circle never led to a material."""
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:
        return False
    return False


def _may_be_a_folder(name: str) -> bool:
    """False for what is named as a file, also of VASP."""
    return archive_stem(name) is not None or _FILE.search(name) is None


def _with_pairs(folder: Path, stems: list[Path]) -> list[Path]:
    """The same with one entry for both spin channels of a collinear calculation."""
    pairs = pairs_among(folder, [stem.name for stem in stems])
    channels = {stem for pair in pairs.values() for stem in (pair.up, pair.down)}
    return sorted([stem for stem in stems if stem not in channels] + [pair.both for pair in pairs.values()])


def _label(folder: Path, root: Path) -> str:
    """What the folders between root and material say of it: an archive of one material is its name."""
    place = inside(folder)
    if place is not None and place[1] and len(hamiltonians_below(place[0])) == 1:
        folder = place[0]
    parts = [archive_stem(part) or part for part in folder.relative_to(root).parts]
    if root == folder and root.is_file():
        parts = [archive_stem(root.name) or root.name]
    return printable("-".join(parts[:-1] if parts[-1:] == [OUTPUTS] else parts)) or "."


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
_LOADING = ("fermi_level", "electrons", "spin_ordering", "spin_degeneracy", "soc", "lattice")


def _from_manifest(path: Path) -> Iterator[FileSource | LibrarySource]:
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
    overrides = {key: content.pop(key) for key in _LOADING if key in content}
    columns = {key: _plain(key, value) for key, value in content.items()}
    if place.startswith("library:") and not is_there(manifest.parent / place):
        if overrides:
            raise InputError(f"{next(iter(overrides))}: {place} is built in, expected files.")
        found = library_scan(place)
        if len(found) > 1:
            raise InputError(f"path: {place} is {len(found)} materials, expected one of each parameter.")
        return replace(found[0], id=name, columns={**found[0].columns, **columns})
    if "lattice" in overrides:
        overrides["lattice"] = _cell(overrides["lattice"], manifest.parent)
    return FileSource(name, str(manifest.parent / place), overrides, columns, entry=where)


#: Numbers, as many as there may be: no name of a file.
_NUMBERS = re.compile(r"[-+\d.eEdD\s,;\[\]()]+")


def _cell(given: str | list[Any], folder: Path) -> str:
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


@dataclass(frozen=True)
class MaterialCheck:
    """What reading a material showed: `error` where it is broken, the rest where it is not.

    missing : what would make results better; found : the model in a few words; assumptions : its notes
    """

    id: str
    error: str | None = None
    missing: tuple[str, ...] = ()
    found: str = ""
    assumptions: tuple[str, ...] = ()


def check_material(source: Source) -> MaterialCheck:
    """Read a material without computing: what is broken, what is missing, what was found and assumed."""
    return checked_model(source)[0]


def checked_model(source: Source) -> tuple[MaterialCheck, WannierModel | None]:
    """The same and the model, None where it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = source.load()
            columns = {**composition(model, source), **source.columns}
        except Exception as problem:  # as a campaign, which records whatever a material does
            kind = "" if isinstance(problem, InputError) else f"{type(problem).__name__}: "
            return MaterialCheck(source.id, printable(f"{kind}{problem}")), None
    lacks = {
        "spin": model.provenance.spin_source == "none",
        "Fermi level": model.fermi_level is None,
        "position matrix": model.provenance.position_source != "matrix",
        "composition": "formula" not in columns,
    }
    level = "unknown" if model.fermi_level is None else f"{model.fermi_level:.4f} eV"
    found = f"{model.size} Wannier functions, {model.dimension}D, Fermi level {level}"
    if "formula" in columns:
        found = f"{columns['formula']} {columns.get('space_group', '')}, {found}"
    missing = tuple(name for name, absent in lacks.items() if absent)
    entry = source.entry if isinstance(source, FileSource) else None
    notes = tuple(in_words_of_a_manifest(note, entry) for note in model.provenance.notes)
    return MaterialCheck(source.id, None, missing, found, notes), model


#: Columns of a manifest that is to be filled in.
_COLUMNS = ("id", "path", *_LOADING, "formula", "space_group", "check")


def check_new_manifest(path: Path, sources: Sequence[Source]) -> None:
    """Raises InputError where `write_manifest` would, before the sources are read."""
    if path.suffix != ".csv":
        raise InputError(f"{path}: expected a file name that ends in .csv.")
    if is_there(path):
        raise InputError(f"{path}: is there already, expected a new name; it was not touched.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: {path.parent} is no folder, expected the place of a new manifest.")
    without = next((source.id for source in sources if not source.path), None)
    if without is not None:
        raise InputError(f"{path}: {without!r} has no files, expected materials of a tree or a manifest.")


def write_manifest(path: Path, sources: Sequence[Source], checks: Sequence[MaterialCheck]) -> None:
    """Write a manifest (.csv) of the sources with empty cells for what can be given, and what each lacks.

    Raises InputError where the file is there already or cannot be written, or a source has no files.
    """
    check_new_manifest(path, sources)
    rows = [_row(path, source, check) for source, check in zip(sources, checks, strict=True)]
    names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
    with at_the_door(path), path.open("x", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(names))
        table.writeheader()
        table.writerows(rows)


def _row(manifest: Path, source: Source, check: MaterialCheck) -> dict[str, object]:
    told = check.error or (f"missing: {', '.join(check.missing)}" if check.missing else "complete")
    place = os.path.relpath(source.path or "", manifest.resolve().parent)
    given = dict(source.overrides) if isinstance(source, FileSource) else {}
    return {"id": source.id, "path": place, **given, **source.columns, "check": told}
