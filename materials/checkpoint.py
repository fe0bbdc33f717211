"""Wannier90's checkpoint (.chk), spin matrices (.spn) and eigenvalues (.eig), formatted or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .text import numbers, read_bytes


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The gauge of a Wannier90 calculation.

    lattice (3, 3) angstrom; mesh (3,); kpoints (k, 3); gauge V(k) (k, band, wannier), rows over all bands of
    the calculation (zero outside the disentanglement window); centres (wannier, 3) angstrom
    """

    lattice: NDArray[np.float64]
    mesh: NDArray[np.int64]
    kpoints: NDArray[np.float64]
    gauge: NDArray[np.complex128]
    centres: NDArray[np.float64]

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
    """Fortran sequential records: each stands between two 4-byte lengths."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def _record(self) -> bytes:
        start = self._at + 4
        length = int.from_bytes(self._raw[self._at : start], "little")
        end = start + length
        if end + 4 > len(self._raw) or self._raw[end : end + 4] != self._raw[start - 4 : start]:
            raise ValueError(f"the record at byte {self._at} is broken or cut off")
        self._at = end + 4
        return self._raw[start:end]

    def word(self) -> str:
        return self._record().decode("latin-1").strip()

    def _items(self, dtype: str, count: int) -> NDArray:
        record = self._record()
        if len(record) != count * np.dtype(dtype).itemsize:
            raise ValueError(f"a record holds {len(record)} bytes, expected {count} of type {dtype}")
        return np.frombuffer(record, dtype)

    def integers(self, count: int) -> NDArray[np.int64]:
        return self._items("<i4", count).astype(np.int64)

    def reals(self, count: int) -> NDArray[np.float64]:
        return self._items("<f8", count)

    def complexes(self, count: int) -> NDArray[np.complex128]:
        return self._items("<c16", count)


class _Tokens:
    """The formatted checkpoint: the same items, as text."""

    def __init__(self, raw: bytes) -> None:
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
        return np.array(self._take(count), dtype=np.int64)

    def reals(self, count: int) -> NDArray[np.float64]:
        return np.array(self._take(count), dtype=float)

    def complexes(self, count: int) -> NDArray[np.complex128]:
        return self.reals(2 * count).view(complex)


def is_unformatted(raw: bytes) -> bool:
    """True for Fortran records: text has no zero bytes."""
    return b"\0" in raw[:256]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read seedname.chk or .chk.fmt. Raises InputError for a damaged or unfinished checkpoint."""
    raw = read_bytes(path)
    try:
        source: _Source = _Records(raw) if is_unformatted(raw) else _Tokens(raw)
        return _parse_checkpoint(source, path)
    except InputError:
        raise
    except ValueError as problem:
        raise InputError(
            f"{path}: not a complete Wannier90 checkpoint ({problem}); expected a .chk of Wannier90 3, "
            "written at the end of the wannierization."
        ) from None


def _parse_checkpoint(source: _Source, path: Path) -> Checkpoint:
    source.word()
    bands = int(source.integers(1)[0])
    excluded = int(source.integers(1)[0])
    if excluded or isinstance(source, _Records):
        source.integers(excluded)
    # Fortran writes column after column: the three components of a1, then of a2 are spread over rows.
    lattice = source.reals(9).reshape(3, 3).T
    source.reals(9)
    kpoint_count = int(source.integers(1)[0])
    mesh = source.integers(3)
    kpoints = source.reals(3 * kpoint_count).reshape(kpoint_count, 3)
    neighbours = int(source.integers(1)[0])
    size = int(source.integers(1)[0])
    stage = source.word()
    if not stage.startswith("postwann"):
        raise InputError(
            f"{path}: the checkpoint is from stage {stage!r}, expected 'postwann'; finish the Wannier90 run."
        )
    gauge = np.zeros((kpoint_count, bands, size), dtype=complex)
    window, optimal = _disentanglement(source, bands, size, kpoint_count)
    rotation = source.complexes(size * size * kpoint_count).reshape(kpoint_count, size, size)
    rotation = rotation.swapaxes(1, 2)
    if optimal is None:
        gauge[:] = rotation
    else:
        for k in range(kpoint_count):
            inside = np.flatnonzero(window[k])
            gauge[k, inside] = optimal[k, : len(inside)] @ rotation[k]
    source.complexes(size * size * neighbours * kpoint_count)
    centres = source.reals(3 * size).reshape(size, 3)
    return Checkpoint(lattice, mesh, kpoints, gauge, centres)


def _disentanglement(
    source: _Source, bands: int, size: int, kpoint_count: int
) -> tuple[NDArray[np.bool_], NDArray[np.complex128] | None]:
    everything = np.ones((kpoint_count, bands), dtype=bool)
    if not int(source.integers(1)[0]):
        return everything, None
    source.reals(1)
    window = source.integers(bands * kpoint_count).reshape(kpoint_count, bands) != 0
    source.integers(kpoint_count)
    optimal = source.complexes(bands * size * kpoint_count).reshape(kpoint_count, size, bands)
    return window, optimal.swapaxes(1, 2)


def read_spin(path: Path) -> NDArray[np.complex128]:
    """Pauli matrices between Bloch states of seedname.spn, (k, 3, band, band). Raises InputError."""
    raw = read_bytes(path)
    bands, kpoint_count, packed = (
        _unformatted_spin(raw, path) if is_unformatted(raw) else _formatted_spin(raw, path)
    )
    row, column = np.tril_indices(bands)
    # Element (n, m) with n <= m comes m after m: the upper triangle, column by column.
    spin = np.zeros((kpoint_count, 3, bands, bands), dtype=complex)
    spin[:, :, column, row] = packed.transpose(0, 2, 1)
    spin[:, :, row, column] = packed.transpose(0, 2, 1).conj()
    if not np.isfinite(packed).all():
        raise InputError(f"{path}: has a NaN or infinite element, expected finite numbers.")
    return spin


def _unformatted_spin(raw: bytes, path: Path) -> tuple[int, int, NDArray[np.complex128]]:
    records = _Records(raw)
    try:
        records.word()
        bands, kpoint_count = (int(n) for n in records.integers(2))
        elements = bands * (bands + 1) // 2
        packed = [records.complexes(3 * elements) for _ in range(kpoint_count)]
    except ValueError as problem:
        raise InputError(
            f"{path}: not a complete spin file ({problem}), expected what pw2wannier90 writes with "
            "write_spn = .true.; the file looks truncated."
        ) from None
    return bands, kpoint_count, np.stack(packed).reshape(kpoint_count, elements, 3)


def _formatted_spin(raw: bytes, path: Path) -> tuple[int, int, NDArray[np.complex128]]:
    lines = raw.decode("latin-1").split("\n", 2)
    try:
        bands, kpoint_count = (int(n) for n in lines[1].split())
    except (IndexError, ValueError):
        raise InputError(
            f"{path}, line 2: expected the numbers of bands and of k points; is it a .spn file?"
        ) from None
    elements = bands * (bands + 1) // 2
    count = 6 * elements * kpoint_count
    body = lines[2] if len(lines) > 2 else ""
    values = numbers(body, count, path, 3, itertools.repeat(2, count // 2))
    return bands, kpoint_count, values.view(complex).reshape(kpoint_count, elements, 3)


def read_eigenvalues(path: Path) -> NDArray[np.float64]:
    """Band energies of seedname.eig, (k, band) eV. Raises InputError for gaps in the list."""
    text = read_bytes(path).decode("latin-1")
    count = len(text.split())
    table = numbers(text, count + (-count % 3), path, 1, _threes(text)).reshape(-1, 3)
    bands, kpoint_count = int(table[:, 0].max(initial=0)), int(table[:, 1].max(initial=0))
    expected = np.stack(
        [np.tile(np.arange(bands), kpoint_count), np.repeat(np.arange(kpoint_count), bands)], axis=1
    )
    if len(table) != bands * kpoint_count or (table[:, :2] != expected + 1).any():
        raise InputError(
            f"{path}: expected {bands} bands at each of {kpoint_count} k points, found {len(table)} lines; "
            "the file looks truncated."
        )
    return table[:, 2].reshape(kpoint_count, bands)


def _threes(text: str) -> Iterator[int]:
    return (3 for line in text.splitlines() if line.strip())
