"""Interpolation from R to k: derivatives, periodicity, and the mesh route against the direct one."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import random_model

from spinscreen.kernels import (
    KMesh,
    LineSpan,
    RealSpaceOperator,
    bloch_operators,
    interpolation,
    lanes,
    mesh_blocks,
    separable,
)
from spinscreen.kernels.lanes import sums

SHIFTS = st.tuples(*[st.sampled_from([0.0, 0.5, 0.3])] * 3)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))


@pytest.mark.parametrize("onsite", [True, False])
def test_derivative_and_curl_are_those_of_the_matrices(onsite):
    model = random_model(3, onsite=onsite)
    k = np.array([[0.13, -0.41, 0.27]])
    step = 1e-5
    at_k = bloch_operators(model.operators, k)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    slopes = []
    for a in range(3):
        shift = step * np.eye(3)[a] @ np.linalg.inv(reciprocal)
        plus, minus = (bloch_operators(model.operators, k + sign * shift) for sign in (1, -1))
        slopes.append((plus.stacked - minus.stacked) / (2 * step))
        slope = (plus.hamiltonian - minus.hamiltonian) / (2 * step)
        # Central differences with a step of 1e-5/angstrom are good to about 1e-9.
        np.testing.assert_allclose(at_k.stacked[:, :, a], slope, atol=1e-8)
    for c, (a, b) in enumerate(((1, 2), (2, 0), (0, 1))):
        curl = slopes[a][:, :, 3 + b] - slopes[b][:, :, 3 + a]
        np.testing.assert_allclose(at_k.stacked[:, :, 9 + c], curl, atol=1e-8)


def by_products():
    """NumPy's products in the place of loops over lanes, as for the largest models."""
    return mock.patch.multiple(lanes, LARGEST=0), mock.patch.multiple(interpolation, LARGEST=0)


def along_axes():
    """Sums along one axis after the other on meshes, however few points they have."""
    return mock.patch.object(separable, "_one_by_one", return_value=False)


@given(
    shape=SHAPES,
    shift=SHIFTS,
    seed=st.integers(0, 5),
    block=st.integers(1, 40),
    onsite=st.booleans(),
    slopes=st.booleans(),
)
def test_a_mesh_gives_what_direct_sums_give(shape, shift, seed, block, onsite, slopes):
    operators = random_model(seed, size=2, onsite=onsite).operators
    mesh = KMesh(shape, shift)
    with along_axes():
        ways = [list(mesh_blocks(operators, mesh, mesh.every_point(), block, slopes))]
    ways.append([bloch_operators(operators, mesh.points(), slopes)])
    first, second = by_products()
    with first, second:
        ways.append(list(mesh_blocks(operators, mesh, mesh.every_point(), block, slopes)))
        oracle = bloch_operators(operators, mesh.points(), slopes)
    # Sums of some hundred terms of order one.
    for blocks in ways:
        found = np.concatenate([bloch.hamiltonian for bloch in blocks])
        np.testing.assert_allclose(found, oracle.hamiltonian, atol=1e-12)
        found = np.concatenate([bloch.stacked for bloch in blocks])
        np.testing.assert_allclose(found, oracle.stacked, atol=1e-12)
        if oracle.observable_slopes is None:
            assert all(bloch.observable_slopes is None for bloch in blocks)
        else:
            found = np.concatenate([bloch.observable_slopes for bloch in blocks])
            np.testing.assert_allclose(found, oracle.observable_slopes, atol=1e-12)


@given(pairs=st.lists(st.booleans(), min_size=1, max_size=12), seed=st.integers(0, 5))
def test_r_without_its_opposite_is_summed_too(pairs, seed):
    rng = np.random.default_rng(seed)
    translations = np.unique(rng.integers(-3, 4, size=(len(pairs), 3)), axis=0)
    matrices = rng.normal(size=(len(translations), 1, 3, 3)) + 1j * rng.normal(
        size=(len(translations), 1, 3, 3)
    )
    family = sums.Family.of(
        RealSpaceOperator(translations, matrices), np.ones((1, 1, len(translations))) + 0j
    )
    table = sums.table_of_points(family)
    k = rng.random((5, 3))
    angle = 2 * np.pi * k @ table.translations.T
    weights = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(5, -1)
    found = (weights @ table.numbers[0].T).reshape(5, -1, 2)
    rows, columns = np.tril_indices(3)
    direct = np.exp(2j * np.pi * k @ translations.T) @ matrices[:, 0, rows, columns]
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], direct, atol=1e-13)


@given(shape=SHAPES, shift=SHIFTS)
def test_a_mesh_has_every_point_once(shape, shift):
    points = KMesh(shape, shift).points()
    indices = np.rint(points * shape - shift).astype(int)
    np.testing.assert_allclose(points, (indices + shift) / shape, atol=1e-15)
    assert len(np.unique(indices, axis=0)) == np.prod(shape)
    assert (indices >= 0).all()
    assert (indices < np.array(shape)).all()


@given(cut=st.integers(1, 24))
def test_a_k_point_has_the_same_bits_in_every_span(cut):
    operators = random_model(1).operators
    mesh = KMesh((5, 5, 9))
    with along_axes():
        whole = [bloch.stacked for bloch in mesh_blocks(operators, mesh, mesh.every_point(), 4)]
        parts = [
            bloch.stacked
            for span in (LineSpan(0, cut), LineSpan(cut, 25))
            for bloch in mesh_blocks(operators, mesh, mesh.every_point(span), 4)
        ]
    np.testing.assert_array_equal(np.concatenate(whole), np.concatenate(parts))


def test_bloch_matrices_are_hermitian():
    bloch = bloch_operators(random_model(7).operators, np.random.default_rng(0).random((5, 3)))
    for matrices in (bloch.hamiltonian, np.moveaxis(bloch.stacked, 2, 0)):
        np.testing.assert_allclose(matrices, matrices.conj().swapaxes(-1, -2), atol=1e-13)
