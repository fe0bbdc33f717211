"""The lattice of a k mesh: its Wigner-Seitz cell, and the images of each matrix element in it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .wigner_seitz import MinimalImages, WignerSeitz

#: Multiples of the mesh that are looked at in each direction, as in Wannier90 (ws_search_size = 2).
_REACH = 2

#: angstrom: lengths that count as equal, Wannier90's ws_distance_tol.
TOLERANCE = 1e-5


def wigner_seitz_of_mesh(
    lattice: NDArray[np.float64],
    mesh: Sequence[int],
    centres: NDArray[np.float64] | None,
    tolerance: float = TOLERANCE,
) -> WignerSeitz:
    """R vectors that a k mesh resolves, each in its shortest copies, and the minimal images of each element.

    lattice (3, 3) angstrom; mesh (3,); centres (wannier, 3) angstrom, None for no images; tolerance : lengths
    (angstrom) that count as equal. Source: Pizzi et al., J. Phys. Condens. Matter 32, 165902 (2020), 4.2.
    """
    repeats = np.array(list(itertools.product(range(-_REACH, _REACH + 1), repeat=3))) * np.array(mesh)
    points = np.array(list(itertools.product(*(range(n) for n in mesh))))
    translations, degeneracy = [], []
    # Once more from the shortest copy, so that the reach is about it.
    for _ in range(2):
        copies = points[:, None] + repeats
        points = copies[np.arange(len(points)), _lengths(copies, lattice).argmin(axis=1)]
    copies = points[:, None] + repeats
    for copy, length in zip(copies, _lengths(copies, lattice), strict=True):
        shortest = copy[length < length.min() + tolerance]
        translations.append(shortest)
        degeneracy.append(np.full(len(shortest), len(shortest)))
    vectors, shares = np.concatenate(translations), np.concatenate(degeneracy)
    order = np.lexsort(vectors.T[::-1])
    vectors, shares = vectors[order], shares[order]
    if centres is None:
        return WignerSeitz(vectors, shares)
    return WignerSeitz(vectors, shares, _images(vectors, repeats, lattice, centres, tolerance))


def _lengths(vectors: NDArray[np.int64], lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.linalg.norm(vectors @ lattice, axis=-1)
    return found


def _images(
    vectors: NDArray[np.int64],
    repeats: NDArray[np.int64],
    lattice: NDArray[np.float64],
    centres: NDArray[np.float64],
    tolerance: float,
) -> MinimalImages:
    """Every element (m, n) of every R goes to the R + T that bring n nearest to m, shared equally."""
    # From function m at home to function n in the cell.
    between = centres[None] - centres[:, None]
    counts, which = [], []
    for vector in vectors:
        places = (vector + repeats) @ lattice
        distance = np.linalg.norm(places[:, None, None] + between, axis=-1)
        near = distance < distance.min(axis=0) + tolerance
        counts.append(near.sum(axis=0, dtype=np.int32))
        which.append(np.nonzero(near.transpose(1, 2, 0))[2].astype(np.int32))
    return MinimalImages(np.array(counts), repeats, np.concatenate(which))


def images_of(
    written: WignerSeitz,
    mesh: Sequence[int],
    lattice: NDArray[np.float64],
    centres: NDArray[np.float64],
    tolerance: float = TOLERANCE,
) -> WignerSeitz:
    """R vectors as they were written, with the minimal images that a lost _wsvec.dat had.

    mesh (3,); lattice (3, 3), centres (wannier, 3) and tolerance in angstrom
    """
    repeats = np.array(list(itertools.product(range(-_REACH, _REACH + 1), repeat=3))) * np.array(mesh)
    images = _images(written.translations, repeats, lattice, centres, tolerance)
    return WignerSeitz(written.translations, written.degeneracy, images)
