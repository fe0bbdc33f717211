"""Many materials at once: a folder tree, a manifest, or the built-in library, as a list of sources."""

from __future__ import annotations

import errno
import itertools
import os
import re
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinscreen.kernels import InputError

from . import library
from .files import at_the_door, is_folder, is_there, kind_of, printable, quoted
from .foreign import is_wannierberri
from .manifest_entries import cell_of, entries_of
from .packed import archive_stem, inside
from .scans import is_library, library_scan
from .sources import FileSource, LibrarySource, Source
from .wannier90 import OUTPUTS, hamiltonians_below, pairs_among, seednames_of

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
            overrides["lattice"] = cell_of(overrides["lattice"], Path.cwd())
        if overrides and is_library(str(source)) and not is_there(path):
            raise InputError(f"{next(iter(overrides))}: {source} is built in, expected files.")
        if str(source) == "library" and not is_there(path):
            return tuple(source for name in library.names() for source in library_scan(f"library:{name}"))
        if is_library(str(source)) and not is_there(path):
            return library_scan(str(source))
        found = tuple(_from_tree(path) if is_folder(path) else entries_of(_manifest(path)))
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
