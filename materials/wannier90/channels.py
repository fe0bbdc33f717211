"""Collinear pairs: the calculations of spin up and of spin down that are two halves of one material."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import is_folder
from .calculation import Wannier90Files
from .consistency import SAME_CELL
from .discovery import pairs_of_names, seednames_in
from .win import WinFile, read_win

#: Words for one spin, and what the partner is called.
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
_ONE_SPIN = re.compile(r"(?P<sign>.*[._-])?(?:spin[._-]?)?(?P<word>up|dn|down|dw)", re.IGNORECASE)
_FOLDER_OF_ONE_SPIN = re.compile(r"(?:spin[._-]?)?(?:up|dn|down|dw)")

#: Words that phases of a material are called, too.
_PHASES = ("alpha", "beta")

#: What reads UP, and is no spin.
_URANIUM_PHOSPHIDE = {"U", "P"}


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


def is_named_like_one_spin(stem: Path, elements: Collection[str], lattice: NDArray[np.float64]) -> bool:
    """True where seedname or folder are called up or down, or the partner by name is there.

    elements, lattice : of the model; (3, 3) angstrom. UP of uranium and phosphorus is no spin, alpha and beta
    of other cells are phases, and a folder with more in its name is one only beside its partner.
    """
    match = _ONE_SPIN.fullmatch(stem.name)
    if match and (match["word"].islower() or (match["sign"] and set(elements) != _URANIUM_PHOSPHIDE)):
        return True
    folder = stem.parent
    if _FOLDER_OF_ONE_SPIN.fullmatch(folder.name) or any(
        is_folder(folder.with_name(name)) for name in _names_of_partners(folder.name, with_phases=False)
    ):
        return True
    if not is_folder(folder):
        return False
    known = {name.lower(): name for name in seednames_in(folder)}
    if any(name.lower() in known for name in _names_of_partners(stem.name, with_phases=False)):
        return True
    phases = (known.get(name.lower()) for name in _names_of_partners(stem.name))
    return any(_may_have_cell(folder / name, lattice) for name in phases if name is not None)


def _may_have_cell(stem: Path, lattice: NDArray[np.float64]) -> bool:
    """False where the files of a seedname have another unit cell than this one."""
    try:
        other = Wannier90Files.of(stem).lattice
    except InputError:
        return True
    return bool(np.abs(other - lattice).max() <= SAME_CELL * np.linalg.norm(lattice, axis=1).max())


def is_of_one_spin(stem: Path) -> bool:
    """True where the .win of the partner by name says that its calculation is of one spin."""
    wins = (stem.with_name(f"{name}.win") for name in _names_of_partners(stem.name))
    return any(_says(path, lambda win: win.spin is not None) for path in wins)


def _names_of_partners(seedname: str, with_phases: bool = True) -> list[str]:
    matches = (form.fullmatch(seedname) for form in (_AT_THE_END, _AT_THE_FRONT, _WHOLE))
    return [
        f"{head}{partner}{tail}"
        for head, word, tail in (found.groups() for found in matches if found)
        if with_phases or word.lower() not in _PHASES
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
