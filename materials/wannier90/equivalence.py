"""K points that the symmetry of a lattice makes equivalent, and whether energies are equal there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint

#: eV: levels at equivalent k points, where they are equal but at one place; the highest bands may not be
#: converged.
EQUAL, UNEQUAL = 2e-3, 0.3

#: Points beyond the first of each set of equivalent ones, and bands, from which chance is out of question.
_FEWEST_PAIRS, _FEWEST_BANDS = 4, 4

#: Share of the longest vector to which a lattice has a symmetry.
_SAME_CELL = 1e-4

#: Matrices of whole numbers with determinant +-1.
_UNIMODULAR = np.array(list(itertools.product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
_UNIMODULAR = _UNIMODULAR[np.abs(np.round(np.linalg.det(_UNIMODULAR))) == 1]


def isometries(lattice: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rotations and reflections of a lattice that have elements up to 1 in its vectors, (n, 3, 3)."""
    metric = lattice @ lattice.T
    turned = np.einsum("nij,jk,nlk->nil", _UNIMODULAR, metric, _UNIMODULAR)
    apart = np.abs(turned - metric).max(axis=(1, 2))
    found: NDArray[np.int64] = _UNIMODULAR[apart < 2 * _SAME_CELL * np.diag(metric).max()]
    return found


def cartesian(rotation: NDArray[np.int64], lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation of space that takes lattice vectors (rows, angstrom) to `rotation` times them."""
    turned: NDArray[np.float64] = (np.linalg.inv(lattice) @ rotation @ lattice).T
    return turned


def places(kpoints: NDArray[np.float64], rotation: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row of the point to which an operation takes each k point (k, 3), reduced; -1 where there is none."""
    # Points of a mesh have few digits in a file.
    cells = 10_000
    weight = np.array([cells**2, cells, 1])
    here = np.round(kpoints * cells).astype(np.int64) % cells @ weight
    there = np.round(kpoints @ np.linalg.inv(rotation).T * cells).astype(np.int64) % cells @ weight
    order = np.argsort(here)
    place = order[np.searchsorted(here[order], there).clip(max=len(here) - 1)]
    return np.where(here[place] == there, place, -1)


def related(
    kpoints: NDArray[np.float64], rotation: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the k points (k, 3), reduced, that an operation takes to others of them, and of those."""
    place = places(kpoints, rotation)
    first = np.arange(len(place))
    moved = (place >= 0) & (place != first)
    # Where it takes two points to each other they are one pair.
    once = (place[place] != first) | (first < place)
    return first[moved & once], place[moved & once]


def check_orbits(path: Path, energies: NDArray[np.float64], checkpoint: Checkpoint) -> None:
    """Raises InputError where energies (k, band) eV are equal as often as a symmetry asks, but elsewhere.

    Bands are equal at points that an operation of the crystal, or one with time reversal, takes to each
    other.
    These operations are a group of symmetries of the lattice, which ones no file says: some group has to
    explain which points have equal bands. Where one explains how many, and none which, the points are mixed
    up. That H(R) decays says too little: on meshes of a calculation what is beyond the first cells is as
    large as with k points in another order (of Pt 0.63 and 0.60 to 0.66 as differences of neighbours over
    twice the variance, of GaAs 0.49 and 0.51 to 0.56). Equivalent levels of Pt and GaAs
    differ by 2e-8 eV, those of any other two k points in a band by 1.2 eV and more.
    """
    if energies.shape[1] < _FEWEST_BANDS:
        return
    expected = _sizes(_equal_rows(energies))
    kept = _operations(checkpoint)
    obeyed = [place for _, place in kept if np.abs(energies - energies[place]).max() <= EQUAL]
    if _sizes(np.min(obeyed, axis=0)) == expected:
        return
    closest: tuple[float, int, int] | None = None
    for orbits in _orbits_of_groups(kept):
        if len(orbits) - len(np.unique(orbits)) < _FEWEST_PAIRS or _sizes(orbits) != expected:
            continue
        apart = np.abs(energies - energies[orbits]).max(axis=1)
        point = int(apart.argmax())
        if apart[point] <= UNEQUAL:
            return
        closest = min(closest or (np.inf, 0, 0), (float(apart[point]), int(orbits[point]), point))
    if closest is not None:
        apart_by, first, point = closest
        raise InputError(
            f"{path}: k points {first + 1} and {point + 1}, equivalent by symmetry, differ by "
            f"{apart_by:.3g} eV, expected equal bands, which as many others have that are not "
            "equivalent; its k points are in another order than in the .chk: write both with one .nnkp."
        )


def _sizes(labels: NDArray[np.int64]) -> list[int]:
    return sorted(np.unique(labels, return_counts=True)[1].tolist())


def _equal_rows(energies: NDArray[np.float64]) -> NDArray[np.int64]:
    """A number for each k point, the same where all bands are equal, (k,)"""
    order = np.argsort(energies.mean(axis=1), kind="stable")
    changes = np.abs(np.diff(energies[order], axis=0)).max(axis=1) > EQUAL
    labels = np.empty(len(energies), dtype=np.int64)
    labels[order] = np.r_[0, np.cumsum(changes)]
    return labels


def _operations(checkpoint: Checkpoint) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Symmetries of the lattice that keep the mesh, and the rows to which they take k points."""
    turned = [(rotation, places(checkpoint.kpoints, rotation)) for rotation in isometries(checkpoint.lattice)]
    return [(rotation, place) for rotation, place in turned if (place >= 0).all()]


def _orbits_of_groups(
    kept: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> Iterator[NDArray[np.int64]]:
    """For each group of the operations, once: for each k point the first one that the group makes equivalent
    to it, (k,).
    """
    numbers = {rotation.tobytes(): number for number, (rotation, _) in enumerate(kept)}
    products = [[numbers.get((b @ a).tobytes(), -1) for b, _ in kept] for a, _ in kept]
    for group in _groups(products):
        # A group takes a point to all that are equivalent to it.
        yield np.min([kept[number][1] for number in group], axis=0)


def _groups(products: list[list[int]]) -> set[frozenset[int]]:
    """All subgroups of a group of which the table of products is given, -1 where one is not in it."""
    identity = next(n for n, row in enumerate(products) if row[n] == n)
    found = {frozenset([identity])}
    waiting = list(found)
    while waiting:
        group = waiting.pop()
        for number in range(len(products)):
            if number not in group:
                larger = _closed(group | {number}, number, products)
                if larger is not None and larger not in found:
                    found.add(larger)
                    waiting.append(larger)
    return found


def _closed(group: frozenset[int], added: int, products: list[list[int]]) -> frozenset[int] | None:
    members, waiting = set(group), [added]
    while waiting:
        new = waiting.pop()
        for old in list(members):
            for product in (products[new][old], products[old][new]):
                if product < 0:
                    return None
                if product not in members:
                    members.add(product)
                    waiting.append(product)
    return frozenset(members)
