"""Components by name, kinds of datasets, and the facts of observables as coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from spinscreen.kernels import InputError, KMesh, find_quantity
from spinscreen.materials import library
from spinscreen.storage import Component, KeptSums, Observables, Store, band_dataset, publish, read_row
from spinscreen.storage.analysis import rotated
from spinscreen.storage.observables import COORDINATES
from spinscreen.workflows import compute, evaluate

HALL = "conserved_hall_conductivity"
DIMS = ("observable", "current_axis", "field_axis")
SPINS = ("spin_x", "spin_y", "spin_z")
#: Of a user, with names that say nothing.
FLOWS = Observables(
    ("Px", "Py", "Pz", "valley"),
    ("m/s",) * 3 + ("1",),
    rotations=("polar",) * 3 + ("scalar",),
    axes=("x", "y", "z", ""),
    time_reversals=(-1,) * 4,
    labels=("flow x", "flow y", "flow z", "valley"),
)


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return compute(library.load("kane_mele").with_charge(), 12, np.linspace(-1, 1, 5))


@pytest.mark.parametrize("text", ["xy_z", "z_xy", "spin_z,x,y", "spin_z, x, y", "xy_spin_z", "spin_z_xy"])
def test_one_component_has_one_printed_name(text):
    for found in (Component.parse(text), Component.read(text, DIMS, SPINS)):
        assert found == Component("spin_z", "xy")
        assert str(found) == "xy_z"
        assert tuple(found) == ("spin_z", "x", "y")
        assert found.labels(DIMS) == {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}


@pytest.mark.parametrize(
    ("text", "dims", "labels"),
    [
        ("charge_xy", DIMS, {"observable": "charge", "current_axis": "x", "field_axis": "y"}),
        ("xy_yx_m", DIMS, {"observable": "yx_m", "current_axis": "x", "field_axis": "y"}),
        ("yx", DIMS[1:], {"current_axis": "y", "field_axis": "x"}),
        ("z", ("axis",), {"axis": "z"}),
        ("spin_x", ("observable",), {"observable": "spin_x"}),
        ("x", ("observable",), {"observable": "spin_x"}),
        ("z_spin_x", ("observable", "axis"), {"observable": "spin_x", "axis": "z"}),
        ("spin_x,z", ("observable", "axis"), {"observable": "spin_x", "axis": "z"}),
        ("charge,y", ("observable", "field_axis"), {"observable": "charge", "field_axis": "y"}),
    ],
)
def test_components_of_any_variable(text, dims, labels):
    found = Component.read(text, dims, (*SPINS, "charge", "yx_m"))
    assert found.labels(dims) == labels


@pytest.mark.parametrize("text", ["", "xy_", "z", "spin_z,x", "spin_z,x,w", "xq_z", ",x,y"])
def test_what_is_no_component_is_said(text):
    with pytest.raises(InputError, match="expected a name such as 'z_xy' or 'xy_z'"):
        Component.parse(text)


def test_a_wrong_call_is_a_sentence(dataset):
    mesh = evaluate(library.load("kane_mele"), KMesh((4, 4, 1)), ["energy"])
    points = evaluate(library.load("kane_mele"), [[0.1, 0, 0], [0.2, 0, 0]], ["energy"])
    assert [d.attrs["kind"] for d in (dataset, mesh, points)] == ["integrals", "mesh", "bands"]
    for old in (dataset, mesh, points):
        assert old.drop_attrs().spinscreen.kind == old.attrs["kind"]
    with pytest.raises(InputError, match="plot_fermi_surface: expected a mesh of k points, found Brillouin"):
        dataset.spinscreen.plot_fermi_surface(0.0)
    with pytest.raises(InputError, match="at_fermi_level: expected Brillouin-zone integrals, found a mesh"):
        mesh.spinscreen.at_fermi_level()
    with pytest.raises(InputError, match="screen: expected a catalog"):
        dataset.spinscreen.screen("gap < 1")
    with pytest.raises(InputError, match="plot_bands: expected values along a path"):
        points.spinscreen.plot_bands("energy")
    assert not hasattr(dataset.spinscreen, "plot_scatter")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dataset.spinscreen.nonsense


def test_facts_of_known_observables_are_coordinates(dataset):
    assert dataset["observable_rotation"].values.tolist() == ["axial"] * 3 + ["scalar"]
    assert dataset["observable_axis"].values.tolist() == ["x", "y", "z", ""]
    assert dataset["observable_time_reversal"].values.tolist() == [-1, -1, -1, 1]
    assert dataset["observable_label"].values.tolist() == dataset["observable"].values.tolist()


def test_facts_are_read_from_coordinates_and_not_from_names():
    values = np.random.default_rng(1).normal(size=(2, 4, 3))
    made = band_dataset({"texture": values}, [find_quantity("texture")], FLOWS, np.zeros((2, 3)), {})
    assert Observables.in_dataset(made) == FLOWS
    turn = Rotation.from_rotvec([0.3, -0.5, 0.9]).as_matrix()
    found = rotated(made, -turn)["texture"].values
    # A polar vector changes its sign under inversion, a scalar does not.
    np.testing.assert_allclose(found[:, :3], -np.einsum("ab,kbn->kan", turn, values[:, :3]), atol=1e-14)
    np.testing.assert_allclose(found[:, 3], values[:, 3])
    with pytest.raises(InputError, match="'Pz' rotates is unknown"):
        rotated(made.isel(observable=[2, 3]), turn)


def test_the_store_keeps_the_facts(tmp_path, dataset):
    flows = dataset.assign_coords(FLOWS.coordinates)
    store = Store.at(tmp_path / "results.zarr")
    assert store.publish(flows, "a")
    assert not publish(flows, store.path, "a")
    assert store.results == ("a",)
    assert Observables.in_dataset(store.read("a")) == FLOWS
    assert store.row("a").observables == FLOWS == read_row(store.path, "a").observables
    assert Observables.in_dataset(store.build_catalog()) == FLOWS
    assert store.catalog.spinscreen.kind == "catalog"
    assert store.screen(columns=["conserved_xy_Px", "conserved_xy_valley"]).shape == (1, 2)
    assert store.verify() == ()
    assert store.tree()["materials/a"][HALL].sizes["observable"] == 4
    figure = flows.spinscreen.plot("xy_Pz")
    assert "Hall conductivity of flow z" in figure.axes[0].get_title()


def test_what_was_stored_before_the_coordinates_is_read(tmp_path, dataset):
    old = dataset.drop_vars([name for name in COORDINATES if name != "observable_unit"])
    del old.attrs["kind"]
    assert Observables.in_dataset(old) == Observables.in_dataset(dataset)
    xr.testing.assert_equal(old.spinscreen.component(HALL, "xy_z"), old.spinscreen.component(HALL, "z_xy"))
    store = Store.at(tmp_path / "results.zarr")
    store.publish(old, "old")
    store.publish(dataset, "new")
    rows = [store.row(name) for name in store.results]
    assert rows[0].columns == pytest.approx(dict(rows[1].columns), nan_ok=True)


def test_the_store_keeps_records_and_sums(tmp_path):
    store = Store.at(str(tmp_path / "results.zarr"))
    campaign = store.record_campaign({"kmesh": 4})
    assert store.campaigns[campaign]["settings"] == {"kmesh": 4}
    store.record_failure("a", "broken", campaign)
    assert store.failures == {"a": "broken"}
    store.forget_absent(campaign, ["b"])
    assert store.failures == {}
    sums = store.kept_sums("a")
    sums.save(0, [np.arange(3.0)])
    (kept,) = KeptSums(store.path, "a").load(0)
    np.testing.assert_array_equal(kept, np.arange(3.0))
    sums.clear()
    assert sums.load(0) is None
    with pytest.raises(InputError, match="no such bands"):
        store.read_bands("none")


def test_facts_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="expected 2 units, one for each name, found 1"):
        Observables(("a", "b"), ("1",))
    with pytest.raises(InputError, match="expected scalar, polar or axial"):
        Observables(("a",), ("1",), rotations=("vector",))
