"""Settings, plans, evaluation, and sums that do not depend on who computed them."""

from __future__ import annotations

import signal
import subprocess
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from command_line import COMMAND
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import random_model, values

from spinscreen.kernels import (
    INTEGRALS,
    PARTS,
    QUANTITIES,
    InputError,
    Integral,
    KMesh,
    LineSpan,
    add_sums,
    k_path,
    sum_span,
)
from spinscreen.materials import library
from spinscreen.workflows import Settings, compute, evaluate, make_settings
from spinscreen.workflows.plan import make_plan
from spinscreen.workflows.settings import complete_kmesh

ENERGIES = np.linspace(-3, 3, 21)


@pytest.fixture(scope="module")
def warm() -> Settings:
    """Every integral of the registry at once."""
    names = [q.name for q in INTEGRALS]
    return make_settings(random_model(0), (4, 5, 6), ENERGIES, temperature=600.0, quantities=names)


def assert_close(first: xr.Dataset, second: xr.Dataset, tolerance: float = 1e-12) -> None:
    for name in first.data_vars:
        scale = np.abs(first[name]).max()
        np.testing.assert_allclose(second[name], first[name], atol=tolerance * float(scale), err_msg=name)


def test_defaults_take_all_that_apply(warm):
    by_default = make_settings(random_model(0), 4, temperature=600.0)
    assert by_default.quantities == tuple(q.name for q in INTEGRALS if q.by_default)
    assert set(warm.quantities) > set(by_default.quantities)
    cold = make_settings(library.load("haldane"), 24)
    assert "anomalous_hall_conductivity" in cold.quantities
    assert not any(QUANTITIES[name].needs_observable for name in cold.quantities)
    assert not any(QUANTITIES[name].needs_temperature for name in cold.quantities)
    assert cold.kmesh == (24, 24, 1)
    assert np.median(cold.fermi_energy) == pytest.approx(0.0, abs=1e-12)


def test_without_a_mesh_points_are_chosen_until_bars_are_small():
    found = make_settings(library.load("haldane"))
    assert (found.kmesh, found.kshift) == (None, (0.0, 0.0, 0.0))
    assert (found.tolerance, found.budget) == (0.01, 200_000)
    # Fermi-surface terms have a limit of zero temperature there, what is divided by the temperature has none.
    assert "density_of_states" in found.quantities
    assert not any(QUANTITIES[name].is_thermal for name in found.quantities)
    # Where only a mesh can be, its spacing is at most 0.1/angstrom.
    x, y, z = complete_kmesh(library.load("haldane"), None)
    assert (x == y > 20, z) == (True, 1)


def test_an_unknown_fermi_level_scans_all_bands():
    from dataclasses import replace

    model = replace(library.load("MoS2"), fermi_level=None)
    scan = make_settings(model).fermi_energy
    energies = values(model, KMesh((6, 6, 1)).points(), names=("energy",))["energy"]
    assert (scan[0], scan[-1]) == (energies.min(), energies.max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kmesh": (0, 4, 1)}, r"kmesh: expected three whole numbers of at least 1, found \(0, 4, 1\)"),
        ({"kmesh": 0}, "kmesh: expected three whole numbers"),
        ({"kmesh": (4, 4)}, None),
        ({"kmesh": (4,)}, "kmesh: expected three whole numbers"),
        ({"kmesh": (4.5, 4, 1)}, "kmesh: expected three whole numbers"),
        ({"kmesh": (4, 4, 4)}, "axis 3 of model 'kane_mele' does not repeat"),
        ({"fermi_energy": "high"}, "fermi_energy: expected a number or a list"),
        ({"fermi_energy": np.nan}, "fermi_energy: expected a number or a list"),
        ({"temperature": -1.0}, "temperature: expected kelvin of at least 0"),
        ({"degeneracy_threshold": -1.0}, "degeneracy_threshold: expected a finite energy"),
        ({"broadening": np.nan}, "broadening: expected a finite energy"),
        ({"quantities": ["berry_curvture"]}, "did you mean 'berry_curvature'"),
        ({"quantities": ["berry_curvature"]}, r"is a value per k and band.*use evaluate"),
        ({"quantities": "energy"}, "expected a list of names"),
        ({"quantities": []}, "expected at least one name"),
        ({"kmesh": 4, "quantities": ["drude_weight"]}, "needs a temperature above 0 K"),
        ({"quantities": ["conserved_nernst_conductivity"]}, "vanishes at 0 K"),
        ({"kshift": 0.5}, r"kshift: 0\.5 is given without kmesh, expected both or neither; a plain mesh"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    model = library.load("kane_mele")
    if message is None:
        assert make_settings(model, **options).kmesh == (4, 4, 1)
        return
    with pytest.raises(InputError, match=message):
        make_settings(model, **options)


def test_a_quantity_of_an_observable_needs_one():
    with pytest.raises(InputError, match="needs an observable, but model 'haldane' has none"):
        compute(library.load("haldane"), 4, quantities=["conserved_hall_conductivity"])
    with pytest.raises(InputError, match="needs an observable"):
        evaluate(library.load("haldane"), np.zeros((1, 3)), ["texture"])


@pytest.mark.parametrize(
    ("kpoints", "message"),
    [
        (np.zeros((3, 2)), r"kpoints: expected reduced coordinates of shape \(n, 3\), found shape \(3, 2\)"),
        (np.full((1, 3), np.nan), "kpoints: expected finite numbers"),
        (np.zeros((0, 3)), "kpoints: expected"),
    ],
)
def test_k_points_that_make_no_sense_are_refused(kpoints, message):
    with pytest.raises(InputError, match=message):
        evaluate(library.load("kane_mele"), kpoints)


def test_an_integral_cannot_be_evaluated_per_k():
    with pytest.raises(InputError, match=r"integral over the Brillouin zone.*use compute"):
        evaluate(library.load("kane_mele"), np.zeros((1, 3)), ["carrier_density"])


def test_evaluate_labels_dims_units_and_settings():
    model = random_model(3)
    names = [name for name, q in QUANTITIES.items() if not isinstance(q, Integral)]
    dataset = evaluate(model, np.zeros((2, 3)), names, degeneracy_threshold=0.02, broadening=0.1)
    assert dataset["conventional_curvature"].dims == ("k", "observable", "current_axis", "field_axis", "band")
    assert dataset["conserved_curvature"].dims == ("k", "observable", "axis", "band")
    assert dataset["velocity"].dims == ("k", "axis", "band")
    assert list(dataset["observable"].values) == ["spin_x", "spin_y", "spin_z"]
    assert dataset["texture"].attrs["units"] == "hbar"
    for variable in dataset.data_vars.values():
        assert {"long_name", "units", "theory"} <= set(variable.attrs)
    assert dataset.attrs["degeneracy_threshold"] == 0.02
    assert dataset.attrs["broadening"] == 0.1
    assert dataset.attrs["model_hash"] == model.fingerprint


def test_evaluate_takes_a_path_and_a_mesh():
    model = library.load("MoS2")
    path = k_path([("G", (0, 0, 0)), ("M", (0.5, 0, 0)), ("K", (1 / 3, 2 / 3, 0))], model.lattice, 10)
    dataset = evaluate(model, path)
    assert dataset.sizes["k"] == 21
    assert dataset["distance"].attrs["tick_labels"] == "G\nM\nK"
    # |b1|/2 of a hexagonal lattice.
    assert float(dataset["distance"][10]) == pytest.approx(2 * np.pi / np.sqrt(3) / 3.190)
    assert evaluate(model, KMesh((3, 4, 1))).sizes["k"] == 12


def test_compute_labels_dims_units_and_settings(warm):
    model = random_model(0)
    dataset = compute(model, warm.kmesh, ENERGIES, temperature=600.0, quantities=warm.quantities)
    for integral in INTEGRALS:
        assert dataset[integral.name].dims == (*integral.dims, "fermi_energy")
        parts = list(PARTS.get(integral.name, ()))
        own = dataset[integral.name].sel(part=parts) if parts else dataset[integral.name]
        # Random bands have no gap.
        assert np.isfinite(own).all() == ("NaN" not in integral.note)
        assert dataset[integral.name].attrs["theory"] == integral.theory
        assert "{" not in dataset[integral.name].attrs["units"]
    assert dataset["anomalous_hall_conductivity"].attrs["units"] == "S/cm"
    assert dataset["conserved_hall_conductivity"].attrs["units"] == "(hbar/e) S/cm"
    assert dataset["fermi_energy"].attrs["units"] == "eV"
    expected = {"k_mesh", "temperature", "degeneracy_threshold", "model_hash", "spinscreen_version", "key"}
    assert expected <= set(dataset.attrs)
    assert dataset.attrs["elapsed_seconds"] > 0


def test_units_follow_the_observable_and_the_dimension():
    model = library.load("haldane").with_observable("charge", -np.eye(2))
    dataset = compute(model, 6, 0.0)
    assert dataset["conserved_hall_conductivity"].attrs["units"] == "S"
    layer = library.load("haldane").with_observable("layer", np.eye(2))
    assert compute(layer, 6, 0.0)["conserved_hall_conductivity"].attrs["units"] == "(1/e) S"


def test_fermi_energies_come_back_in_the_order_given():
    model = random_model(1)
    shuffled = np.random.default_rng(0).permutation(ENERGIES)
    sorted_run, shuffled_run = (compute(model, 4, e) for e in (ENERGIES, shuffled))
    np.testing.assert_array_equal(shuffled_run["fermi_energy"], shuffled)
    assert_close(sorted_run, shuffled_run.sortby("fermi_energy"), 0)


@given(cuts=st.sets(st.integers(1, 19), max_size=6))
@hypothesis_settings(max_examples=10)
def test_results_do_not_depend_on_how_the_mesh_is_cut(warm, cuts):
    operators = random_model(0).operators
    plan = make_plan(operators, warm)
    assert plan.task.mesh.full.line_count == 20
    whole = sum_span(operators, plan.task, LineSpan(0, 20))
    edges = [0, *sorted(cuts), 20]
    total = None
    for start, stop in pairwise(edges):
        part = sum_span(operators, plan.task, LineSpan(start, stop))
        total = part if total is None else add_sums(total, part)
    for found, expected in ((total.values, whole.values), (total.shares, whole.shares)):
        for term in expected:
            atol = 1e-12 * np.abs(expected[term]).max()
            np.testing.assert_allclose(found[term], expected[term], atol=atol)


@pytest.mark.parametrize("budget", ["200 kB", "1 MiB"])
def test_results_do_not_depend_on_the_memory_budget(budget):
    model = random_model(0)
    free, bound = (compute(model, (5, 5, 7), ENERGIES, memory_budget=b) for b in ("1 GiB", budget))
    assert_close(free, bound)


def test_a_cluster_gives_the_bits_of_this_process(client):
    model = random_model(0, size=6)
    names = [q.name for q in INTEGRALS]
    here, there = (
        compute(model, (12, 12, 12), ENERGIES, 300.0, quantities=names, client=where)
        for where in (None, client)
    )
    for name in here.data_vars:
        np.testing.assert_array_equal(here[name], there[name])


def test_progress_counts_every_k_point_that_is_computed_once(client):
    model = library.load("MoS2")
    for workers in (None, client):
        seen: list[int] = []
        found = compute(model, (30, 20, 1), 0.0, client=workers, progress=seen.append)
        assert sum(seen) == found.attrs["evaluations"] <= 300


def test_a_failing_worker_task_raises_its_own_error(client, monkeypatch):
    from dataclasses import replace

    # It looks at a few k points here, before any task is sent.
    monkeypatch.setattr("spinscreen.workflows.computing.warn_of_levels", lambda *arguments: [])

    model = library.load("MoS2")
    broken = replace(model.operators, cell=np.zeros((2, 2)))
    object.__setattr__(model, "operators", broken)
    with pytest.raises(ValueError, match="core dimension"):
        compute(model, 12, 0.0, client=client)


def test_a_budget_that_cannot_hold_the_model_is_refused():
    with pytest.raises(InputError, match="cannot hold this model, expected at least"):
        compute(random_model(0, size=20), 4, 0.0, memory_budget="10 kB")
    with pytest.raises(InputError, match="memory_budget: expected a size such as '1 GiB', found 'much'"):
        compute(random_model(0), 4, 0.0, memory_budget="much")
    with pytest.raises(InputError, match="memory_budget: expected a size"):
        evaluate(random_model(0), np.zeros((1, 3)), memory_budget="much")


def test_work_memory_is_bounded_whatever_the_mesh():
    """Peak of one span stays within the budget: the mesh is never held."""
    model, budget = random_model(0, size=12, radius=2), 24 * 2**20
    settings = make_settings(model, (40, 40, 600), ENERGIES)
    plan = make_plan(model.operators, settings, budget)
    tracemalloc.start()
    sum_span(model.operators, plan.task, LineSpan(0, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + model.operators.nbytes < budget


def test_the_key_names_model_settings_and_schema():
    model = random_model(0)
    base = make_settings(model, 4, 0.0)
    assert base.key(model) == make_settings(model, 4, 0.0).key(model)
    others = [
        make_settings(model, 5, 0.0),
        make_settings(model, 4, 0.1),
        make_settings(model, 4, 0.0, temperature=1.0),
        make_settings(model, 4, 0.0, degeneracy_threshold=1e-3),
        make_settings(model, 4, 0.0, broadening=1e-3),
        make_settings(model, 4, 0.0, quantities=["carrier_density"]),
    ]
    keys = {settings.key(model) for settings in others} | {
        base.key(model),
        base.key(random_model(1)),
    }
    assert len(keys) == len(others) + 2


def test_control_c_ends_cleanly(tmp_path):
    """A long run, interrupted: one line, exit code 130, no store."""
    store = tmp_path / "results.zarr"
    arguments = ["run", "MoS2", "--kmesh", "6000,6000,1", "--store", str(store)]
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # The model's table is printed before the first k point.
    while "observables" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "stopped" in errors
    assert not store.exists()
