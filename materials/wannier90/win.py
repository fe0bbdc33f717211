"""The Wannier90 input file (.win), as people write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted
from ..matrices import BOHR, LARGEST
from ..model import Atom, PathSegment
from .text import read_text

#: Bytes: a list of a million k points is not as long.
_LARGEST_FILE = 1 << 26

#: Wannier90 takes any word with a t, else with an f, and refuses "yes" and "1".
_TRUE = {"t", "true"}
_FALSE = {"f", "false"}

#: `begin x` and `end x` as Wannier90 takes them: any blank, _, -, : or = between, or nothing.
_MARK = re.compile(r"(begin|end)[\s_\-:=]*(\w[\w\-]*)$", re.IGNORECASE)

_REAL = re.compile(r"[-+]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([ed][-+]?\d{1,4})?")

#: Energies and lengths may be followed by their unit.
_UNITS = {"ev", "ang", "angstrom", "k"}


@dataclass(frozen=True)
class Line:
    """A line of a block, without comments, and its number in the file."""

    number: int
    text: str


@dataclass(frozen=True, eq=False)
class WinFile:
    """Keywords and blocks, names in lower case without underscores or dashes ("numwann", "unitcellcart").

    broken : blocks without an end, and what is to be said of them; asking for one raises InputError
    """

    path: Path
    keywords: Mapping[str, Line]
    blocks: Mapping[str, tuple[Line, ...]]
    broken: Mapping[str, InputError] = field(default_factory=dict)

    def _block(self, name: str) -> tuple[Line, ...] | None:
        if name in self.broken:
            raise self.broken[name]
        return self.blocks.get(name)

    def integer(self, name: str) -> int | None:
        """Value of a keyword, None where it is not given. Raises InputError naming the line."""
        line = self.keywords.get(_canonical(name))
        return None if line is None else int(self._numbers(line, 1, whole=True)[0])

    def real(self, name: str) -> float | None:
        line = self.keywords.get(_canonical(name))
        return None if line is None else float(self._numbers(line, 1)[0])

    def integers(self, name: str, count: int) -> tuple[int, ...] | None:
        line = self.keywords.get(_canonical(name))
        if line is None:
            return None
        return tuple(int(x) for x in self._numbers(line, count, whole=True))

    def ranges(self, name: str) -> tuple[int, ...] | None:
        """Whole numbers written as Wannier90's lists, "1-3 7,9", None where it is not given."""
        line = self.keywords.get(_canonical(name))
        if line is None:
            return None
        text = re.sub(r"\s*[-:]\s*", "-", line.text).replace(",", " ")
        pieces = [re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", word) for word in text.split()]
        found: list[int] = []
        for piece in pieces:
            if piece is None:
                raise self._unexpected(line, "whole numbers and ranges such as 1-3 7")
            found += range(int(piece[1]), int(piece[2] or piece[1]) + 1)
        return tuple(found)

    def logical(self, name: str) -> bool | None:
        """True or False in any of Fortran's spellings, None where it is not given."""
        line = self.keywords.get(_canonical(name))
        if line is None:
            return None
        word = line.text.lower().strip(".")
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise self._unexpected(line, "true or false")

    @property
    def lattice(self) -> NDArray[np.float64] | None:
        """Unit cell, rows in angstrom, None where the file has none."""
        return self.vectors("unit_cell_cart")

    def vectors(self, name: str) -> NDArray[np.float64] | None:
        """A block of three vectors, in angstrom, None where the file has none. Raises InputError."""
        block = self._block(_canonical(name))
        if block is None:
            return None
        factor, lines = self._length_unit(block)
        if len(lines) != 3:
            where = block[0].number if block else 0
            raise InputError(f"{self.path}, line {where}: {name} has {len(lines)} vectors, expected 3.")
        return factor * np.array([self._numbers(line, 3) for line in lines])

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """Atoms with Cartesian positions in angstrom; empty where the file has none."""
        reduced, cartesian = self._block("atomsfrac"), self._block("atomscart")
        if reduced is not None:
            lattice = self.lattice
            if lattice is None:
                raise InputError(f"{self.path}: atoms_frac needs a unit_cell_cart block, found none.")
            return self._atoms(reduced, lattice)
        if cartesian is not None:
            factor, lines = self._length_unit(cartesian)
            return self._atoms(lines, factor * np.eye(3))
        return ()

    @property
    def spin(self) -> str | None:
        """Either up or down of a calculation of one spin, None where the file does not say it."""
        line = self.keywords.get("spin")
        word = line.text.lower().strip("'\"") if line else ""
        return word if word in ("up", "down") else None

    @property
    def kpoint_path(self) -> tuple[PathSegment, ...]:
        """Segments of the kpoint_path block."""
        segments = []
        for line in self._block("kpointpath") or ():
            words = line.text.split()
            if len(words) != 8:
                raise self._unexpected(line, "a label and three numbers, twice")
            start = self._numbers(Line(line.number, " ".join(words[1:4])), 3)
            end = self._numbers(Line(line.number, " ".join(words[5:8])), 3)
            segments.append(PathSegment(words[0], tuple(start), words[4], tuple(end)))
        return tuple(segments)

    @property
    def projections(self) -> tuple[str, ...]:
        """Lines of the projections block as they stand."""
        return tuple(line.text for line in self._block("projections") or ())

    def _atoms(self, lines: tuple[Line, ...], to_cartesian: NDArray) -> tuple[Atom, ...]:
        atoms = []
        for line in lines:
            symbol, _, rest = line.text.partition(" ")
            x, y, z = np.array(self._numbers(Line(line.number, rest), 3)) @ to_cartesian
            atoms.append(Atom(symbol, (float(x), float(y), float(z))))
        return tuple(atoms)

    def _length_unit(self, block: tuple[Line, ...]) -> tuple[float, tuple[Line, ...]]:
        if block and not re.match(r"[\d.+-]", block[0].text) and len(block[0].text.split()) == 1:
            unit, lines = block[0].text, block[1:]
        else:
            unit, lines = "ang", block
        if unit.lower().startswith("bohr"):
            return BOHR, lines
        if unit.lower().startswith("ang"):
            return 1.0, lines
        raise self._unexpected(block[0], "bohr or ang")

    def _numbers(self, line: Line, count: int, whole: bool = False) -> list[float]:
        words = line.text.replace(",", " ").split()
        if len(words) == count + 1 and words[-1].lower() in _UNITS:
            words.pop()
        try:
            values = [float(w.lower().replace("d", "e")) for w in words]
        except ValueError:
            values = []
        fits = len(values) == count and all(abs(v) < LARGEST for v in values)
        if not fits or (whole and any(v != int(v) for v in values)):
            limit = f" below {LARGEST:g}" if len(values) == count else ""
            raise self._unexpected(line, f"{count} {'whole ' if whole else ''}number(s){limit}")
        return values

    def _unexpected(self, line: Line, expected: str) -> InputError:
        return InputError(f"{self.path}, line {line.number}: expected {expected}, found {quoted(line.text)}.")


def _canonical(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name.lower())


def _value(text: str) -> tuple[float | bool | str, ...]:
    """What a keyword says, alike for 10.0 and 1.0d1, T and .true."""
    words = text.lower().split()
    if len(words) == 1 and (word := words[0].strip(".")) in _TRUE | _FALSE:
        return (word in _TRUE,)
    return tuple(float(word.replace("d", "e")) if _REAL.fullmatch(word) else word for word in words)


def read_win(path: Path) -> WinFile:
    """Read a .win file: any case, `=` or `:` or blank, comments with ! and #. Raises InputError.

    A keyword or block that is given twice, which Wannier90 refuses, raises InputError where it says two
    things, however they are written. A block without its end is told by whoever asks for it.
    """
    keywords: dict[str, Line] = {}
    blocks: dict[str, tuple[Line, ...]] = {}
    broken: dict[str, InputError] = {}
    lines = _lines(path)
    ends = [(place, _canonical(mark[2])) for place, mark in _marks(lines, "end")]
    place = 0
    while place < len(lines):
        number, text = lines[place].number, lines[place].text
        place += 1
        mark = _MARK.match(text)
        if mark is not None:
            name = _canonical(mark[2])
            end = next((end for end, known in ends if end >= place and known == name), None)
            if mark[1].lower() == "begin" and end is not None:
                content = tuple(lines[place:end])
                known = [line.text.lower() for line in blocks.get(name, content)]
                if known != [line.text.lower() for line in content]:
                    raise InputError(
                        f"{path}, line {number}: block {quoted(name)} stands there twice and says two "
                        "things, expected it once; take one away."
                    )
                blocks[name] = content
                place = end + 1
            elif mark[1].lower() == "begin":
                broken[name] = InputError(
                    f"{path}, line {number}: block {quoted(name)} has no end, expected 'end {name[:60]}'."
                )
            continue
        match = re.match(r"([A-Za-z][\w\-]*)\s*[=:]?\s*(.*)", text)
        if match is not None:
            name, line = _canonical(match[1]), Line(number, match[2].strip())
            first = keywords.get(name, line)
            if not broken and _value(first.text) != _value(line.text):
                raise InputError(
                    f"{path}, line {number}: {quoted(match[1])} is {quoted(line.text)}, but line "
                    f"{first.number} says {quoted(first.text)}; expected it once: take one away."
                )
            keywords[name] = line
        elif not broken:
            raise InputError(
                f"{path}, line {number}: expected a keyword and its value, found {quoted(text)}."
            )
    return WinFile(path, keywords, blocks, broken)


def _lines(path: Path) -> list[Line]:
    """Lines that are not blank, without comments, with one blank between words."""
    found = []
    for number, raw in enumerate(read_text(path, lambda head: _LARGEST_FILE).splitlines(), start=1):
        text = re.split(r"[!#]", raw, maxsplit=1)[0].strip()
        if text:
            found.append(Line(number, re.sub(r"\s+", " ", text)))
    return found


def _marks(lines: list[Line], verb: str) -> list[tuple[int, re.Match[str]]]:
    found = ((place, _MARK.match(line.text)) for place, line in enumerate(lines))
    return [(place, mark) for place, mark in found if mark and mark[1].lower() == verb]
