"""Which order the spinors have is tested, not assumed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import random_hermitian

from spinscreen.materials import WannierModel, library
from spinscreen.materials.spin import check_orderings, find_ordering, spin_matrices


def reordered(model: WannierModel) -> WannierModel:
    """From interlaced to block order."""
    order = np.concatenate([np.arange(0, model.size, 2), np.arange(1, model.size, 2)])
    picked = np.ix_(range(len(model.translations)), order, order)
    return replace(
        model,
        hamiltonian=model.hamiltonian[picked],
        position=model.position[:, :, order][:, :, :, order],
        observables={},
    )


@pytest.mark.parametrize("name", ["kane_mele", "germanene", "bhz_hgte", "MoS2", "WTe2"])
def test_time_reversal_finds_the_order(name):
    model = library.load(name)
    for source, expected in ((model, "interlaced"), (reordered(model), "block")):
        tests = check_orderings(source.hamiltonian, source.centres)
        found = find_ordering(tests)
        assert found is not None
        assert found.ordering == expected
        assert found.time_reversal < 1e-12


def magnet(ordering: str) -> WannierModel:
    """Three sites, exchange-split, weakly spin-orbit coupled: time reversal is of no help."""
    rng = np.random.default_rng(3)
    spin = spin_matrices(6, ordering)
    identity = np.eye(2)

    def with_spin(orbital):
        return np.kron(orbital, identity) if ordering == "interlaced" else np.kron(identity, orbital)

    home = with_spin(random_hermitian(rng, 3, 3)) + 2.0 * spin["spin_z"] + 0.1 * spin["spin_x"]
    hop = with_spin(rng.normal(size=(3, 3)))
    sites = np.array([[0.0, 0, 0], [1.0, 0.5, 0], [0.2, 1.5, 0]])
    centres = np.repeat(sites, 2, axis=0) if ordering == "interlaced" else np.tile(sites, (2, 1))
    return WannierModel.from_hoppings(
        "magnet", 3 * np.eye(3), {(0, 0, 0): home, (1, 0, 0): hop, (0, 1, 0): hop.T, (0, 0, 1): hop}, centres
    )


@pytest.mark.parametrize("ordering", ["interlaced", "block"])
def test_centres_and_mixing_find_the_order_of_a_magnet(ordering):
    model = magnet(ordering)
    tests = check_orderings(model.hamiltonian, model.centres)
    assert not any(test.symmetric for test in tests)
    found = find_ordering(tests)
    assert found is not None
    assert found.ordering == ordering


def test_a_spinless_model_fits_neither_order():
    rng = np.random.default_rng(1)
    model = WannierModel.from_hoppings(
        "spinless",
        np.eye(3),
        {(0, 0, 0): random_hermitian(rng, 4, 4), (1, 0, 0): rng.normal(size=(4, 4))},
        rng.random((4, 3)),
    )
    assert find_ordering(check_orderings(model.hamiltonian, model.centres)) is None


@pytest.mark.parametrize("ordering", ["interlaced", "block"])
def test_spin_matrices_obey_the_algebra_of_angular_momentum(ordering):
    sx, sy, sz = spin_matrices(6, ordering).values()
    np.testing.assert_allclose(sx @ sy - sy @ sx, 1j * sz, atol=1e-15)
    np.testing.assert_allclose(np.linalg.eigvalsh(sx), [-0.5] * 3 + [0.5] * 3, atol=1e-15)
    signs = np.sign(np.diag(sz).real)
    expected = [1, -1] * 3 if ordering == "interlaced" else [1] * 3 + [-1] * 3
    np.testing.assert_array_equal(signs, expected)


def test_exact_spinors_agree_with_ab_initio_ones_for_iron(iron):
    """The README of the data: pure interlaced spinors are good to half a per cent."""
    pure = spin_matrices(18, "interlaced")
    home = int(np.flatnonzero(~iron.translations.any(axis=1))[0])
    for name, matrix in pure.items():
        np.testing.assert_allclose(iron.observables[name][home], matrix, atol=5e-3)
