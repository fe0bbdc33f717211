"""The setting `components`: what is asked for is what the full computation gives, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from command_line import spinscreen
from symmetric import crystal_model

from spinscreen.kernels import InputError
from spinscreen.materials import library
from spinscreen.storage import Store, open_catalog
from spinscreen.storage.analysis import rotated
from spinscreen.workflows import Calculation, compute, make_settings
from spinscreen.workflows.configuration import read_campaign_file
from spinscreen.workflows.premise import RATE, forbidden_by_crystal

ENERGIES = np.linspace(-1.0, 1.0, 5)
HALL = "conserved_hall_conductivity"
DIMS = ("observable", "current_axis", "field_axis")
#: Share of the largest value of a quantity by which sums in another order may differ.
ROUNDING = 1e-9


def assert_same_components(part: xr.Dataset, whole: xr.Dataset) -> None:
    assert set(part.data_vars) == set(whole.data_vars)
    for name, values in part.data_vars.items():
        own = whole[name].sel({dim: values[dim].values for dim in values.dims if dim in DIMS})
        assert values.dims == whole[name].dims
        # What vanishes by symmetry is on both sides what rounding leaves of terms of order 1e-4 S, or of 1.
        atol = ROUNDING * float(abs(whole[name]).max()) + 1e-15
        np.testing.assert_allclose(values, own, rtol=0, atol=atol, err_msg=str(name))


@pytest.mark.parametrize("temperature", [0.0, 300.0])
@pytest.mark.parametrize("name", ["kane_mele", "rashba_ferromagnet", "WSe2"])
def test_values_are_those_of_the_full_computation(name, temperature):
    model = library.load(name).with_charge()
    settings = {"kmesh": 6, "fermi_energy": ENERGIES, "temperature": temperature}
    whole = compute(model, **settings)
    part = compute(model, components=["z_xy", "charge_yy"], **settings)
    assert_same_components(part, whole)
    assert part["observable"].values.tolist() == ["spin_z", "charge"]
    assert part["current_axis"].values.tolist() == ["x", "y"]
    assert part["field_axis"].values.tolist() == ["y"]


def test_a_group_that_mixes_observables_keeps_its_points():
    model = crystal_model("zincblende")
    settings = {"kmesh": 3, "fermi_energy": 0.0, "symmetrize": "off", "quantities": [HALL]}
    whole, part = compute(model, **settings), compute(model, components=["z_xy"], **settings)
    assert_same_components(part, whole)
    assert part["observable"].values.tolist() == ["spin_z"]
    assert part.attrs["evaluations"] == whole.attrs["evaluations"]


def test_observables_that_nobody_needs_are_not_carried():
    model = library.load("kane_mele").with_charge()
    assert list(Calculation(components=["z_xy"]).prepare(model).observables) == ["spin_z"]
    assert list(Calculation(components=["xy"]).prepare(model).observables) == list(model.observables)
    # Three-fold axes turn spins along x and y into one another.
    assert list(Calculation(components=["x_xy"]).prepare(model).observables) == ["spin_x", "spin_y"]


def test_axes_alone_are_of_every_observable():
    model = library.load("kane_mele").with_charge()
    part = compute(model, 6, ENERGIES, components=["xy"])
    assert part[HALL].shape == (4, 1, 1, 5)
    assert part["anomalous_hall_conductivity"].shape == (1, 1, 5)


def test_adaptive_bars_and_points_are_those_of_the_components():
    model = library.load("kane_mele")
    settings = {"fermi_energy": ENERGIES, "tolerance": 0.02, "quantities": [HALL]}
    whole, part = compute(model, **settings), compute(model, components=["z_xy"], **settings)
    component = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}
    bar = part[f"{HALL}_error"].sel(component) + whole[f"{HALL}_error"].sel(component)
    assert (abs(part[HALL].sel(component) - whole[HALL].sel(component)) <= bar).all()
    assert part.attrs["converged"]
    assert part[HALL].shape == (1, 1, 1, 5)
    assert part.attrs["evaluations"] <= whole.attrs["evaluations"]


def test_superconductor():
    model = library.load("kane_mele")
    settings = {"kmesh": 6, "pairing": "s", "gap": 0.1, "chemical_potential": 1.0, "quantities": [HALL]}
    whole = compute(model, **settings)
    part = compute(model, components=["z_xy"], **settings)
    assert_same_components(part, whole)


def test_keys_change_with_components_alone_and_not_with_their_order():
    model = library.load("kane_mele")

    def key(*names: str) -> str:
        calculation = Calculation(kmesh=6, components=names or None)
        prepared = calculation.prepare(model)
        return calculation.resolve(prepared).key(prepared)

    assert key() == make_settings(model, 6).key(model)
    assert key("z_xy", "z_yx") == key("yx_z", "spin_z,x,y") == key("z_xx", "z_yy")
    assert len({key(), key("z_xy"), key("z_yx"), key("x_xy")}) == 4
    every = [f"{s}_{a}{b}" for s in "xyz" for a in "xyz" for b in "xyz"]
    assert key(*every) == key()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ["charge_xx"],
            "components: model 'kane_mele' does not have the observable of 'charge_xx', expected",
        ),
        (["z_xw"], "components: expected names such as 'z_xy'"),
        ("z_xy", "components: expected a list of names"),
        ([], "components: expected a list of names"),
        ([3], "components: expected a list of names"),
    ],
)
def test_what_names_no_component_is_told(names, told):
    with pytest.raises(InputError, match=told):
        compute(library.load("kane_mele"), 6, ENERGIES, components=names)


def test_what_the_crystal_forbids_a_torque_is_known_without_the_other_spins():
    whole = compute(library.load("MoS2"), 4, 0.0, temperature=300.0, quantities=[RATE])
    # Of random numbers, as Wannier functions that break the symmetry of their crystal have.
    whole[RATE].values[:] = np.random.default_rng(0).normal(size=whole[RATE].shape)
    expected = forbidden_by_crystal(whole)
    assert expected is not None
    assert expected.any()
    for number, name in enumerate(whole["observable"].values):
        one = forbidden_by_crystal(whole.sel(observable=[name]))
        np.testing.assert_array_equal(one, expected[[number]])


def test_a_tensor_that_is_not_whole_does_not_turn():
    part = compute(library.load("kane_mele"), 6, ENERGIES, components=["z_xy"])
    with pytest.raises(InputError, match="expected x, y, z along current_axis, found x"):
        rotated(part, np.eye(3))


def test_command_line_catalog_and_screen(tmp_path):
    quick = ("--kmesh", "24", "--fermi-energy", "0", "--store", "r.zarr")
    done = spinscreen("run", "kane_mele", *quick, "--components", "z_xy,z_yx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "xy_z" in done.stdout
    assert "xy_x" not in done.stdout
    assert spinscreen("run", "haldane", *quick, cwd=tmp_path).returncode == 0
    catalog = open_catalog(tmp_path / "r.zarr")
    own = {str(name): values for name, values in zip(catalog["name"].values, range(2), strict=True)}
    columns = catalog.isel(material=own["kane_mele"])
    assert np.isfinite(float(columns["conserved_xy_z"]))
    assert np.isnan(float(columns["conventional_xz_z"]))
    assert np.isfinite(float(columns["ratio_xy_z"]))
    for words in (
        ("screen", "r.zarr"),
        ("show", "r.zarr", "kane_mele"),
        ("report", "r.zarr", "-o", "r.html"),
    ):
        done = spinscreen(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    drawn = spinscreen("plot", "r.zarr", "kane_mele", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    again = spinscreen("run", "kane_mele", *quick, "--components", "z_yx,z_xy", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(Store.at(tmp_path / "r.zarr").ids_of("kane_mele")) == 1


def test_campaign_file(tmp_path):
    file = tmp_path / "campaign.toml"
    file.write_text('source = "library"\nstore = "r.zarr"\n[calculation]\nkmesh = 6\ncomponents = ["z_xy"]\n')
    assert read_campaign_file(file).calculation.components == ("z_xy",)
    file.write_text('source = "library"\nstore = "r.zarr"\n[calculation]\ncomponents = ["z_x"]\n')
    with pytest.raises(InputError, match="components: expected names such as"):
        read_campaign_file(file)
