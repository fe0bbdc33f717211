"""Wigner-Seitz bookkeeping of Wannier90: degeneracies, and the T vectors of seedname_wsvec.dat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import spans
from .text import numbers, read_text, split_lines, whole

#: Elements go to cells around the one they were printed for, which makes a few times as many R vectors.
_MOST_IMAGES = 64

#: Bytes of a record of seedname_wsvec.dat with as many T vectors, several times what Wannier90 writes.
_LONGEST_RECORD = 2048


@dataclass(frozen=True, eq=False)
class MinimalImages:
    """Where each matrix element of each R really goes: R -> R + T, shared equally among the T.

    Per entry: source row of R, row and column of the element, T (3 integers) and the number of T that share.
    """

    source: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    shift: NDArray[np.int64]
    count: NDArray[np.int64]


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
        divided = _divided(matrices, weight) if exact else matrices / weight
        if self.images is None:
            return self.translations, divided
        images = self.images
        targets = self.translations[images.source] + images.shift
        translations, position = np.unique(np.concatenate([targets, -targets]), axis=0, return_inverse=True)
        position = position.reshape(-1)[: len(targets)]
        if len(translations) > _MOST_IMAGES * len(self.translations):
            raise InputError(
                f"_wsvec.dat: its T vectors make {len(translations)} R vectors of {len(self.translations)}, "
                f"expected at most {_MOST_IMAGES} of each; it belongs to another calculation or is damaged."
            )
        moved = np.zeros((len(translations), *matrices.shape[1:]), dtype=complex)
        elements = divided[images.source, ..., images.row, images.column]
        count = images.count.reshape(-1, *[1] * (elements.ndim - 1))
        places: Any = (position, ..., images.row, images.column)
        np.add.at(moved, places, _divided(elements, count) if exact else elements * (1.0 / count))
        return translations, moved


def read_minimal_images(path: Path, translations: NDArray[np.int64], size: int) -> MinimalImages:
    """Read seedname_wsvec.dat. Raises InputError unless it lists every element of every R once."""
    complete = len(translations) * size**2
    _, body = split_lines(read_text(path, lambda head: _LONGEST_RECORD * complete), 1, path)
    tokens = _integers(body, path)
    starts = _record_starts(tokens, path)
    labels, counts = tokens[starts[:, None] + np.arange(5)], tokens[starts + 5]
    source = _rows_of(labels[:, :3], translations, path)
    row, column = labels[:, 3] - 1, labels[:, 4] - 1
    element = (source * size + row) * size + column
    inside = ((row >= 0) & (row < size) & (column >= 0) & (column < size)).all()
    if not inside or len(starts) != complete or len(np.unique(element)) != complete:
        raise InputError(
            f"{path}: expected one entry for each of {len(translations)} R vectors and {size} x {size} "
            f"matrix elements, found {len(starts)}; it belongs to another calculation or is truncated."
        )
    entry = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
    shift = tokens[(starts[entry] + 6 + 3 * within)[:, None] + np.arange(3)]
    return MinimalImages(source[entry], row[entry], column[entry], shift, counts[entry])


def _integers(body: str, path: Path) -> NDArray[np.int64]:
    # Records differ in length, so there is no fixed layout; a line holds 5, 1 or 3 numbers.
    layout = (len(line.split()) for line in body.splitlines() if line.strip())
    return whole(numbers(body, None, path, 2, layout), path, "R and T vectors")


def _record_starts(tokens: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
    starts: list[int] = []
    at, values = 0, tokens.tolist()
    while at < len(values):
        count = values[at + 5] if at + 5 < len(values) else 0
        end = at + 6 + 3 * count
        if count < 1 or end > len(values):
            raise InputError(
                f"{path}: record {len(starts) + 1} is incomplete, expected R, two orbitals, a count and "
                "that many T vectors; the file looks truncated."
            )
        starts.append(at)
        at = end
    return np.array(starts, dtype=np.int64)


def _rows_of(vectors: NDArray[np.int64], translations: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
    known, first, inverse = np.unique(
        np.concatenate([translations, vectors]), axis=0, return_index=True, return_inverse=True
    )
    if len(known) != len(translations):
        raise InputError(
            f"{path}: lists an R vector that the Hamiltonian does not have; it belongs to another "
            "calculation."
        )
    return first[inverse.reshape(-1)[len(translations) :]]


def _divided(matrices: NDArray[np.complex128], count: NDArray[np.int64]) -> NDArray[np.complex128]:
    quotient = np.empty_like(matrices)
    for rows in spans(matrices):
        quotient[rows] = matrices[rows].real / count[rows] + 1j * (matrices[rows].imag / count[rows])
    return quotient
