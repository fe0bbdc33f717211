"""Wannier90's checkpoint (.chk), spin matrices (.spn) and eigenvalues (.eig), formatted or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted, read_bytes, reason
from ..matrices import LARGEST, within
from .text import LONGEST_LINE, locate_problem, numbers

#: Diagonal elements of a Pauli matrix are real to this.
_REAL = 1e-6

#: a_i . b_j is 2 pi or 0 to this.
_RECIPROCAL = 1e-4

#: Neighbours of a k point in a checkpoint: Wannier90 allows 12 shells; and bytes of a number as text.
_MOST_NEIGHBOURS, _LONGEST_NUMBER = 96, 64


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The gauge of a Wannier90 calculation.

    lattice (3, 3) angstrom; mesh (3,); kpoints (k, 3); gauge V(k) (k, band, wannier), rows over all bands of
    the calculation (zero outside the disentanglement window); centres (wannier, 3) angstrom; overlaps
    <u_mk|u_nk+b> of Wannier functions, (k, neighbour, wannier, wannier), zero where they were not kept
    """

    lattice: NDArray[np.float64]
    mesh: NDArray[np.int64]
    kpoints: NDArray[np.float64]
    gauge: NDArray[np.complex128]
    centres: NDArray[np.float64]
    overlaps: NDArray[np.complex128]

    @property
    def band_count(self) -> int:
        return self.gauge.shape[1]


class _Source(Protocol):
    """Reads one item after the other from a checkpoint."""

    def integers(self, count: int) -> NDArray[np.int64]: ...
    def reals(self, count: int) -> NDArray[np.float64]: ...
    def complexes(self, count: int) -> NDArray[np.complex128]: ...
    def word(self) -> str: ...


class _Records:
    """Fortran sequential records: each stands between two lengths, of 4 or 8 bytes, of either order.

    One beyond 2 GB comes in pieces; the lengths before all but the last are negative (gfortran, ifort).
    """

    def __init__(self, raw: bytes | bytearray) -> None:
        self._raw = memoryview(raw)
        self._at = 0
        kinds: tuple[tuple[int, Literal["little", "big"]], ...] = (
            *((4, "little"), (4, "big")),
            *((8, "little"), (8, "big")),
        )
        self._width, self._order = next((kind for kind in kinds if self._has_marks(*kind)), kinds[0])

    def _has_marks(self, width: int, order: Literal["little", "big"]) -> bool:
        """True where the first record stands between two such lengths."""
        first = bytes(self._raw[:width])
        end = width + int.from_bytes(first, order)
        return 0 < end < len(self._raw) and bytes(self._raw[end : end + width]) == first

    def _record(self) -> memoryview | bytes:
        pieces, goes_on = [], True
        while goes_on:
            piece, goes_on = self._piece()
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self) -> tuple[memoryview, bool]:
        width, start = self._width, self._at + self._width
        length = int.from_bytes(self._raw[self._at : start], self._order, signed=True)
        end = start + abs(length)
        after = int.from_bytes(self._raw[end : end + width], self._order, signed=True)
        if start > len(self._raw) or end + width > len(self._raw) or abs(after) != abs(length):
            raise ValueError(f"the record at byte {self._at} is broken or cut off")
        self._at = end + width
        return self._raw[start:end], length < 0

    def word(self) -> str:
        return bytes(self._record()).decode("latin-1").strip()

    def _items(self, dtype: str, count: int) -> NDArray:
        record = self._record()
        if len(record) != count * np.dtype(dtype).itemsize:
            raise ValueError(f"a record holds {len(record)} bytes, expected {count} of type {dtype}")
        stored = np.dtype(dtype).newbyteorder(self._order)
        return np.frombuffer(record, stored).astype(dtype, copy=False)

    def integers(self, count: int) -> NDArray[np.int64]:
        return self._items("<i4", count).astype(np.int64)

    def reals(self, count: int) -> NDArray[np.float64]:
        return self._items("<f8", count)

    def complexes(self, count: int) -> NDArray[np.complex128]:
        return self._items("<c16", count)


class _Tokens:
    """The formatted checkpoint: the same items, as text."""

    def __init__(self, raw: bytes | bytearray) -> None:
        text = raw.decode("latin-1")
        self._header, body = text.split("\n", 1)
        self._tokens = body.split()
        self._at = -1

    def word(self) -> str:
        if self._at < 0:
            self._at = 0
            return self._header
        return self._take(1)[0]

    def _take(self, count: int) -> list[str]:
        taken = self._tokens[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("the text ends too early")
        self._at += count
        return taken

    def integers(self, count: int) -> NDArray[np.int64]:
        try:
            return np.array([int(token) for token in self._take(count)], dtype=np.int64)
        except OverflowError:
            raise ValueError("a whole number has too many digits") from None

    def reals(self, count: int) -> NDArray[np.float64]:
        return np.array(self._take(count), dtype=float)

    def complexes(self, count: int) -> NDArray[np.complex128]:
        return self.reals(2 * count).view(complex)


def _count(source: _Source, what: str, least: int = 1) -> int:
    """One number of things. Arrays are made once their numbers were read, so it need not be checked more."""
    value = int(source.integers(1)[0])
    if not least <= value < LARGEST:
        raise ValueError(f"the number of {what} is {value}")
    return value


def is_unformatted(raw: bytes | bytearray) -> bool:
    """True for Fortran records: text has no zero bytes."""
    return b"\0" in raw[:256]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read seedname.chk or .chk.fmt. Raises InputError for a damaged or unfinished checkpoint."""
    raw = read_bytes(path, _announced_checkpoint)
    try:
        return _parse_checkpoint(_source_of(raw), path)
    except InputError:
        raise
    except ValueError as problem:
        raise InputError(
            f"{path}: not a complete Wannier90 checkpoint ({reason(problem)}); expected a .chk of Wannier90 "
            "3, written at the end of the wannierization."
        ) from None


def _source_of(raw: bytes | bytearray) -> _Source:
    return _Records(raw) if is_unformatted(raw) else _Tokens(raw)


@dataclass(frozen=True, eq=False)
class _Head:
    bands: int
    lattice: NDArray[np.float64]
    reciprocal: NDArray[np.float64]
    kpoint_count: int


def _parse_head(source: _Source) -> _Head:
    source.word()
    bands = _count(source, "bands")
    excluded = _count(source, "excluded bands", least=0)
    if excluded or isinstance(source, _Records):
        source.integers(excluded)
    # Fortran writes column after column: the three components of a1, then of a2 are spread over rows.
    lattice = source.reals(9).reshape(3, 3).T
    reciprocal = source.reals(9).reshape(3, 3).T
    return _Head(bands, lattice, reciprocal, _count(source, "k points"))


def _announced_checkpoint(head: bytes) -> int | None:
    try:
        found = _parse_head(_source_of(head))
    except ValueError:
        return None
    per_kpoint = (_MOST_NEIGHBOURS + 2) * found.bands**2 + found.bands + 3
    return 2 * _LONGEST_NUMBER * found.kpoint_count * per_kpoint


def _parse_checkpoint(source: _Source, path: Path) -> Checkpoint:
    head = _parse_head(source)
    bands, kpoint_count = head.bands, head.kpoint_count
    mesh = source.integers(3)
    kpoints = source.reals(3 * kpoint_count).reshape(kpoint_count, 3)
    neighbours = _count(source, "neighbours", least=0)
    size = _count(source, "Wannier functions")
    stage = source.word()
    if not stage.startswith("postwann"):
        raise InputError(
            f"{path}: the checkpoint is from stage {quoted(stage)}, expected 'postwann'; finish the "
            "Wannier90 run."
        )
    disentanglement = _disentanglement(source, bands, size, kpoint_count)
    rotation = source.complexes(size * size * kpoint_count).reshape(kpoint_count, size, size)
    gauge = _gauge(disentanglement, rotation.swapaxes(1, 2), bands)
    stored = source.complexes(size * size * neighbours * kpoint_count)
    overlaps = stored.reshape(kpoint_count, neighbours, size, size).swapaxes(2, 3)
    centres = source.reals(3 * size).reshape(size, 3)
    for what, array in (
        ("cell", head.lattice),
        ("k points", kpoints),
        ("gauge", gauge),
        ("centres", centres),
    ):
        if not within(array, LARGEST):
            raise ValueError(f"the {what} hold a number that is not finite or not below {LARGEST:g}")
    if not np.abs(head.lattice @ head.reciprocal.T - 2 * np.pi * np.eye(3)).max() < _RECIPROCAL:
        raise ValueError("its reciprocal cell is not that of its cell")
    return Checkpoint(head.lattice, mesh, kpoints, gauge, centres, overlaps)


_Disentanglement = tuple[NDArray[np.bool_], NDArray[np.complex128]]


def _disentanglement(source: _Source, bands: int, size: int, kpoint_count: int) -> _Disentanglement | None:
    """Which bands lie in the window, (k, band), and U_opt, (k, band, wannier)."""
    if not int(source.integers(1)[0]):
        return None
    source.reals(1)
    window = source.integers(bands * kpoint_count).reshape(kpoint_count, bands) != 0
    source.integers(kpoint_count)
    optimal = source.complexes(bands * size * kpoint_count).reshape(kpoint_count, size, bands)
    return window, optimal.swapaxes(1, 2)


def _gauge(
    disentanglement: _Disentanglement | None, rotation: NDArray[np.complex128], bands: int
) -> NDArray[np.complex128]:
    """V(k) over all bands, (k, band, wannier)."""
    kpoint_count, size, _ = rotation.shape
    if disentanglement is None:
        if bands != size:
            raise ValueError(f"{bands} bands make {size} Wannier functions without disentanglement")
        return rotation.copy()
    window, optimal = disentanglement
    gauge = np.zeros((kpoint_count, bands, size), dtype=complex)
    for k in range(kpoint_count):
        inside = np.flatnonzero(window[k])
        gauge[k, inside] = optimal[k, : len(inside)] @ rotation[k]
    return gauge


def read_spin(path: Path) -> NDArray[np.complex128]:
    """Pauli matrices between Bloch states of seedname.spn, (k, 3, band, band). Raises InputError."""
    raw = read_bytes(path, _announced_spin)
    bands, kpoint_count, packed = (
        _unformatted_spin(raw, path) if is_unformatted(raw) else _formatted_spin(raw, path)
    )
    if not within(packed, LARGEST):
        raise InputError(f"{path}: has an element that is not finite or not below {LARGEST:g}.")
    row, column = np.tril_indices(bands)
    if np.abs(packed[:, row == column].imag).max() > _REAL:
        raise InputError(
            f"{path}: a diagonal element is not real, expected a Hermitian matrix; it is damaged."
        )
    # Element (n, m) with n <= m comes m after m: the upper triangle, column by column.
    spin = np.zeros((kpoint_count, 3, bands, bands), dtype=complex)
    spin[:, :, column, row] = packed.transpose(0, 2, 1)
    spin[:, :, row, column] = packed.transpose(0, 2, 1).conj()
    return spin


def _spin_counts(bands: int, kpoint_count: int) -> tuple[int, int]:
    if not (1 <= bands < LARGEST and 1 <= kpoint_count < LARGEST):
        raise ValueError(f"{bands} bands at {kpoint_count} k points")
    return bands, kpoint_count


def _announced_spin(head: bytes) -> int | None:
    try:
        if is_unformatted(head):
            records = _Records(head)
            records.word()
            bands, kpoint_count = _spin_counts(*records.integers(2).tolist())
        else:
            bands, kpoint_count = _spin_counts(*(int(n) for n in head.split(b"\n", 2)[1].split()))
    except (ValueError, IndexError, TypeError):
        return None
    return 3 * _LONGEST_NUMBER * kpoint_count * bands * (bands + 1)


def _unformatted_spin(raw: bytes | bytearray, path: Path) -> tuple[int, int, NDArray[np.complex128]]:
    try:
        records = _Records(raw)
        records.word()
        bands, kpoint_count = _spin_counts(*records.integers(2).tolist())
        elements = bands * (bands + 1) // 2
        packed = [records.complexes(3 * elements) for _ in range(kpoint_count)]
    except ValueError as problem:
        raise InputError(
            f"{path}: not a complete spin file ({reason(problem)}), expected what pw2wannier90 writes with "
            "write_spn = .true.; the file looks truncated."
        ) from None
    return bands, kpoint_count, np.stack(packed).reshape(kpoint_count, elements, 3)


def _formatted_spin(raw: bytes | bytearray, path: Path) -> tuple[int, int, NDArray[np.complex128]]:
    lines = raw.decode("latin-1").split("\n", 2)
    try:
        bands, kpoint_count = _spin_counts(*(int(n) for n in lines[1].split()))
    except (IndexError, ValueError, TypeError):
        raise InputError(
            f"{path}, line 2: expected the numbers of bands and of k points; is it a .spn file?"
        ) from None
    elements = bands * (bands + 1) // 2
    count = 6 * elements * kpoint_count
    body = lines[2] if len(lines) > 2 else ""
    values = numbers(body, count, path, 3, itertools.repeat(2, count // 2))
    return bands, kpoint_count, values.view(complex).reshape(kpoint_count, elements, 3)


def read_eigenvalues(path: Path, count: int | None = None) -> NDArray[np.float64]:
    """Band energies of seedname.eig, (k, band) eV.

    count : how many are expected, where it is known; a file with many times as many is not read
    Raises InputError for gaps in the list.
    """
    announced = None if count is None else LONGEST_LINE * count
    text = read_bytes(path, lambda head: announced).decode("latin-1")
    table = numbers(text, None, path, 1, _threes(text))
    if len(table) % 3:
        raise locate_problem(text, path, 1, _threes(text))
    table = table.reshape(-1, 3)
    bands, kpoint_count = int(table[:, 0].max()), int(table[:, 1].max())
    # Counted first: one number that is too large would make the list to compare with as long.
    fits = bands > 0 and len(table) == bands * kpoint_count
    if fits:
        expected = [np.tile(np.arange(bands), kpoint_count), np.repeat(np.arange(kpoint_count), bands)]
        fits = bool((table[:, :2] == np.stack(expected, axis=1) + 1).all())
    if not fits and bands > 0 and _is_every_pair_once(table, bands, kpoint_count):
        raise InputError(
            f"{path}: its rows are in another order, expected k point by k point, and in each the bands 1 to "
            f"{bands} one after the other; sort them by the second column, then by the first."
        )
    if not fits:
        raise InputError(
            f"{path}: expected {bands} bands at each of {kpoint_count} k points, found {len(table)} lines; "
            "the file looks truncated."
        )
    return table[:, 2].reshape(kpoint_count, bands)


def _is_every_pair_once(table: NDArray[np.float64], bands: int, kpoint_count: int) -> bool:
    """True where rows of band, k point and energy are complete, in whatever order."""
    labels = table[:, :2]
    complete = len(table) == bands * kpoint_count and bool((labels >= 1).all() and (labels % 1 == 0).all())
    return complete and len(np.unique(labels, axis=0)) == len(table)


def _threes(text: str) -> Iterator[int]:
    return (3 for line in text.splitlines() if line.strip())
