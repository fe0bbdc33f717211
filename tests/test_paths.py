"""Paths along lines of high symmetry where no .win names one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import random_model

from spinscreen.kernels import k_path
from spinscreen.materials import band_path, library
from spinscreen.materials import paths as paths_module

CUBIC = {
    "fcc": (
        np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
        {"X": 1.0, "L": np.sqrt(3) / 2, "K": 3 / np.sqrt(8)},
    ),
    "bcc": (np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2, {"H": 1.0, "N": 1 / np.sqrt(2)}),
}


@pytest.mark.parametrize("name", CUBIC)
def test_special_points_of_a_crystal_lie_where_they_belong(name):
    """Distances from Gamma in 2 pi/a, whatever vectors span the cell."""
    pytest.importorskip("seekpath")
    cell, distances = CUBIC[name]
    model = random_model(0)
    for mixing in (np.eye(3), np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]])):
        turned = replace(model, lattice=4.0 * mixing @ cell, atoms=(), kpoint_path=())
        corners = dict(corner for corner in band_path(turned) if corner is not None)
        reciprocal = np.linalg.inv(turned.lattice).T
        for label, distance in distances.items():
            assert 4.0 * np.linalg.norm(corners[label] @ reciprocal) == pytest.approx(distance)


def test_a_path_breaks_off_where_the_crystal_says_so():
    pytest.importorskip("seekpath")
    cell, _ = CUBIC["fcc"]
    crystal = replace(random_model(0), lattice=4.0 * cell, atoms=(), kpoint_path=())
    path = k_path(band_path(crystal), crystal.lattice, 5)
    assert "U|K" in [label for _, label in path.ticks]
    assert len(path.breaks) == 1


def test_the_path_of_a_layer_goes_through_its_corners():
    pytest.importorskip("ase")
    model = library.load("WSe2")
    labels = [corner[0] for corner in band_path(model) if corner is not None]
    assert labels == ["G", "M", "K", "G"]
    corners = dict(corner for corner in band_path(model) if corner is not None)
    # K has the same distance from three reciprocal vectors, so cos of its phase over a1 and a2 is -1/2.
    phases = np.cos(2 * np.pi * np.array(corners["K"])[list(model.periodic)])
    np.testing.assert_allclose(phases, -0.5, atol=1e-9)
    assert all(corner is None or corner[1][2] == 0 for corner in band_path(model))


def test_without_libraries_paths_run_along_the_axes(monkeypatch):
    monkeypatch.setattr(paths_module, "find_spec", lambda name: None)
    layer = library.load("WSe2")
    assert [corner[0] for corner in band_path(layer)] == ["Γ", "b1/2", "Γ", "b2/2", "Γ"]
    assert len(band_path(replace(random_model(0), kpoint_path=()))) == 7
