"""seedname_tb.dat and seedname_hr.dat: matrices on Wannier90's R vectors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import Announced
from ..matrices import opposite_rows
from .number_stream import NumberStream
from .text import LONGEST_LINE, numbers, whole, whole_number

_DEGENERACIES_PER_LINE = 15

#: Numbers that are placed at a time.
_NUMBERS = 1 << 18

#: Share of elements that are left out of a file that leaves out zeros.
_SHARE_OF_ZEROS = 0.1


@dataclass(frozen=True, eq=False)
class RawMatrices:
    """What a file says, before degeneracies and minimal images are applied.

    translations (R, 3); degeneracy (R,); hamiltonian (R, wannier, wannier) eV; in a _tb.dat also lattice
    (3, 3) and position (R, 3, wannier, wannier), angstrom, not Hermitian as Wannier90 writes it.
    comment : its first line; sha256 : of the file as it stands on the disk; both "" where there is none
    """

    translations: NDArray[np.int64]
    degeneracy: NDArray[np.int64]
    hamiltonian: NDArray[np.complex128]
    lattice: NDArray[np.float64] | None = None
    position: NDArray[np.complex128] | None = None
    comment: str = ""
    sha256: str = ""

    @property
    def size(self) -> int:
        """Number of Wannier functions."""
        return self.hamiltonian.shape[-1]

    def sorted(self) -> RawMatrices:
        """The same with the R vectors of a _hr.dat in their order."""
        order = np.lexsort(self.translations.T[::-1])
        if (np.diff(order) > 0).all():
            return self
        return replace(
            self,
            translations=self.translations[order],
            degeneracy=self.degeneracy[order],
            hamiltonian=self.hamiltonian[order],
        )


def _announced(line: int, matrices: int) -> Announced:
    """What a packed file may hold by the numbers of Wannier functions and of R vectors from `line` on."""

    def bytes_of(head: bytes) -> int | None:
        try:
            size, count = (int(text.split()[0]) for text in head.split(b"\n", line + 2)[line - 1 : line + 1])
        except (ValueError, IndexError):
            return None
        return LONGEST_LINE * (line + count * (matrices * size**2 + 5))

    return bytes_of


def read_tb(path: Path) -> RawMatrices:
    """Read H(R) and <0m|r|Rn> of seedname_tb.dat. Raises InputError naming the line of any damage."""
    stream = NumberStream(path, _announced(5, 2))
    comment = stream.line()
    vectors = [stream.line() for _ in range(3)]
    lattice = numbers("\n".join(vectors), 9, path, 2, [3, 3, 3]).reshape(3, 3)
    size = whole_number(stream.line(), path, 5, "number of Wannier functions")
    count = whole_number(stream.line(), path, 6, "number of R vectors")
    stream.expect(itertools.chain(_lines_of(count), _layout(count, size, 4), _layout(count, size, 8)))
    degeneracy = _degeneracies(stream, count, 7)
    translations, hamiltonian = _blocks(stream, count, size, 1)
    again, position = _blocks(stream, count, size, 3)
    stream.end()
    if (translations != again).any():
        raise InputError(
            f"{path}: the R vectors of the position matrix are not those of the Hamiltonian, "
            "expected the same list twice; write the file again with Wannier90."
        )
    matrices = hamiltonian[:, 0], lattice, position
    return RawMatrices(translations, degeneracy, *matrices, comment, stream.sha256)


def _layout(count: int, size: int, columns: int) -> Iterator[int]:
    for _ in range(count):
        yield 3
        yield from itertools.repeat(columns, size**2)


def _lines_of(count: int) -> Iterator[int]:
    """Numbers on the lines of a list of degeneracies."""
    whole_lines, rest = divmod(count, _DEGENERACIES_PER_LINE)
    return itertools.chain(itertools.repeat(_DEGENERACIES_PER_LINE, whole_lines), [rest] if rest else [])


def _degeneracies(stream: NumberStream, count: int, line: int) -> NDArray[np.int64]:
    degeneracy = whole(stream.take(count), stream.path, "degeneracies")
    if (degeneracy < 1).any():
        raise InputError(
            f"{stream.path}, line {line}: expected degeneracies of at least 1, found {int(degeneracy.min())}."
        )
    return degeneracy


def _blocks(
    stream: NumberStream, count: int, size: int, components: int
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """R vectors and matrices (R, component, wannier, wannier) of blocks that begin with their R."""
    columns = 2 + 2 * components
    translations: list[NDArray] = []
    places = _Places(stream, count, size, components)
    for first in range(0, count, step := max(1, _NUMBERS // (columns * size**2))):
        number = min(step, count - first)
        table = stream.take(number * (3 + columns * size**2)).reshape(number, -1)
        translations.append(table[:, :3])
        rows = np.repeat(np.arange(first, first + number), size**2)
        places.put(rows, table[:, 3:].reshape(-1, columns))
    places.check()
    return whole(np.concatenate(translations), stream.path, "R vectors"), places.matrices


class _Places:
    """Matrices that are filled by the indices on each line, in any order."""

    def __init__(self, stream: NumberStream, count: int, size: int, components: int) -> None:
        self._stream, self._size, self._components = stream, size, components
        stream.check_announced(16 * components * count * size**2)
        # Memory that is not written to is not taken.
        self.matrices = np.zeros((count, components, size, size), dtype=complex)
        self.seen = np.zeros((count, size, size), dtype=np.uint8)

    def put(self, block: NDArray[np.int64], table: NDArray[np.float64]) -> None:
        """Rows of m, n, and real and imaginary part of each component, of the R vectors in `block`."""
        labels = table[:, :2].astype(np.int64)
        if labels.min() < 1 or labels.max() > self._size or (labels != table[:, :2]).any():
            raise self._stream.misfit(self._wrong_label(block, table[:, :2]))
        m, n = labels.T - 1
        place = (block * self._size + m) * self._size + n
        seen = self.seen.reshape(-1)
        if (np.diff((block * self._size + n) * self._size + m) > 0).all() or (np.diff(place) > 0).all():
            # No place twice in this piece, which is the rule.
            seen[place] += 1
        else:
            np.add.at(seen, place, 1)
        elements = self.matrices.reshape(-1)
        first = place + (self._components - 1) * block * self._size**2
        for component in range(self._components):
            there = first + component * self._size**2
            elements.real[there] = table[:, 2 + 2 * component]
            elements.imag[there] = table[:, 3 + 2 * component]

    def _wrong_label(self, block: NDArray[np.int64], labels: NDArray[np.float64]) -> InputError:
        wrong = ((labels < 1) | (labels > self._size) | (labels != np.floor(labels))).any(axis=1)
        first = int(wrong.argmax())
        found = ", ".join(f"{label:g}" for label in labels[first])
        return InputError(
            f"{self._stream.path}: in R block {int(block[first]) + 1} expected elements 1 to {self._size}, "
            f"found [{found}]; the file looks damaged."
        )

    def check(self) -> None:
        """Raises InputError where an element was not given once."""
        if (self.seen == 1).all():
            return
        block, m, n = (int(x) for x in np.argwhere(self.seen != 1)[0])
        twice = np.argwhere(self.seen[block] > 1)
        found = f"[{twice[0][0] + 1}, {twice[0][1] + 1}] twice" if len(twice) else "none"
        missing = np.argwhere(self.seen[block] == 0)
        m, n = (int(x) for x in missing[0]) if len(missing) else (m, n)
        problem = InputError(
            f"{self._stream.path}: in R block {block + 1} expected the element {m + 1} {n + 1} once, found "
            f"{found}; lines are missing or damaged."
        )
        raise self._stream.misfit(problem)


def read_hr(path: Path) -> RawMatrices:
    """Read seedname_hr.dat as it stands, its lines in any order.

    A list of nonzero elements has no others; where each R is given without -R, those are added. Raises
    InputError naming the line of any damage.
    """
    stream = NumberStream(path, _announced(2, 1))
    comment = stream.line()
    size = whole_number(stream.line(), path, 2, "number of Wannier functions")
    count = whole_number(stream.line(), path, 3, "number of R vectors")
    stream.expect(itertools.chain(_lines_of(count), itertools.repeat(7, count * size**2)))
    degeneracy = _degeneracies(stream, count, 4)
    known: dict[tuple[int, ...], int] = {}
    places, total, has_zeros = _Places(stream, count, size, 1), 0, False
    for table in stream.rows(7):
        block = _block_of_rows(whole(table[:, :3], path, "R vectors"), known)
        if len(known) > count:
            raise stream.misfit()
        places.put(block, table[:, 3:])
        total += len(table)
        has_zeros |= not table[:, 5:].any(axis=1).all()
    if len(known) < count or total > count * size**2:
        raise stream.misfit()
    translations = np.array(list(known))
    if total < count * size**2:
        if has_zeros or not _is_a_list(translations, places.seen):
            raise stream.misfit()
        if total > (1 - _SHARE_OF_ZEROS) * count * size**2:
            raise stream.misfit(_too_few_left_out(path, total, count * size**2))
    if total == count * size**2:
        places.check()
    raw = RawMatrices(translations, degeneracy, places.matrices[:, 0])
    return _both_ways(replace(raw, comment=comment, sha256=stream.sha256))


def _block_of_rows(vectors: NDArray[np.int64], known: dict[tuple[int, ...], int]) -> NDArray[np.int64]:
    """Number of the R vector of each row, in the order in which they came first."""
    starts = np.flatnonzero(np.r_[True, (vectors[1:] != vectors[:-1]).any(axis=1)])
    numbers_of_runs = [known.setdefault(tuple(vector), len(known)) for vector in vectors[starts].tolist()]
    return np.repeat(numbers_of_runs, np.diff(np.r_[starts, len(vectors)]))


def _is_a_list(translations: NDArray[np.int64], seen: NDArray[np.uint8]) -> bool:
    """True for a list of nonzero elements, of which with each its Hermitian conjugate is one.

    In a file that lost lines a conjugate is missing, or but a few elements are, see `_too_few_left_out`.
    """
    if (seen > 1).any():
        return False
    opposite = opposite_rows(translations)
    if opposite is None:
        home = ~translations.any(axis=1)
        return bool((seen[home] == seen[home].swapaxes(1, 2)).all())
    return bool((seen == seen[opposite].swapaxes(1, 2)).all())


def _too_few_left_out(path: Path, found: int, expected: int) -> InputError:
    return InputError(
        f"{path}: {expected - found} of {expected} elements are left out, expected none, or at least "
        f"{100 * _SHARE_OF_ZEROS:g} % as in a list of nonzero elements; a file that lost lines looks alike: "
        "write the zeros too."
    )


def _both_ways(raw: RawMatrices) -> RawMatrices:
    """Where of R and -R always one is given, the other is added."""
    away = raw.translations.any(axis=1)
    given = {tuple(vector) for vector in raw.translations.tolist()}
    if not away.any() or away.all() or any(tuple(-np.array(v)) in given for v in given if any(v)):
        return raw
    return replace(
        raw,
        translations=np.concatenate([raw.translations, -raw.translations[away]]),
        degeneracy=np.concatenate([raw.degeneracy, raw.degeneracy[away]]),
        hamiltonian=np.concatenate([raw.hamiltonian, raw.hamiltonian[away].conj().swapaxes(1, 2)]),
    )


def read_r(path: Path, raw: RawMatrices) -> NDArray[np.complex128]:
    """Read <0m|r|Rn> of seedname_r.dat, (R, 3, wannier, wannier) angstrom, on the R vectors of the
    Hamiltonian, degeneracies not divided out. Raises InputError where it is damaged or of another one.
    """
    stream = NumberStream(path, _announced(2, 3))
    stream.line()
    size = whole_number(stream.line(), path, 2, "number of Wannier functions")
    if size != raw.size:
        raise InputError(
            f"{path}: has {size} Wannier functions, expected {raw.size} as in the Hamiltonian; it belongs to "
            "another calculation."
        )
    count = whole_number(stream.line(), path, 3, "number of R vectors")
    stream.expect(itertools.repeat(11, count * size**2))
    known = {tuple(vector): row for row, vector in enumerate(raw.translations.tolist())}
    places, total = _Places(stream, len(raw.translations), size, 3), 0
    for table in stream.rows(11):
        block = _block_of_rows(whole(table[:, :3], path, "R vectors"), known)
        if len(known) > len(raw.translations):
            raise InputError(
                f"{path}: lists an R vector that the Hamiltonian does not have; it belongs to another "
                "calculation."
            )
        places.put(block, table[:, 3:])
        total += len(table)
    if total != len(raw.translations) * size**2:
        raise stream.misfit()
    places.check()
    return places.matrices
