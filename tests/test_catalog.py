"""The catalog: every column against the dataset it comes from, growth by batches, streamed bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from campaigns import NAMES, campaign
from scipy.constants import e, hbar

from spinscreen.materials import find_materials, write_wannier90
from spinscreen.storage import (
    build_catalog,
    material_file,
    open_catalog,
    open_store,
    published,
    screen,
)
from spinscreen.storage.catalog import building, pieces
from spinscreen.storage.results import RELATIVE_ENERGY
from spinscreen.workflows import run_campaign

EVERYTHING = (
    "carrier_density",
    "anomalous_hall_conductivity",
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "drude_weight",
    "circulation_magnetization",
)
FERROMAGNET = "rashba_ferromagnet"


@pytest.fixture(scope="module")
def sources():
    return {source.id: source for source in find_materials("library")}


@pytest.fixture(scope="module")
def metal(tmp_path_factory, sources):
    """A metal with every quantity that has columns: its store and its dataset at the Fermi level."""
    store = tmp_path_factory.mktemp("metal") / "results.zarr"
    settings = {
        "temperature": 300.0,
        "charge": True,
        "quantities": EVERYTHING,
        "kmesh": 40,
        "scan_points": 41,
    }
    source = replace(sources[FERROMAGNET], columns={"batch": "a"})
    report = run_campaign(campaign([source], **settings), store)
    assert not report.failures
    (name,) = published(store)
    dataset = open_store(store)[f"materials/{name}"].to_dataset().load()
    return store, dataset.spinscreen.at_fermi_level()


def column(store, name: str) -> float:
    return screen(store, columns=[name])[name].item()


def test_components_and_ratios_are_those_of_the_dataset(metal):
    store, here = metal
    at = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}
    conserved = float(here["conserved_hall_conductivity"].sel(at))
    conventional = float(here["conventional_hall_conductivity"].sel(at))
    assert column(store, "conserved_xy_z") == conserved
    assert column(store, "conventional_xy_z") == conventional
    assert column(store, "ratio_xy_z") == conserved / conventional
    assert column(store, "anomalous_xy") == float(
        here["anomalous_hall_conductivity"].sel(current_axis="x", field_axis="y")
    )
    charge = here["conserved_hall_conductivity"].sel(at | {"observable": "charge"})
    assert column(store, "conserved_xy_charge") == float(charge)


def test_the_spin_hall_angle_is_that_of_ten_femtoseconds(metal):
    store, here = metal
    drude = here["drude_weight"].sel(observable="charge", current_axis="y", field_axis="y")
    # S eV times tau/hbar; in SI, since the column's own factor is not to check itself.
    along = abs(float(drude)) * e * 10e-15 / hbar
    expected = 2 * column(store, "conserved_xy_z") / along
    assert column(store, "spin_hall_angle_xy_z") == pytest.approx(expected, rel=1e-9)
    assert abs(expected) < 1


def test_magnetization_is_the_sum_of_its_parts(metal):
    store, here = metal
    moment = here["circulation_magnetization"].sel(observable="charge", axis="z")
    parts = {part: column(store, f"magnetization_{part}_z_charge") for part in ("moment", "dipole", "berry")}
    for part, value in parts.items():
        assert value == float(moment.sel(part=part))
    assert column(store, "magnetization_z_charge") == pytest.approx(sum(parts.values()), rel=1e-12)


def test_the_run_is_told_and_units_are_given(metal):
    store, _ = metal
    found = open_catalog(store)
    assert found["k_mesh"].values.tolist() == ["40x40x1"]
    assert found["batch"].values.tolist() == ["a"]
    assert found["temperature"].attrs["units"] == "K"
    assert found["gap"].attrs["units"] == "eV"
    assert found["conserved_xy_z"].attrs["units"] == "(hbar/e) S"
    assert found["conserved_xy_charge"].attrs["units"] == "S"
    assert found["conserved_hall_conductivity"].attrs["units"] == "(Theta/e) S"


def test_the_largest_value_is_sought_within_an_electronvolt(metal):
    store, _ = metal
    found = open_catalog(store)
    curve = found["conserved_hall_conductivity"].sel(observable="spin_z", current_axis="x", field_axis="y")
    values = curve.values[0]
    assert abs(column(store, "conserved_xy_z_max")) == np.nanmax(np.abs(values))
    assert found["relative_energy"].values[[0, -1]].tolist() == [-1, 1]


def test_the_common_grid_interpolates_each_scan(metal):
    store, _ = metal
    (name,) = published(store)
    dataset = open_store(store)[f"materials/{name}"].to_dataset().load()
    shifted = dataset.spinscreen.relative_to_fermi_level()["conserved_hall_conductivity"]
    expected = shifted.interp(fermi_energy=RELATIVE_ENERGY)
    found = open_catalog(store)["conserved_hall_conductivity"].isel(material=0)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18)


def test_without_a_fermi_level_nothing_pretends_to_be_at_it(tmp_path, sources):
    write_wannier90(replace(sources["MoS2"].load(), fermi_level=None), tmp_path / "tree")
    store = tmp_path / "results.zarr"
    run_campaign(campaign(find_materials(tmp_path / "tree")), store)
    found = screen(
        store, columns=["fermi_level", "gap", "conserved_xy_z", "conserved_xy_z_max", "ratio_xy_z"]
    )
    assert found.isna().to_numpy().all()
    assert np.isnan(open_catalog(store)["conserved_hall_conductivity"]).all()
    dataset = open_store(store)["materials"].children[published(store)[0]]
    assert np.isfinite(dataset["conserved_hall_conductivity"]).all()


def test_it_grows_by_batches_and_by_observables(tmp_path, sources, monkeypatch):
    # Private on purpose: the size of chunks is part of the layout, and no setting.
    for module in (building, pieces):
        monkeypatch.setattr(module, "CHUNK", 3)
    store = tmp_path / "results.zarr"
    chosen = [sources[name] for name in NAMES]
    run_campaign(campaign(chosen[:2]), store)
    first = build_catalog(store).load()
    reads = []
    run_campaign(campaign(chosen, charge=True), store)

    def noting(write, asked):
        reads.extend(asked)
        return map(write, asked)

    assert build_catalog(store, noting).sizes["material"] == 6
    assert not reads
    grown = open_catalog(store).load()
    assert grown["observable"].values.tolist() == ["spin_x", "spin_y", "spin_z", "charge"]
    shared = grown.sel(material=first["material"])
    for name in first.data_vars:
        if "observable" in first[name].dims:
            np.testing.assert_array_equal(shared[name].isel(observable=slice(3)), first[name])
            assert np.isnan(shared[name].sel(observable="charge")).all()
        else:
            np.testing.assert_array_equal(shared[name], first[name])
    # From the beginning it is the same, whatever the order of the rows.
    (store / "catalog").unlink()
    anew = build_catalog(store).load()
    xr.testing.assert_equal(anew.sortby("material"), grown.sortby("material"))


def test_it_is_built_anew_when_a_material_is_taken_away(tmp_path, sources):
    store = tmp_path / "results.zarr"
    run_campaign(campaign([sources[name] for name in NAMES]), store)
    gone = published(store)[1]
    material_file(store, gone).unlink()
    left = build_catalog(store)
    assert gone not in left["material"].values
    assert left.sizes["material"] == 3
    assert np.isfinite(left["conserved_hall_conductivity"].sel(observable="spin_z")).any()


def test_a_catalog_that_is_open_reads_right_while_rows_are_added(tmp_path, sources):
    store = tmp_path / "results.zarr"
    run_campaign(campaign([sources["MoS2"]]), store)
    expected = open_catalog(store).load()
    before = open_catalog(store)
    run_campaign(campaign([sources[name] for name in NAMES]), store)
    xr.testing.assert_equal(before.load(), expected)


def test_a_campaign_streams_bands_and_pairs_electrons(tmp_path, sources, client):
    store = tmp_path / "results.zarr"
    settings = {"band_kmesh": 9, "pairing": "s", "gap": 0.01, "temperature": 1.0}
    job = campaign([sources["kane_mele"]], **settings)
    assert run_campaign(job, store, client).count("computed") == 1
    assert run_campaign(job, store).count("present") == 1
    (name,) = open_store(store)["bands"].children
    bands = open_store(store)[f"bands/{name}"].to_dataset()
    assert bands.sizes["k"] == 81
    assert "charge" in bands["observable"].values
    assert column(store, "fermi_level") == 0


def test_a_peak_has_the_error_bar_of_its_energy(tmp_path, sources):
    """On the grid of the catalog, whose energies are those of the scan here."""
    settings = {"quantities": ("conventional_hall_conductivity",), "tolerance": 0.3, "budget": 300}
    settings |= {"scan_points": 201, "half_width": 1.0, "kmesh": None}
    store = tmp_path / "results.zarr"
    run_campaign(campaign([sources["kane_mele"]], **settings), store)
    (name,) = published(store)
    dataset = open_store(store)[f"materials/{name}"].to_dataset().load()
    where = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}
    values = dataset["conventional_hall_conductivity"].sel(where).values
    bars = dataset["conventional_hall_conductivity_error"].sel(where).values
    place = int(np.abs(values).argmax())
    # Both grids are about the Fermi level, equal but for rounding.
    assert column(store, "conventional_xy_z_max_error") == pytest.approx(bars[place], rel=1e-6)
    assert bars[place] > 0
