"""Tensors under rotations: crystal axes, and averages over the point group."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

import spinscreen.storage  # noqa: F401
from spinscreen.kernels import InputError
from spinscreen.materials import Structure, library, structure_of
from spinscreen.storage.analysis.symmetry import SymmetryWarning, rotated, symmetrized
from spinscreen.workflows import compute, evaluate

SPINS = ["spin_x", "spin_y", "spin_z"]
AXES = list("xyz")
LATTICE = [[0, 2, 2], [2, 0, 2], [2, 2, 0]]
LEVI_CIVITA = np.zeros((3, 3, 3))
for even in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[even] = 1
    LEVI_CIVITA[even[0], even[2], even[1]] = -1


def tensors(spin_hall: np.ndarray) -> xr.Dataset:
    """A spin Hall tensor [current, field, spin] and a magnetization as in a stored dataset."""
    return xr.Dataset(
        {
            "conserved_hall_conductivity": (
                ("observable", "current_axis", "field_axis"),
                np.moveaxis(spin_hall, -1, 0),
                {"units": "(hbar/e) S/cm"},
            ),
            "anomalous_hall_conductivity": (("current_axis", "field_axis"), spin_hall.sum(-1), {}),
            "observable_density": (("observable",), spin_hall[0, 0], {}),
        },
        {"observable": SPINS, "current_axis": AXES, "field_axis": AXES},
        {
            "lattice": [[0, 2, 2], [2, 0, 2], [2, 2, 0]],
            "atom_symbols": ["Pt"],
            "atom_positions": [[0.0, 0, 0]],
        },
    )


def test_a_rotation_turns_spin_and_currents_together():
    turn = Rotation.from_rotvec([0.3, -0.5, 0.9]).as_matrix()
    # The totally antisymmetric tensor is the same in every frame; a mirror keeps it too, spin being axial.
    for matrix in (turn, np.diag([1.0, 1, -1]), -turn):
        found = rotated(tensors(LEVI_CIVITA), matrix)["conserved_hall_conductivity"].values
        np.testing.assert_allclose(np.moveaxis(found, 0, -1), LEVI_CIVITA, atol=1e-14)


def test_there_and_back_is_the_same():
    rng = np.random.default_rng(1)
    dataset = tensors(rng.normal(size=(3, 3, 3)))
    turn = Rotation.from_rotvec([1.0, 0.2, -0.4]).as_matrix()
    xr.testing.assert_allclose(rotated(rotated(dataset, turn), turn.T), dataset)
    expected = turn @ dataset["anomalous_hall_conductivity"].values @ turn.T
    np.testing.assert_allclose(rotated(dataset, turn)["anomalous_hall_conductivity"], expected)


def test_crystal_axes_of_a_face_centred_cell():
    rng = np.random.default_rng(2)
    dataset = tensors(rng.normal(size=(3, 3, 3)))
    # The primitive a1 is [011] of the cube; its reciprocal (111) normal is the cube's (111).
    turned = dataset.spinscreen.in_crystal_axes(x=(1, -1, 0), z=(1, 1, 1))
    frame = np.array([[-1, 1, 0], [-1, -1, 2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
    expected = frame @ dataset["anomalous_hall_conductivity"].values @ frame.T
    np.testing.assert_allclose(turned["anomalous_hall_conductivity"], expected, atol=1e-12)
    assert turned["conserved_hall_conductivity"].attrs["units"] == "(hbar/e) S/cm"
    with pytest.raises(InputError, match="does not lie in the plane"):
        dataset.spinscreen.in_crystal_axes(x=(1, 0, 0), z=(1, 1, 1))


def test_a_cube_leaves_one_spin_hall_element_and_no_magnetization():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(3, 3, 3))
    with pytest.warns(SymmetryWarning, match="loses"):
        mean = tensors(noise).spinscreen.symmetrize()
    element = (noise * LEVI_CIVITA).sum() / 6
    found = np.moveaxis(mean["conserved_hall_conductivity"].values, 0, -1)
    np.testing.assert_allclose(found, element * LEVI_CIVITA, atol=1e-12)
    np.testing.assert_allclose(mean["observable_density"], 0, atol=1e-12)
    diagonal = np.eye(3) * np.trace(noise.sum(-1)) / 3
    np.testing.assert_allclose(mean["anomalous_hall_conductivity"], diagonal, atol=1e-12)


def test_given_rotations_go_before_the_structure():
    dataset = tensors(np.random.default_rng(4).normal(size=(3, 3, 3)))
    fourfold = [Rotation.from_euler("z", 90 * n, degrees=True).as_matrix() for n in range(4)]
    with pytest.warns(SymmetryWarning):
        mean = symmetrized(dataset, fourfold)
    hall = mean["anomalous_hall_conductivity"].values
    assert hall[0, 0] == pytest.approx(hall[1, 1])
    assert hall[0, 1] == pytest.approx(-hall[1, 0])
    with pytest.raises(InputError, match="expected orthogonal matrices"):
        symmetrized(dataset, [np.ones((3, 3))])


def test_a_model_with_the_symmetry_of_its_structure_is_unchanged():
    dataset = compute(library.load("stanene"), 30, 0.0, kshift=0)
    mean = dataset.spinscreen.symmetrize()
    for name in ("conserved_hall_conductivity", "conventional_hall_conductivity"):
        largest = float(abs(dataset[name]).max())
        # The hexagonal mesh keeps the symmetry: only rounding is averaged away.
        np.testing.assert_allclose(mean[name], dataset[name], atol=1e-9 * largest)


def test_what_cannot_be_symmetrized_is_said():
    model = library.load("haldane")
    with pytest.raises(InputError, match="found values per k point"):
        evaluate(model, [[0.1, 0.2, 0]], ["energy"]).spinscreen.symmetrize()
    bare = compute(model, 6, 0.0).assign_attrs(atom_symbols=[])
    with pytest.raises(InputError, match="knows no atoms"):
        bare.spinscreen.symmetrize()
    layered = compute(library.load("MoS2").with_observable("layer", np.eye(6)), 4, 0.0)
    with pytest.raises(InputError, match="'layer' rotates is unknown"):
        layered.spinscreen.in_crystal_axes()


@pytest.mark.parametrize(("symbols", "number"), [(("Ga", "As"), 216), (("Si", "Si"), 227)])
def test_space_groups_of_two_known_crystals(symbols, number):
    cell = 2.8 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    structure = Structure(cell, symbols, np.array([[0, 0, 0], [0.25, 0.25, 0.25]]))
    found = structure.space_group
    assert found is not None
    assert found[0] == number
    products = {
        tuple(np.round(a @ b, 6).ravel()) for a, b in itertools.product(structure.rotations, repeat=2)
    }
    assert len(products) == len(structure.rotations)


def test_a_formula_is_reduced_and_alphabetical():
    structure = Structure(np.eye(3), ("Se",) * 6 + ("Bi",) * 4, np.zeros((10, 3)))
    assert structure.formula == "Bi2Se3"
    # Built-in models have orbitals where they are needed, no atoms.
    assert structure_of(library.load("haldane")) is None
