"""Whether the centres and atoms of a _centres.xyz lie where the other files of the run have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..model import Atom
from ..trial_orbitals import Order, expand_projections, has_random, parse_projections
from .centres import read_centres
from .consistency import home_centres
from .tight_binding_files import RawMatrices
from .win import WinFile

#: angstrom: files of one run agree far better, but for lattice vectors.
_SAME_PLACE = 0.05

#: angstrom: functions stay as near to their sites as this (0.8 in Pt, Fe and GaAs); in another order one is
#: farther from its own, by this factor and length, and all together by the second factor.
_NEAR, _FARTHER, _BEYOND, _TOGETHER = 1.1, 1.5, 0.3, 2.0


def check_centres_file(
    path: Path,
    written: tuple[Path, RawMatrices],
    win: WinFile | None,
    cell: NDArray[np.float64],
    is_used: bool,
) -> None:
    """Raises InputError where a _centres.xyz has other places than the files beside it.

    written : the _tb.dat or _r.dat, and what stands in it; is_used : its centres are those of the model
    """
    try:
        centres, atoms = read_centres(path)
    except InputError:
        # Whoever needs it is told.
        return
    source, raw = written
    if raw.position is not None:
        check_same_centres(path, centres, source, home_centres(raw.position, raw.translations), cell)
    if win is None:
        return
    check_same_atoms(path, atoms, win.path, win.atoms, cell)
    # Functions that start from Bloch states owe nothing to the projections.
    if is_used and not win.logical("use_bloch_phases"):
        check_order(path, centres, win.projections, win.atoms, cell, bool(win.logical("spinors")))


def check_same_centres(
    path: Path,
    centres: NDArray[np.float64],
    source: Path,
    expected: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> None:
    """Raises InputError where centres (wannier, 3) of a file are not those of a position matrix, mod lattice.

    source : where `expected` (wannier, 3) is from; all in angstrom
    """
    if len(centres) != len(expected):
        return
    apart = _distances(centres, expected, cell).diagonal()
    if apart.max() > _SAME_PLACE:
        raise InputError(
            f"{path}: centre {int(apart.argmax()) + 1} lies {apart.max():.3g} angstrom from that of the "
            f"position matrix of {source.name}, expected the same; one is in bohr, or of another run: mend "
            "it, or take the wrong one away."
        )


def check_same_atoms(
    path: Path, atoms: Sequence[Atom], source: Path, expected: Sequence[Atom], cell: NDArray[np.float64]
) -> None:
    """Raises InputError where atoms of a _centres.xyz are not those of the .win `source`, in any order."""
    if not atoms or len(atoms) != len(expected):
        return
    here, there = (np.array([atom.position for atom in found]) for found in (atoms, expected))
    apart = _distances(here, there, cell).min(axis=1)
    if apart.max() > _SAME_PLACE:
        number = int(apart.argmax())
        raise InputError(
            f"{path}: its atom {number + 1}, {atoms[number].symbol}, lies {apart.max():.3g} angstrom from "
            f"the nearest of {source.name}, expected the same atoms; one of them is in bohr, has another "
            "unit cell, or is of another run: mend it, or take the wrong one away."
        )


def check_order(
    path: Path,
    centres: NDArray[np.float64],
    projections: tuple[str, ...],
    atoms: Sequence[Atom],
    cell: NDArray[np.float64],
    spinors: bool,
) -> None:
    """Raises InputError where centres (wannier, 3) are near the sites of the projections in another order.

    Projections that cannot be read or are not as many say nothing.
    """
    # Takes longer to import than a small material to compute.
    from scipy.optimize import linear_sum_assignment

    if has_random(projections):
        return
    for order in _orders(spinors):
        try:
            orbitals = expand_projections(parse_projections(projections), atoms, cell, spinors, order)
        except InputError:
            return
        if len(orbitals) != len(centres):
            return
        apart = _distances(centres, np.array([orbital.position for orbital in orbitals]), cell)
        best = apart[linear_sum_assignment(apart)]
        own = apart.diagonal()
        is_farther = own.max() > _FARTHER * best.max() + _BEYOND and own.sum() > _TOGETHER * best.sum()
        if best.max() > _NEAR or not is_farther:
            return
    number = int(own.argmax())
    raise InputError(
        f"{path}: centre {number + 1} lies {own[number]:.3g} angstrom from the site of its projection, while "
        f"in another order all are within {best.max():.2g} angstrom; they are of another run, or were moved: "
        "take the centres of the run of the Hamiltonian."
    )


def _orders(spinors: bool) -> tuple[Order, ...]:
    return ("interlaced", "block") if spinors else ("interlaced",)


def _distances(
    first: NDArray[np.float64], second: NDArray[np.float64], cell: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Between all of two lists of places (n, 3) angstrom, but for lattice vectors, (n, m)."""
    reduced = (first[:, None] - second[None]) @ np.linalg.inv(cell)
    distances: NDArray[np.float64] = np.linalg.norm((reduced - np.round(reduced)) @ cell, axis=2)
    return distances
