"""Wigner-Seitz bookkeeping of Wannier90: degeneracies, and the T vectors of seedname_wsvec.dat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError
from spinscreen.kernels.compiled import loop

from ..matrices import LARGEST, spans
from .number_stream import NumberStream
from .text import whole

#: Elements go to cells around the one they were printed for, which makes a few times as many R vectors.
_MOST_IMAGES = 64

#: Bytes of a record of seedname_wsvec.dat with as many T vectors, several times what Wannier90 writes.
_LONGEST_RECORD = 2048

#: T vectors that are worked on at a time.
_ENTRIES = 1 << 17

_USED = re.compile(r"use_ws_distance\s*=\s*\.?(t|f)")

#: Vectors of whole numbers below `LARGEST` are told apart by one number in this base.
_BASE = 2 * int(LARGEST) + 1


@dataclass(frozen=True, eq=False)
class Entries:
    """T vectors of some R: per entry row of R, row and column of the element, number of the T in `vectors`,
    and among how many T the element is shared.
    """

    source: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    vector: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MinimalImages:
    """Where each matrix element of each R really goes: R -> R + T, shared equally among the T.

    count : (R, wannier, wannier) how many T an element has; vectors : (T, 3) all T that there are
    which : (entries,) row of `vectors`, for one element after the other in the order of `count`
    use_ws_distance : what the first line of the file says it was made with, None where it does not
    """

    count: NDArray[np.integer]
    vectors: NDArray[np.int64]
    which: NDArray[np.integer]
    use_ws_distance: bool | None = None

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Number of entries before each R, and in all."""
        return np.concatenate([[0], np.cumsum(self.count.sum(axis=(1, 2), dtype=np.int64))])

    def entries(self, rows: NDArray[np.int64]) -> Entries:
        """Those of some R vectors, one R after the other."""
        shape = self.count.shape[1:]
        count = self.count[rows].astype(np.int64).reshape(-1)
        element = np.repeat(np.arange(len(count)), count)
        which = [self.which[self._ends[r] : self._ends[r + 1]] for r in rows.tolist()]
        place, row, column = np.unravel_index(element, (len(rows), *shape))
        return Entries(rows[place], row, column, np.concatenate(which).astype(np.int64), count[element])

    def spans(self) -> Iterator[NDArray[np.int64]]:
        """Rows of R, so many at a time that their entries stay few."""
        pieces = np.searchsorted(self._ends, np.arange(_ENTRIES, self._ends[-1], _ENTRIES))
        yield from (rows for rows in np.split(np.arange(len(self.count)), np.unique(pieces)) if len(rows))


@dataclass(frozen=True, eq=False)
class WignerSeitz:
    """The R vectors of a Wannier90 file, their degeneracies and, if used, their minimal images."""

    translations: NDArray[np.int64]
    degeneracy: NDArray[np.int64]
    images: MinimalImages | None = None

    def expand(
        self, matrices: NDArray[np.complex128], exact: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
        """Divide the degeneracies out and move every element to its minimal images.

        matrices : (R, ..., wannier, wannier); returns the R vectors that result, closed under R -> -R,
        and the matrices on them. All operators on one R set come out on one R set.
        exact : divide real and imaginary parts, each rounded once, instead of multiplying with a reciprocal
        Raises InputError where the images lead to more cells than there can be around them.
        """
        # Keys of stored results hang on the last bit: a _hr.dat was always divided exactly, by TBmodels.
        weight = self.degeneracy.reshape(-1, *[1] * (matrices.ndim - 1))
        images = self.images
        if images is None:
            return self.translations, _divided(matrices, weight) if exact else matrices / weight
        translations, pairs, places = self._targets(images)
        moved = np.zeros((len(translations), *matrices.shape[1:]), dtype=complex)
        for rows in images.spans():
            entries = images.entries(rows)
            divided = _divided(matrices[rows], weight[rows]) if exact else matrices[rows] / weight[rows]
            elements = divided[entries.source - rows[0], ..., entries.row, entries.column]
            count = entries.count.reshape(-1, *[1] * (elements.ndim - 1))
            shares = _divided(elements, count) if exact else elements * (1.0 / count)
            code = entries.source * len(images.vectors) + entries.vector
            target = places[np.searchsorted(pairs, code)]
            np.add.at(moved, (target, ..., entries.row, entries.column), shares)  # type: ignore[arg-type]
        return translations, moved

    def _targets(
        self, images: MinimalImages
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """R vectors that result; the pairs of R and T that there are, as one number each; their R + T."""
        most = len(images.vectors)
        each = []
        for rows in images.spans():
            entries = images.entries(rows)
            each.append(np.unique(entries.source * most + entries.vector))
        pairs = np.concatenate(each)
        targets = self.translations[pairs // most] + images.vectors[pairs % most]
        translations, place = np.unique(np.concatenate([targets, -targets]), axis=0, return_inverse=True)
        if len(translations) > _MOST_IMAGES * len(self.translations):
            raise InputError(
                f"_wsvec.dat: its T vectors make {len(translations)} R vectors of {len(self.translations)}, "
                f"expected at most {_MOST_IMAGES} of each; it belongs to another calculation or is damaged."
            )
        return translations, pairs, place.reshape(-1)[: len(targets)]


def read_minimal_images(path: Path, translations: NDArray[np.int64], size: int) -> MinimalImages:
    """Read seedname_wsvec.dat. Raises InputError unless it lists every element of every R once."""
    shape = (len(translations), size, size)
    complete = len(translations) * size**2
    stream = NumberStream(path, lambda head: _LONGEST_RECORD * complete)
    said = _said(stream.line())
    images = _Images(path, translations, shape)
    left = np.empty(0)
    for numbers in stream.rest():
        tokens = np.concatenate([left, numbers])
        starts, used = _record_starts(tokens)
        if len(starts):
            images.put(whole(tokens[:used], path, "R and T vectors"), starts)
        left = tokens[used:]
        if len(left) > 5 and left[5] < 1:
            raise _incomplete(path, images.records)
    if len(left):
        raise _incomplete(path, images.records)
    return replace(images.finished(), use_ws_distance=said)


def read_use_ws_distance(path: Path) -> bool | None:
    """What the first line of a seedname_wsvec.dat says it was made with, None where it does not."""
    return _said(NumberStream(path).line())


def _said(line: str) -> bool | None:
    used = _USED.search(line.lower())
    return None if used is None else used[1] == "t"


def _incomplete(path: Path, records: int) -> InputError:
    return InputError(
        f"{path}: record {records + 1} is incomplete, expected R, two orbitals, a count and that many T "
        "vectors; the file looks truncated."
    )


@loop(tokens="real m", starts="out integer r", state="out integer 2")
def _find_starts(tokens: NDArray[np.float64], starts: NDArray[np.int64], state: NDArray[np.int64]) -> None:
    """Where records begin; state becomes their number, and where the last whole one ends."""
    found, at = 0, 0
    while at + 6 <= len(tokens):
        count = tokens[at + 5]
        if count < 1 or at + 6 + 3 * count > len(tokens):
            break
        starts[found] = at
        found += 1
        at += 6 + 3 * int(count)
    state[0] = found
    state[1] = at


def _record_starts(tokens: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    starts, state = np.empty(len(tokens) // 9 + 1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    _find_starts(tokens, starts, state)
    return starts[: state[0]], int(state[1])


class _Images:
    """Minimal images that are gathered a piece of the file at a time."""

    def __init__(self, path: Path, translations: NDArray[np.int64], shape: tuple[int, int, int]) -> None:
        self._path, self._shape = path, shape
        codes = _codes(translations)
        self._order = np.argsort(codes)
        self._codes = codes[self._order]
        # Not wider than it must be: there are as many as elements of H.
        self._kind = np.int32 if np.prod(shape, dtype=object) < 2**31 else np.int64
        self._count = np.zeros(shape, dtype=self._kind)
        self._vectors: dict[tuple[int, ...], int] = {}
        self._records: list[NDArray[np.int64]] = []
        self._which: list[NDArray[np.int64]] = []
        self.records = 0

    def put(self, tokens: NDArray[np.int64], starts: NDArray[np.int64]) -> None:
        """Whole records, which begin at `starts`."""
        labels, counts = tokens[starts[:, None] + np.arange(5)], tokens[starts + 5]
        place = np.searchsorted(self._codes, wanted := _codes(labels[:, :3]))
        place[place == len(self._codes)] = 0
        if (self._codes[place] != wanted).any():
            raise InputError(
                f"{self._path}: lists an R vector that the Hamiltonian does not have; it belongs to another "
                "calculation."
            )
        row, column = labels[:, 3] - 1, labels[:, 4] - 1
        size = self._shape[-1]
        self.records += len(starts)
        if not ((row >= 0) & (row < size) & (column >= 0) & (column < size)).all():
            raise self._other()
        record = (self._order[place] * size + row) * size + column
        count = self._count.reshape(-1)
        if count[record].any() or len(np.unique(record)) < len(record):
            raise self._other()
        count[record] = counts
        entry = np.repeat(np.arange(len(starts)), counts)
        within = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
        shift = tokens[(starts[entry] + 6 + 3 * within)[:, None] + np.arange(3)]
        self._which.append(self._numbered(shift).astype(self._kind))
        self._records.append(record.astype(self._kind))

    def _numbered(self, shift: NDArray[np.int64]) -> NDArray[np.int64]:
        _, first, place = np.unique(_codes(shift), return_index=True, return_inverse=True)
        known = self._vectors
        numbers = [known.setdefault(tuple(vector), len(known)) for vector in shift[first].tolist()]
        return np.array(numbers)[place.reshape(-1)]

    def _other(self) -> InputError:
        count, size, _ = self._shape
        return InputError(
            f"{self._path}: expected one entry for each of {count} R vectors and {size} x {size} matrix "
            f"elements, found {self.records}; it belongs to another calculation or is truncated."
        )

    def finished(self) -> MinimalImages:
        if self.records != self._count.size:
            raise self._other()
        record, which = np.concatenate(self._records), np.concatenate(self._which)
        if (np.diff(record) < 0).any():
            # Another program's order of the records.
            counts = self._count.reshape(-1)[record]
            which = which[np.argsort(np.repeat(record, counts), kind="stable")]
        return MinimalImages(self._count, np.array(list(self._vectors)), which)


def _codes(vectors: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each vector, in their order."""
    codes: NDArray[np.int64] = (vectors[:, 0] * _BASE + vectors[:, 1]) * _BASE + vectors[:, 2]
    return codes


def _divided(matrices: NDArray[np.complex128], count: NDArray[np.int64]) -> NDArray[np.complex128]:
    quotient = np.empty_like(matrices)
    for rows in spans(matrices):
        quotient[rows] = matrices[rows].real / count[rows] + 1j * (matrices[rows].imag / count[rows])
    return quotient
