"""Whether files are of one calculation, and undamaged, as far as they say the same thing twice."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import pieces
from ..matrices import opposite_rows
from .checkpoint import Checkpoint
from .tight_binding_files import RawMatrices
from .wigner_seitz import WignerSeitz
from .win import WinFile

#: Cells of two files agree to this share of the longest vector; a .win has them with few digits.
_SAME_CELL = 1e-4

#: Share of |R|^2 to which vectors count as equally long, for the same reason.
_SAME_LENGTH = 1e-3

#: angstrom: centres of a .chk and of a _tb.dat agree far better, but for lattice vectors.
_SAME_CENTRE = 0.05

#: Lattice vectors that a centre may lie away from the home cell; minimization moves them by one or two.
_FARTHEST_CENTRE = 4.0

#: angstrom: <0m|r|Rn> between different functions is below the root of a spread; so much no spread is.
_LARGEST_ELEMENT = 10.0

#: Hermiticity of the position matrix: finite differences break it by a few 0.01 angstrom in many elements
#: alike; one that is so large, this share of itself and stands out by this factor is a damaged number.
_REMOVED, _REMOVED_SHARE, _REMOVED_OUTLIER = 0.02, 0.5, 3.0

#: angstrom: what is written with few digits moves a distance by less.
_NEARER = 0.01

#: eV: bands stand in the order of energy; corrections that are added to them swap near ones.
_FALLING = 0.5

#: eV: levels at k and -k, where they are equal but at one place; the highest bands may not be converged.
_EQUAL, _UNEQUAL = 2e-3, 0.3

#: Spin matrices differ from their mean over k by up to 0.3 (Pt), those of another k point by 1.5.
_SPIN_VARIATION = 0.7

#: hbar: the largest spin on a site is 1/2 (0.4999 in Pt, Fe and GaAs), and 1/4 in a file in other units.
_ONSITE_SPIN = 0.48

#: Columns of the gauge are orthonormal to this; real ones are to 1e-13.
_ORTHONORMAL = 1e-6

_WRITTEN_BY_WANNIER90 = re.compile(rb"\s*written on ", re.IGNORECASE)

#: Which multiples of the mesh are looked at around R, as in Wannier90.
_AROUND = np.array(list(itertools.product(range(-2, 3), repeat=3)))


def check_cells(cells: Mapping[Path, NDArray[np.float64] | None]) -> None:
    """Raises InputError where two files have different unit cells, rows in angstrom; None: it has none."""
    known = [(path, cell) for path, cell in cells.items() if cell is not None]
    for path, cell in known[1:]:
        first, expected = known[0]
        difference = float(np.abs(cell - expected).max())
        if difference > _SAME_CELL * float(np.linalg.norm(expected, axis=1).max()):
            raise InputError(
                f"{path}: its unit cell differs by {difference:.3g} angstrom from that of {first.name}; the "
                "files belong to two calculations, or one is damaged."
            )


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


def check_translations(
    hamiltonian: Path,
    wigner_seitz: WignerSeitz,
    mesh: tuple[int, ...] | None,
    cell: NDArray[np.float64] | None,
) -> None:
    """Whether R vectors and degeneracies fit the mesh, and the cell, as Wannier90 makes them.

    cell : None where it is not to be looked at. Raises InputError where they do not. Files of other programs
    may have any R vectors, but none along an axis with one k point.
    """
    vectors, degeneracy = wigner_seitz.translations, wigner_seitz.degeneracy
    if not _WRITTEN_BY_WANNIER90.match(next(pieces(hamiltonian), b"")):
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
    if cell is not None and not any(_are_shortest(vectors, degeneracy, m, cell) for m in found):
        raise InputError(
            f"{hamiltonian}: its R vectors are not the shortest of the mesh {_listed(found[0])} in the unit "
            "cell; the cell is damaged or of another calculation."
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
) -> bool:
    metric = cell @ cell.T
    for rows in np.array_split(np.arange(len(vectors)), -(-len(vectors) // 1000)):
        others = vectors[rows, None] + _AROUND * np.array(mesh)
        length = np.einsum("rnx,xy,rny->rn", others, metric, others)
        own = length[:, len(_AROUND) // 2]
        slack = _SAME_LENGTH * own + 1e-6
        if (length.min(axis=1) < own - slack).any():
            return False
        if ((length < (own + slack)[:, None]).sum(axis=1) < degeneracy[rows]).any():
            return False
    return True


def check_images(
    path: Path, wigner_seitz: WignerSeitz, mesh: tuple[int, ...] | None, win: WinFile | None
) -> None:
    """Whether the T vectors of a _wsvec.dat are those of a Hermitian matrix, of the mesh and of the .win.

    Raises InputError where they are not: the T of (R, i, j) are minus those of (-R, j, i), and multiples of
    the mesh.
    """
    images, opposite = wigner_seitz.images, opposite_rows(wigner_seitz.translations)
    if images is None or opposite is None:
        return
    there = np.column_stack([images.source, images.row, images.column, images.shift, images.count])
    back = np.column_stack([opposite[images.source], images.column, images.row, -images.shift, images.count])
    order, order_back = np.lexsort(there.T[::-1]), np.lexsort(back.T[::-1])
    wrong = (there[order] != back[order_back]).any(axis=1)
    if wrong.any():
        row = there[order][int(np.argmax(wrong))]
        vector = " ".join(map(str, wigner_seitz.translations[row[0]].tolist()))
        raise InputError(
            f"{path}: the T vectors of R = {vector}, elements {row[1] + 1} {row[2] + 1} and its partner at "
            "-R, are not each other's negatives; the file is damaged."
        )
    if mesh and (images.shift % np.array(mesh)).any():
        raise InputError(
            f"{path}: has T vectors that are no multiples of the mesh {_listed(mesh)}; it belongs to another "
            "calculation or is damaged."
        )
    _check_use(path, win)


def _check_use(path: Path, win: WinFile | None) -> None:
    wanted, used = win.logical("use_ws_distance") if win else None, uses_images(path)
    if win is None or wanted is None or used is None or wanted == used:
        return
    line = win.keywords["usewsdistance"].number
    word = "true" if used else "false"
    raise InputError(
        f"{path}: was written with use_ws_distance = .{word}., but {win.path.name}, line {line} says the "
        "contrary; take the files of one run, or mend that line."
    )


def uses_images(path: Path) -> bool | None:
    """What the first line of a _wsvec.dat says of use_ws_distance, None where it says nothing."""
    head = next(pieces(path), b"").split(b"\n")[0].lower()
    used = re.search(rb"use_ws_distance\s*=\s*\.?(t|f)", head)
    return None if used is None else used[1] == b"t"


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
    for rows in np.array_split(np.arange(len(images.count)), -(-len(images.count) // 50_000)):
        places = wigner_seitz.translations[images.source[rows]] + images.shift[rows]
        apart = places @ cell + centres[images.column[rows]] - centres[images.row[rows]]
        length = np.linalg.norm(apart, axis=1)
        # |d|^2 - |d - G|^2, of G and -G the nearer one.
        gained = (2 * np.abs(apart @ steps.T) - lengths).max(axis=1)
        wrong = gained > 2 * length * (_NEARER + tolerance) + _SAME_LENGTH * length**2
        if wrong.any():
            entry = rows[int(np.argmax(wrong))]
            vector = " ".join(map(str, wigner_seitz.translations[images.source[entry]].tolist()))
            raise InputError(
                f"{path}: the T vectors of R = {vector}, element {images.row[entry] + 1} "
                f"{images.column[entry] + 1}, do not lead to the nearest image of the Wannier function; the "
                "file is damaged or of another calculation."
            )


def check_energies(path: Path, energies: NDArray[np.float64], kpoints: NDArray[np.float64]) -> None:
    """Whether band energies (k, band) eV stand in order, and at k and -k agree where all others do.

    kpoints (k, 3) reduced. Raises InputError for a number that does not. A change that keeps the order at a
    point that is its own negative cannot be told.
    """
    fall = energies[:, :-1] - energies[:, 1:]
    if fall.size and fall.max() > _FALLING:
        point, band = np.unravel_index(int(fall.argmax()), fall.shape)
        raise InputError(
            f"{path}: at k point {point + 1}, band {band + 2} is {fall.max():.3g} eV below band {band + 1}, "
            "expected bands in the order of energy; the file is damaged."
        )
    places = {tuple(np.round(point % 1 * 1e4).astype(int) % 10_000): row for row, point in enumerate(kpoints)}
    pairs = [
        (row, other)
        for row, point in enumerate(kpoints)
        if (other := places.get(tuple(np.round(-point % 1 * 1e4).astype(int) % 10_000), -1)) > row
    ]
    if len(pairs) < 4:
        return
    first, second = np.array(pairs).T
    apart = np.abs(energies[first] - energies[second]).max(axis=1)
    if np.quantile(apart, 0.75) < _EQUAL and apart.max() > _UNEQUAL:
        row, other = pairs[int(apart.argmax())]
        raise InputError(
            f"{path}: k points {row + 1} and {other + 1}, k and -k, differ by {apart.max():.3g} eV, "
            f"nearly all other such pairs by less than {_EQUAL:g} eV; the file is damaged, or its k points "
            "are in another order than in the .chk."
        )


def check_position(
    path: Path, position: NDArray[np.complex128], wigner_seitz: WignerSeitz, cell: NDArray[np.float64]
) -> None:
    """Whether the position matrix of a _tb.dat, degeneracies not divided out, can be one.

    position (R, 3, wannier, wannier) angstrom. Raises InputError for centres or elements far beyond the cell,
    and for an element whose partner at -R says something else, standing out of what finite differences do.
    """
    centres = home_centres(position, wigner_seitz.translations) @ np.linalg.inv(cell)
    if np.abs(centres).max() > _FARTHEST_CENTRE:
        worst = int(np.argmax(np.abs(centres).max(axis=1)))
        raise InputError(
            f"{path}: Wannier function {worst + 1} is centred {np.abs(centres).max():.3g} lattice vectors "
            f"from the home cell, expected at most {_FARTHEST_CENTRE:g}; the file is damaged."
        )
    matrix = position / wigner_seitz.degeneracy[:, None, None, None]
    size = matrix.shape[-1]
    diagonal = np.eye(size, dtype=bool)
    # A centre may be large; all other elements are not.
    home = int(np.flatnonzero(~wigner_seitz.translations.any(axis=1))[0])
    matrix[home][:, diagonal] -= matrix[home][:, diagonal].real
    limit = max(_LARGEST_ELEMENT, float(np.linalg.norm(cell, axis=1).max()))
    if (largest := float(np.abs(matrix).max())) > limit:
        raise InputError(
            f"{path}: an element of the position matrix is {largest:.3g} angstrom, expected at most "
            f"{limit:.3g}; the file is damaged."
        )
    opposite = opposite_rows(wigner_seitz.translations)
    # The Hamiltonian has passed: its R vectors are closed under R -> -R.
    assert opposite is not None
    adjoint = matrix[opposite].conj().swapaxes(-1, -2)
    removed, kept = np.abs(matrix - adjoint) / 2, np.abs(matrix + adjoint) / 2
    for chosen in (diagonal, ~diagonal):
        _check_outlier(path, removed[:, :, chosen].ravel(), kept[:, :, chosen].ravel())


def home_centres(position: NDArray[np.complex128], translations: NDArray[np.int64]) -> NDArray[np.float64]:
    home = int(np.flatnonzero(~translations.any(axis=1))[0])
    centres: NDArray[np.float64] = np.diagonal(position[home].real, axis1=1, axis2=2).T
    return centres


def _check_outlier(path: Path, removed: NDArray[np.float64], kept: NDArray[np.float64]) -> None:
    # Each stands there twice, at R and at -R.
    order = np.argsort(removed)[::-1][:3]
    if len(order) < 3:
        return
    worst, following = removed[order[0]], removed[order[2]]
    outstanding = worst > max(_REMOVED, _REMOVED_OUTLIER * following)
    if outstanding and worst > _REMOVED_SHARE * kept[order[0]]:
        raise InputError(
            f"{path}: an element of the position matrix and its partner at -R differ by {2 * worst:.3g} "
            f"angstrom, all others by at most {2 * following:.3g}; the file is damaged."
        )


def check_gauge(path: Path, checkpoint: Checkpoint) -> None:
    """Raises InputError where the gauge of a .chk is not orthonormal."""
    gauge = checkpoint.gauge
    overlap = gauge.conj().swapaxes(1, 2) @ gauge
    wrong = np.abs(overlap - np.eye(gauge.shape[2])).max(axis=(1, 2))
    if not wrong.max() < _ORTHONORMAL:
        raise InputError(
            f"{path}: at k point {int(wrong.argmax()) + 1} the gauge is not orthonormal (by "
            f"{wrong.max():.3g}), expected columns that are; the file is damaged."
        )


def check_centres(
    path: Path, expected: NDArray[np.float64], raw: RawMatrices, cell: NDArray[np.float64]
) -> None:
    """Raises InputError where centres (wannier, 3) of a .chk are not those of the _tb.dat `path`, `raw`."""
    # Only a _tb.dat with its position matrix is asked.
    assert raw.position is not None
    found = home_centres(raw.position, raw.translations)
    reduced = (found - expected) @ np.linalg.inv(cell)
    apart = float(np.abs((reduced - np.round(reduced)) @ cell).max())
    if apart > _SAME_CENTRE:
        raise InputError(
            f"{path}: Wannier centres differ by {apart:.3g} angstrom from those of the .chk; the files "
            "belong to two calculations, or one is damaged."
        )


def check_spin(path: Path, spin: NDArray[np.complex128], checkpoint: Checkpoint) -> None:
    """Whether a spin matrix in the Wannier basis, (k, 3, wannier, wannier) hbar, is local and near +-1/2.

    With the phases of the centres taken out, S(k) of localized functions hardly depends on k. Raises
    InputError where it does (k points in another order or repeated, another run), or is too small.
    """
    reduced = checkpoint.centres @ np.linalg.inv(checkpoint.lattice)
    apart = reduced[:, None] - reduced[None]
    local = spin * np.exp(-2j * np.pi * np.einsum("kx,ijx->kij", checkpoint.kpoints, apart))[:, None]
    mean = local.mean(axis=0)
    largest = float(np.abs(np.linalg.eigvalsh(mean)).max())
    if largest < _ONSITE_SPIN:
        raise InputError(
            f"{path}: the spin on a site is at most {largest:.3g} hbar, expected about 0.5; it is of another "
            "run, in other units, or its k points are in another order; give spin_ordering='none' to go on "
            "without."
        )
    variation = np.linalg.norm((local - mean).reshape(len(local), -1), axis=1) / np.linalg.norm(mean)
    if variation.max() > _SPIN_VARIATION:
        raise InputError(
            f"{path}: the spin matrix at k point {int(variation.argmax()) + 1} has nothing to do with those "
            f"around it (varies by {100 * variation.max():.0f} %, expected below "
            f"{100 * _SPIN_VARIATION:.0f} %), S(R) does not decay; its k points are in another order than in "
            "the .chk or repeated, or it is of another run."
        )
