"""Wannier90's log (.wout): the cell, the atoms, and where the Wannier functions ended up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import pieces
from ..matrices import BOHR, LARGEST, within
from ..model import Atom
from .text import LONGEST_LINE

_VECTOR = re.compile(r"\s*a_([123])((?:\s+[-+.\dEeDd]+){3})\s*$")
_ATOM = re.compile(r"\s*\|\s*([A-Za-z]\w*)\s+\d+(?:\s+[-+.\d]+){3}\s*\|((?:\s+[-+.\d]+){3})\s*\|\s*$")
_CENTRE = re.compile(
    r"\s*WF centre and spread\s+(\d+)\s*\(\s*([-+.\d]+)\s*,\s*([-+.\d]+)\s*,\s*([-+.\d]+)\s*\)\s*([-+.\d]+)"
)

#: No more atoms or functions are kept.
_MOST = 5000


@dataclass(frozen=True, eq=False)
class Log:
    """lattice (3, 3), atoms and centres (wannier, 3) in angstrom, spreads (wannier,) angstrom^2; None where
    the log ends before.
    """

    lattice: NDArray[np.float64] | None
    atoms: tuple[Atom, ...]
    centres: NDArray[np.float64] | None
    spreads: NDArray[np.float64] | None


def read_wout(path: Path) -> Log:
    """Read seedname.wout. Raises InputError where it cannot be read or a number in it cannot be."""
    unit = 1.0
    vectors: dict[int, list[float]] = {}
    atoms: list[Atom] = []
    final: list[list[float]] | None = None
    for line in _lines(path):
        if "Lattice Vectors (" in line and not vectors:
            unit = BOHR if "(Bohr)" in line else 1.0
        elif (match := _VECTOR.match(line)) and len(vectors) < 3:
            vectors[int(match[1])] = _floats(match[2].split(), path)
        elif final is None and len(atoms) < _MOST and (match := _ATOM.match(line)):
            x, y, z = (unit * v for v in _floats(match[2].split(), path))
            atoms.append(Atom(match[1], (x, y, z)))
        elif line.strip() == "Final State":
            final = []
        elif final is not None and len(final) < _MOST and (match := _CENTRE.match(line)):
            final.append(_floats(match.groups()[1:], path))
    lattice = unit * np.array([vectors[n] for n in (1, 2, 3)]) if len(vectors) == 3 else None
    table = np.array(final, dtype=float).reshape(-1, 4) if final else None
    return Log(
        lattice,
        tuple(atoms),
        None if table is None else unit * table[:, :3],
        None if table is None else unit**2 * table[:, 3],
    )


def _floats(words: list[str] | tuple[str, ...], path: Path) -> list[float]:
    try:
        values = [float(word.lower().replace("d", "e")) for word in words]
    except ValueError:
        values = [np.nan]
    if not within(np.array(values), LARGEST):
        raise InputError(
            f"{path}: expected finite numbers below {LARGEST:g}, found {' '.join(words)!r}; the file looks "
            "damaged."
        )
    return values


def _lines(path: Path) -> Iterator[str]:
    """Lines of a text of any length, none kept longer than a line of numbers may be."""
    rest = b""
    for piece in pieces(path):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line[:LONGEST_LINE].decode("latin-1")
        rest = rest[:LONGEST_LINE]
    yield rest.decode("latin-1")
