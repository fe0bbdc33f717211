"""Built-in models against their papers."""

from __future__ import annotations

import numpy as np
import pytest
from support import values

from spinscreen.kernels import InputError
from spinscreen.materials import library

K_POINT = np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]])


@pytest.mark.parametrize("name", library.names())
def test_every_model_loads_with_a_reference(name):
    model = library.load(name)
    assert model.name == name
    assert any(char.isdigit() for char in library.reference(name))
    assert model.provenance.notes
    assert model.fermi_level is not None
    assert np.isfinite(values(model, K_POINT, names=("energy", "berry_curvature"))["berry_curvature"]).all()


@pytest.mark.parametrize(
    ("name", "gap", "splitting"),
    # Liu et al. 2013, table II: E_c - E_v at K of the GGA set; table IV: valence splitting 2 lambda.
    [
        ("MoS2", 1.663, 2 * 0.073),
        ("WS2", 1.814, 2 * 0.211),
        ("MoSe2", 1.435, 2 * 0.091),
        ("WSe2", 1.541, 2 * 0.228),
        ("MoTe2", 1.072, 2 * 0.107),
        ("WTe2", 1.067, 2 * 0.237),
    ],
)
def test_dichalcogenides_have_their_published_gap_and_splitting(name, gap, splitting):
    spinless = values(library.load(name, spin_orbit=0.0), K_POINT, names=("energy",))["energy"]
    # The paper fits the gap of first-principles bands to about 20 meV.
    np.testing.assert_allclose(spinless[:, 2] - spinless[:, 1], gap, atol=0.03)
    coupled = values(library.load(name), K_POINT, names=("energy",))["energy"]
    np.testing.assert_allclose(coupled[:, 1] - coupled[:, 0], splitting, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "gap"), [("graphene", 24e-6), ("silicene", 7.8e-3), ("germanene", 86e-3), ("stanene", 200e-3)]
)
def test_group_iv_monolayers_have_twice_the_coupling_as_gap(name, gap):
    energy = values(library.load(name), K_POINT, names=("energy",))["energy"]
    np.testing.assert_allclose(energy[:, 2] - energy[:, 1], gap, rtol=1e-6)


def test_inverted_quantum_well_has_its_published_gap_and_velocity():
    model = library.load("bhz_hgte", inversion_asymmetry=0.0)
    energy = values(model, np.zeros((1, 3)), names=("energy",))["energy"][0]
    np.testing.assert_allclose(energy, [-0.01, -0.01, 0.01, 0.01], atol=1e-12)
    texture = values(model, np.zeros((1, 3)), 1e-3, names=("texture",))["texture"]
    np.testing.assert_allclose(texture, 0, atol=1e-12)
    # E = M -> with A k: sqrt(M^2 + A^2 k^2) to first order in k a.
    k = np.array([[1e-3, 0, 0]])
    expected = np.sqrt(0.01**2 + (3.65 * 2 * np.pi * 1e-3 / 20) ** 2)
    found = values(model, k, names=("energy",))["energy"][0, 3]
    assert found == pytest.approx(expected, rel=1e-3)


def test_parameters_replace_the_published_ones():
    assert library.load("kane_mele", t=2.0).fingerprint != library.load("kane_mele").fingerprint


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("MoS3", {}, "did you mean 'MoS2'"),
        ("haldane", {"t9": 1.0}, "no parameter 't9', expected one of t1, t2"),
    ],
)
def test_unknown_names_are_refused_with_a_hint(name, parameters, message):
    with pytest.raises(InputError, match=message):
        library.load(name, **parameters)
