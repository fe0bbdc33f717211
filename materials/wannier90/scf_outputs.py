"""The Fermi level where the .win does not say it: in the outputs of the scf run beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import pieces, read_bytes
from ..matrices import LARGEST
from .discovery import companions
from .wannier_tools import WannierToolsInput, read_wannier_tools

#: Two outputs of one material may differ by so much (eV), they are of different meshes.
SAME_LEVEL = 0.05

#: eV: the ends of bands on a coarse mesh are that near to those of the scf run.
_AT_BANDS = 0.5

#: Of a level that is farther from all bands than they are wide.
LEFT_OUT = (
    "and is left out: it is of another calculation, counts from another zero of energy or in another unit, "
    "or the bands at it are not those of the model; give fermi_level"
)

#: Outputs of a self-consistent run: Quantum ESPRESSO's standard output, VASP's OUTCAR.
_NAMES = re.compile(
    r"(.*scf.*\.out|.*\.scf|pw\.out|aiida\.out|scf\.log|OUTCAR)(\.gz|\.xz|\.bz2)?$", re.IGNORECASE
)

#: Outputs of relaxations; not those of a structure that is called relaxed.
_RELAXATION = re.compile(r"relax(?!ed)")

#: What `_rank` says of an nscf run.
_NSCF = 2

# Matched at fixed words, in lower case, with bounded repeats: an output may be of gigabytes, or no output.
_NUMBER = rb"\s{0,40}([-+]?\d{1,20}(?:\.\d{0,20})?(?:e[-+]?\d{1,3})?)"
_GAP = b"highest occupied, lowest unoccupied level (ev):"
_LEVELS = {
    _GAP: re.compile(_NUMBER + _NUMBER),
    b"the fermi energy is": re.compile(_NUMBER + rb"\s{0,40}ev"),
    b"e-fermi": re.compile(rb"\s{0,40}:" + _NUMBER),
    b"fermi energy:": re.compile(_NUMBER),
    b"highest occupied level (ev):": re.compile(_NUMBER),
}

#: Bytes of a .json that is looked into.
_LARGEST_JSON = 1 << 26

#: Bytes that a level may take from its words to its unit.
_LONGEST_LEVEL = 512


def level_of_outputs(folder: Path, seedname: str) -> tuple[float, Path] | None:
    """Fermi level (eV) that the scf outputs beside a seedname end with, and the file; None without any.

    See `told_by_outputs`.
    """
    told = told_by_outputs(folder, seedname)
    return None if told is None else (told.level, told.file)


@dataclass(frozen=True)
class ToldLevel:
    """Fermi level (eV), the file that says it, and what it or another one says otherwise.

    edges : of the gap, highest occupied and lowest unoccupied level (eV); None where the file says neither
    """

    level: float
    file: Path
    notes: tuple[str, ...]
    edges: tuple[float, float] | None = None

    def is_beside(self, lowest: float, highest: float) -> bool:
        """True where bands between these energies (eV) end at an edge of the gap that the file says.

        So they do in a model of the valence or of the conduction bands alone.
        """
        if self.edges is None:
            return False
        occupied, empty = self.edges
        return min(abs(occupied - highest), abs(empty - lowest)) < _AT_BANDS


def told_by_outputs(folder: Path, seedname: str) -> ToldLevel | None:
    """What the scf outputs beside a seedname end with; None without any.

    In an insulator the middle of the gap. Raises InputError where two outputs contradict each other, or one
    cannot be read or says a level that cannot be.
    """
    found: list[tuple[float, Path]] = []
    notes: dict[Path, str] = {}
    gaps: dict[Path, tuple[float, float] | None] = {}
    for file in companions(folder, seedname):
        if not _NAMES.match(file.name):
            continue
        levels, gaps[file] = _levels_in(file)
        if levels:
            found.append((levels[-1], file))
            if max(levels) - min(levels) > SAME_LEVEL:
                notes[file] = (
                    f"Fermi level: {file.name} has {min(levels):.4f} to {max(levels):.4f} eV, of which the "
                    f"last, {levels[-1]:.4f} eV, counts; is it of the structure of the Hamiltonian?"
                )
    found.sort(key=lambda entry: _rank(entry[1]))
    for level, file in found[1:]:
        if abs(level - found[0][0]) > SAME_LEVEL and _rank(file) < min(_rank(found[0][1]) + 1, _NSCF):
            raise InputError(
                f"{file}: its Fermi level is {level} eV, but {found[0][1].name} has {found[0][0]} eV; "
                "expected one scf run in the folder, or give fermi_level."
            )
        if abs(level - found[0][0]) > SAME_LEVEL:
            first, counts = found[0][1], found[0][0]
            notes[file] = (
                f"Fermi level: {file.name} says {level:.4f} eV, {first.name} {counts:.4f} eV, which counts"
            )
    return ToldLevel(*found[0], tuple(notes.values()), gaps[found[0][1]]) if found else None


def _rank(file: Path) -> int:
    """The lower, the rather its level is the one of the Hamiltonian.

    Of scf and nscf, the charge density and its level are those of the scf run; a relaxation comes before it
    and begins with another structure.
    """
    name = file.name.lower()
    return _NSCF if "nscf" in name else int(bool(_RELAXATION.search(name)))


def level_of_inputs(
    folder: Path, seedname: str, size: int, lattice: NDArray[np.float64], hamiltonian: str
) -> tuple[float, Path] | None:
    """Fermi level (eV) that a wt.in or the .json of JARVIS beside a seedname gives; None without.

    size, lattice (3, 3) angstrom, hamiltonian : number of functions, cell and name of the file that a wt.in
    must be for
    """
    for file in companions(folder, seedname):
        try:
            if file.name.lower() == "wt.in":
                given = read_wannier_tools(file)
                level = given.fermi_level if given.is_for(size, lattice, hamiltonian) else None
            elif file.suffix.lower() == ".json":
                level = _level_in_json(file)
            else:
                continue
        except InputError:
            # They only add to what is known.
            continue
        if level is not None:
            return level, file
    return None


def wannier_tools_beside(
    folder: Path, seedname: str, size: int, lattice: NDArray[np.float64], hamiltonian: str
) -> WannierToolsInput | None:
    """The wt.in beside a seedname that is for its Hamiltonian, None without; parameters as of
    `level_of_inputs`.
    """
    for file in companions(folder, seedname):
        if file.name.lower() == "wt.in":
            try:
                given = read_wannier_tools(file)
            except InputError:
                continue
            if given.is_for(size, lattice, hamiltonian):
                return given
    return None


def _level_in_json(file: Path) -> float | None:
    text = bytes(read_bytes(file, lambda head: _LARGEST_JSON))
    if b'"efermi"' not in text:
        return None
    try:
        content = json.loads(text)
        # That of the mesh is of the self-consistent run, that of a path is not.
        level = content.get("info_mesh", content).get("efermi", content.get("efermi"))
    except (ValueError, AttributeError, RecursionError):
        return None
    number = isinstance(level, int | float) and not isinstance(level, bool)
    return float(level) if number and abs(level) < LARGEST else None


def _levels_in(file: Path) -> tuple[list[float], tuple[float, float] | None]:
    """The first level, the last one, and between them the lowest and highest; of one kind of words.

    And the edges of the last gap, where the file says them.
    """
    edges = None
    last: dict[bytes, list[float]] = {}
    rest = b""
    for piece in pieces(file):
        text = rest + piece.lower()
        # What may go on in the next piece is looked at with it; a match seen twice is still the last.
        rest = text[-_LONGEST_LEVEL:]
        for words, pattern in _LEVELS.items():
            for place in _places(words, text):
                if match := pattern.match(text, place):
                    values = [float(number) for number in match.groups()]
                    if words == _GAP:
                        edges = (values[0], values[1])
                    known = last.get(words, [])
                    extremes = [min(known), max(known)] if known else []
                    last[words] = [*known[:1], *extremes, sum(values) / len(values)]
    levels = next((last[words] for words in _LEVELS if words in last), [])
    if levels and not abs(levels[-1]) < LARGEST:
        raise InputError(
            f"{file}: its Fermi level is {levels[-1]:g} eV, expected one below {LARGEST:g}; the file looks "
            "damaged, take it away or give fermi_level."
        )
    return levels, edges


def _places(words: bytes, text: bytes) -> Iterator[int]:
    """Where the words end, each time they occur."""
    place = text.find(words)
    while place >= 0:
        yield place + len(words)
        place = text.find(words, place + len(words))
