"""seedname_tb.dat and seedname_hr.dat: matrices on Wannier90's R vectors."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tbmodels
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .text import locate_problem, numbers, read_bytes, read_text, split_lines, whole_number

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


def read_tb(path: Path) -> RawMatrices:
    """Read H(R) and <0m|r|Rn> of seedname_tb.dat. Raises InputError naming the line of any damage."""
    header, rest = split_lines(read_text(path), 6, path)
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
    degeneracy = numbers("\n".join(head), count, path, first_line, layout).astype(np.int64)
    if (degeneracy < 1).any():
        raise InputError(
            f"{path}, line {first_line}: expected degeneracies of at least 1, found {int(degeneracy.min())}."
        )
    return degeneracy, body, first_line + lines


def _matrices(
    values: NDArray[np.float64], count: int, size: int, components: int, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    blocks = values.reshape(count, -1)
    translations = blocks[:, :3].astype(np.int64)
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
        raise InputError(
            f"{path}: in R block {block + 1} expected the element {i + 1} {j + 1}, found "
            f"{labels[block, j, i].astype(int).tolist()}; lines are missing or in another order."
        )


def read_hr(path: Path) -> RawMatrices:
    """Read seedname_hr.dat as it stands. Raises InputError naming the line of any damage."""
    header, rest = split_lines(read_text(path), 3, path)
    size = whole_number(header[1], path, 2, "number of Wannier functions")
    count = whole_number(header[2], path, 3, "number of R vectors")
    degeneracy, body, first = _degeneracies(rest, count, path, 4)
    layout = itertools.repeat(7, count * size**2)
    values = numbers(body, 7 * count * size**2, path, first, layout).reshape(-1, 7)
    table = values.reshape(count, size, size, 7)
    _check_orbital_order(table[..., 3:5], size, path)
    translations = table[:, 0, 0, :3].astype(np.int64)
    if (table[..., :3] != translations[:, None, None]).any():
        raise locate_problem(body, path, first, itertools.repeat(7))
    elements = table[..., 5] + 1j * table[..., 6]
    return RawMatrices(translations, degeneracy, elements.swapaxes(1, 2))


def hr_through_tbmodels(
    hr_file: Path, wsvec_file: Path | None, lattice: NDArray[np.float64], tolerance: float
) -> tbmodels.Model:
    """The Hamiltonian of a checked _hr.dat, minimal images applied, as TBmodels builds it.

    Orbital positions are left out, TBmodels would move R vectors to bring them into the home cell.
    Raises InputError where TBmodels finds H(R) != H(-R)^dagger beyond `tolerance` (eV).
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plain = [None if f is None else _uncompressed(f, folder) for f in (hr_file, wsvec_file)]
        try:
            return tbmodels.Model.from_wannier_files(
                hr_file=str(plain[0]),
                wsvec_file=None if plain[1] is None else str(plain[1]),
                uc=lattice,
                cc_check_tolerance=tolerance,
            )
        except (ValueError, KeyError, IndexError) as problem:
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise InputError(
                f"{hr_file}: TBmodels cannot use it ({reason}), expected a Hermitian Hamiltonian and a "
                "_wsvec.dat of the same calculation."
            ) from None


def _uncompressed(path: Path, folder: Path) -> Path:
    if path.suffix != ".gz":
        return path
    copy = folder / path.stem
    copy.write_bytes(read_bytes(path))
    return copy


def matrices_of_tbmodels(
    model: tbmodels.Model,
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """R vectors, closed under R -> -R, and H(R) of a TBmodels model of up to three dimensions."""
    full: dict[tuple[int, ...], NDArray] = {}
    padding = (0,) * (3 - model.dim)
    for vector, matrix in model.hop.items():
        dense = np.array(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=complex)
        plus = tuple(int(x) for x in vector) + padding
        minus = tuple(-x for x in plus)
        # TBmodels keeps half of the Hamiltonian; the R = 0 matrix is halved.
        full[plus] = full.get(plus, 0) + dense
        full[minus] = full.get(minus, 0) + dense.conj().T
    if not full:
        full[(0, 0, 0)] = np.zeros((model.size, model.size), dtype=complex)
    full.setdefault((0, 0, 0), np.zeros((model.size, model.size), dtype=complex))
    translations = np.array(sorted(full))
    return translations, np.stack([full[tuple(vector)] for vector in translations.tolist()])
