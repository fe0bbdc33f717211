"""`dataset.spinscreen` in an analysis session."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from spinscreen.kernels import InputError, KMesh, k_path
from spinscreen.materials import find_materials, library
from spinscreen.storage import in_natural_units, open_store, plot_hall
from spinscreen.workflows import Campaign, compute, evaluate, run_campaign

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
    assert dataset.spinscreen.plot().axes[0].get_xlabel() == "energy - Fermi level (eV)"
    assert len(dataset.spinscreen.largest_component()) == 3


def test_the_three_answers_are_drawn_side_by_side(dataset):
    names = ("conventional_hall_conductivity", HALL, "proper_hall_conductivity")
    drawn = [line.get_label() for line in dataset.spinscreen.plot("xy_z").axes[0].lines]
    for text in ("conventional", "conserved, packet picture", "full response"):
        assert text in drawn
    alone = dataset.drop_vars(names[:2])
    assert "full response" in [line.get_label() for line in alone.spinscreen.plot().axes[0].lines]
    with pytest.raises(InputError, match=r"expected conventional_hall_.* or proper_hall_conductivity"):
        plot_hall(dataset.drop_vars(names))


def test_units(dataset):
    named = dataset.spinscreen.component(HALL, "z_xy")
    # Exact but for the digits of hbar and e, which both know to nine.
    quanta = dataset.spinscreen.in_units(HALL, "e/(2*pi)", "z_xy")
    np.testing.assert_allclose(quanta, in_natural_units(named)[0], rtol=1e-8)
    hall = dataset.spinscreen.in_units("anomalous_hall_conductivity", "mS", "xy")
    np.testing.assert_allclose(
        hall, 1e3 * dataset.spinscreen.component("anomalous_hall_conductivity", "xy"), rtol=1e-12
    )
    assert hall.attrs["units"] == "mS"
    with pytest.raises(InputError, match="cannot be converted to 'S/m'"):
        dataset.spinscreen.in_units(HALL, "S/m", "z_xy")
    with pytest.raises(InputError, match="cannot be converted to 'nonsense'"):
        dataset.spinscreen.in_units("carrier_density", "nonsense")


def test_fermi_lines_carry_the_spin_of_the_bands():
    model = library.load("rashba_ferromagnet")
    on_mesh = evaluate(model, KMesh((60, 60, 1)), ["energy", "texture"])
    level = float(on_mesh["energy"].quantile(0.2))
    figure = on_mesh.spinscreen.plot_fermi_surface(level)
    axes, bar = figure.axes
    assert axes.get_xlabel() == "$k_x$ (1/Å)"
    assert bar.get_ylabel() == "spin z (ħ)"
    arrows = axes.collections[-1]
    spins = np.hypot(arrows.U, arrows.V) ** 2 + np.ma.getdata(arrows.get_array()) ** 2
    # Nondegenerate bands of one orbital are pure spinors: |s| = 1/2 everywhere.
    np.testing.assert_allclose(spins, 0.25, atol=1e-9)
    with pytest.raises(InputError, match="no band crosses 99 eV"):
        on_mesh.spinscreen.plot_fermi_surface(99.0)
    with pytest.raises(InputError, match="expected a mesh of k points"):
        evaluate(model, [[0.1, 0, 0], [0.2, 0, 0]], ["energy"]).spinscreen.plot_fermi_surface(0.0)


def test_bands_and_materials_are_drawn(tmp_path):
    model = library.load("WSe2")
    path = k_path([("G", (0, 0, 0)), ("K", (1 / 3, 1 / 3, 0))], model.lattice, 20)
    drawn = evaluate(model, path, ["energy", "texture"]).spinscreen.plot_bands("texture", observable="spin_z")
    assert drawn.axes[0].get_ylabel() == "energy - Fermi level (eV)"
    store = tmp_path / "r.zarr"
    run_campaign(Campaign([m for m in find_materials("library") if m.id in ("MoS2", "WS2")], kmesh=12), store)
    catalog = open_store(store)["catalog"].to_dataset()
    scatter = catalog.spinscreen.plot_scatter("xy_z")
    assert scatter.axes[0].get_xlabel().startswith("conventional")
    assert {text.get_text() for text in scatter.axes[0].texts} == {"MoS2", "WS2"}
    chosen = catalog.spinscreen.screen("name == 'WS2'", top=1)
    assert chosen["name"].values.tolist() == ["WS2"]
    assert chosen["conserved_hall_conductivity"].sizes["material"] == 1
