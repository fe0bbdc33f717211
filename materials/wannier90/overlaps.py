"""The position matrix of Wannier functions from the overlaps of neighbouring k points."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint
from .number_stream import NumberStream
from .text import numbers, whole
from .win import read_win

#: 1/angstrom: neighbours whose distances differ by less are of one shell.
_SAME_SHELL = 1e-4

#: How well the weights of the shells must add up to the unit matrix; k points of a .chk have many digits.
_COMPLETE = 1e-4

#: Overlaps of a .mmn in the gauge of the .chk and those in the .chk itself agree far better in one run.
_SAME_RUN = 1e-3


@dataclass(frozen=True, eq=False)
class Neighbours:
    """index (k, neighbour): which k point; cell (k, neighbour, 3): the reciprocal vector to add to it."""

    index: NDArray[np.int64]
    cell: NDArray[np.int64]


def read_overlaps(path: Path, checkpoint: Checkpoint) -> tuple[Neighbours, NDArray[np.complex128]]:
    """Read seedname.mmn: neighbours, and overlaps <u_mk|u_nk+b> between Wannier functions in the gauge of the
    .chk, (k, neighbour, wannier, wannier).

    Raises InputError where it is damaged, or has other numbers of bands or k points.
    """
    stream = NumberStream(path)
    stream.line()
    counts = numbers(stream.line(), 3, path, 2, [3])
    bands, points, number = whole(counts, path, "numbers of bands, k points and neighbours").tolist()
    expected = (checkpoint.band_count, len(checkpoint.kpoints))
    if (bands, points) != expected or not 1 <= number <= 96:
        raise InputError(
            f"{path}: has {bands} bands at {points} k points with {number} neighbours each, expected "
            f"{expected[0]} at {expected[1]} as in the .chk; it belongs to another calculation."
        )
    block = [5, *itertools.repeat(2, bands**2)]
    blocks = itertools.chain.from_iterable(itertools.repeat(block, points * number))
    stream.expect(blocks)
    size = checkpoint.gauge.shape[2]
    index, cell = np.zeros((points, number), np.int64), np.zeros((points, number, 3), np.int64)
    overlaps = np.zeros((points, number, size, size), dtype=complex)
    for k, b in itertools.product(range(points), range(number)):
        head = whole(stream.take(5), path, "k points and reciprocal vectors")
        if head[0] != k + 1 or not 1 <= head[1] <= points:
            raise InputError(
                f"{path}: expected neighbour {b + 1} of k point {k + 1}, found k points {head[0]} and "
                f"{head[1]}; the file is damaged or of another calculation."
            )
        index[k, b], cell[k, b] = head[1] - 1, head[2:]
        # The first index runs fastest.
        matrix = stream.take(2 * bands**2).view(complex).reshape(bands, bands).T
        overlaps[k, b] = checkpoint.gauge[k].conj().T @ matrix @ checkpoint.gauge[index[k, b]]
    stream.end()
    return Neighbours(index, cell), overlaps


def read_neighbours(path: Path, checkpoint: Checkpoint) -> Neighbours | None:
    """Neighbours of a .nnkp, None where it has none for this checkpoint. Raises InputError as `read_win`."""
    lines = read_win(path).blocks.get("nnkpts", ())
    points, number = checkpoint.overlaps.shape[:2]
    try:
        table = np.array([[int(word) for word in line.text.split()] for line in lines[1:]])
    except ValueError:
        return None
    if table.shape != (points * number, 5):
        return None
    table = table.reshape(points, number, 5)
    own = (table[:, :, 0] == np.arange(1, points + 1)[:, None]).all()
    if not own or table[:, :, 1].min() < 1 or table[:, :, 1].max() > points:
        return None
    return Neighbours(table[:, :, 1] - 1, table[:, :, 2:])


def position_of_overlaps(
    path: Path, checkpoint: Checkpoint, neighbours: Neighbours, overlaps: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """A(k), (k, 3, wannier, wannier) angstrom, not Hermitian, as Wannier90 writes its _tb.dat.

    i sum_b w_b b (M - 1) between functions (Wang et al., PRB 74, 195118, 2006), -sum_b w_b b Im ln M for each
    (Marzari and Vanderbilt, PRB 56, 12847, 1997, eq. 31). Raises InputError where the neighbours `path` lists
    do not resolve a gradient.
    """
    steps = _steps(checkpoint, neighbours)
    weighted = _weights(path, steps)[..., None] * steps
    size = overlaps.shape[-1]
    functions = np.arange(size)
    position: NDArray[np.complex128] = 1j * np.einsum(
        "kbx,kbmn->kxmn", weighted, overlaps - np.eye(size), optimize=True
    )
    diagonal = np.angle(overlaps[:, :, functions, functions])
    position[:, :, functions, functions] = -np.einsum("kbx,kbn->kxn", weighted, diagonal)
    return position


def check_same_overlaps(path: Path, checkpoint: Checkpoint, overlaps: NDArray[np.complex128]) -> None:
    """Raises InputError where a .mmn in the gauge of the .chk is not what the .chk itself holds."""
    if overlaps.shape != checkpoint.overlaps.shape or not checkpoint.overlaps.any():
        return
    difference = float(np.abs(overlaps - checkpoint.overlaps).max())
    if difference > _SAME_RUN:
        raise InputError(
            f"{path}: its overlaps differ by {difference:.3g} from those of the .chk, expected less than "
            f"{_SAME_RUN:g}; the files belong to two calculations."
        )


def _steps(checkpoint: Checkpoint, neighbours: Neighbours) -> NDArray[np.float64]:
    """Vectors to the neighbours, (k, neighbour, 3) 1/angstrom."""
    reduced = checkpoint.kpoints[neighbours.index] + neighbours.cell - checkpoint.kpoints[:, None]
    reciprocal = 2 * np.pi * np.linalg.inv(checkpoint.lattice).T
    steps: NDArray[np.float64] = reduced @ reciprocal
    return steps


def _weights(path: Path, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the shells, (k, neighbour) angstrom^2, with which sum_b w_b b b = 1."""
    length = np.linalg.norm(steps[0], axis=1)
    shells = np.flatnonzero(np.diff(np.sort(length), prepend=-1.0) > _SAME_SHELL)
    shell = np.searchsorted(np.sort(length)[shells] - _SAME_SHELL / 2, length) - 1
    sums = np.stack([steps[0][shell == s].T @ steps[0][shell == s] for s in range(len(shells))])
    weight = np.linalg.lstsq(sums.reshape(len(sums), 9).T, np.eye(3).ravel(), rcond=1e-6)[0]
    every = np.linalg.norm(steps, axis=2)
    of_each = np.searchsorted(np.sort(length)[shells] - _SAME_SHELL / 2, every) - 1
    weights: NDArray[np.float64] = weight[of_each]
    complete = np.einsum("kb,kbx,kby->kxy", weights, steps, steps)
    if not np.abs(complete - np.eye(3)).max() < _COMPLETE:
        raise InputError(
            f"{path}: the neighbours of its k points do not span all directions, expected those that "
            "wannier90.x -pp lists; it is damaged or of another calculation."
        )
    return weights
