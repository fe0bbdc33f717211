"""Candidates: operations of the crystal as spglib finds them, each also with time reversed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels.symmetry import SymmetryGroup

from ..model import WannierModel
from ..structure import Structure

#: angstrom: operations of a strained crystal differ by more, digits of a printed cell by less.
POSITION_TOLERANCE = 1e-3

#: Share of a lattice vector within which two translations of one group are the same.
_SAME_TRANSLATION = 1e-3


#: Of a number that tells rotations apart, all but those with elements of 32 and more.
_DIGITS = 64 ** np.arange(9)


def rotation_codes(rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each rotation (operation, 3, 3)."""
    return rotations.reshape(-1, 9) @ _DIGITS


@dataclass(frozen=True, eq=False)
class Crystal:
    """Operations that map lattice and sites onto themselves, and both as they map exactly.

    operations : without observables, the identity first; those with time reversed in the second half
    lattice : (3, 3) angstrom, nearest to that of the model for which rotations are orthogonal
    """

    operations: SymmetryGroup
    lattice: NDArray[np.float64]


def find_crystal(
    model: WannierModel,
    sites: NDArray[np.float64],
    labels: Sequence[str],
    tolerance: float = POSITION_TOLERANCE,
) -> Crystal:
    """Operations of the model's atoms or, where it knows none, of sites, within a tolerance (angstrom).

    sites : (site, 3) angstrom; labels : one word per site, equal where an operation may exchange them
    """
    reduced = sites @ np.linalg.inv(model.lattice)
    symbols = tuple(labels)
    if model.atoms:
        symbols = tuple(atom.symbol.capitalize() for atom in model.atoms)
        reduced = np.array([atom.position for atom in model.atoms]) @ np.linalg.inv(model.lattice)
    # spglib repeats every axis: along those that do not, the cell is made so long that nothing else fits.
    long = _without_repeats(reduced, model.periodic)
    reduced = reduced / long
    rotations, translations = Structure(model.lattice * long[:, None], symbols, reduced).operations(tolerance)
    kept = keeps_axes(rotations, model.periodic)
    rotations, translations = rotations[kept], translations[kept]
    # spglib gives translations in [0, 1); along an axis that does not repeat there is only one that fits.
    translations = translations - _whole_along(
        ~np.array(model.periodic), reduced, symbols, rotations, translations
    )
    translations = translations * long
    lattice = invariant_lattice(model.lattice, rotations)
    return Crystal(with_time_reversal(rotations, translations, lattice), lattice)


def keeps_axes(rotations: NDArray[np.int64], periodic: Sequence[bool]) -> NDArray[np.bool_]:
    """Which rotations mix no axis that repeats with one that does not, (operation,)."""
    repeats = np.array(periodic)
    mixed = rotations[:, repeats[:, None] != repeats[None, :]]
    return ~np.asarray(mixed.any(axis=1))


def _without_repeats(reduced: NDArray[np.float64], periodic: Sequence[bool]) -> NDArray[np.float64]:
    """By how much axes that do not repeat are stretched, (3,), all alike as operations may exchange them."""
    extent = float((np.ptp(reduced, axis=0) * ~np.array(periodic)).max())
    return np.where(periodic, 1.0, 2.0 * np.ceil(extent) + 1.0)


def _whole_along(
    axes: NDArray[np.bool_],
    reduced: NDArray[np.float64],
    symbols: Sequence[str],
    rotations: NDArray[np.int64],
    translations: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Whole cells by which the first site is moved too far along some axes, (operation, 3)."""
    kinds = np.array(symbols)
    cells = np.zeros((len(rotations), 3))
    for row, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
        image = rotation @ reduced[0] + translation
        apart = image - reduced[kinds == kinds[0]]
        nearest = np.abs(apart - np.rint(apart)).sum(axis=1).argmin()
        cells[row] = np.where(axes, np.rint(apart[nearest]), 0.0)
    return cells


def invariant_lattice(lattice: NDArray[np.float64], rotations: NDArray[np.int64]) -> NDArray[np.float64]:
    """The lattice nearest to one (rows, angstrom) for which all rotations are orthogonal to rounding."""
    columns = lattice.T
    metric = columns.T @ columns
    mean = np.mean([w.T @ metric @ w for w in rotations], axis=0)
    values, vectors = np.linalg.eigh(mean)
    root = vectors * np.sqrt(values) @ vectors.T
    left, _, right = np.linalg.svd(columns @ np.linalg.inv(root))
    return np.asarray((left @ right @ root).T)


def with_time_reversal(
    rotations: NDArray[np.int64], translations: NDArray[np.float64], lattice: NDArray[np.float64]
) -> SymmetryGroup:
    """Operations, then the same with time reversed; the identity is put first."""
    identity = (rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    first = np.lexsort((np.linalg.norm(translations, axis=1), ~identity))
    rotations, translations = rotations[first], translations[first]
    cartesian = lattice.T @ rotations @ np.linalg.inv(lattice.T)
    count = len(rotations)
    return SymmetryGroup(
        np.concatenate([rotations, rotations]).astype(np.int64),
        np.concatenate([translations, translations]),
        np.concatenate([cartesian, cartesian]),
        np.repeat([False, True], count),
        np.zeros((2 * count, 0, 0)),
    )


def chosen(operations: SymmetryGroup, rows: Sequence[int]) -> SymmetryGroup:
    """Some of the operations."""
    picked = list(rows)
    return replace(
        operations,
        **{name: getattr(operations, name)[picked] for name in SymmetryGroup.__dataclass_fields__},
    )


class Products:
    """Products of operations, by their numbers."""

    def __init__(self, operations: SymmetryGroup) -> None:
        self._operations = operations
        self.order = operations.order
        codes = self._codes(operations.rotations, operations.time_reversal)
        self._sorted = np.argsort(codes, kind="stable")
        self._codes_sorted = codes[self._sorted]
        # Operations that differ by a translation have one code.
        self._most_alike = int(np.unique(codes, return_counts=True)[1].max())
        self._rows: dict[int, list[int]] = {}

    @staticmethod
    def _codes(rotations: NDArray[np.int64], reversal: NDArray[np.bool_]) -> NDArray[np.int64]:
        """A number for each rotation and whether time is reversed."""
        return 2 * rotation_codes(rotations) + reversal

    def of(self, first: int, second: int) -> int | None:
        """Number of first after second, None where it is not among them."""
        if first not in self._rows:
            self._rows[first] = self._row(first).tolist()
        found = self._rows[first][second]
        return None if found < 0 else found

    def _row(self, first: int) -> NDArray[np.int64]:
        """Number of an operation after each, -1 where it is not among them."""
        ops = self._operations
        rotation = ops.rotations[first] @ ops.rotations
        translation = ops.translations @ ops.rotations[first].T + ops.translations[first]
        codes = self._codes(rotation, ops.time_reversal ^ ops.time_reversal[first])
        found = np.full(ops.order, -1)
        start = np.searchsorted(self._codes_sorted, codes)
        for later in range(self._most_alike):
            place = np.minimum(start + later, ops.order - 1)
            alike = (start + later < ops.order) & (self._codes_sorted[place] == codes)
            other = self._sorted[place]
            apart = translation - ops.translations[other]
            same = alike & (found < 0) & (np.abs(apart - np.rint(apart)).max(axis=1) < _SAME_TRANSLATION)
            same &= (rotation == ops.rotations[other]).all(axis=(1, 2))
            found[same] = other[same]
        return found

    def generated(self, members: Iterable[int]) -> set[int] | None:
        """The group that operations generate, None where it is not whole among them."""
        generators = [number for number in members if number]
        found, new = {0}, [0]
        while new:
            product = [self.of(generator, number) for generator in generators for number in new]
            if None in product:
                return None
            new = sorted({number for number in product if number is not None} - found)
            found.update(new)
        return found

    def cosets(self, members: Iterable[int]) -> list[list[int]]:
        """Steps from the identity to the group, each the numbers by which the last subgroup is multiplied."""
        steps: list[list[int]] = []
        generators: list[int] = []
        group = {0}
        for number in members:
            if number in group:
                continue
            generators.append(number)
            larger = self.generated(generators)
            assert larger is not None  # the members are a group
            leaders, covered = [], set[int]()
            for leader in sorted(larger):
                if leader not in covered:
                    leaders.append(leader)
                    covered |= {p for p in (self.of(leader, member) for member in group) if p is not None}
            steps.append(leaders)
            group = larger
        return steps


def obeyed_group(products: Products, obeys: Callable[[int], bool]) -> list[int]:
    """Numbers of the operations that a test to rounding finds obeyed, with as few tests as a group allows."""
    generators: list[int] = []
    group: set[int] = {0}
    refused: set[int] = set()
    for number in range(1, products.order):
        if number in group or number in refused:
            continue
        larger = products.generated([*generators, number]) if obeys(number) else None
        if larger is not None and not larger & refused:
            generators.append(number)
            group = larger
        else:
            # What is obeyed turns an operation that is not into others that are not.
            others = {products.of(number, member) for member in group}
            refused |= {other for other in others if other is not None}
    return sorted(group)


def generators_if(products: Products, obeys: Callable[[int], bool]) -> list[int] | None:
    """Generators of all operations where a test finds each of them obeyed, None at the first that is not."""
    generators: list[int] = []
    group: set[int] = {0}
    for number in range(1, products.order):
        if number in group:
            continue
        generators.append(number)
        larger = products.generated(generators) if obeys(number) else None
        if larger is None:
            return None
        group = larger
    return generators


def closed_group(
    products: Products,
    deviations: NDArray[np.float64],
    limit: float,
    follows: Callable[[int], bool],
) -> list[int]:
    """Numbers of a group of operations whose deviations are all within a limit, the smallest taken first.

    follows : a further test, which products of two operations that pass it are taken to pass
    """
    allowed = set(np.flatnonzero(deviations <= limit).tolist())
    generators: list[int] = []
    group: set[int] = {0}
    for number in np.argsort(deviations, kind="stable").tolist():
        if number in allowed and number not in group:
            larger = products.generated([*generators, number])
            if larger is not None and larger <= allowed and follows(number):
                generators.append(number)
                group = larger
    return sorted(group)
