"""Numbers that cannot be, in and out: refused in one sentence, before anything is computed or stored."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from spinscreen.kernels import InputError, KMesh, k_path
from spinscreen.materials import WannierModel, library
from spinscreen.storage import published
from spinscreen.workflows import compute, compute_settings, evaluate, make_settings, stream_bands
from spinscreen.workflows.plan import CostWarning, costly, make_plan
from spinscreen.workflows.settings import default_scan

MODEL = library.load("MoS2")


@pytest.mark.parametrize("name", ["kane_mele", "bhz_hgte", "silicene", "graphene"])
def test_kramers_partners_split_by_rounding_are_one_level(name):
    """At threshold 0 as at 1e-9 eV, which is above rounding and below every other splitting on this mesh."""
    model = library.load(name)
    level = model.fermi_level or 0.0
    zero, small = (compute(model, 24, [level, level + 0.3], degeneracy_threshold=t) for t in (0.0, 1e-9))
    for variable in small.data_vars:
        np.testing.assert_array_equal(zero[variable], small[variable])
    assert zero.attrs["degeneracy_threshold"] == 0.0
    assert 0 < zero.attrs["degeneracy_threshold_used"] < 1e-12
    assert "degeneracy_threshold_used" not in small.attrs


@pytest.mark.parametrize("size", [4, 24, 60])
def test_the_floor_is_above_the_rounding_of_any_gauge(size):
    """Pairs made exactly equal by construction, mixed by a random unitary: none is split by more."""
    from support import random_model, random_unitary

    half = random_model(size, size=size // 2, radius=1)
    unitary = random_unitary(np.random.default_rng(size), size)
    doubled = unitary.conj().T @ np.kron(half.hamiltonian, np.eye(2)) @ unitary
    model = replace(
        half, hamiltonian=doubled, position=np.zeros((len(doubled), 3, size, size)), observables={}
    )
    points = np.random.default_rng(0).random((200, 3))
    energy = evaluate(model, points, ["energy"], degeneracy_threshold=0.0)
    splitting = np.diff(energy["energy"].values, axis=1)[:, ::2].max()
    assert 0 < splitting < energy.attrs["degeneracy_threshold_used"] / 4


def past_the_door(**arrays: np.ndarray) -> WannierModel:
    """A model with numbers that its constructor refuses, as a mistake in the code could bring them about."""
    model = replace(MODEL)
    for name, array in arrays.items():
        with pytest.raises(InputError, match=f"{name} has an element that is too large"):
            replace(MODEL, **{name: array})
        object.__setattr__(model, name, array)
    return model


def test_positions_that_overflow_are_a_failure_with_its_reason(tmp_path):
    huge = past_the_door(position=MODEL.position + 1e155)
    told = r"MoS2: \w+ at fermi_energy = 0 eV is (nan|-?inf), expected a finite number; the position matrix"
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(InputError, match=told):
            compute(huge, 4, 0.0)
        with pytest.raises(InputError, match=r"conserved_curvature at k = 0.1 0.2 0 is .* holds 1e\+155"):
            evaluate(huge, [[0.1, 0.2, 0]], ["conserved_curvature"])
        with pytest.raises(InputError, match="expected a finite number"):
            stream_bands(huge, 4, tmp_path / "r.zarr", ["berry_curvature"])
    assert not published(tmp_path / "r.zarr")


def test_a_hamiltonian_that_overflows_is_a_failure_with_its_reason():
    huge = past_the_door(hamiltonian=MODEL.hamiltonian / abs(MODEL.hamiltonian).max() * 8e307)
    with pytest.raises(InputError, match=r"does not converge|expected a finite number"):
        compute(huge, 4, 0.0)


BAD_NUMBERS = (float("nan"), float("inf"), -1.0, True, "1", None, 1j, [1.0])


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize("name", ["temperature", "degeneracy_threshold", "broadening"])
def test_a_setting_is_a_number(name, value):
    with pytest.raises(InputError, match=f"{name}: expected .* of at least 0, found") as caught:
        compute(MODEL, 4, 0.0, **{name: value})
    assert "\n" not in str(caught.value)
    if name != "temperature":
        with pytest.raises(InputError, match=f"{name}: expected .* of at least 0, found"):
            evaluate(MODEL, [[0.0, 0, 0]], **{name: value})


@pytest.mark.parametrize("value", [5e-324, 1e-30, 1e155])
def test_a_temperature_is_one_that_a_solid_can_have(value):
    with pytest.raises(
        InputError, match="temperature: expected 0, the limit of low temperatures, or between"
    ):
        compute(MODEL, 4, 0.0, temperature=value)


@pytest.mark.parametrize(
    "value", [4.5, True, 10**9, "48", -3, 0, (4, True), (4, 4.5), (4, None), 10**400, 1j]
)
def test_a_mesh_is_whole_numbers_that_fit_into_a_computer(value, tmp_path):
    for call in (
        lambda: compute(MODEL, value, 0.0),
        lambda: stream_bands(MODEL, value, tmp_path / "r.zarr"),
        lambda: make_settings(MODEL, value, 0.0),
    ):
        with pytest.raises(InputError, match="kmesh: expected") as caught:
            call()
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [6, 6.0, np.int32(6), np.uint8(6), (6, 6), np.array([6, 6, 1])])
def test_a_mesh_may_be_any_kind_of_whole_number(value):
    settings = make_settings(MODEL, value, 0.0)
    assert settings.kmesh == (6, 6, 1)
    assert all(type(count) is int for count in settings.kmesh)


@pytest.mark.parametrize(
    "value", [np.nan, [0.0, np.inf], True, [True, 0.5], [], "0", [[0.0]], [None], 1j, [10**400]]
)
def test_fermi_energies_are_finite_numbers(value):
    with pytest.raises(
        InputError, match="fermi_energy: expected a number or a list of finite energies in eV"
    ):
        compute(MODEL, 4, value)


def test_an_energy_given_twice_is_refused():
    with pytest.raises(InputError, match=r"fermi_energy: 0\.1 is given twice, expected each energy once"):
        compute(MODEL, 4, [0.1, 0.2, 0.1])
    assert compute(MODEL, 4, [0.2, -0.0, 0.1])["fermi_energy"].values.tolist() == [0.2, 0.0, 0.1]


def test_a_scan_without_width_is_one_energy():
    assert default_scan(MODEL, 201, 0.0).tolist() == [MODEL.fermi_level]
    with pytest.raises(InputError, match="scan_points: expected a number from 1"):
        default_scan(MODEL, 10**9)


@pytest.mark.parametrize(
    ("count", "temperature", "message"),
    [
        (2_000_000, 0.0, "expected at most 1,000,000 energies, found 2,000,000"),
        (500_000, 0.0, "sums at 500,000 energies need about"),
        (60_000, 300.0, "expected fewer energies, fewer quantities or more memory"),
    ],
)
def test_more_energies_than_memory_are_refused(count, temperature, message):
    with pytest.raises(InputError, match=message):
        compute(MODEL, 4, np.linspace(0, 1, count), temperature)


def test_a_window_of_energies_makes_blocks_of_k_smaller():
    settings = make_settings(MODEL, 12, np.linspace(-0.5, 0.5, 2001), 300.0, quantities=["carrier_density"])
    whole, small = (make_plan(MODEL.operators, settings, budget) for budget in ("1 GiB", "2 MiB"))
    assert small.task.block_size < whole.task.block_size
    first, second = (compute_settings(MODEL, settings, memory_budget=b) for b in ("1 GiB", "2 MiB"))
    # Sums in another order.
    np.testing.assert_allclose(first["carrier_density"], second["carrier_density"], rtol=1e-12)


@pytest.mark.parametrize("value", [True, None, "nan", -1, 0, "1e400 GiB", [1]])
def test_a_memory_budget_is_a_size(value):
    with pytest.raises(InputError, match="memory_budget: expected a size such as '1 GiB'"):
        compute(MODEL, 4, 0.0, memory_budget=value)


def test_values_that_no_memory_holds_are_refused_before_they_are_made(tmp_path):
    with pytest.raises(InputError, match=r"kpoints: values on .* need .* GiB.*stream_bands"):
        evaluate(MODEL, KMesh((1_000_000, 1_000_000, 1)), ["energy"])
    with pytest.raises(InputError, match=r"kmesh: the values need about .* GiB, expected at most"):
        stream_bands(MODEL, 1_000_000, tmp_path / "r.zarr")


@pytest.mark.parametrize(
    ("corner", "points", "message"),
    [
        ((np.nan, 0, 0), 10, "three reduced coordinates for 'X'"),
        ((1e300, 0, 0), 10, "three reduced coordinates for 'X'"),
        ((0.5, 0), 10, "three reduced coordinates for 'X'"),
        ((0.5, 0, 0), 10**9, "points per segment, found 1000000000"),
        ((0.5, 0, 0), 2.5, "points per segment, found 2.5"),
        ((0.5, 0, 0), True, "points per segment, found True"),
    ],
)
def test_a_path_is_finite(corner, points, message):
    with pytest.raises(InputError, match=message):
        k_path([("G", (0.0, 0.0, 0.0)), ("X", corner)], MODEL.lattice, points)


def test_a_mesh_of_days_is_warned_about(monkeypatch):
    assert costly(MODEL.size, 36_000_000, 2) is None
    told = costly(MODEL.size, 160_000_000_000, 2)
    assert told is not None
    assert told.startswith(
        "kmesh: 160,000,000,000 k points of 6 Wannier functions take about 15 days on 2 cores"
    )
    # A plan of it is small, whoever asks.
    plan = make_plan(MODEL.operators, make_settings(MODEL, 400_000, 0.0))
    assert len(plan.spans) <= 100_001
    monkeypatch.setattr("spinscreen.workflows.plan.COSTLY_HOURS", 0.0)
    with pytest.warns(CostWarning, match="choose a smaller kmesh unless you mean it") as caught:
        compute(MODEL, 4, 0.0)
    assert len([w for w in caught if w.category is CostWarning]) == 1
    assert caught[0].filename == __file__
