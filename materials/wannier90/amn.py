"""seedname.amn: overlaps of Bloch states with trial orbitals, <psi_mk|g_n>."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import justified_size, open_regular, pieces, quoted, size_on_disk
from .text import LONGEST_LINE, locate_problem, numbers, split_lines, whole

_COLUMNS = 5


#: Bytes that a line takes at least: three numbers of places, two overlaps, blanks.
_SHORTEST_LINE = 10


def read_amn(path: Path, band_count: int, kpoint_count: int) -> NDArray[np.complex128]:
    """Overlaps A(k) of seedname.amn, (k, band, trial), piece after piece, its lines in any order.

    band_count, kpoint_count : those of the .chk
    Raises InputError for other numbers and naming the line of any damage.
    """
    blocks = _blocks(path)
    head, rest = split_lines(next(blocks, ""), 2, path)
    counts = _counts(head[1])
    if counts is None or counts[:2] != (band_count, kpoint_count):
        raise InputError(
            f"{path}, line 2: expected {band_count} bands and {kpoint_count} k points as in the .chk and a "
            f"number of trial orbitals, found {quoted(head[1].strip())}; it belongs to another calculation."
        )
    trial_count = counts[2]
    count = band_count * kpoint_count * trial_count
    with open_regular(path) as stream:
        limit = justified_size(size_on_disk(path, stream))
    if count * _SHORTEST_LINE > limit:
        raise _truncated(path, f"{count} overlaps cannot stand in it")
    overlaps = np.full((kpoint_count, band_count, trial_count), np.nan, dtype=complex)
    line, read = 3, 0
    for text in itertools.chain([rest], blocks):
        if not text.strip():
            continue
        table = numbers(text, None, path, line, itertools.repeat(_COLUMNS))
        if len(table) % _COLUMNS:
            raise locate_problem(text, path, line, itertools.repeat(_COLUMNS))
        read += len(table) // _COLUMNS
        table = table.reshape(-1, _COLUMNS)
        places = whole(table[:, :3], path, "numbers of band, trial orbital and k point")
        if places.min() < 1 or (places > (band_count, trial_count, kpoint_count)).any():
            raise _misplaced(path, line)
        band, trial, kpoint = places.T - 1
        overlaps[kpoint, band, trial] = table[:, 3] + 1j * table[:, 4]
        line += text.count("\n")
    missing = int(np.isnan(overlaps).sum())
    if missing or read != count:
        raise _truncated(path, f"{missing} of {count} overlaps are missing, {read} are there")
    return overlaps


def _counts(line: str) -> tuple[int, int, int] | None:
    """Numbers of bands, k points and trial orbitals."""
    words = line.split()
    if len(words) != 3 or not all(len(word) < 10 and word.isdecimal() for word in words):
        return None
    bands, kpoints, trials = (int(word) for word in words)
    return (bands, kpoints, trials) if min(bands, kpoints, trials) > 0 else None


def _announced(head: bytes) -> int | None:
    lines = head.split(b"\n", 2)
    counts = _counts(lines[1].decode("latin-1")) if len(lines) > 1 else None
    return None if counts is None else LONGEST_LINE * (math.prod(counts) + 2)


def _truncated(path: Path, told: str) -> InputError:
    return InputError(
        f"{path}: {told}, expected one for each band, trial orbital and k point; the file looks truncated, "
        "copy or write it again."
    )


def _misplaced(path: Path, line: int) -> InputError:
    return InputError(
        f"{path}, after line {line}: expected the numbers of a band, a trial orbital and a k point and one "
        "complex number on each line; the file looks damaged, write it again."
    )


def _blocks(path: Path) -> Iterator[str]:
    """Whole lines of the file, about a megabyte at a time."""
    left = b""
    for piece in pieces(path, _announced):
        lines, newline, left = (left + piece).rpartition(b"\n")
        if newline:
            yield (lines + newline).decode("latin-1")
        elif len(left) > LONGEST_LINE:
            break
    if left:
        yield left.decode("latin-1")
