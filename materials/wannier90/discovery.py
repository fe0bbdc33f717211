"""Which files belong together: from what the user named to the files of one calculation."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from spinscreen.kernels import InputError

from ..files import entries, is_dangling, is_file, is_folder, is_there, pieces
from ..packed import PACKINGS, archive_stem, inside, names_in

#: kind -> name after the seedname; the first that exists counts.
_SUFFIXES = {
    "tb": ("_tb.dat",),
    "hr": ("_hr.dat",),
    "wsvec": ("_wsvec.dat",),
    "centres": ("_centres.xyz",),
    "win": (".win",),
    "chk": (".chk", ".chk.fmt"),
    "spn": (".spn", ".spn.fmt"),
    "amn": (".amn",),
    "eig": (".eig",),
    "wout": (".wout",),
    "nnkp": (".nnkp",),
    "r": ("_r.dat",),
    "mmn": (".mmn",),
}
#: Folder in which AiiDA keeps what a calculation wrote, beside "inputs".
OUTPUTS = "outputs"

#: Kinds that may be named otherwise than the only Hamiltonian beside them.
_BORROWED = ("win", "wout", "nnkp")
_ANY_SUFFIX = re.compile(
    "(" + "|".join(re.escape(s) for names in _SUFFIXES.values() for s in names) + r")(\.gz|\.xz|\.bz2)?$"
)


#: VASP numbers the spins of wannier90.win; behind other digits a number is a value or a step.
_NUMBERED = re.compile(r"(wannier90|[a-z]\w*[a-z]|[a-z])", re.IGNORECASE | re.ASCII)

#: What stands at the end of the seednames of spin channels, and what its partner has there.
_CHANNEL = re.compile(
    r"^(?P<stem>.+?)(?:(?P<sign>(?:[._-]?spin)?[._-]?)(?P<word>up)|(?P<dot>\.)1)$", re.IGNORECASE
)
_DOWN = ("dn", "down", "dw")


@dataclass(frozen=True)
class SourceFiles:
    """A seedname and the files found for it, by kind ("tb", "hr", "wsvec", "chk" ...).

    borrowed : kinds of files that are named otherwise; they count as far as they fit
    """

    seedname: str
    files: dict[str, Path]
    borrowed: frozenset[str] = frozenset()


def find_files(source: str | Path) -> SourceFiles:
    """Files of a seedname, a folder with one calculation, or any one file of it.

    Raises InputError where nothing fits, or a folder holds several calculations.
    """
    path = Path(source)
    if is_folder(path):
        return _in_folder(path)
    match = _ANY_SUFFIX.search(path.name)
    if match and is_there(path):
        stem = path.with_name(path.name[: match.start()])
        found = _with_seedname(stem)
        kind = next(k for k, names in _SUFFIXES.items() if match[1] in names)
        if kind in ("chk", "eig") and {"chk", "eig"} <= set(found):
            # Who names one of these wants them, not what was written of them.
            for other in ("tb", "hr", "r", "wsvec"):
                found.pop(other, None)
        if kind in ("tb", "hr"):
            # The file that was named is the Hamiltonian, not its sibling.
            for other in ("tb", "hr"):
                found.pop(other, None)
        found[kind] = path
        return _with_borrowed(stem, found)
    found = _with_seedname(path)
    if not found and is_dangling(path):
        raise InputError(
            f"{path}: is a link to nothing, expected a material at its end; mend or remove the link."
        )
    if not found:
        raise InputError(
            f"{path}: no such file, folder or seedname; expected for example a folder with seedname_tb.dat, "
            "or the name of a built-in model (see `spinscreen library`)."
        )
    return _with_borrowed(path, found)


def seednames_in(folder: Path) -> list[str]:
    """Seednames of the Hamiltonians in a folder, sorted."""
    return seednames_of(file.name for file in visible(folder))


def seednames_of(names: Iterable[str]) -> list[str]:
    """Of names of files, the seednames that have a Hamiltonian: in a file, or in .chk and .eig."""
    kinds: dict[str, set[str]] = {}
    for name in names:
        match = _ANY_SUFFIX.search(name)
        if match and not name.rpartition("/")[2].startswith("."):
            kind = next(k for k, suffixes in _SUFFIXES.items() if match[1] in suffixes)
            kinds.setdefault(name[: match.start()], set()).add(kind)
    return sorted(seed for seed, found in kinds.items() if _has_hamiltonian(found))


def _has_hamiltonian(kinds: Collection[str]) -> bool:
    return "tb" in kinds or "hr" in kinds or {"chk", "eig"} <= set(kinds)


def pairs_of_names(seednames: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What is named like the spin channels of one calculation, up and down, by the seedname they share."""
    known = {name.lower(): name for name in seednames}
    pairs = {}
    for name in known.values():
        others = [known[word] for word in _DOWN if word in known] if name.lower() == "up" else []
        if len(others) == 1:
            # They share no seedname; a calculation has hardly this one.
            pairs[f"{name}+{others[0]}"] = (name, others[0])
        match = _CHANNEL.match(name)
        if match is None or match["stem"].lower() in known:
            continue
        if match["dot"] and not _is_numbered(match["stem"], known):
            continue
        for word in _DOWN if match["word"] else ("2",):
            other = known.get(f"{match['stem']}{match['sign'] or match['dot'] or ''}{word}".lower())
            if other is not None:
                pairs[match["stem"]] = (name, other)
    return pairs


def _is_numbered(stem: str, known: Collection[str]) -> bool:
    """True where .1 and .2 behind a stem can be VASP's two spins: no digit before them, no third one."""
    others = [name for name in known if re.match(re.escape(stem.lower()) + r"\.\d", name)]
    return bool(_NUMBERED.fullmatch(stem)) and len(others) == 2


def hamiltonians_below(folder: Path) -> list[Path]:
    """Folders and seednames of the Hamiltonians anywhere in an archive, or in the `outputs` of AiiDA."""
    place = inside(folder)
    if place is None:
        outputs = folder / OUTPUTS
        return [outputs / name for name in seednames_in(outputs)] if outputs.is_dir() else []
    return sorted(folder / stem for stem in seednames_of(names_in(*place, deep=True)))


def companions(folder: Path, seedname: str) -> list[Path]:
    """Files of a folder that may belong to a seedname: all where it is alone, else those named like it.

    A pair of spin channels is one material.
    Links to nothing are among them, for whoever opens them to be told.
    """
    names = seednames_in(folder)
    alone = len(names) - len(pairs_of_names(names)) < 2
    return sorted(
        file
        for place in (folder, *_inputs_of(folder))
        for file in visible(place)
        if (alone or file.name.startswith(seedname)) and (is_file(file) or is_dangling(file))
    )


def _inputs_of(folder: Path) -> list[Path]:
    """AiiDA keeps the inputs of a calculation beside the folder of its outputs."""
    inputs = folder.parent / "inputs"
    return [inputs] if folder.name == OUTPUTS and is_folder(inputs) else []


def visible(folder: Path) -> list[Path]:
    """What a folder holds, without names that begin with a dot: macOS leaves a `._x` of every x."""
    return [entry for entry in entries(folder) if not entry.name.startswith(".")]


def _with_borrowed(stem: Path, found: dict[str, Path]) -> SourceFiles:
    """Add what is missing where the folder has one such file, and no Hamiltonian but this one."""
    folder, borrowed = stem.parent, set()
    names = seednames_in(folder) if _has_hamiltonian(found) and is_folder(folder) else []
    if len(names) - len(pairs_of_names(names)) == 1:
        for kind in (kind for kind in _BORROWED if kind not in found):
            candidates = [
                file
                for place in (folder, *_inputs_of(folder))
                for file in visible(place)
                if (match := _ANY_SUFFIX.search(file.name)) and match[1] in _SUFFIXES[kind]
            ]
            if len(candidates) == 1:
                found[kind] = candidates[0]
                borrowed.add(kind)
    return SourceFiles(stem.name, found, frozenset(borrowed))


def _with_seedname(stem: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for kind, suffixes in _SUFFIXES.items():
        candidates = [
            stem.with_name(stem.name + suffix + packed) for suffix in suffixes for packed in ("", *PACKINGS)
        ]
        existing = [candidate for candidate in candidates if is_there(candidate)]
        if existing:
            found[kind] = existing[0]
            _check_alike(existing)
    for inputs in _inputs_of(stem.parent):
        found = {**_with_seedname(inputs / stem.name), **found}
    return found


def _check_alike(files: list[Path]) -> None:
    """Raises InputError where a file and what is packed of it, or two packings, hold two things."""
    first, *others = files
    for other in others:
        if _unpacked(first.name) != _unpacked(other.name) or not (is_file(first) and is_file(other)):
            continue
        if any(one != two for one, two in zip_longest(pieces(first), pieces(other))):
            raise InputError(
                f"{first}: holds something else than {other.name} beside it, expected the same; take the "
                "wrong one away."
            )


def _unpacked(name: str) -> str:
    return name.removesuffix(next((end for end in PACKINGS if name.endswith(end)), ""))


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _in_folder(folder: Path) -> SourceFiles:
    stems = [folder / name for name in seednames_in(folder)] or hamiltonians_below(folder)
    if not stems:
        packed = [file.name for file in visible(folder) if archive_stem(file.name) is not None]
        hint = "run Wannier90 with write_tb = .true."
        if packed and inside(folder) is not None:
            hint = f"{packed[0]} in it is an archive in an archive, which is not opened: unpack it."
        elif packed:
            hint = f"or name the archive in it, {folder / packed[0]}."
        raise InputError(
            f"{folder}: found no Wannier90 Hamiltonian, expected seedname_tb.dat or seedname_hr.dat, or "
            f"seedname.chk and seedname.eig; {hint}"
        )
    if len(stems) > 1:
        names = [stem.relative_to(folder).as_posix() for stem in stems]
        raise InputError(
            f"{folder}: found several calculations ({_listed(names)}), expected one; name one, for "
            f"example {stems[0]}."
        )
    return _with_borrowed(stems[0], _with_seedname(stems[0]))
