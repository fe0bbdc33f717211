"""Every formula of the registry with one k point in each lane, against the same with matrices in NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import random_model

from spinscreen.kernels import (
    BAND_QUANTITIES,
    INTEGRALS,
    BlochBands,
    Resolution,
    bloch_operators,
    fast_path,
    points_side_by_side,
    solve_bands,
)
from spinscreen.kernels.adaptive import doubt
from spinscreen.kernels.compiled import Loop
from spinscreen.kernels.lanes import bands as lane_bands
from spinscreen.kernels.lanes import (
    field,
    fourier,
    layout,
    occupied,
    pairs,
    proper,
    response,
    surface,
    traces,
)
from spinscreen.kernels.lattice import BlochOperators
from spinscreen.kernels.quantities import hall
from spinscreen.kernels.quantities.proper import proper_curvature
from spinscreen.materials import bogoliubov

KERNELS = list(
    dict.fromkeys(
        [quantity.kernel for quantity in BAND_QUANTITIES]
        + [term.kernel for integral in INTEGRALS for term in integral.terms]
    )
)

POINTS = np.random.default_rng(0).random((11, 3))


def with_matrices(bands):
    """The same bands without lanes: all that follows is products of matrices, one k after the other."""
    made = bands.operators
    operators = BlochOperators(
        made.hamiltonian, made.stacked, made.observable_count, made.observable_slopes, made.field_charge
    )
    return BlochBands(bands.energy, bands.states, operators, bands.resolution, bands.doubt)


def assert_same(bands, kernels=KERNELS):
    assert bands.lanes is not None
    plain = with_matrices(bands)
    for kernel in kernels:
        found, expected = kernel(bands), kernel(plain)
        # Curvatures of 1e4, which small gaps make of sums of some ten products in another order.
        scale = max(1.0, np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale, err_msg=kernel.__name__)


def superconductor(seed, size, onsite):
    """Triplet and singlet pairing at random, whatever Delta(k) = -Delta(-k)^T leaves of it."""
    rng = np.random.default_rng(seed)
    onsite_part, hop = (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)) for _ in range(2))
    pairing = {(0, 0, 0): onsite_part - onsite_part.T, (1, 0, 0): hop, (-1, 0, 0): -hop.T}
    return bogoliubov(random_model(seed, size=size, onsite=onsite), pairing)


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 7),
    onsite=st.booleans(),
    threshold=st.sampled_from([1e-9, 0.5, 2.0, 100.0]),
    broadening=st.sampled_from([0.0, 0.1]),
)
def test_formulas_of_electrons(seed, size, onsite, threshold, broadening):
    """Thresholds that make multiplets of different sizes in the lanes of one group."""
    operators = random_model(seed, size=size, onsite=onsite).operators
    assert_same(
        solve_bands(bloch_operators(operators, POINTS, not onsite), Resolution(threshold, broadening))
    )


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 3),
    onsite=st.booleans(),
    threshold=st.sampled_from([1e-9, 0.5, 2.0]),
    broadening=st.sampled_from([0.0, 0.1]),
)
def test_formulas_of_a_superconductor(seed, size, onsite, threshold, broadening):
    """A field with a vertex of its own, and the electrons alone; occupied levels are no multiplet there."""
    operators = superconductor(seed, size, onsite).operators
    bands = solve_bands(bloch_operators(operators, POINTS, not onsite), Resolution(threshold, broadening))
    assert_same(bands, [kernel for kernel in KERNELS if kernel is not hall.occupied_curvature])
    electrons, expected = bands.electrons, with_matrices(bands).electrons
    np.testing.assert_allclose(electrons.energy, expected.energy, rtol=0, atol=1e-12)
    assert_same(electrons)


@pytest.mark.parametrize("observables", [{}, {"one": np.diag(np.arange(19.0))}])
def test_formulas_of_many_functions_and_few_observables(observables):
    model = replace(random_model(1, size=19), observables=observables)
    assert_same(solve_bands(bloch_operators(model.operators, POINTS[:3]), Resolution(0.05)))


@pytest.mark.parametrize("kernel", [hall.conventional_curvature, proper_curvature], ids=lambda k: k.__name__)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 8),
    threshold=st.sampled_from([1e-9, 0.5]),
    edges=st.tuples(st.floats(-4, 4), st.floats(0, 2)),
    paired=st.booleans(),
)
def test_what_pairs_on_one_side_of_all_fermi_energies_give_adds_up_to_nothing(
    kernel, seed, size, threshold, edges, paired
):
    """Whole multiplets on both sides of the window, within it, and across its edges."""
    model = superconductor(seed, 1 + size // 3, False) if paired else random_model(seed, size=size)
    operators = bloch_operators(model.operators, POINTS)
    lowest, highest = edges[0], sum(edges)
    bands = solve_bands(operators, Resolution(threshold))
    narrow = solve_bands(operators, Resolution(threshold), (lowest, highest))
    for level in np.linspace(lowest, highest, 4):
        # Sums fill levels, multiplets as well whose values are shared.
        filled = (bands.energy <= level)[:, None, None, None]
        found, expected = (np.where(filled, kernel(each), 0).sum(axis=-1) for each in (narrow, bands))
        scale = max(1.0, np.abs(kernel(bands)).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale)


@given(seed=st.integers(0, 1000), threshold=st.sampled_from([1e-9, 0.5]))
def test_levels_that_may_meet(seed, threshold):
    operators = random_model(seed, size=6).operators
    bands = solve_bands(bloch_operators(operators, POINTS, True), Resolution(threshold))
    plain = with_matrices(bands)
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(11, 6, 3))
    neighbours = doubt.Neighbours.of(bands.energy, slopes, np.zeros((11, 6)))
    given = neighbours, slopes, 0.1 * np.eye(3), np.ones(11), -9.0, 9.0
    found, expected = (doubt.meetings(each, *given) for each in (bands, plain))
    assert len(found.rows)
    for name in ("rows", "bound", "ridge", "speed", "drift", "size", "overlap"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-11, atol=1e-11)


@pytest.fixture
def uncompiled(monkeypatch):
    """Loops over lanes as the plain Python that they are written in."""
    for module in (field, fourier, layout, occupied, pairs, proper, response, surface, traces, lane_bands):
        for machine in vars(module).values():
            if isinstance(machine, Loop):
                # Private on purpose: NUMBA_DISABLE_JIT does it for users, once for a process.
                monkeypatch.setitem(vars(machine), "_machine", machine.function)


@pytest.mark.parametrize("pairs_up", [False, True])
def test_the_source_of_the_loops_runs_as_plain_python(uncompiled, pairs_up):
    model = superconductor(2, 2, False) if pairs_up else random_model(2, size=4)
    operators = bloch_operators(model.operators, POINTS[:2], True)
    kernels = [kernel for kernel in KERNELS if not pairs_up or kernel is not hall.occupied_curvature]
    assert_same(solve_bands(operators, Resolution(0.5, 0.1)), kernels)


def test_that_matrices_take_the_place_of_lanes_is_told_once(caplog):
    """Beyond 128 functions."""
    model = random_model(0, size=129, radius=0)
    assert points_side_by_side(model.operators) == 1
    assert points_side_by_side(random_model(0, size=4).operators) == fast_path().lanes
    with caplog.at_level("INFO", logger="spinscreen.kernels"):
        for _ in range(2):
            bands = solve_bands(bloch_operators(model.operators, POINTS[:1]), Resolution())
    assert bands.lanes is None
    told = [record.getMessage() for record in caplog.records if "129" in record.getMessage()]
    assert told == ["129 Wannier functions, more than 128: one k point after the other, with LAPACK and BLAS"]
