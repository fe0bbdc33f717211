"""Whether matrices and cells are of one calculation, and undamaged, as far as files say them twice.

For R and T vectors see `mesh_consistency`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import opposite_rows, spans
from .checkpoint import Checkpoint
from .equivalence import EQUAL, UNEQUAL, check_orbits, isometries, related
from .tight_binding_files import RawMatrices
from .wigner_seitz import WignerSeitz
from .win import WinFile

#: Cells of two files agree to this share of the longest vector; a .win has them with few digits.
SAME_CELL = 1e-4

#: angstrom: centres of a .chk and of a _tb.dat agree far better, but for lattice vectors.
_SAME_CENTRE = 0.05

#: Lattice vectors that a centre may lie away from the home cell; minimization moves them by one or two.
_FARTHEST_CENTRE = 4.0

#: angstrom: <0m|r|Rn> between different functions is below the root of a spread; so much no spread is.
_LARGEST_ELEMENT = 10.0

#: Hermiticity of the position matrix: finite differences break it by a few 0.01 angstrom in many elements
#: alike; one that is so large, this share of itself and stands out by this factor is a damaged number.
_REMOVED, _REMOVED_SHARE, _REMOVED_OUTLIER = 0.02, 0.5, 3.0

#: eV: bands stand in the order of energy; corrections that are added to them swap near ones.
_FALLING = 0.5

#: Pairs of k points of which most have equal levels.
_FEWEST_PAIRS = 4

#: eV: so much one number of at least so many differs, where all others are equal.
_WRONG, _FEWEST_BANDS = 0.05, 4

#: eV: so far inside the frozen window a state is kept whole, to this share; energies may have been corrected
#: after that. Those of Fe that are not kept lie 0.4 eV outside, with a shifted mesh 7 to 10 eV inside, in
#: rydberg 13 eV.
_WINDOW_MARGIN, _FROZEN_SHARE = 2.0, 0.99

#: Spin matrices differ from their mean over k by up to 0.3 (Pt), those of another k point by 1.5.
_SPIN_VARIATION = 0.7

#: Part of [Sx, Sy] by which it differs from i Sz, and so on: 0.04 (Pt), 0.001 (Fe, GaAs); a wrong sign: 2.
_SPIN_ALGEBRA = 0.5

#: hbar: the largest spin on a site is 1/2 (0.4999 in Pt, Fe and GaAs), and 1/4 in a file in other units.
_ONSITE_SPIN = 0.48

#: Columns of the gauge are orthonormal to this; real ones are to 1e-13.
_ORTHONORMAL = 1e-6


def check_cells(cells: Mapping[Path, NDArray[np.float64] | None]) -> None:
    """Raises InputError where two files have different unit cells, rows in angstrom; None: it has none."""
    known = [(path, cell) for path, cell in cells.items() if cell is not None]
    for path, cell in known[1:]:
        first, expected = known[0]
        difference = float(np.abs(cell - expected).max())
        if difference > SAME_CELL * float(np.linalg.norm(expected, axis=1).max()):
            raise InputError(
                f"{path}: its unit cell differs by {difference:.3g} angstrom from that of {first.name}; the "
                "files belong to two calculations, or one is damaged."
            )


def check_energies(path: Path, energies: NDArray[np.float64], checkpoint: Checkpoint) -> None:
    """Whether band energies (k, band) eV stand in order, and agree at equivalent k points.

    k and -k agree where most of them do; where an operation of the lattice relates points, one number alone
    does not differ. Bands count by their share in the Wannier functions. Raises InputError for a number that
    does not agree. A change that keeps the order cannot be told at a point that no operation takes to another
    one of the mesh.
    """
    fall = energies[:, :-1] - energies[:, 1:]
    if fall.size and fall.max() > _FALLING:
        point, band = np.unravel_index(int(fall.argmax()), fall.shape)
        raise InputError(
            f"{path}: at k point {point + 1}, band {band + 2} is {fall.max():.3g} eV below band {band + 1}, "
            "expected bands in the order of energy; the file is damaged."
        )
    share = (np.abs(checkpoint.gauge) ** 2).sum(axis=2)
    check_orbits(path, energies[:, : checkpoint.gauge.shape[2]], checkpoint)
    for rotation in isometries(checkpoint.lattice):
        first, second = related(checkpoint.kpoints, rotation)
        if not len(first):
            continue
        apart = np.abs(energies[first] - energies[second]) * np.maximum(share[first], share[second])
        inverted = bool((rotation == -np.eye(3)).all())
        if _is_one_number(apart, first, second) or (inverted and _are_mostly_equal(apart)):
            pair, band = np.unravel_index(int(apart.argmax()), apart.shape)
            raise InputError(
                f"{path}: k points {first[pair] + 1} and {second[pair] + 1}, equivalent by symmetry, differ "
                f"by {apart.max():.3g} eV in band {band + 1}, others by less than {EQUAL:g} eV; the file is "
                "damaged, or its k points are in another order than in the .chk."
            )


def check_windows(
    path: Path, energies: NDArray[np.float64], checkpoint: Checkpoint, win: WinFile | None
) -> None:
    """Whether band energies (k, band) eV lie in the windows of the disentanglement, as the .win says them.

    States of the outer window lie in it, those of the frozen one are kept whole by the gauge. Raises
    InputError for energies in other units, or k points in another order.
    """
    if win is None or checkpoint.band_count == checkpoint.gauge.shape[2]:
        return
    # There the windows count in parts of the zone, or for whole multiplets.
    if win.integer("dis_spheres_num") or win.logical("site_symmetry"):
        return
    lowest, highest, frozen_from, frozen_to = (
        win.real(f"dis_{name}") for name in ("win_min", "win_max", "froz_min", "froz_max")
    )
    share = (np.abs(checkpoint.gauge) ** 2).sum(axis=2)
    low = -np.inf if lowest is None else lowest
    high = np.inf if highest is None else highest
    beyond = np.where(share > 0, np.maximum(low - energies, energies - high), -np.inf)
    hint = "the file is in other units than eV, or its k points are in another order than in the .chk."
    if beyond.max() > _WINDOW_MARGIN:
        point, band = np.unravel_index(int(beyond.argmax()), beyond.shape)
        raise InputError(
            f"{path}: band {band + 1} at k point {point + 1} is one of those in the window in the .chk, but "
            f"at {energies[point, band]:.6g} eV, expected {low:g} to {high:g} eV as {win.path.name} says; "
            f"{hint}"
        )
    if frozen_to is None:
        return
    start = low if frozen_from is None else frozen_from
    inside = np.minimum(energies - start, frozen_to - energies)
    wrong = np.where(share < _FROZEN_SHARE, inside, -np.inf)
    if wrong.max() > _WINDOW_MARGIN:
        point, band = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise InputError(
            f"{path}: band {band + 1} at k point {point + 1} is at {energies[point, band]:.6g} eV, "
            f"in the frozen window of {win.path.name} ({start:g} to {frozen_to:g} eV), expected to be kept "
            f"whole by the .chk, which keeps {100 * share[point, band]:.0f} % of it; {hint}"
        )


def _are_mostly_equal(apart: NDArray[np.float64]) -> bool:
    """True where most pairs (pair, band) are equal, and one is not."""
    most = apart.max(axis=1)
    return len(most) >= _FEWEST_PAIRS and np.quantile(most, 0.75) < EQUAL and bool(most.max() > UNEQUAL)


def _is_one_number(apart: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """True where all pairs (pair, band) are equal but for one band of one point.

    A symmetry that is broken, or is none, moves many bands.
    """
    unequal = apart > EQUAL
    pairs, bands = unequal.any(axis=1), unequal.any(axis=0)
    if pairs.all() or bands.sum() != 1 or apart.shape[1] < _FEWEST_BANDS:
        return False
    ends = np.stack([first, second])[:, pairs]
    has_one_point = any((ends == point).any(axis=0).all() for point in ends[:, 0])
    return has_one_point and bool(apart[pairs].max(axis=1).min() > _WRONG)


def check_position(
    path: Path, position: NDArray[np.complex128], wigner_seitz: WignerSeitz, cell: NDArray[np.float64]
) -> None:
    """Whether the position matrix of a _tb.dat, degeneracies not divided out, can be one.

    position (R, 3, wannier, wannier) angstrom. Raises InputError for centres or elements far beyond the cell,
    and for an element whose partner at -R says something else, standing out of what finite differences do.
    """
    _check_home(path, home_centres(position, wigner_seitz.translations) @ np.linalg.inv(cell))
    limit = max(_LARGEST_ELEMENT, float(np.linalg.norm(cell, axis=1).max()))
    opposite = opposite_rows(wigner_seitz.translations)
    # The Hamiltonian has passed: its R vectors are closed under R -> -R.
    assert opposite is not None
    diagonal = np.eye(position.shape[-1], dtype=bool)
    parts: list[tuple[NDArray[np.bool_], list[tuple[float, float]]]] = [(diagonal, []), (~diagonal, [])]
    for rows in spans(position):
        matrix = _without_centres(position, wigner_seitz, np.arange(len(position))[rows])
        if (largest := float(np.abs(matrix).max())) > limit:
            raise InputError(
                f"{path}: an element of the position matrix is {largest:.3g} angstrom, expected at most "
                f"{limit:.3g}; the file is damaged."
            )
        adjoint = _without_centres(position, wigner_seitz, opposite[rows]).conj().swapaxes(-1, -2)
        removed, kept = np.abs(matrix - adjoint) / 2, np.abs(matrix + adjoint) / 2
        for chosen, found in parts:
            found += _worst(removed[:, :, chosen].ravel(), kept[:, :, chosen].ravel())
    for _, found in parts:
        _check_outlier(path, sorted(found, reverse=True)[:3])


def _check_home(path: Path, centres: NDArray[np.float64]) -> None:
    """Centres (wannier, 3) reduced"""
    far = np.abs(centres).max(axis=1)
    if far.max() > _FARTHEST_CENTRE:
        raise InputError(
            f"{path}: Wannier function {int(far.argmax()) + 1} is centred {far.max():.3g} lattice vectors "
            f"from the home cell, expected at most {_FARTHEST_CENTRE:g}; the file is damaged."
        )


def _without_centres(
    position: NDArray[np.complex128], wigner_seitz: WignerSeitz, rows: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Degeneracies divided out; a centre may be large, all other elements are not."""
    matrix: NDArray[np.complex128] = position[rows] / wigner_seitz.degeneracy[rows, None, None, None]
    home = ~wigner_seitz.translations[rows].any(axis=1)
    centres = np.einsum("rxii->rxi", matrix)
    centres[home] -= centres[home].real
    return matrix


def _worst(removed: NDArray[np.float64], kept: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The three largest of what is removed, in any order, and what is kept of each."""
    most = np.argpartition(removed, -3)[-3:] if len(removed) > 3 else np.arange(len(removed))
    return list(zip(removed[most].tolist(), kept[most].tolist(), strict=True))


def home_centres(position: NDArray[np.complex128], translations: NDArray[np.int64]) -> NDArray[np.float64]:
    home = int(np.flatnonzero(~translations.any(axis=1))[0])
    centres: NDArray[np.float64] = np.diagonal(position[home].real, axis1=1, axis2=2).T
    return centres


def _check_outlier(path: Path, largest: Sequence[tuple[float, float]]) -> None:
    """Largest : the three largest parts of elements that are taken out, and what stays of each, angstrom"""
    # Each stands there twice, at R and at -R.
    if len(largest) < 3:
        return
    (worst, kept), _, (following, _) = largest
    outstanding = worst > max(_REMOVED, _REMOVED_OUTLIER * following)
    if outstanding and worst > _REMOVED_SHARE * kept:
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
    InputError where it does (k points in another order or repeated, another run), is too small, or no spin.
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
    misfit = max(
        float(np.linalg.norm(mean[a] @ mean[b] - mean[b] @ mean[a] - 1j * mean[c]) / np.linalg.norm(mean[c]))
        for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    )
    if misfit > _SPIN_ALGEBRA:
        raise InputError(
            f"{path}: the spin matrices on a site do not commute as those of a spin, [Sx, Sy] = i Sz, by "
            f"{misfit:.2g} of them, expected below {_SPIN_ALGEBRA:g}; a sign or the order of their "
            "components is wrong: write the .spn again, or give spin_ordering='none' to go on without."
        )
    variation = np.linalg.norm((local - mean).reshape(len(local), -1), axis=1) / np.linalg.norm(mean)
    if variation.max() > _SPIN_VARIATION:
        raise InputError(
            f"{path}: the spin matrix at k point {int(variation.argmax()) + 1} has nothing to do with those "
            f"around it (varies by {100 * variation.max():.0f} %, expected below "
            f"{100 * _SPIN_VARIATION:.0f} %), S(R) does not decay; its k points are in another order than in "
            "the .chk or repeated, or it is of another run."
        )
