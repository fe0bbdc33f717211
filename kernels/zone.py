"""The first Brillouin zone in a plane, and k points that fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np

from .errors import InputError, short, whole_number
from .lattice import Real

#: Reciprocal vectors that can bound the zone: the shortest, of combinations with factors up to so many.
_NEIGHBOURS, _FACTORS = 100, 4

#: Share of the size of the zone that is rounding.
_ROUNDING = 1e-9

#: Points of a slice along one direction, all of which are held.
_MOST_POINTS_OF_A_SIDE = 10**4


@dataclass(frozen=True, eq=False)
class KSlice:
    """k points on a grid over the first Brillouin zone in a plane.

    points : (k, 3) reduced, the second direction of the plane running fastest; shape : points along each
    place : (k, 2) 1/angstrom, along `axes` from the foot of Gamma; axes : (2, 3) Cartesian unit vectors
    zone : (corner, 2) as `place`, the outline of the zone, counter-clockwise
    """

    points: Real
    shape: tuple[int, int]
    place: Real
    axes: Real
    zone: Real


def k_slice(
    cell: Real,
    normal: Sequence[float] | None = None,
    through: Sequence[float] = (0.0, 0.0, 0.0),
    points: int = 150,
    periodic: Sequence[bool] = (True, True, True),
) -> KSlice:
    """The plane normal to a Cartesian direction that goes through a reduced k point.

    normal : z by default; the plane of a layer is its own; points : along the longer side
    Raises InputError where the plane does not meet the first Brillouin zone, or there is none.
    """
    reciprocal = reciprocal_vectors(cell, periodic)
    count = whole_number(points)
    if count is None or not 2 <= count <= _MOST_POINTS_OF_A_SIDE:
        raise InputError(
            f"points: expected a whole number from 2 to {_MOST_POINTS_OF_A_SIDE:,}, found {short(points)}."
        )
    if len(reciprocal) == 2:
        if normal is not None:
            raise InputError("normal: expected none for a layer, whose plane is its own.")
        first, second = np.asarray(cell, float)[np.asarray(periodic, bool)]
        axes = plane_axes(_upward(np.cross(first, second)))
    else:
        axes = plane_axes((0.0, 0.0, 1.0) if normal is None else normal)
    direction = np.cross(*axes)
    start = np.asarray(through, float)[np.asarray(periodic, bool)] @ reciprocal
    origin = (start @ direction) * direction
    zone = zone_section(reciprocal, origin, axes)
    sides = np.ptp(zone, axis=0)
    across, along = (max(2, int(np.ceil(count * side / sides.max()))) for side in sides)
    grids = [
        np.linspace(low, low + side, n)
        for low, side, n in zip(zone.min(0), sides, (across, along), strict=True)
    ]
    place = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    reduced = (origin + place @ axes) @ np.asarray(cell, float).T / (2 * np.pi)
    return KSlice(reduced, (across, along), place, axes, zone)


def reciprocal_vectors(cell: Real, periodic: Sequence[bool] = (True, True, True)) -> Real:
    """Rows b_i of the axes that repeat, 1/angstrom, in the space that their lattice vectors span.

    Raises InputError where fewer than two repeat: there is no plane.
    """
    vectors = np.asarray(cell, float)[np.asarray(periodic, bool)]
    if len(vectors) < 2:
        raise InputError(
            "plane: expected a crystal or a layer, found a chain, which has no plane of k points."
        )
    return np.asarray(2 * np.pi * np.linalg.pinv(vectors).T)


def plane_axes(normal: Sequence[float] | Real) -> Real:
    """Unit vectors (2, 3) of a plane, right-handed with its normal: x and y for z, y and z for x.

    Raises InputError for a normal without direction.
    """
    given = np.asarray(normal, float)
    length = np.linalg.norm(given) if given.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"normal: expected three numbers that are not all 0, found {short(normal)}.")
    direction = given / length
    following = (int(np.argmax(np.abs(direction))) + 1) % 3
    first = np.eye(3)[following] - direction[following] * direction
    first /= np.linalg.norm(first)
    return np.array([first, np.cross(direction, first)])


def _upward(normal: Real) -> Real:
    """The normal or its opposite: with its largest component positive, so that kx and ky stay themselves."""
    return normal if normal[np.abs(normal).argmax()] > 0 else -normal


def zone_section(reciprocal: Real, origin: Real, axes: Real) -> Real:
    """Corners (corner, 2) of the first Brillouin zone in a plane, counter-clockwise, 1/angstrom.

    reciprocal : (2 or 3, 3) rows b_i; origin : (3,) a point of the plane; axes : (2, 3) unit vectors in it
    Raises InputError where the plane does not meet the zone.
    """
    factors = np.array([n for n in product(range(-_FACTORS, _FACTORS + 1), repeat=len(reciprocal)) if any(n)])
    vectors = factors @ _reduced(reciprocal)
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")][:_NEIGHBOURS]
    # Nearer to Gamma than to any other reciprocal vector: k G <= G^2/2.
    slopes = vectors @ axes.T
    limits = (vectors**2).sum(1) / 2 - vectors @ origin
    size = float(np.linalg.norm(vectors[-1]))
    bounding = np.linalg.norm(slopes, axis=1) > _ROUNDING * size
    corners = np.empty((0, 2))
    if (limits[~bounding] >= -_ROUNDING * size**2).all():
        corners = _corners(slopes[bounding], limits[bounding], _ROUNDING * size**2)
    if len(corners) < 3:
        raise InputError(
            "plane: does not meet the first Brillouin zone, expected one nearer to Gamma than to any other "
            "reciprocal lattice vector."
        )
    return corners


def _reduced(vectors: Real) -> Real:
    """The same lattice by vectors of which none gets shorter by adding multiples of another."""
    found = np.array(vectors, dtype=float)
    shorter = True
    while shorter:
        shorter = False
        for i, j in permutations(range(len(found)), 2):
            multiple = np.round(found[i] @ found[j] / (found[j] @ found[j]))
            changed = found[i] - multiple * found[j]
            # By more than rounding, so that this ends.
            if changed @ changed < (1 - _ROUNDING) * (found[i] @ found[i]):
                found[i], shorter = changed, True
    return found


def _corners(slopes: Real, limits: Real, tolerance: float) -> Real:
    """Corners of the convex polygon slopes x <= limits, counter-clockwise."""
    first, second = np.array(list(combinations(range(len(slopes)), 2))).T
    determinant = slopes[first, 0] * slopes[second, 1] - slopes[first, 1] * slopes[second, 0]
    crossing = np.abs(determinant) > tolerance
    first, second, determinant = first[crossing], second[crossing], determinant[crossing]
    meeting = (
        np.stack(
            [
                limits[first] * slopes[second, 1] - limits[second] * slopes[first, 1],
                limits[second] * slopes[first, 0] - limits[first] * slopes[second, 0],
            ],
            axis=1,
        )
        / determinant[:, None]
    )
    inside = meeting[(meeting @ slopes.T <= limits + tolerance).all(axis=1)]
    if not len(inside):
        return inside
    size = np.abs(inside).max()
    _, kept = np.unique(np.round(inside / size, 6), axis=0, return_index=True)
    corners = inside[kept]
    around = corners - corners.mean(axis=0)
    return corners[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
