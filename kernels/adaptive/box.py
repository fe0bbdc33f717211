"""The box of k space that is integrated, cut into cells that symmetry maps onto cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..lattice import Integer, LatticeOperators, Real
from ..symmetry import SymmetryGroup
from .reach import least_counts, repetitions

#: Cells along the longest edge of a box at the start, in 1, 2 and 3 dimensions.
_START = {1: 32, 2: 16, 3: 8}

#: Largest components of the reciprocal vectors that may become edges of a box.
_REACH = 2

#: Directions that agree to this count as orthogonal; vectors of symmetry are exact but for rounding.
_ORTHOGONAL = 1e-6

#: Bits that the cells along all axes together may need.
_MOST_BITS = 60


@dataclass(frozen=True, eq=False)
class Box:
    """A parallelepiped that holds a whole number of Brillouin zones, k = (x + offset) @ axes, 0 <= x < 1.

    axes : (d, 3) edges in reduced k
    edges : (d, 3) the same, 1/angstrom
    counts : (d,) even numbers of cells along the edges at level 0; each level halves the cells
    source, sign, half : (operation, d) symmetry x'_a = sign_a x_source_a + half_a/2 modulo 1; the identity is
        the first
    offset : of the cells, (d,); anything but 0 keeps the translations only
    copies : parts of the zone that are alike without any symmetry, whose errors are not independent
    """

    axes: Real
    edges: Real
    counts: tuple[int, ...]
    source: Integer
    sign: Integer
    half: Integer
    offset: Real
    copies: int = 1

    @property
    def dimension(self) -> int:
        return len(self.counts)

    @property
    def order(self) -> int:
        """Cells that symmetry makes alike, at most."""
        return len(self.source)

    @property
    def deepest(self) -> int:
        """The last level whose cells can be numbered."""
        bits = sum(int(count).bit_length() for count in self.counts)
        return (_MOST_BITS - bits) // self.dimension

    def sizes(self, level: int | Integer) -> Integer:
        """Cells along each edge, (d,), or (n, d) of n levels."""
        return np.array(self.counts, dtype=np.int64) << np.asarray(level)[..., None]

    @cached_property
    def cell_edges(self) -> Real:
        """Edges of a cell of level 0, (d, 3), 1/angstrom."""
        return self.edges / self.sizes(0)[:, None]

    def volume(self, level: int | Integer) -> Real:
        """Share of the box that one cell has."""
        return 1.0 / np.prod(self.sizes(level).astype(float), axis=-1)

    def points(self, level: int | Integer, cells: Integer) -> Real:
        """Reduced k at the centres of cells (n, d), of one level or (n,), (n, 3)."""
        return ((cells + 0.5) / self.sizes(level) + self.offset) @ self.axes

    def start(self) -> Integer:
        """Canonical cells of level 0, (n, d)."""
        grids = np.meshgrid(*(np.arange(count) for count in self.counts), indexing="ij")
        cells = np.stack(grids, axis=-1).reshape(-1, self.dimension)
        return np.unique(self.canonical(0, cells), axis=0)

    def children(self, cells: Integer) -> Integer:
        """Cells of the next level in each cell, (n, 2^d, d)."""
        corners = np.array(list(product((0, 1), repeat=self.dimension)))
        return 2 * cells[:, None] + corners

    def canonical(self, level: int | Integer, cells: Integer) -> Integer:
        """The first of the cells that symmetry makes alike, (n, d)."""
        best, sizes = self._numbers(level, cells).min(axis=0), self.sizes(level)
        found = np.empty_like(cells)
        for axis in range(self.dimension - 1, -1, -1):
            best, found[:, axis] = np.divmod(best, sizes[..., axis])
        return found

    def multiplicity(self, level: int | Integer, cells: Integer) -> Integer:
        """How many different cells symmetry makes alike, (n,)."""
        numbers = np.sort(self._numbers(level, cells), axis=0)
        return 1 + (np.diff(numbers, axis=0) != 0).sum(axis=0)

    def _numbers(self, level: int | Integer, cells: Integer) -> Integer:
        """Numbers of the images, (operation, n)."""
        sizes = self.sizes(level)
        images = cells[:, self.source].swapaxes(0, 1)
        images = np.where(self.sign[:, None] > 0, images, sizes - 1 - images)
        images = images + self.half[:, None] * sizes // 2
        images -= np.where(images >= sizes, sizes, 0)
        numbers = np.zeros(images.shape[:2], dtype=np.int64)
        for axis in range(self.dimension):
            numbers = numbers * sizes[..., axis] + images[..., axis]
        return numbers

    @classmethod
    def of(
        cls,
        cell: Real,
        periodic: tuple[bool, ...],
        group: SymmetryGroup,
        start: int | None = None,
        offset: Real | None = None,
        operators: LatticeOperators | None = None,
    ) -> Box:
        """The box in which most of a group maps cells onto cells, relative to its number of zones.

        cell : (3, 3) angstrom, rows; start : cells along its longest edge, made even; None: by the dimension
        offset : of the cells, in edges; operators : whose reach the cells resolve. Raises InputError where no
        start mesh does.
        """
        reciprocal = np.asarray(2 * np.pi * np.linalg.inv(cell).T, dtype=np.float64)
        best: Box | None = None
        best_rank = (0.0, 0.0)
        for axes in _candidates(reciprocal, np.array(periodic)):
            zones = round(float(np.sqrt(np.linalg.det(axes @ axes.T))) / _unit(axes))
            box = cls._with_axes(axes, reciprocal, group, start, offset, operators)
            rank = (box.order / zones, -float(zones))
            if rank > best_rank:
                best, best_rank = box, rank
        assert best is not None
        return best if operators is None else replace(best, copies=operators.once(repetitions))

    @classmethod
    def _with_axes(
        cls,
        axes: Integer,
        reciprocal: Real,
        group: SymmetryGroup,
        start: int | None,
        offset: Real | None,
        operators: LatticeOperators | None,
    ) -> Box:
        edges = axes @ reciprocal
        lengths = np.linalg.norm(edges, axis=1)
        longest = start or _START[len(axes)]
        # Axes of one length, up to rounding, get one count: symmetry may exchange them.
        shares = np.round(lengths / lengths.max(), 6)
        least = np.zeros(len(axes)) if operators is None else least_counts(operators, axes)
        wanted = np.maximum(least, longest * shares)
        counts = tuple(max(2, 2 * round(float(count) / 2)) for count in wanted)
        shift = np.zeros(len(axes)) if offset is None else np.asarray(offset, dtype=float)
        operations = _operations(axes, counts, group, bool(shift.any()))
        source, sign, half = (np.array(part) for part in zip(*operations, strict=True))
        return cls(axes.astype(float), edges, counts, source, sign, half, shift)


def _unit(axes: Integer) -> float:
    """Measure of one Brillouin zone in the plane or line of the axes, in reduced coordinates."""
    periodic = axes.any(axis=0)
    unit = np.eye(3)[periodic]
    return float(np.sqrt(np.linalg.det(unit @ unit.T)))


def _candidates(reciprocal: Real, periodic: NDArray[np.bool_]) -> Iterator[Integer]:
    """Axes of boxes: the reciprocal vectors themselves, and short ones at right angles."""
    dimension = int(periodic.sum())
    yield np.eye(3, dtype=int)[periodic]
    if dimension == 1:
        return
    steps = [range(-_REACH, _REACH + 1) if repeats else (0,) for repeats in periodic]
    vectors = [v for v in product(*steps) if v > (0, 0, 0) and np.gcd.reduce(v) == 1]
    directions = np.array(vectors) @ reciprocal
    lengths = np.linalg.norm(directions, axis=1)
    order = np.argsort(np.round(lengths, 9), kind="stable")
    cosine = np.abs(directions @ directions.T) / np.outer(lengths, lengths)
    orthogonal = (cosine < _ORTHOGONAL)[np.ix_(order, order)]
    chosen = np.argwhere(np.triu(orthogonal, 1))
    if dimension == 3:
        later = np.arange(len(order)) > chosen[:, 1:]
        pair, third = np.nonzero(orthogonal[chosen].all(axis=1) & later)
        chosen = np.column_stack([chosen[pair], third])
    for numbers in order[chosen]:
        yield np.array([vectors[i] for i in numbers])


def _operations(
    axes: Integer, counts: tuple[int, ...], group: SymmetryGroup, shifted: bool
) -> list[tuple[tuple[int, ...], ...]]:
    """(source, sign, half) of all that maps the cells of every level onto cells, the identity first."""
    dimension = len(axes)
    to_box = np.linalg.pinv(axes.T.astype(float))
    identity = (tuple(range(dimension)), (1,) * dimension, (0,) * dimension)
    found = {identity: None}
    halves = _half_translations(to_box, axes)
    turned = np.array(group.on_kpoints) @ axes.T
    matrices = to_box @ turned
    rounded = np.rint(matrices).astype(int)
    exact = np.isclose(matrices, rounded, atol=1e-6).all(axis=(1, 2))
    exact &= np.isclose(axes.T @ matrices, turned, atol=1e-6).all(axis=(1, 2))
    exact &= (np.abs(rounded).sum(axis=2) == 1).all(axis=1)
    for matrix in rounded[exact]:
        source = tuple(int(i) for i in np.abs(matrix).argmax(axis=1))
        sign = tuple(int(matrix[a, source[a]]) for a in range(dimension))
        if shifted and (source, sign) != identity[:2]:
            continue
        if any(counts[a] != counts[source[a]] for a in range(dimension)):
            continue
        for half in halves:
            found[source, sign, half] = None
    return list(found)


def _half_translations(to_box: Real, axes: Integer) -> list[tuple[int, ...]]:
    """Reciprocal vectors that shift the box by half of its edges or by none of them."""
    span = range(-_REACH, _REACH + 1)
    periodic = [bool(column.any()) for column in axes.T]
    vectors = np.array(list(product(*(span if p else (0,) for p in periodic))))
    twice = 2 * vectors @ to_box.T
    whole = np.rint(twice).astype(int)
    near = np.abs(twice - whole).max(axis=1) < 1e-6
    return sorted({tuple(int(x) % 2 for x in row) for row in whole[near]})
