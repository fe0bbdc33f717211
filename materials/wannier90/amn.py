"""seedname.amn: overlaps of Bloch states with trial orbitals, <psi_mk|g_n>."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted
from .checkpoint import Checkpoint
from .number_stream import NumberStream
from .text import LONGEST_LINE, whole

#: Numbers of band, trial orbital and k point, and the two parts of an overlap.
_COLUMNS = 5

#: Of <psi|g> over the bands, for a normalized g; interfaces have spinors of norm sqrt(2) along skew axes.
_LARGEST_NORM = 1.5

#: Bytes that a line takes at least.
_SHORTEST_LINE = 10


def read_amn(path: Path, band_count: int, kpoint_count: int) -> NDArray[np.complex128]:
    """Overlaps A(k) of seedname.amn, (k, band, trial), piece after piece, its lines in any order.

    band_count, kpoint_count : those of the .chk
    Raises InputError for other numbers and naming the line of any damage.
    """
    stream = NumberStream(path, _announced)
    stream.line()
    head = stream.line()
    counts = _counts(head)
    if counts is None or counts[:2] != (band_count, kpoint_count):
        raise InputError(
            f"{path}, line 2: expected {band_count} bands and {kpoint_count} k points as in the .chk and a "
            f"number of trial orbitals, found {quoted(head.strip())}; it belongs to another calculation."
        )
    limits = (band_count, counts[2], kpoint_count)
    stream.check_announced(_SHORTEST_LINE * math.prod(limits))
    stream.expect(itertools.repeat(_COLUMNS))
    overlaps = np.full((kpoint_count, band_count, counts[2]), np.nan, dtype=complex)
    read = 0
    for table in stream.rows(_COLUMNS):
        places = whole(table[:, :3], path, "numbers of band, trial orbital and k point")
        wrong = (places < 1).any(axis=1) | (places > limits).any(axis=1)
        if wrong.any():
            found = ", ".join(map(str, places[wrong][0].tolist()))
            raise InputError(
                f"{path}: expected a band, a trial orbital and a k point up to "
                f"{', '.join(map(str, limits))} on each line, found {found}; the file looks damaged."
            )
        band, trial, kpoint = places.T - 1
        overlaps[kpoint, band, trial] = table[:, 3] + 1j * table[:, 4]
        read += len(table)
    missing = int(np.isnan(overlaps).sum())
    if missing or read != overlaps.size:
        raise InputError(
            f"{path}: {missing} of {overlaps.size} overlaps are missing, {read} are there, expected one for "
            "each band, trial orbital and k point; the file looks truncated, copy or write it again."
        )
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


def overlap_of_functions(path: Path, gauge: Checkpoint) -> NDArray[np.complex128]:
    """<w|g> = 1/N_k sum_k V^dagger(k) A(k), (wannier, trial), of a seedname.amn and the gauge of the .chk.

    Raises InputError as `read_amn`.
    """
    overlaps = read_amn(path, gauge.band_count, len(gauge.kpoints))
    # Those of normalized functions are at most 1, of Bloch states and functions without their norms any.
    norm = float(np.linalg.norm(overlaps, axis=1).max())
    if norm > _LARGEST_NORM:
        overlaps /= norm
    found: NDArray[np.complex128] = (gauge.gauge.conj().swapaxes(1, 2) @ overlaps).mean(axis=0)
    return found
