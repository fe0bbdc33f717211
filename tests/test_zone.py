"""The first Brillouin zone in a plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.kernels import InputError, k_slice, plane_axes, reciprocal_vectors, zone_section

FCC = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
BCC = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2
LAYER = (True, True, False)

lengths = st.floats(1.0, 5.0)


def area(corners):
    x, y = corners.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


@given(lengths, lengths, st.floats(-2.0, 2.0), st.integers(0, 5))
def test_the_zone_of_a_layer_has_the_area_of_its_reciprocal_cell(a, b, shear, skew):
    """Whatever vectors span it, and counter-clockwise: the area is positive."""
    cell = np.array([[a, 0, 0], [shear + skew * a, b, 0], [0.3, 0.1, 20.0]])
    reciprocal = reciprocal_vectors(cell, LAYER)
    corners = zone_section(reciprocal, np.zeros(3), plane_axes((0, 0, 1)))
    # Corners are found to 1e-6 of the zone.
    assert area(corners) == pytest.approx((2 * np.pi) ** 2 / (a * b), rel=1e-5)


@pytest.mark.parametrize(
    ("cell", "normal", "corners", "expected"),
    [
        # In units of (2 pi/a)^2: the square of side 2 less four corners of legs 1/2, that of diagonal 2,
        (FCC, (0, 0, 1), 8, 4 - 4 * 0.5**2 / 2),
        (BCC, (0, 0, 1), 4, 2.0),
        # the hexagon that cuts three of the square faces, of corners at U: distance sqrt(9/8) from Gamma.
        (FCC, (1, 1, 1), 6, 1.5 * np.sqrt(3) * 9 / 8),
        (np.eye(3), (1, 1, 0), 4, np.sqrt(2)),
    ],
)
def test_sections_of_cubic_zones(cell, normal, corners, expected):
    a = 3.0
    found = k_slice(a * cell, normal)
    assert len(found.zone) == corners
    if expected is not None:
        assert area(found.zone) == pytest.approx(expected * (2 * np.pi / a) ** 2, rel=1e-5)


def test_points_of_a_slice_are_where_it_says():
    cell = 3.0 * FCC + np.array([[0.1, 0, 0], [0, 0.2, 0.1], [0, 0, 0]])
    through = (0.1, -0.05, 0.12)
    found = k_slice(cell, (1, 2, 3), through, points=20)
    assert len(found.points) == np.prod(found.shape)
    cartesian = found.points @ reciprocal_vectors(cell)
    normal = np.array([1, 2, 3]) / np.sqrt(14)
    height = np.array(through) @ reciprocal_vectors(cell) @ normal
    np.testing.assert_allclose(cartesian @ normal, height, atol=1e-9)
    np.testing.assert_allclose(cartesian @ found.axes.T, found.place, atol=1e-9)
    np.testing.assert_allclose(np.cross(*found.axes), normal, atol=1e-12)


def test_axes_of_a_plane_are_cartesian_where_they_can_be():
    for normal, axes in (((0, 0, 2), "xy"), ((1, 0, 0), "yz"), ((0, 1, 0), "zx")):
        np.testing.assert_allclose(plane_axes(normal), np.eye(3)[["xyz".index(a) for a in axes]], atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"normal": (0, 0, 0)}, "normal: expected three numbers that are not all 0"),
        ({"normal": (0, 0, 1), "periodic": LAYER}, "normal: expected none for a layer"),
        ({"periodic": (True, False, False)}, "plane: expected a crystal or a layer, found a chain"),
        ({"through": (0, 0, 3)}, "plane: does not meet the first Brillouin zone"),
        ({"points": 1}, "points: expected a whole number from 2 to 10,000"),
    ],
)
def test_planes_that_are_none_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        k_slice(np.eye(3), **arguments)
