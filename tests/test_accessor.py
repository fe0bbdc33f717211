"""`dataset.spinscreen` in an analysis session."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import spinscreen.storage  # noqa: F401
from spinscreen.kernels import InputError
from spinscreen.materials import library
from spinscreen.workflows import compute

HALL = "conserved_hall_conductivity"


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    model = library.load("kane_mele").with_charge()
    return compute(model, 30, np.linspace(-1, 1, 21))


def test_components_by_name(dataset):
    expected = dataset[HALL].sel(observable="spin_z", current_axis="x", field_axis="y")
    for name in ("z_xy", "spin_z_xy"):
        xr.testing.assert_identical(dataset.spinscreen.component(HALL, name), expected)
    charge = dataset.spinscreen.component(HALL, "charge_yx")
    assert str(charge["observable"].values) == "charge"
    anomalous = dataset.spinscreen.component("anomalous_hall_conductivity", "xy")
    assert anomalous.dims == ("fermi_energy",)


@pytest.mark.parametrize(
    ("variable", "name", "message"),
    [
        ("spin_hall", "z_xy", "'spin_hall' is not in the dataset, expected one of"),
        (HALL, "z", "expected a name such as 'z_xy'"),
        (HALL, "q_xy", "names the observable 'q', expected one of spin_x"),
        ("carrier_density", "z_xy", "of a tensor"),
    ],
)
def test_what_is_not_there_is_named(dataset, variable, name, message):
    with pytest.raises(InputError, match=message):
        dataset.spinscreen.component(variable, name)


def test_fermi_level(dataset):
    here = dataset.spinscreen.at_fermi_level()
    assert float(here["fermi_energy"]) == pytest.approx(0.0, abs=1e-12)
    assert float(dataset.spinscreen.at_fermi_level(0.52)["fermi_energy"]) == pytest.approx(0.5)
    shifted = dataset.assign_attrs(fermi_level=0.3).spinscreen.relative_to_fermi_level()
    assert float(shifted["fermi_energy"][0]) == pytest.approx(-1.3)
    unknown = dataset.drop_attrs()
    for ask in (unknown.spinscreen.at_fermi_level, unknown.spinscreen.relative_to_fermi_level):
        with pytest.raises(InputError, match="is unknown"):
            ask()


def test_figures(dataset):
    named = dataset.spinscreen.plot("z_xy")
    assert named.axes[0].get_ylabel() == r"$\sigma^{z}_{xy}$ (e/2π)"
    assert dataset.spinscreen.plot().axes[0].get_xlabel() == "Fermi energy (eV)"
    assert len(dataset.spinscreen.largest_component()) == 3
