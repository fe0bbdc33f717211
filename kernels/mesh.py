"""k meshes, k paths and the measure of the Brillouin-zone integral."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from .errors import InputError, checked_number, short, whole_number
from .lattice import Integer, Real

#: Points along one axis, and of a whole mesh, beyond which a number is a slip: years on a thousand cores.
MOST_POINTS_PER_AXIS = 10**6
MOST_POINTS = 10**12

#: Points of a path, all of which are held.
_MOST_POINTS_OF_A_PATH = 10**6


@dataclass(frozen=True)
class KMesh:
    """Monkhorst-Pack mesh k = (i + shift)/N, cut into lines along its longest axis.

    shape : points N along each reciprocal vector; shift : in steps of the mesh, 0 is Gamma-centred
    A line is the unit of work: what is computed on it does not depend on how lines are grouped,
    so results do not depend on the chunks. Raises InputError for numbers that make no sense.
    """

    shape: tuple[int, int, int]
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        counts = [whole_number(n) for n in self.shape]
        if len(counts) != 3 or any(n is None or n < 1 for n in counts):
            raise InputError(
                f"kmesh: expected three whole numbers of at least 1, found {short(self.shape)}; "
                "use for example (48, 48, 48), or (60, 60, 1) for a 2D material."
            )
        x, y, z = (n for n in counts if n is not None)
        object.__setattr__(self, "shape", (x, y, z))
        if max(self.shape) > MOST_POINTS_PER_AXIS or self.size > MOST_POINTS:
            raise InputError(
                f"kmesh: expected at most {MOST_POINTS_PER_AXIS:,} points along an axis and {MOST_POINTS:,} "
                f"in all, found {short(self.shape)}; use for example (48, 48, 48)."
            )
        object.__setattr__(self, "shift", checked_shift(self.shift))

    @classmethod
    def of_spacing(cls, cell: Real, periodic: Sequence[bool], spacing: float) -> KMesh:
        """Points at most `spacing` (1/angstrom) apart along each axis that repeats."""
        lengths = np.linalg.norm(2 * np.pi * np.linalg.inv(cell).T, axis=1)
        # Beyond the limit, infinity included, it is the constructor that says so.
        longest = spacing * (MOST_POINTS_PER_AXIS + 1)
        x, y, z = (
            max(1, int(np.ceil(min(length, longest) / spacing))) if repeats else 1
            for length, repeats in zip(lengths, periodic, strict=True)
        )
        return cls((x, y, z))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def axis_order(self) -> tuple[int, ...]:
        """Axes with the longest last: the last axis is the one that a line runs along."""
        return tuple(int(axis) for axis in np.argsort(self.shape, kind="stable"))

    @property
    def line_length(self) -> int:
        return max(self.shape)

    @property
    def line_count(self) -> int:
        return self.size // self.line_length

    def spans(self, lines_per_span: int) -> Iterator[LineSpan]:
        """Cut the mesh into consecutive spans."""
        for start in range(0, self.line_count, lines_per_span):
            yield LineSpan(start, min(start + lines_per_span, self.line_count))

    def all_lines(self) -> LineSpan:
        return LineSpan(0, self.line_count)

    def line_coordinates(self, lines: Integer) -> tuple[Integer, Integer]:
        """Mesh indices of lines along the two short axes (in the order of `axis_order`)."""
        first, second = np.divmod(lines, self.shape[self.axis_order[1]])
        return first, second

    def every_point(self, span: LineSpan | None = None) -> MeshPoints:
        """All points of a span, line after line, each for itself."""
        span = span or self.all_lines()
        lines, length = np.arange(span.start, span.stop), self.line_length
        along = np.tile(np.arange(length), len(lines))
        return MeshPoints(np.repeat(lines, length), along, np.ones(len(along)))

    def indices(self, points: MeshPoints) -> Integer:
        """Mesh indices of points along the axes, (k, 3)."""
        found = np.empty((len(points.line), 3), dtype=np.int64)
        places = (*self.line_coordinates(points.line), points.along)
        for axis, index in zip(self.axis_order, places, strict=True):
            found[:, axis] = index
        return found

    def reduced(self, indices: Integer) -> Real:
        """Reduced k points of mesh indices, (k, 3)."""
        return (indices + self.shift) / self.shape

    def points(self, span: LineSpan | None = None) -> Real:
        """Reduced k points of a span, (k, 3), line after line."""
        return self.reduced(self.indices(self.every_point(span)))

    def coordinate(self, axis: int, index: Integer) -> Real:
        """Reduced coordinates of mesh indices along an axis."""
        return (index + self.shift[axis]) / self.shape[axis]


def checked_shift(shift: Sequence[float]) -> tuple[float, float, float]:
    """Three steps, each from 0 to below 1. Raises InputError for anything else."""
    expected = "a number of mesh steps from 0, Gamma-centred, to below 1, such as 0.5"
    steps = tuple(0.0 + checked_number("kshift", step, expected) for step in shift)
    if len(steps) != 3 or not all(0 <= step < 1 for step in steps):
        raise InputError(f"kshift: expected {expected}, or three of them, found {short(shift)}.")
    return steps


@dataclass(frozen=True, eq=False)
class MeshPoints:
    """Points of a mesh, line after line, each for itself and for those that symmetry makes like it.

    line, along : (k,) number of the mesh line and index on it; weight : (k,) points that it stands for
    """

    line: Integer
    along: Integer
    weight: Real


@dataclass(frozen=True)
class LineSpan:
    """Half-open range of mesh lines: the unit of work, of retry and of reduction."""

    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class KPath:
    """Points along straight segments between special points.

    points : (k, 3) reduced; distance : (k,) 1/angstrom along the path;
    ticks : (distance, label) of the special points, "X|K" where the path breaks off at X and goes on at K;
    breaks : numbers of the points that begin a new piece, at the distance of the point before
    """

    points: Real
    distance: Real
    ticks: tuple[tuple[float, str], ...]
    breaks: tuple[int, ...] = ()


def k_path(
    corners: Sequence[tuple[str, Sequence[float]] | None], cell: Real, points_per_segment: int = 60
) -> KPath:
    """Path through labelled reduced points, `points_per_segment` points from each corner to the next.

    corners : None between two of them is a break, where the path goes on elsewhere
    Raises InputError for a piece of fewer than two corners, numbers that are not finite, or too many points.
    """
    known = [corner for corner in corners if corner is not None]
    pieces = [list(piece) for gap, piece in groupby(corners, lambda corner: corner is None) if not gap]
    if len(known) < 2 or any(len(piece) < 2 for piece in pieces):
        raise InputError("path: expected at least two labelled k points in each piece, found fewer.")
    _check_path(known, points_per_segment)
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    points, distance, ticks = [np.asarray(known[0][1], float)], [0.0], [(0.0, known[0][0])]
    breaks = []
    for first, second in pairwise(corners):
        if first is None and second is not None:
            breaks.append(len(points))
            points.append(np.asarray(second[1], float))
            distance.append(distance[-1])
            ticks[-1] = (ticks[-1][0], f"{ticks[-1][1]}|{second[0]}")
        if first is None or second is None:
            continue
        (_, begin), (label, finish) = first, second
        start, end = np.asarray(begin, float), np.asarray(finish, float)
        length = float(np.linalg.norm((end - start) @ reciprocal))
        fractions = np.arange(1, points_per_segment + 1) / points_per_segment
        points.extend(start + f * (end - start) for f in fractions)
        distance.extend(ticks[-1][0] + f * length for f in fractions)
        ticks.append((distance[-1], label))
    return KPath(np.array(points), np.array(distance), tuple(ticks), tuple(breaks))


def _check_path(corners: Sequence[tuple[str, Sequence[float]]], points_per_segment: int) -> None:
    count = whole_number(points_per_segment)
    if count is None or not 1 <= count <= _MOST_POINTS_OF_A_PATH // len(corners):
        raise InputError(
            f"path: expected between 1 and {_MOST_POINTS_OF_A_PATH // len(corners):,} points per segment, "
            f"found {short(points_per_segment)}."
        )
    for label, corner in corners:
        place = np.asarray(corner)
        if place.shape != (3,) or place.dtype.kind not in "fiu" or not (np.abs(place) < 1e6).all():
            raise InputError(
                f"path: expected three reduced coordinates for {label!r}, for example 0.5 0 0.5, found "
                f"{short(corner)}."
            )


def cell_measure(cell: Real, periodic: Sequence[bool]) -> float:
    """Volume (3D, angstrom^3), area (2D, angstrom^2) or length (1D, angstrom) of the unit cell."""
    vectors = cell[np.asarray(periodic, dtype=bool)]
    return float(np.sqrt(np.linalg.det(vectors @ vectors.T)))
