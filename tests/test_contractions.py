"""The compiled contractions against their NumPy oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import degenerate_bands, random_model

from spinscreen.kernels import KMesh, Resolution, bloch_operators, contractions, solve_bands
from spinscreen.kernels.contractions import (
    conventional,
    conventional_by_numpy,
    interband,
    interband_by_numpy,
    scatter,
    scatter_by_numpy,
    spread,
    spread_by_numpy,
)

compiled = pytest.mark.skipif(
    contractions.compiled is None, reason="no compiler was found when spinscreen was installed"
)
PATTERNS = st.lists(st.integers(1, 4), min_size=1, max_size=5)


def assert_same(found, expected):
    scale = max(1.0, np.abs(expected).max())
    # Sums of some ten products in another order.
    np.testing.assert_allclose(found, expected, atol=1e-13 * scale)


@compiled
@given(pattern=PATTERNS, seed=st.integers(0, 100))
def test_interband_matrices(pattern, seed):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    arguments = (bands.energy, bands.multiplet_label, bands.slopes_and_positions)
    for found, expected in zip(interband(*arguments), interband_by_numpy(*arguments), strict=True):
        assert_same(found, expected)


@compiled
@given(pattern=PATTERNS, seed=st.integers(0, 100), broadening=st.sampled_from([0.0, 0.1]))
def test_conventional_curvature(pattern, seed, broadening):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    levels = (bands.energy, bands.multiplet_label, broadening)
    found = conventional(bands.observable_velocity, bands.velocity, *levels)
    assert_same(found, conventional_by_numpy(bands.observable_velocity, bands.velocity, *levels))


@compiled
@given(pattern=PATTERNS, seed=st.integers(0, 100))
def test_curvature_traces(pattern, seed):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    for found, expected in zip(bands.curvature_traces, bands.curvature_traces_by_multiplets(), strict=True):
        assert_same(found, expected)


@compiled
@given(pattern=PATTERNS, seed=st.integers(0, 100))
def test_flow_traces(pattern, seed):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    for found, expected in zip(bands.flow_traces, bands.flow_traces_by_multiplets(), strict=True):
        assert_same(found, expected)


@compiled
@given(slots=st.lists(st.integers(0, 6), min_size=1, max_size=30), width=st.integers(0, 4))
def test_spread(slots, width):
    rng = np.random.default_rng(0)
    first = np.array(slots)
    weights, values = rng.normal(size=(len(first), width)), rng.normal(size=(len(first), 5))
    assert_same(spread(first, weights, values, 6), spread_by_numpy(first, weights, values, 6))


@compiled
@pytest.mark.parametrize("onsite", [True, False])
@pytest.mark.parametrize("threshold", [1e-9, 0.5])
def test_curvature_traces_of_many_k(onsite, threshold):
    model = random_model(3, size=6, onsite=onsite)
    bands = solve_bands(bloch_operators(model.operators, KMesh((3, 3, 3)).points()), Resolution(threshold))
    for found, expected in zip(bands.curvature_traces, bands.curvature_traces_by_multiplets(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


@compiled
@given(slots=st.lists(st.integers(0, 6), min_size=1, max_size=30), seed=st.integers(0, 10))
def test_scatter(slots, seed):
    slot = np.array(slots)
    values = np.random.default_rng(seed).normal(size=(len(slot), 5))
    assert_same(scatter(slot, values, 5), scatter_by_numpy(slot, values, 5))


@compiled
def test_wrong_sizes_are_refused_not_read():
    with pytest.raises(ValueError, match="expected 32 bytes, found 16"):
        contractions.compiled.scatter(4, 1, 4, np.zeros(2, dtype=np.int64), np.zeros(4), np.zeros(4))


def test_everything_works_without_the_compiled_module(monkeypatch):
    model = random_model(3, size=6)
    operators = bloch_operators(model.operators, KMesh((2, 2, 2)).points())
    from spinscreen.kernels import INTEGRALS

    def results():
        bands = solve_bands(operators, Resolution(0.3, 0.05))
        return [term.kernel(bands) for integral in INTEGRALS for term in integral.terms]

    usual = results()
    monkeypatch.setattr(contractions, "compiled", None)
    for found, expected in zip(results(), usual, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10 * np.abs(expected).max())
