"""Interpolation from R to k: derivatives, periodicity, and the mesh route against the direct one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import random_model

from spinscreen.kernels import KMesh, LineSpan, bloch_operators, mesh_blocks

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


@given(shape=SHAPES, shift=SHIFTS, seed=st.integers(0, 5), block=st.integers(1, 40), onsite=st.booleans())
def test_a_mesh_gives_what_direct_sums_give(shape, shift, seed, block, onsite):
    operators = random_model(seed, size=2, onsite=onsite).operators
    mesh = KMesh(shape, shift)
    blocks = list(mesh_blocks(operators, mesh, mesh.every_point(), block))
    hamiltonians = [bloch.hamiltonian for bloch in blocks]
    stacks = [bloch.stacked for bloch in blocks]
    direct = bloch_operators(operators, mesh.points())
    # Sums of some hundred terms of order one.
    np.testing.assert_allclose(np.concatenate(hamiltonians), direct.hamiltonian, atol=1e-12)
    np.testing.assert_allclose(np.concatenate(stacks), direct.stacked, atol=1e-12)


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
