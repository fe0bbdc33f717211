"""Wannier centres from seedname_centres.xyz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted
from ..matrices import LARGEST
from ..model import Atom
from .text import LONGEST_LINE, read_text, split_lines, whole_number


def _announced(head: bytes) -> int | None:
    words = head.split(None, 1)
    return LONGEST_LINE * (int(words[0]) + 2) if words and words[0].isdigit() and len(words[0]) < 10 else None


def read_centres(path: Path) -> tuple[NDArray[np.float64], tuple[Atom, ...]]:
    """Centres (wannier, 3) and atoms, angstrom. Raises InputError naming the line of any damage."""
    header, body = split_lines(read_text(path, _announced), 2, path)
    count = whole_number(header[0], path, 1, "number of centres and atoms")
    lines = [(n, line.split()) for n, line in enumerate(body.splitlines(), start=3) if line.split()]
    if len(lines) != count:
        raise InputError(
            f"{path}, line 1: announces {count} entries, found {len(lines)}; the file looks truncated."
        )
    entries = []
    for number, words in lines:
        try:
            position = tuple(float(x) for x in words[1:5])
        except ValueError:
            position = ()
        if len(position) != 3 or not all(abs(x) < LARGEST for x in position):
            raise InputError(
                f"{path}, line {number}: expected a label and three numbers below {LARGEST:g}, found "
                f"{quoted(' '.join(words))}."
            )
        entries.append(Atom(words[0], position))
    centres = [entry.position for entry in entries if entry.symbol == "X"]
    return np.array(centres, dtype=float), tuple(e for e in entries if e.symbol != "X")
