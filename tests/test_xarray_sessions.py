"""What an xarray session does with results: netCDF, joined materials, units, what they say of themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spinscreen.kernels import QUANTITIES, InputError, k_path
from spinscreen.materials import find_materials, library
from spinscreen.storage import open_catalog, publish, published, read_material, unit_registry
from spinscreen.storage.attributes import mapping_of, portable, texts_of, vectors_of
from spinscreen.storage.fermi_level import rounded
from spinscreen.storage.results.rows import make_row
from spinscreen.workflows import Campaign, compute, evaluate, notebook, run_campaign
from spinscreen.workflows.notebook import notebook_progress

T4, T6 = "conventional_hall_conductivity", "conserved_hall_conductivity"

MODELS = ("kane_mele", "silicene", "germanene")


@pytest.fixture(scope="module")
def layers():
    """Results of models whose Fermi levels differ by an odd number."""
    found = []
    for name, level in zip(MODELS, (0.0, 0.7310093, -12.34567891), strict=True):
        model = library.load(name)
        scan = level + np.linspace(-0.2, 0.2, 21)
        found.append(compute(model, 4, scan, fermi_level=level, quantities=["carrier_density", T4]))
    return found


@pytest.fixture(scope="module")
def bands():
    model = library.load("kane_mele")
    corners = [("G", (0, 0, 0)), ("K", (1 / 3, 2 / 3, 0))]
    return evaluate(model, k_path(corners, model.lattice, 5), ["energy", "texture"])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = tmp_path_factory.mktemp("sessions") / "results.zarr"
    run_campaign(Campaign(find_materials("library")[:2], kmesh=3, scan_points=3), place)
    return place


@pytest.mark.parametrize(
    ("engine", "module"), [("scipy", "scipy"), ("netcdf4", "netCDF4"), ("h5netcdf", "h5netcdf")]
)
def test_every_dataset_goes_to_netcdf_and_back(layers, bands, store, tmp_path, engine, module):
    pytest.importorskip(module)
    catalog = open_catalog(store).load()
    published = read_material(store, str(catalog["material"].values[0])).load()
    mesh = compute(library.load("kane_mele"), 3, 0.0, quantities=[T6])
    for number, dataset in enumerate((layers[0], bands, published, catalog, mesh)):
        file = tmp_path / f"{number}.nc"
        dataset.to_netcdf(file, engine=engine)
        back = xr.load_dataset(file, engine=engine)
        assert back.equals(dataset)
        for name, value in dataset.attrs.items():
            np.testing.assert_array_equal(np.atleast_1d(back.attrs[name]), np.atleast_1d(value))


def test_a_result_that_was_in_netcdf_is_used_as_before(layers, bands, tmp_path):
    layers[1].to_netcdf(tmp_path / "a.nc")
    back = xr.load_dataset(tmp_path / "a.nc")
    there, here = (d.spinscreen.at_fermi_level() for d in (back, layers[1]))
    assert there.equals(here)
    assert back.spinscreen.in_crystal_axes().equals(layers[1].spinscreen.in_crystal_axes())
    bands.to_netcdf(tmp_path / "b.nc")
    assert xr.load_dataset(tmp_path / "b.nc").spinscreen.plot_bands("texture", "spin_z")


def test_a_row_of_the_catalog_survives_netcdf(store, tmp_path):
    name = str(open_catalog(store)["material"].values[0])
    dataset = read_material(store, name).load()
    dataset.to_netcdf(tmp_path / "row.nc")
    there, here = (make_row(d, name) for d in (xr.load_dataset(tmp_path / "row.nc"), dataset))
    assert dict(there.headings) == dict(here.headings)
    for column, value in here.columns.items():
        np.testing.assert_equal(there.columns[column], value)


def test_relative_energies_of_joined_materials_are_equal_to_the_bit(layers):
    relative = [layer.spinscreen.relative_to_fermi_level() for layer in layers]
    joined = xr.concat(relative, "name")
    assert joined.sizes["fermi_energy"] == 21
    assert joined["name"].values.tolist() == list(MODELS)
    assert joined["fermi_level"].values.tolist() == [0.0, 0.7310093, -12.34567891]
    # What is the same for all stays one number.
    assert float(joined["degeneracy_threshold"]) == layers[0].attrs["degeneracy_threshold"]
    one = joined.sel(name="silicene")
    here = one.spinscreen.at_fermi_level()
    assert float(here["fermi_energy"]) == 0
    np.testing.assert_array_equal(here[T4], layers[1].spinscreen.at_fermi_level()[T4])


@pytest.mark.parametrize("step", [0.02, 0.1 / 3, 2**-10, 5e-4, 1.5e-5])
def test_rounding_does_not_hang_on_the_level(step):
    grid = np.arange(-100, 101) * step
    first = rounded(grid)
    assert 0.0 in first
    for level in np.random.default_rng(3).uniform(-30, 30, 200):
        np.testing.assert_array_equal(rounded((level + grid) - level), first)


def test_several_fermi_levels_are_refused(layers):
    joined = xr.concat(layers, "name")
    with pytest.raises(InputError, match="expected one material, found 3 along 'name'"):
        joined.spinscreen.at_fermi_level()


def test_texts_of_the_catalog_are_coordinates(store):
    catalog = open_catalog(store).load()
    assert {"name", "quality", "k_mesh", "spinscreen_version"} <= set(catalog.coords)
    assert all(catalog[name].dtype.kind == "f" for name in catalog.data_vars)
    kept = catalog.where(catalog["fermi_level"] > 1e9)
    assert kept["name"].equals(catalog["name"])
    more = catalog.reindex(material=[*catalog["material"].values, "none"])
    assert np.isnan(more["gap"].values[-1])
    assert more["name"].values[:2].tolist() == catalog["name"].values.tolist()
    twice = xr.concat([catalog, catalog], "material")
    assert twice.sizes["material"] == 4


def test_results_of_earlier_versions_are_brought_up_to_date(layers, tmp_path):
    old = layers[0].copy(deep=True).drop_vars(["name", "fermi_level", "degeneracy_threshold"])
    old.attrs |= {"lattice": vectors_of(old.attrs["lattice"]).tolist(), "converged": True}
    old.attrs |= {"columns": {"E (eV)": 1.0, "id": "a"}, "model_notes": ["one", "two"]}
    del old.attrs["Conventions"]
    old["carrier_density"].attrs["units"] = "1/cell"
    publish(old, tmp_path / "old.zarr", "one")
    found = read_material(tmp_path / "old.zarr", "one")
    found.to_netcdf(tmp_path / "old.nc")
    assert {"name", "fermi_level", "degeneracy_threshold"} <= set(found.coords)
    assert found.attrs["Conventions"].startswith("CF")
    assert found["carrier_density"].attrs["units"] == "1"
    assert make_row(found, "one").headings == make_row(old, "one").headings
    assert old[T4].equals(found[T4].drop_vars(["name", "fermi_level", "degeneracy_threshold"]))


def test_every_unit_is_one_that_pint_knows(layers):
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    for dataset in layers:
        for variable in dataset.variables.values():
            if "units" in variable.attrs:
                registry.parse_units(variable.attrs["units"])


def test_quantify(layers, bands):
    pytest.importorskip("pint_xarray")
    for dataset in (*layers, bands):
        dataset.pint.quantify()
    mixed = compute(library.load("kane_mele").with_charge(), 3, 0.0, quantities=[T4])
    assert "Theta" in mixed[T4].attrs["units"]
    quantified = mixed.pint.quantify(unit_registry=unit_registry())
    assert "Theta" in str(quantified[T4].pint.units)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantify_a_catalog(tmp_path, store):
    pytest.importorskip("pint_xarray")
    one = open_catalog(store).pint.quantify(unit_registry=unit_registry())
    assert one["conserved_xy_z"].pint.units == unit_registry().parse_units("(hbar/e) S")
    # A crystal beside the layers: what has another unit for each has none, and is no number of some unit.
    crystal = replace(library.load("MoS2"), name="crystal", periodic=(True, True, True))
    place = tmp_path / "r.zarr"
    run_campaign(Campaign([crystal, library.load("WS2")], kmesh=2, scan_points=3), place)
    catalog = open_catalog(place)
    assert catalog["conserved_xy_z"].attrs["units_by_dimension"].startswith("(Theta/e) S/cm in 3D")
    assert catalog.pint.quantify()["conserved_xy_z"].pint.units is None
    for dimension, name, unit in ((3, "crystal", "(hbar/e) S/cm"), (2, "WS2", "(hbar/e) S")):
        part = catalog.spinscreen.of_dimension(dimension)
        assert part["name"].values.tolist() == [name]
        for column in ("conserved_xy_z", "conserved_xy_z_error", "conserved_hall_conductivity"):
            assert part[column].attrs["units"] == unit
        part.pint.quantify()
    assert "units" not in catalog["conserved_xy_z"].attrs
    with pytest.raises(InputError, match="dimension: expected 1, 2 or 3, found 4"):
        catalog.spinscreen.of_dimension(4)


def test_datasets_say_what_they_are(layers, bands, store):
    for dataset in (*layers, bands):
        assert {"Conventions", "title", "references", "history", "source"} <= set(dataset.attrs)
        for name in dataset.data_vars:
            assert dataset[name].attrs["comment"].endswith(".")
    assert "references" in open_catalog(store).attrs


def test_every_quantity_has_a_sentence_of_what_it_is_and_when_to_use_it():
    for quantity in QUANTITIES.values():
        assert quantity.comment.endswith(".")
        assert quantity.comment.count(". ") == 0


def test_portable_attributes():
    assert portable(True) == 1
    assert not isinstance(portable(np.True_), bool | np.bool_)
    assert portable([[1, 2], [3, 4]]) == [1, 2, 3, 4]
    assert portable(2**40) == 2.0**40
    assert texts_of(portable(["G", ""])) == ("G", "")
    assert texts_of(["a"]) == texts_of("a") == ("a",)
    assert texts_of(None) == texts_of([]) == ()
    assert mapping_of(portable({"E (eV)": 1.5})) == {"E (eV)": 1.5}


def test_a_bar_is_shown_in_notebooks_alone(monkeypatch):
    display = pytest.importorskip("IPython.display")
    assert notebook_progress(10) is None

    class ZMQInteractiveShell:
        pass

    shown = []
    monkeypatch.setattr(notebook, "_shell", ZMQInteractiveShell)
    monkeypatch.setattr(notebook, "_WORTH_A_BAR", -1.0)
    monkeypatch.setattr(display.ProgressBar, "display", lambda bar: shown.append("bar"))
    monkeypatch.setattr(display.ProgressBar, "update", lambda bar: shown.append(bar.progress))
    compute(library.load("kane_mele"), 6, 0.0, quantities=["carrier_density"])
    assert shown[0] == "bar"
    assert shown[-1] > 0


def test_a_bar_of_a_campaign_counts_materials(monkeypatch, tmp_path):
    display = pytest.importorskip("IPython.display")

    class ZMQInteractiveShell:
        pass

    shown = []
    monkeypatch.setattr(notebook, "_shell", ZMQInteractiveShell)
    monkeypatch.setattr(notebook, "_WORTH_A_BAR", -1.0)
    monkeypatch.setattr(display.ProgressBar, "display", lambda bar: shown.append(bar.total))
    monkeypatch.setattr(display.ProgressBar, "update", lambda bar: shown.append(bar.progress))
    job = Campaign([library.load("MoS2"), library.load("WS2")], kmesh=4, scan_points=3)
    run_campaign(job, tmp_path / "r.zarr")
    assert shown == [2, 1, 2]


def test_materials_without_a_spin_are_joined_with_those_that_have_one(tmp_path):
    found = [source for source in find_materials("library") if source.id in ("haldane", "kane_mele")]
    run_campaign(Campaign(found, kmesh=3, scan_points=3), tmp_path / "r.zarr")
    datasets = [read_material(tmp_path / "r.zarr", name) for name in published(tmp_path / "r.zarr")]
    for order in (datasets, datasets[::-1]):
        joined = xr.concat([one.spinscreen.relative_to_fermi_level() for one in order], "name")
        curves = joined[T4].sel(observable="spin_z", current_axis="x", field_axis="y")
        assert np.isnan(curves.sel(name="haldane")).all()
        assert not np.isnan(curves.sel(name="kane_mele")).any()
        assert joined.sel(name="haldane").spinscreen.at_fermi_level()["anomalous_hall_conductivity"].size == 9
        joined.to_netcdf(tmp_path / "joined.nc")
        again = xr.load_dataset(tmp_path / "joined.nc")
        np.testing.assert_array_equal(again[T4].values, joined[T4].values)
