"""Whether R and T vectors are those of the mesh, the unit cell and the .win of one calculation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import opposite_rows
from .checkpoint import Checkpoint
from .tight_binding_files import RawMatrices
from .wigner_seitz import MinimalImages, WignerSeitz
from .win import WinFile

#: Share of |R|^2 to which vectors count as equally long: a .win has its cell with few digits.
_SAME_LENGTH = 1e-3

#: The same where the cell is not of the files of the run: of another functional, or rounded by hand.
_SAME_LENGTH_GIVEN = 0.06

#: angstrom: what is written with few digits moves a distance by less.
_NEARER = 0.01

_WRITTEN_BY_WANNIER90 = re.compile(r"\s*written on ", re.IGNORECASE)

#: Which multiples of the mesh are looked at around R, as in Wannier90.
_AROUND = np.array(list(itertools.product(range(-2, 3), repeat=3)))


def mesh_of(win: WinFile | None, checkpoint: Checkpoint | None, path: Path) -> tuple[int, ...] | None:
    """Mesh of the Wannier90 run, None where no file says it.

    path : of the checkpoint. Raises InputError where .win and .chk differ, or the k points of the .chk are
    not those of its mesh.
    """
    declared = win.integers("mp_grid", 3) if win else None
    if win is not None and declared is not None and min(declared) < 1:
        raise InputError(f"{win.path}: mp_grid is {_listed(declared)}, expected numbers of at least 1.")
    if checkpoint is None:
        return declared
    mesh = tuple(checkpoint.mesh.tolist())
    if win is not None and declared is not None and declared != mesh:
        raise InputError(
            f"{win.path}: mp_grid is {_listed(declared)}, but {path.name} has the mesh {_listed(mesh)}; the "
            "files belong to two calculations."
        )
    scaled = checkpoint.kpoints * mesh
    places = np.round(scaled).astype(np.int64)
    complete = min(mesh) > 0 and len(places) == np.prod(mesh, dtype=object)
    if (
        not complete
        or np.abs(scaled - places).max() > 1e-4
        or len(np.unique(places % mesh, axis=0)) < len(places)
    ):
        raise InputError(
            f"{path}: its {len(places)} k points are not those of the mesh {_listed(mesh)}; it is damaged."
        )
    return mesh


def fits_mesh(wigner_seitz: WignerSeitz, mesh: Sequence[int]) -> bool:
    """True where R vectors and degeneracies are those of the mesh, as Wannier90 makes them."""
    return _fits(wigner_seitz.translations, wigner_seitz.degeneracy, mesh)


def written_by_wannier90(comment: str) -> bool:
    """Whether the first line of a Hamiltonian is that of Wannier90."""
    return _WRITTEN_BY_WANNIER90.match(comment) is not None


def check_translations(
    hamiltonian: Path,
    wigner_seitz: WignerSeitz,
    mesh: tuple[int, ...] | None,
    cell: NDArray[np.float64] | None,
    comment: str,
    origin: str = "",
) -> None:
    """Whether R vectors and degeneracies fit the mesh, and the cell, as Wannier90 makes them.

    cell : None where it is not to be looked at; comment : first line of the file; origin : who says the cell
    where it is none of the files of the run, it may then be a little strained
    Raises InputError where they do not. Files of other programs may have any R vectors, but none along an
    axis with one k point.
    """
    vectors, degeneracy = wigner_seitz.translations, wigner_seitz.degeneracy
    if not written_by_wannier90(comment):
        for axis, points in enumerate(mesh or ()):
            if points == 1 and vectors[:, axis].any():
                raise InputError(
                    f"{hamiltonian}: has R vectors along axis {axis + 1}, where mp_grid has one k point; the "
                    "files belong to two calculations."
                )
        return
    found = [m for m in ([mesh] if mesh else _meshes(vectors, degeneracy)) if _fits(vectors, degeneracy, m)]
    if not found:
        told = f"the mesh {_listed(mesh)}" if mesh else "any mesh of k points"
        raise InputError(
            f"{hamiltonian}: its R vectors and degeneracies do not fit {told}; the file is damaged or of "
            "another calculation; if another program made it, its first line should say so instead of "
            "'written on'."
        )
    slack = _SAME_LENGTH_GIVEN if origin else _SAME_LENGTH
    if cell is not None and not any(_are_shortest(vectors, degeneracy, m, cell, slack) for m in found):
        whose = f"the unit cell of {origin}" if origin else "the unit cell"
        hint = "; expected the vectors of the run, not those of the conventional cell." if origin else "."
        raise InputError(
            f"{hamiltonian}: its R vectors are not the shortest of the mesh {_listed(found[0])} in {whose}; "
            f"the cell is damaged or of another calculation{hint}"
        )


def check_degeneracies(path: Path, raw: RawMatrices, opposite: NDArray[np.int64]) -> None:
    """Raises InputError where the degeneracy of an R vector is not that of -R; opposite : the row of -R."""
    uneven = np.flatnonzero(raw.degeneracy != raw.degeneracy[opposite])
    if len(uneven):
        vector = " ".join(map(str, raw.translations[uneven[0]].tolist()))
        raise InputError(
            f"{path}: the degeneracy of R = {vector} is {raw.degeneracy[uneven[0]]}, but that of -R "
            f"{raw.degeneracy[opposite[uneven[0]]]}, expected the same; the file is damaged."
        )


def _listed(mesh: Sequence[int]) -> str:
    return " x ".join(map(str, mesh))


def _meshes(vectors: NDArray[np.int64], degeneracy: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """Meshes with as many k points as 1/degeneracy adds up to."""
    total = float((1 / degeneracy).sum())
    count = round(total)
    if abs(total - count) > 1e-6:
        return
    most = 2 * np.abs(vectors).max(axis=0) + 1
    divisors = [n for n in range(1, int(most.max()) + 1) if count % n == 0]
    for first, second in itertools.product(divisors, repeat=2):
        third, rest = divmod(count, first * second)
        if not rest and first <= most[0] and second <= most[1] and third <= most[2]:
            yield first, second, third


def _fits(vectors: NDArray[np.int64], degeneracy: NDArray[np.int64], mesh: Sequence[int]) -> bool:
    """Every point of the lattice of the mesh stands there once, shared by vectors that are equally long."""
    points, place = np.unique(vectors % np.array(mesh), axis=0, return_inverse=True)
    shares = np.bincount(place.reshape(-1), 1 / degeneracy)
    return len(points) == np.prod(mesh, dtype=object) and bool((np.abs(shares - 1) < 1e-6).all())


def _are_shortest(
    vectors: NDArray[np.int64],
    degeneracy: NDArray[np.int64],
    mesh: Sequence[int],
    cell: NDArray[np.float64],
    share: float,
) -> bool:
    """Share : of |R|^2 to which vectors count as equally long"""
    metric = cell @ cell.T
    for rows in np.array_split(np.arange(len(vectors)), -(-len(vectors) // 1000)):
        others = vectors[rows, None] + _AROUND * np.array(mesh)
        length = np.einsum("rnx,xy,rny->rn", others, metric, others)
        own = length[:, len(_AROUND) // 2]
        slack = share * own + 1e-6
        if (length.min(axis=1) < own - slack).any():
            return False
        if ((length < (own + slack)[:, None]).sum(axis=1) < degeneracy[rows]).any():
            return False
    return True


def check_images(path: Path, wigner_seitz: WignerSeitz, mesh: tuple[int, ...] | None) -> None:
    """Whether the T vectors of a _wsvec.dat are those of a Hermitian matrix and of the mesh.

    Raises InputError where they are not: the T of (R, i, j) are minus those of (-R, j, i), and multiples of
    the mesh.
    """
    images, opposite = wigner_seitz.images, opposite_rows(wigner_seitz.translations)
    if images is None or opposite is None:
        return
    _check_partners(path, wigner_seitz.translations, images, opposite)
    if mesh and (images.vectors % np.array(mesh)).any():
        raise InputError(
            f"{path}: has T vectors that are no multiples of the mesh {_listed(mesh)}; it belongs to another "
            "calculation or is damaged."
        )


def _check_partners(
    path: Path, translations: NDArray[np.int64], images: MinimalImages, opposite: NDArray[np.int64]
) -> None:
    size, most = images.count.shape[-1], len(images.vectors)
    numbers = {tuple(vector): number for number, vector in enumerate(images.vectors.tolist())}
    # A T whose negative is nowhere differs from all that are.
    negative = np.array([numbers.get(tuple(-x for x in vector), most) for vector in numbers])
    for rows in images.spans():
        here, there = images.entries(rows), images.entries(opposite[rows])
        own = ((here.source - rows[0]) * size + here.row) * size + here.column
        # Back from -R, with rows and columns exchanged.
        partner = ((opposite[there.source] - rows[0]) * size + there.column) * size + there.row
        found = np.sort(own * (most + 1) + here.vector)
        expected = np.sort(partner * (most + 1) + negative[there.vector])
        if not np.array_equal(found, expected):
            wrong = np.setxor1d(found, expected).min() // (most + 1)
            source, row, column = np.unravel_index(wrong, (len(rows), size, size))
            vector = " ".join(map(str, translations[rows[source]].tolist()))
            raise InputError(
                f"{path}: the T vectors of R = {vector}, elements {row + 1} {column + 1} and its partner at "
                "-R, are not each other's negatives; the file is damaged."
            )


def check_use(path: Path, used: bool | None, win: WinFile | None) -> None:
    """Raises InputError where a .win says the contrary of what a _wsvec.dat says of use_ws_distance."""
    wanted = win.logical("use_ws_distance") if win else None
    if win is None or wanted is None or used is None or wanted == used:
        return
    line = win.keywords["usewsdistance"].number
    word = "true" if used else "false"
    raise InputError(
        f"{path}: was written with use_ws_distance = .{word}., but {win.path.name}, line {line} says the "
        "contrary; take the files of one run, or mend that line."
    )


def check_nearest(
    path: Path,
    wigner_seitz: WignerSeitz,
    mesh: Sequence[int],
    cell: NDArray[np.float64],
    centres: NDArray[np.float64],
    tolerance: float,
) -> None:
    """Whether each T vector of a _wsvec.dat leads to the nearest image of its Wannier function.

    cell (3, 3), centres (wannier, 3), tolerance : angstrom. Raises InputError where a lattice vector of the
    mesh leads nearer, by more than rounding and the tolerance that the images were made with.
    """
    images = wigner_seitz.images
    if images is None:
        return
    half = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
    steps = (np.array(half) * np.array(mesh)) @ cell
    lengths = (steps**2).sum(axis=1)
    for rows in images.spans():
        entries = images.entries(rows)
        places = wigner_seitz.translations[entries.source] + images.vectors[entries.vector]
        apart = places @ cell + centres[entries.column] - centres[entries.row]
        length = np.linalg.norm(apart, axis=1)
        # |d|^2 - |d - G|^2, of G and -G the nearer one.
        gained = (2 * np.abs(apart @ steps.T) - lengths).max(axis=1)
        wrong = gained > 2 * length * (_NEARER + tolerance) + _SAME_LENGTH * length**2
        if wrong.any():
            first = int(np.argmax(wrong))
            vector = " ".join(map(str, wigner_seitz.translations[entries.source[first]].tolist()))
            raise InputError(
                f"{path}: the T vectors of R = {vector}, element {entries.row[first] + 1} "
                f"{entries.column[first] + 1}, do not lead to the nearest image of the Wannier function; the "
                "file is damaged or of another calculation."
            )
