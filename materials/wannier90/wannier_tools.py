"""The input of WannierTools (wt.in): often the only file beside a Hamiltonian that knows its cell."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted, read_bytes
from ..matrices import BOHR, LARGEST
from ..model import Atom
from ..packed import PACKINGS

#: Bytes: an input with paths, slabs and thousands of atoms is not as long.
_LARGEST_FILE = 1 << 22

#: Squares of lengths of one cell, as files are rounded.
_SAME_CELL = 2e-3

_VALUE = {
    "fermi_level": re.compile(r"(?im)^\s*E_FERMI\s*=\s*([-+.\deEdD]+)"),
    "spinors": re.compile(r"(?im)^\s*SOC\s*=\s*([-+.\w]+)"),
    "file": re.compile(r"(?im)^\s*HRFILE\s*=\s*['\"]([^'\"\n]*)['\"]"),
}


@dataclass(frozen=True, eq=False)
class WannierToolsInput:
    """lattice (3, 3) angstrom; atoms; fermi_level (eV) or None; hamiltonian : the file that it names, ""
    where it names none; projectors : number of orbitals, of which spinors are two each, None if not said;
    spinors : whether SOC is on, None if not said; centres : (wannier, 3) angstrom, None without
    """

    lattice: NDArray[np.float64]
    atoms: tuple[Atom, ...]
    fermi_level: float | None
    hamiltonian: str
    projectors: int | None
    spinors: bool | None = None
    centres: NDArray[np.float64] | None = None

    def fits(self, size: int) -> bool:
        """True where a Hamiltonian of so many functions can be the one that it is for."""
        return self.projectors in (None, size) or 2 * (self.projectors or 0) == size

    def is_for(self, size: int, lattice: NDArray[np.float64], hamiltonian: str) -> bool:
        """True where functions, cell (angstrom, up to a rotation) and the name of the file are those too."""
        there, here = (cell @ cell.T for cell in (self.lattice, lattice))
        named = PurePosixPath(self.hamiltonian.strip()).name
        return (
            self.fits(size)
            and bool(np.abs(there - here).max() < _SAME_CELL * np.abs(here).max())
            and _unpacked(named) in ("", _unpacked(hamiltonian))
        )


def read_wannier_tools(path: Path) -> WannierToolsInput:
    """Read a wt.in. Raises InputError where it has no cell, or a number in it cannot be read."""
    raw = bytes(read_bytes(path, lambda head: _LARGEST_FILE)).decode("utf-8", "replace")
    lines = [re.split(r"[!#]", line, maxsplit=1)[0].strip() for line in raw.splitlines()]
    text = "\n".join(lines)
    unit, *vectors = _card(lines, "LATTICE", 4, path)
    scale = BOHR if unit.lower().startswith("bohr") else 1.0
    lattice = scale * np.array([_numbers(line, path) for line in vectors])
    found = {name: match[1] for name, pattern in _VALUE.items() if (match := pattern.search(text))}
    level, projectors = found.get("fermi_level"), _card(lines, "PROJECTORS", 1, path)
    return WannierToolsInput(
        lattice,
        _atoms(lines, lattice, scale, path),
        None if level is None else _numbers(level, path, 1)[0],
        found.get("file", ""),
        sum(_counts(projectors[0], path)) if projectors else None,
        _is_on(found.get("spinors")),
        _centres(lines, lattice, scale, path),
    )


def _centres(lines: list[str], lattice: NDArray, scale: float, path: Path) -> NDArray[np.float64] | None:
    """Wannier centres, (wannier, 3) angstrom; None without, and for Cartesian ones where the cell is in bohr,
    as their unit is not said.
    """
    starts = [n for n, line in enumerate(lines) if line.upper().split()[:1] == ["WANNIER_CENTRES"]]
    unit, *content = [line for line in lines[starts[0] + 1 :] if line] if starts else [""]
    rows = [_numbers(line, path) for line in itertools.takewhile(_is_place, content)]
    is_reduced = unit.lower().startswith("d")
    if not rows or (scale != 1 and not is_reduced):
        return None
    return np.array(rows) @ (lattice if is_reduced else np.eye(3))


def _is_place(line: str) -> bool:
    return re.fullmatch(r"(?:[-+.\deEdD]+[\s,]+){2}[-+.\deEdD]+", line) is not None


def _is_on(word: str | None) -> bool | None:
    """Whether a switch is on, a number of WannierTools; None where it is not given or no number."""
    return None if word is None or not word.strip("+-").isdigit() else int(word) > 0


def _card(lines: list[str], name: str, count: int, path: Path) -> list[str]:
    """The first lines of a card that are not blank; [] where there is no such card but LATTICE."""
    starts = [n for n, line in enumerate(lines) if line.upper().split()[:1] == [name]]
    content = [line for line in lines[starts[0] + 1 :] if line][:count] if starts else []
    if len(content) < count and (starts or name == "LATTICE"):
        raise InputError(f"{path}: expected the card {name} with {count} lines, found {len(content)}.")
    return content


def _atoms(lines: list[str], lattice: NDArray, scale: float, path: Path) -> tuple[Atom, ...]:
    head = _card(lines, "ATOM_POSITIONS", 2, path)
    if not head:
        return ()
    count = _counts(head[0], path)[0]
    content = _card(lines, "ATOM_POSITIONS", 2 + count, path)[2:]
    to_cartesian = lattice if head[1].lower().startswith("d") else scale * np.eye(3)
    atoms = []
    for line in content:
        symbol, *rest = line.split()
        x, y, z = (np.array(_numbers(" ".join(rest[:3]), path)) @ to_cartesian).tolist()
        atoms.append(Atom(symbol, (x, y, z)))
    return tuple(atoms)


def _counts(line: str, path: Path) -> list[int]:
    words = line.split()
    if not words or not all(word.isdigit() and int(word[:7]) <= 5000 and len(word) < 7 for word in words):
        raise InputError(f"{path}: expected numbers of atoms or projectors up to 5000, found {quoted(line)}.")
    return [int(word) for word in words]


def _numbers(line: str, path: Path, count: int = 3) -> list[float]:
    try:
        values = [float(word.lower().replace("d", "e")) for word in line.replace(",", " ").split()[:count]]
    except ValueError:
        values = []
    if len(values) != count or not all(abs(value) < LARGEST for value in values):
        raise InputError(f"{path}: expected {count} numbers below {LARGEST:g}, found {quoted(line)}.")
    return values


def _unpacked(name: str) -> str:
    return name.removesuffix(next((end for end in PACKINGS if name.endswith(end)), ""))
