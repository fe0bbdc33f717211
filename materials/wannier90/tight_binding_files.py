"""seedname_tb.dat and seedname_hr.dat: matrices on Wannier90's R vectors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import Announced
from .text import LONGEST_LINE, locate_problem, numbers, read_text, split_lines, whole, whole_number

_DEGENERACIES_PER_LINE = 15


@dataclass(frozen=True, eq=False)
class RawMatrices:
    """What a file says, before degeneracies and minimal images are applied.

    translations (R, 3); degeneracy (R,); hamiltonian (R, wannier, wannier) eV; in a _tb.dat also lattice
    (3, 3) and position (R, 3, wannier, wannier), angstrom, not Hermitian as Wannier90 writes it.
    """

    translations: NDArray[np.int64]
    degeneracy: NDArray[np.int64]
    hamiltonian: NDArray[np.complex128]
    lattice: NDArray[np.float64] | None = None
    position: NDArray[np.complex128] | None = None

    @property
    def size(self) -> int:
        """Number of Wannier functions."""
        return self.hamiltonian.shape[-1]


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
    header, rest = split_lines(read_text(path, _announced(5, 2)), 6, path)
    lattice = numbers("\n".join(header[1:4]), 9, path, 2, [3, 3, 3]).reshape(3, 3)
    size = whole_number(header[4], path, 5, "number of Wannier functions")
    count = whole_number(header[5], path, 6, "number of R vectors")
    degeneracy, body, first = _degeneracies(rest, count, path, 7)
    per_hamiltonian, per_position = 3 + 4 * size**2, 3 + 8 * size**2
    values = numbers(
        body,
        count * (per_hamiltonian + per_position),
        path,
        first,
        itertools.chain(_layout(count, size, 4), _layout(count, size, 8)),
    )
    split = count * per_hamiltonian
    translations, hamiltonian = _matrices(values[:split], count, size, 1, path)
    again, position = _matrices(values[split:], count, size, 3, path)
    if (translations != again).any():
        raise InputError(
            f"{path}: the R vectors of the position matrix are not those of the Hamiltonian, "
            "expected the same list twice; write the file again with Wannier90."
        )
    return RawMatrices(translations, degeneracy, hamiltonian[:, 0], lattice, position)


def _layout(count: int, size: int, columns: int) -> Iterator[int]:
    for _ in range(count):
        yield 3
        yield from itertools.repeat(columns, size**2)


def _degeneracies(rest: str, count: int, path: Path, first_line: int) -> tuple[NDArray[np.int64], str, int]:
    lines = -(-count // _DEGENERACIES_PER_LINE)
    head, body = split_lines(rest, lines, path)
    layout = [_DEGENERACIES_PER_LINE] * (lines - 1) + [count - _DEGENERACIES_PER_LINE * (lines - 1)]
    degeneracy = whole(numbers("\n".join(head), count, path, first_line, layout), path, "degeneracies")
    if (degeneracy < 1).any():
        raise InputError(
            f"{path}, line {first_line}: expected degeneracies of at least 1, found {int(degeneracy.min())}."
        )
    return degeneracy, body, first_line + lines


def _matrices(
    values: NDArray[np.float64], count: int, size: int, components: int, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    blocks = values.reshape(count, -1)
    translations = whole(blocks[:, :3], path, "R vectors")
    table = blocks[:, 3:].reshape(count, size, size, 2 + 2 * components)
    _check_orbital_order(table[..., :2], size, path)
    elements = np.ascontiguousarray(table[..., 2:]).view(complex)
    # The file runs over rows fastest: (R, column, row, component).
    return translations, np.ascontiguousarray(elements.transpose(0, 3, 2, 1))


def _check_orbital_order(labels: NDArray[np.float64], size: int, path: Path) -> None:
    column, row = np.meshgrid(np.arange(1, size + 1), np.arange(1, size + 1), indexing="ij")
    wrong = (labels[..., 0] != row) | (labels[..., 1] != column)
    if wrong.any():
        block, j, i = (int(x) for x in np.argwhere(wrong)[0])
        found = ", ".join(f"{label:g}" for label in labels[block, j, i])
        raise InputError(
            f"{path}: in R block {block + 1} expected the element {i + 1} {j + 1}, found [{found}]; lines "
            "are missing or in another order."
        )


def read_hr(path: Path) -> RawMatrices:
    """Read seedname_hr.dat as it stands. Raises InputError naming the line of any damage."""
    header, rest = split_lines(read_text(path, _announced(2, 1)), 3, path)
    size = whole_number(header[1], path, 2, "number of Wannier functions")
    count = whole_number(header[2], path, 3, "number of R vectors")
    degeneracy, body, first = _degeneracies(rest, count, path, 4)
    layout = itertools.repeat(7, count * size**2)
    values = numbers(body, 7 * count * size**2, path, first, layout).reshape(-1, 7)
    table = values.reshape(count, size, size, 7)
    _check_orbital_order(table[..., 3:5], size, path)
    translations = whole(table[:, 0, 0, :3], path, "R vectors")
    if (table[..., :3] != translations[:, None, None]).any():
        raise locate_problem(body, path, first, itertools.repeat(7))
    elements = table[..., 5] + 1j * table[..., 6]
    return RawMatrices(translations, degeneracy, elements.swapaxes(1, 2))
