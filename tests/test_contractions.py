"""Compiled loops against dense NumPy oracles; what they refuse; the same source without a compiler."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import degenerate_bands, random_model

from spinscreen.kernels import KMesh, Resolution, bloch_operators, fast_path, loops, solve_bands
from spinscreen.kernels.bands import Vertex
from spinscreen.kernels.compiled import Loop, SlowPathWarning
from spinscreen.kernels.contractions import (
    add_sizes,
    fermi_functions,
    first_not_below,
    rows_of,
    scatter,
    spread,
    vectors_of,
)
from spinscreen.kernels.quantities import field_induced, hall, proper, surface

PATTERNS = st.lists(st.integers(1, 4), min_size=1, max_size=5)

#: Kernels that loops compute, and the oracle of each.
COMPILED = {
    hall.berry_curvature: oracles.berry_curvature,
    hall.conserved_curvature: oracles.conserved_curvature,
    hall.conventional_curvature: oracles.conventional_curvature,
    surface.dipole_flow: oracles.dipole_flow,
    surface.drude_flow: oracles.drude_flow,
    hall.occupied_curvature: oracles.occupied_curvature,
    proper.proper_curvature: oracles.proper_curvature,
    proper.proper_flow: oracles.proper_flow,
    proper.accumulation_flow: oracles.accumulation_flow,
    field_induced.field_texture: oracles.field_texture,
    field_induced.texture_drift: oracles.texture_drift,
}


def assert_same(found, expected, tolerance=1e-13):
    scale = max(1.0, np.abs(expected).max())
    # Sums of some ten products in another order.
    np.testing.assert_allclose(found, expected, atol=tolerance * scale)


@given(pattern=PATTERNS, seed=st.integers(0, 100))
def test_interband_matrices(pattern, seed):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    at = oracles.OneK(bands, 0)
    assert_same(bands.velocity[0].swapaxes(0, 1), at.velocity)
    assert_same(bands.position[0].swapaxes(0, 1), at.position)


@pytest.mark.parametrize("kernel", COMPILED, ids=lambda k: k.__name__)
@given(pattern=PATTERNS, seed=st.integers(0, 100), broadening=st.sampled_from([0.0, 0.1]))
def test_kernels_of_one_k(kernel, pattern, seed, broadening):
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern, broadening=broadening)
    assert_same(kernel(bands), oracles.at_each_k(bands, COMPILED[kernel]), 1e-12)


@pytest.mark.parametrize("kernel", COMPILED, ids=lambda k: k.__name__)
@pytest.mark.parametrize("onsite", [True, False])
@pytest.mark.parametrize("threshold", [1e-9, 0.5])
def test_kernels_of_many_k(kernel, onsite, threshold):
    model = random_model(3, size=6, onsite=onsite)
    bands = solve_bands(bloch_operators(model.operators, KMesh((3, 3, 3)).points()), Resolution(threshold))
    # Gaps of 1e-2 eV: curvatures of 1e4 with the rounding of their terms.
    assert_same(kernel(bands), oracles.at_each_k(bands, COMPILED[kernel]), 1e-11)


def empty_sums(slots, components):
    return np.zeros((slots, *vectors_of(components)))


def scattered(slot, values, slots):
    """One level at each k."""
    sums = empty_sums(slots, values.shape[1])
    scatter(slot[:, None], np.full((len(slot), 1), 2.0), rows_of([values[:, None]]), sums)
    return sums.reshape(slots, -1)[:, : values.shape[1]] / 2


def spread_out(first, weights, values, slots):
    """One level at each k."""
    sums, end = empty_sums(slots, values.shape[1]), np.full((len(first), 1), slots)
    rows = rows_of([values[:, None, :2], values[:, None, 2:]])
    spread(first[:, None], end, np.full(len(first), 2.0), weights[:, None], rows, sums)
    return sums.reshape(slots, -1)[:, : values.shape[1]] / 2


@given(slots=st.lists(st.integers(0, 6), min_size=1, max_size=30), width=st.integers(0, 4))
def test_spread(slots, width):
    rng = np.random.default_rng(0)
    first = np.array(slots)
    # Less than a vector, and several of them.
    for components in (3, 5, 77):
        weights, values = rng.normal(size=(len(first), width)), rng.normal(size=(len(first), components))
        expected = oracles.spread(first, weights, values, 6)
        assert_same(spread_out(first, weights, values, 6), expected)


@given(slots=st.lists(st.integers(0, 6), min_size=1, max_size=30), seed=st.integers(0, 10))
def test_scatter(slots, seed):
    slot = np.array(slots)
    values = np.random.default_rng(seed).normal(size=(len(slot), 5))
    assert_same(scattered(slot, values, 5), oracles.scatter(slot, values, 5))


@given(seed=st.integers(0, 100), points=st.integers(2, 9))
def test_sizes_of_single_k_points_add_up_and_the_largest_is_kept(seed, points):
    rng = np.random.default_rng(seed)
    occupation = rng.integers(0, 2, size=(points, 3, 4)).astype(float)
    parts = [rng.normal(size=(points, 3, components)) for components in (1, 27, 9)]
    weight, kpoints, shares = (
        rng.integers(1, 9, size=points) / 1.0,
        rng.normal(size=(points, 3)),
        np.zeros((3, 4, 5)),
    )
    for some in (slice(0, points // 2), slice(points // 2, points)):
        rows = rows_of([part[some] for part in parts])
        add_sizes(occupation[some], rows, [0, 1, 28, 37], weight[some], kpoints[some], shares)
    for found, part in zip(shares, parts, strict=True):
        sizes = np.linalg.norm(np.einsum("kne,knc->kec", occupation, part), axis=2)
        assert_same(found[:, 0], weight @ sizes)
        assert_same(found[:, 1], sizes.max(axis=0))
        largest = kpoints[sizes.argmax(axis=0)]
        assert_same(found[:, 2:], np.where(sizes.max(axis=0)[:, None] > 0, largest, 0.0))


@given(seed=st.integers(0, 100), levels=st.integers(1, 9), energies=st.integers(1, 20))
def test_the_first_fermi_energy_is_found_whether_levels_ascend_or_not(seed, levels, energies):
    rng = np.random.default_rng(seed)
    # On a grid, so that levels lie at Fermi energies as well.
    energy, scan = rng.integers(-9, 9, size=(4, levels)) / 2, np.sort(rng.integers(-9, 9, size=energies) / 2)
    for found, shift in ((first_not_below(energy, scan), 0.0), (first_not_below(energy, scan, 0.5), 0.5)):
        np.testing.assert_array_equal(found, np.searchsorted(scan, energy + shift))


def test_rows_are_used_again_by_fewer_points():
    first = rows_of([np.ones((3, 2, 5))])
    again = rows_of([np.full((2, 2, 5), 7.0)], first)
    assert np.shares_memory(first, again)
    assert again.reshape(2, 2, -1)[0, 0].tolist() == [7.0] * 5 + [0.0] * (again[0, 0].size - 5)


def test_what_machine_code_would_misread_is_refused():
    integers, numbers = np.zeros(2, dtype=np.int64), np.zeros((2, 1))
    label = np.zeros((2, 1), dtype=np.int64)
    with pytest.raises(
        TypeError, match=r"label: expected a C-contiguous int64 array \(k, n\), found float64"
    ):
        loops.number_multiplets(numbers, 0.1, numbers)
    with pytest.raises(TypeError, match="energy: expected a C-contiguous float64 array"):
        loops.number_multiplets(np.zeros((2, 2))[:, ::2], 0.1, label)
    with pytest.raises(ValueError, match=r"label: expected the shape \(k, n\) with k = 2, found \(3, 1\)"):
        loops.number_multiplets(numbers, 0.1, np.zeros((3, 1), dtype=np.int64))
    # Shapes that were accepted before say nothing of types.
    loops.number_multiplets(numbers, 0.1, label)
    with pytest.raises(TypeError, match="energy: expected a C-contiguous float64 array"):
        loops.number_multiplets(integers[:, None], 0.1, label)
    for found in (scattered(np.array([0, 5]), numbers, 4), spread_out(np.array([9, 9]), numbers, numbers, 4)):
        np.testing.assert_array_equal(found[1:], 0)
    with pytest.raises(IndexError, match="found a negative one"):
        scattered(np.array([0, -7]), numbers, 4)
    with pytest.raises(IndexError, match="found a negative one"):
        spread_out(np.array([0, -7]), numbers, np.zeros((2, 3)), 4)


@pytest.fixture
def uncompiled(monkeypatch):
    """Every loop as the plain Python that it is written in."""
    for machine in vars(loops).values():
        if isinstance(machine, Loop):
            # Private on purpose: NUMBA_DISABLE_JIT does it for users, once for a process.
            monkeypatch.setitem(vars(machine), "_machine", machine.function)


def test_the_source_of_the_loops_runs_as_plain_python(uncompiled):
    model = random_model(3, size=6)
    operators = bloch_operators(model.operators, KMesh((2, 2, 1)).points())
    bands = solve_bands(operators, Resolution(0.3, 0.05))
    for kernel, oracle in COMPILED.items():
        assert_same(kernel(bands), oracles.at_each_k(bands, oracle), 1e-11)
    found = fermi_functions(np.array([[-1.0, 0.0, 1.0]]), np.zeros(1), 0.1, 0.5)
    assert found.ravel().tolist() == [1.0, 0.5, 0.0]


SUM = """
import numpy as np
from spinscreen.kernels import FermiScan, Occupations, Weight, fast_path
levels = Occupations(np.array([[0.0, 1.0, 1.0]]), FermiScan(np.array([0.0, 1.0])))
print(levels.sum(np.ones((3, 1)), Weight.SEA).ravel(), fast_path())
"""


def run(environment, source=SUM):
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", source], env=environment, capture_output=True, text=True
    )


def test_without_numba_the_same_numbers_and_a_warning():
    found = run({**os.environ, "NUMBA_DISABLE_JIT": "1"})
    assert "[1. 3.]" in found.stdout
    assert "FastPath(compiled=False, reason='NUMBA_DISABLE_JIT is set')" in found.stdout
    assert SlowPathWarning.__name__ in found.stderr
    missing = run(os.environ.copy(), "import sys\nsys.modules['numba'] = None\n" + SUM)
    assert "[1. 3.]" in missing.stdout
    assert "numba cannot be imported" in missing.stdout


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the compiler is switched off")
def test_without_a_folder_for_machine_code_it_is_compiled_in_each_process():
    """As in a read-only installation without HOME."""
    nowhere = "from numba.core import caching\ncaching.CacheImpl._locator_classes = []\n"
    found = run(os.environ.copy(), nowhere + SUM)
    assert "[1. 3.]" in found.stdout
    assert "FastPath(compiled=True, reason='no folder for it is writable" in found.stdout
    assert "Warning" not in found.stderr


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the compiler is switched off")
def test_the_fast_path_is_there():
    assert fast_path().compiled


@given(pattern=PATTERNS, seed=st.integers(0, 100))
def test_curvature_of_a_field_is_the_fast_one_where_its_vertex_is_bare(pattern, seed):
    """One formula, two ways: blocks inside multiplets, and products with another vertex."""
    bands, _ = degenerate_bands(np.random.default_rng(seed), pattern)
    dense = hall.conserved_traces(bands, Vertex(bands.velocity, bands.position))
    assert_same(dense, hall.conserved_traces(bands, bands.bare), 1e-12)
