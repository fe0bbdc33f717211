"""Levels that may meet between k points: how near they come in a cell, and what that leaves to be hidden."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import random_hermitian, random_unitary

from spinscreen.kernels import Resolution, loops
from spinscreen.kernels.adaptive.doubt import Neighbours, _on_ridges, meetings
from spinscreen.kernels.bands import solve_bands
from spinscreen.kernels.interpolation import bloch_operators
from spinscreen.materials import WannierModel
from spinscreen.workflows import Calculation, compute

PLACES = np.linspace(-0.75, 0.75, 7)


def approach(energy, matrices, label, n):
    """Closest distance of levels n and n + 1 and its Gram matrix; matrices : (axis, n, m) per cell."""
    size, axes = len(energy), len(matrices)
    slopes = np.einsum("dnn->nd", matrices).real[None].copy()
    couplings = np.ascontiguousarray(np.einsum("dnm->ndm", matrices)[None])
    near = np.zeros((1, size - 1), dtype=np.int64)
    near[0, n] = 1
    closest, grams = np.zeros((1, size - 1)), np.zeros((1, size - 1, axes, axes))
    loops.closest_approach(
        np.array([label]), np.array([energy]), slopes, couplings, near, PLACES, closest, grams
    )
    return closest[0, n], grams[0, n]


def distances(energy, matrices, n):
    """Of levels n and n + 1 at all places."""
    places = np.array(list(itertools.product(PLACES, repeat=len(matrices))))
    values = np.linalg.eigvalsh(np.diag(energy) + np.einsum("qd,dnm->qnm", places, matrices))
    return values[:, n + 1] - values[:, n]


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_two_levels_come_as_near_as_their_two_by_two_model(seed, axes):
    rng = np.random.default_rng(seed)
    matrices = random_hermitian(rng, axes, 2, 2)
    energy = np.array([0.0, rng.uniform(0.1, 4.0)])
    closest, gram = approach(energy, matrices, [0, 1], 0)
    # Where the linear distance passes zero the levels have changed places: there it is what couples them.
    expected = distances(energy, matrices, 0).min()
    assert closest <= expected * (1 + 1e-12)
    q = rng.normal(size=axes)
    values = np.linalg.eigvalsh(np.einsum("d,dnm->nm", q, matrices))
    assert q @ gram @ q == pytest.approx((values[1] - values[0]) ** 2)


@given(st.integers(0, 10**6))
def test_states_of_degenerate_levels_may_be_any_mixture(seed):
    rng = np.random.default_rng(seed)
    coupling = rng.normal(size=(2, 2, 2)) + 1j * rng.normal(size=(2, 2, 2))
    matrices = np.zeros((2, 4, 4), dtype=complex)
    matrices[:, :2, 2:], matrices[:, 2:, :2] = coupling, coupling.conj().swapaxes(1, 2)
    energy, label = np.array([0.0, 0.0, 1.0, 1.0]), [0, 0, 1, 1]
    mixture = np.zeros((4, 4), dtype=complex)
    mixture[:2, :2], mixture[2:, 2:] = random_unitary(rng, 2), random_unitary(rng, 2)
    turned = mixture.conj().T @ matrices @ mixture
    for own, other in zip(
        approach(energy, matrices, label, 1), approach(energy, turned, label, 1), strict=True
    ):
        np.testing.assert_allclose(own, other, atol=1e-12)


def test_a_level_that_nothing_couples_may_come_as_near_as_its_slope_brings_it():
    # Level 1 is coupled to level 2 strongly, level 0 not at all, and lies as near to 1 as they are to 2.
    matrices = np.zeros((1, 3, 3), dtype=complex)
    matrices[0, 1, 2] = matrices[0, 2, 1] = 2.0
    matrices[0, 2, 2] = -2.0
    closest, _ = approach(np.array([0.0, 0.3, 1.0]), matrices, [0, 1, 2], 1)
    assert closest == 0.0


def slab(coupling: float) -> WannierModel:
    """Two levels that cross on a plane, v (sin kx + sin ky + sin kz) = 0, but for a coupling."""
    hoppings = {(0, 0, 0): coupling * np.array([[0, 1], [1, 0]], dtype=complex)}
    for a in range(3):
        hoppings[tuple(int(i == a) for i in range(3))] = np.diag([0.5, -0.5]) / 1j
    return WannierModel.from_hoppings("slab", np.eye(3), hoppings, np.zeros((2, 3)))


def bound(coupling: float, cells: int) -> float:
    """Of what the two may hide in a cell half a step beside their plane, in units of a full quantum."""
    edges = 2 * np.pi / cells * np.eye(3)
    k = np.full((1, 3), 0.4 / cells)
    bands = solve_bands(bloch_operators(slab(coupling).operators, k), Resolution(1e-6))
    matrices = np.einsum("knam,da->kdnm", bands.slopes_and_positions[:, :, :3], edges.astype(complex))
    slopes = np.ascontiguousarray(np.einsum("kdnn->knd", matrices).real)
    neighbours = Neighbours.of(bands.energy, slopes, np.zeros_like(bands.energy))
    found = meetings(bands, neighbours, slopes, edges, np.ones(len(bands.energy)), -10.0, 10.0)
    return float((found.bound * (found.speed**2).sum(axis=-1)).max(initial=0.0) / cells**2)


def test_levels_that_a_coupling_keeps_apart_hide_little():
    cells = 32
    step = 2 * np.pi / cells
    narrow, wide = (bound(share * step, cells) for share in (0.01, 0.9))
    assert narrow > 0
    # Of a distance that three steps take to grow to twice itself.
    assert wide < narrow / 2


@pytest.mark.parametrize("growth", [0.5, 4.0, 60.0])
def test_what_points_on_a_ridge_have_too_much(growth):
    gap, q = 0.3, (np.arange(20_000) + 0.5) / 20_000 - 0.5
    # 2/gap^2 times one minus what is left of it, both over the share of energies between the two levels.
    distance = np.sqrt(gap**2 + (growth * q) ** 2)
    too_much = 2 / gap**2 - np.mean(2 / distance**2 * distance) / gap
    assert _on_ridges(np.array([gap]), np.array([growth])) == pytest.approx([too_much], rel=1e-4)


def test_bars_know_levels_that_are_nearest_on_a_mirror_plane(gallium_arsenide):
    """Half a meV apart all over the plane that cells of every size have at their centres."""
    model = Calculation(symmetrize="on").prepare(gallium_arsenide)
    name, energies = "conventional_hall_conductivity", np.linspace(5.5, 7.5, 11)

    def run(budget: int) -> tuple[np.ndarray, np.ndarray]:
        # No bar is as small as that: the budget ends each run.
        found = compute(
            model,
            quantities=[name],
            fermi_energy=energies,
            degeneracy_threshold=1e-4,
            tolerance=2e-4,
            budget=budget,
        )
        return found[name].values, found[f"{name}_error"].values

    exact, uncertain = run(60_000)
    for budget in (8_000, 24_000):
        value, bar = run(budget)
        error = np.maximum(np.abs(value - exact) - uncertain, 0.0)
        assert (error <= 3 * bar + 1e-6 * np.abs(exact).max()).all()
        assert (error <= bar + 1e-6 * np.abs(exact).max()).mean() >= 0.95
