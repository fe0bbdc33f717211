"""Exact identities: gauge, rotation inside multiplets, reciprocal lattice, time reversal, sum rules."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import (
    degenerate_bands,
    random_model,
    random_unitary,
    rotated_model,
    supercell,
    values,
)

from spinscreen.kernels import INTEGRALS, QUANTITIES, BandQuantity
from spinscreen.materials import library
from spinscreen.storage import is_error
from spinscreen.storage.analysis.symmetry import rotated
from spinscreen.workflows import compute

KPOINTS = np.random.default_rng(5).random((6, 3))

#: Every integrand and every per-k quantity of the registry.
KERNELS = dict.fromkeys(
    [q.kernel for q in QUANTITIES.values() if isinstance(q, BandQuantity)]
    + [term.kernel for q in INTEGRALS for term in q.terms]
)


def assert_same(first, second, tolerance=1e-10):
    for name in first:
        scale = max(1.0, np.abs(first[name]).max())
        np.testing.assert_allclose(second[name], first[name], atol=tolerance * scale, err_msg=name)


@given(seed=st.integers(0, 1000), threshold=st.sampled_from([1e-9, 0.3, 2.0]))
def test_random_wannier_gauge_changes_nothing(seed, threshold):
    model = random_model(seed % 7)
    unitary = random_unitary(np.random.default_rng(seed), model.size)
    assert_same(
        values(model, KPOINTS, threshold, 0.1), values(rotated_model(model, unitary), KPOINTS, threshold, 0.1)
    )


@given(shift=st.tuples(*[st.integers(-3, 3)] * 3), seed=st.integers(0, 5))
def test_a_reciprocal_lattice_vector_changes_nothing(shift, seed):
    model = random_model(seed)
    assert_same(values(model, KPOINTS), values(model, KPOINTS + np.array(shift)))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
@given(pattern=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_rotation_inside_multiplets_changes_nothing(kernel, pattern, seed):
    rng = np.random.default_rng(seed)
    bands, label = degenerate_bands(rng, pattern)
    mixing = np.zeros((len(label), len(label)), dtype=complex)
    for number in range(len(pattern)):
        members = np.flatnonzero(label == number)
        mixing[np.ix_(members, members)] = random_unitary(rng, len(members))
    rotated = replace(bands, states=bands.states @ mixing)
    expected, found = kernel(bands), kernel(rotated)
    assert np.isfinite(expected).all()
    scale = max(1.0, np.abs(expected).max())
    # Matrices of order one and gaps above 0.3: rounding grows by less than 1e3.
    np.testing.assert_allclose(found, expected, atol=1e-12 * scale)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.__name__)
def test_members_of_a_multiplet_share_one_value(kernel):
    bands, label = degenerate_bands(np.random.default_rng(2), [1, 2, 3])
    found = kernel(bands)
    for number in range(3):
        members = found[..., label == number]
        np.testing.assert_allclose(members, members[..., :1] * np.ones(members.shape[-1]), rtol=1e-13)


def test_the_threshold_is_honoured_everywhere_at_once():
    model = random_model(4)
    narrow, wide = values(model, KPOINTS, 1e-6), values(model, KPOINTS, 1e3)
    for name, found in wide.items():
        if name == "energy":
            np.testing.assert_array_equal(found, narrow[name])
        else:
            np.testing.assert_allclose(found, found[..., :1] * np.ones(model.size), atol=1e-12)
            assert not np.allclose(found, narrow[name])
    # One multiplet of all bands: nothing is left to divide by, no interband term survives.
    np.testing.assert_array_equal(wide["conventional_curvature"], 0)
    np.testing.assert_array_equal(wide["wave_packet_dipole"], 0)


def test_all_bands_together_carry_no_conventional_curvature():
    found = values(random_model(6), KPOINTS)["conventional_curvature"]
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found.sum(axis=-1), 0, atol=1e-10 * np.abs(found).max())


def test_berry_curvature_of_all_bands_is_the_curl_of_the_trace_of_the_position_matrix():
    """Sum over n of Omega_n = Tr curl A: it integrates to zero and vanishes for centres only."""
    model = library.load("kane_mele")
    found = values(model, KPOINTS * [1, 1, 0], 1e-9)["berry_curvature"]
    assert np.abs(found).max() > 1
    np.testing.assert_allclose(found.sum(axis=-1), 0, atol=1e-9)


def test_minus_unity_makes_theta_curvatures_the_negative_berry_curvature():
    model = random_model(8).with_observable("charge", -np.eye(4))
    found = values(model, KPOINTS)
    charge = list(model.observables).index("charge")
    berry = found["berry_curvature"]
    np.testing.assert_allclose(found["conserved_curvature"][:, charge], -berry, atol=1e-11)
    conventional = found["conventional_curvature"][:, charge]
    interband = np.stack([conventional[:, a, b] for a, b in ((1, 2), (2, 0), (0, 1))], axis=1)
    onsite = replace(model, position=model.position * 0)
    berry_internal = values(onsite, KPOINTS)["berry_curvature"]
    conventional = values(onsite, KPOINTS)["conventional_curvature"][:, charge]
    internal = np.stack([conventional[:, a, b] for a, b in ((1, 2), (2, 0), (0, 1))], axis=1)
    # With A = 0 the Wannier subspace has no curvature of its own and T3 is the whole Kubo formula.
    np.testing.assert_allclose(internal, -berry_internal, atol=1e-10 * np.abs(berry_internal).max())
    assert not np.allclose(interband, -berry)


def integrals_of(model, kmesh, energies=(-0.4, 0.3), threshold=1e-6, temperature=1500.0):
    names = [quantity.name for quantity in INTEGRALS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return compute(model, kmesh, list(energies), temperature, threshold, names)


def assert_same_integrals(found, expected, tolerance=1e-9):
    for name in expected.data_vars:
        if is_error(name):
            # A bar is about the mesh, whose sub-meshes are others in another cell or frame.
            continue
        scale = max(float(abs(expected[name]).max()), np.finfo(float).tiny)
        if name == "conserved_hall_conductivity_occupied":
            np.testing.assert_array_equal(found[name].isnull(), expected[name].isnull())
        np.testing.assert_allclose(
            found[name], expected[name], atol=tolerance * scale + 1e-17, err_msg=str(name)
        )


def test_the_origin_of_the_cell_changes_no_integral():
    """A shift of the position matrix by a number commutes with everything."""
    model = random_model(3)
    home = ~model.translations.any(axis=1)
    shift = np.array([0.7, -1.3, 0.4])
    moved = model.position + home[:, None, None, None] * shift[:, None, None] * np.eye(model.size)
    assert_same_integrals(
        integrals_of(replace(model, position=moved), 3), integrals_of(model, 3), tolerance=1e-8
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_a_supercell_changes_no_density(axis):
    model = library.load("rashba_ferromagnet")
    double = supercell(model, axis)
    folded = [3 if i == axis else 6 for i in range(2)]
    small, large = integrals_of(model, (6, 6, 1)), integrals_of(double, (*folded, 1))
    for name in ("carrier_density", "density_of_states", "observable_density"):
        large[name] = large[name] / 2
    # Folded bands meet: multiplets of the supercell join levels of different k of the small cell, whose
    # traces add up.
    assert_same_integrals(large, small, tolerance=1e-7)


def test_a_rotation_turns_every_tensor():
    model = random_model(6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    spins = np.stack([model.observables[f"spin_{name}"] for name in "xyz"])
    turned = replace(
        model,
        lattice=model.lattice @ turn.T,
        position=np.einsum("ab,rbij->raij", turn, model.position),
        observables={f"spin_{name}": np.tensordot(turn[s], spins, 1) for s, name in enumerate("xyz")},
    )
    expected = rotated(integrals_of(model, 3), turn)
    assert_same_integrals(integrals_of(turned, 3), expected, tolerance=1e-8)


def test_time_reversal_makes_berry_curvature_odd_and_conserved_curvature_even():
    """Kramers-degenerate Kane-Mele model: finite, and odd or even under k -> -k."""
    model = library.load("kane_mele", rashba=0.0, staggered=0.0)
    k = KPOINTS * [1, 1, 0]
    here, there = values(model, k), values(model, -k)
    np.testing.assert_allclose(here["berry_curvature"], -there["berry_curvature"], atol=1e-9)
    np.testing.assert_allclose(here["conserved_curvature"], there["conserved_curvature"], atol=1e-9)
    assert np.abs(here["conserved_curvature"]).max() > 0.1
