"""Collinear pairs: the calculations of spin up and of spin down that are two halves of one material."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from spinscreen.kernels import InputError

from ..files import is_folder
from .discovery import pairs_of_names, seednames_in
from .win import WinFile, read_win

#: Words for one spin, and what the partner is called; phases of a material are called alpha and beta too.
_PARTNERS = {
    "up": ("dn", "down", "dw"),
    "dn": ("up",),
    "down": ("up",),
    "dw": ("up",),
    "alpha": ("beta",),
    "beta": ("alpha",),
}
_WORD = "|".join(_PARTNERS)
_AT_THE_END = re.compile(rf"(.+)({_WORD})()", re.IGNORECASE)
_AT_THE_FRONT = re.compile(rf"()({_WORD})([._-].*)", re.IGNORECASE)
_WHOLE = re.compile(rf"()({_WORD})()", re.IGNORECASE)
_ONE_SPIN = re.compile(r"(.*[._-])?(spin[._-]?)?(up|dn|down|dw)|(up|dn|down|dw)[._-].*", re.IGNORECASE)


@dataclass(frozen=True)
class Channels:
    """Folder and seedname of either spin, and the seedname that they share."""

    up: Path
    down: Path
    seedname: str

    @property
    def both(self) -> Path:
        """What stands for the pair: the shared seedname in the folder."""
        return self.up.with_name(self.seedname)


def pairs_among(folder: Path, seednames: Iterable[str]) -> dict[str, Channels]:
    """Pairs of spin channels among the seednames of a folder, by their shared seedname.

    Calculations with spinors are none, whatever they are called.
    """
    return {
        stem: Channels(folder / up, folder / down, stem)
        for stem, (up, down) in pairs_of_names(seednames).items()
        if not _has_spinors(folder / up) and not _has_spinors(folder / down)
    }


def channels_of(source: Path) -> Channels | None:
    """The pair that a folder consists of, or whose shared seedname is given; None for anything else."""
    if is_folder(source):
        names = seednames_in(source)
        pairs = pairs_among(source, names) if len(names) == 2 else {}
        return next(iter(pairs.values()), None)
    if not is_folder(source.parent):
        return None
    return pairs_among(source.parent, seednames_in(source.parent)).get(source.name)


def sibling_of(stem: Path) -> Path | None:
    """Folder and seedname of the other spin, None where there is none."""
    if not is_folder(stem.parent):
        return None
    for pair in pairs_among(stem.parent, seednames_in(stem.parent)).values():
        if stem in (pair.up, pair.down):
            return pair.down if stem == pair.up else pair.up
    return None


def is_named_like_one_spin(stem: Path) -> bool:
    """True where seedname or folder are called up or down, or the partner by name is in the folder."""
    if _ONE_SPIN.fullmatch(stem.name) or _ONE_SPIN.fullmatch(stem.parent.name):
        return True
    if not is_folder(stem.parent):
        return False
    known = {name.lower() for name in seednames_in(stem.parent)}
    return any(name.lower() in known for name in _names_of_partners(stem.name))


def is_of_one_spin(stem: Path) -> bool:
    """True where the .win of the partner by name says that its calculation is of one spin."""
    wins = (stem.with_name(f"{name}.win") for name in _names_of_partners(stem.name))
    return any(_says(path, lambda win: win.spin is not None) for path in wins)


def _names_of_partners(seedname: str) -> list[str]:
    matches = (form.fullmatch(seedname) for form in (_AT_THE_END, _AT_THE_FRONT, _WHOLE))
    return [
        f"{head}{partner}{tail}"
        for head, word, tail in (found.groups() for found in matches if found)
        for partner in _PARTNERS[word.lower()]
    ]


def _has_spinors(stem: Path) -> bool:
    return _says(stem.with_name(f"{stem.name}.win"), lambda win: bool(win.logical("spinors")))


def _says(path: Path, question: Callable[[WinFile], bool]) -> bool:
    try:
        return path.is_file() and question(read_win(path))
    except InputError:
        # Whoever reads the material is told.
        return False
