"""What is computed is declared once: functions, files, options and campaigns derive from it."""

from __future__ import annotations

import tomllib
import warnings
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials, library
from spinscreen.workflows import Calculation, Campaign, compute, evaluate, make_settings
from spinscreen.workflows.cli.material import app, run
from spinscreen.workflows.cli.options import takes_settings
from spinscreen.workflows.configuration import (
    CampaignCalculation,
    CampaignFile,
    campaign_settings,
    template,
)

MODEL = library.load("MoS2")


class Finer(CampaignCalculation):
    """A calculation with one more field."""

    offset: float | None = Field(None, description="an offset that nobody needs")
    repeats: int = Field(3, description="how often")


class FinerCampaign(Campaign, Finer):
    pass


class FinerFile(CampaignFile):
    calculation: Finer = Finer()


def test_one_field_is_a_line_of_the_template_an_option_and_a_setting_of_campaigns():
    text = template(Finer)
    assert '# offset = "..."' in text
    assert "# repeats = 3 " in text
    assert "an offset that nobody needs" in text
    seen = {}
    own = typer.Typer()

    @own.command()
    @takes_settings(Finer)
    def show(source: str, settings: dict, quiet: bool = False) -> None:
        """Show."""
        seen.update(settings, source=source, calculation=Finer(**settings))

    shown = CliRunner().invoke(own, ["here", "--offset", "0.5", "--repeats", "2", "--kmesh", "4,4"])
    assert shown.exit_code == 0, shown.output
    assert seen["calculation"] == Finer(offset=0.5, repeats=2, kmesh=(4, 4))
    assert FinerCampaign(find_materials("library")[:1], offset=0.5).record["offset"] == 0.5
    with pytest.raises(InputError, match="'offsett' is not a setting; did you mean 'offset'"):
        FinerCampaign((), offsett=0.5)
    content = tomllib.loads("source = 'library'\n[calculation]\noffset = 0.25")
    assert FinerFile(**content).calculation.offset == 0.25


def test_every_setting_is_an_option_of_run_and_submit():
    assert set(Calculation.model_fields) <= set(signature(run).parameters)
    for words in (("run", "--help"), ("submit", "--help")):
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
        for name in Calculation.model_fields:
            assert f"--{name.replace('_', '-')}" in shown.output


def test_a_budget_may_be_written_as_a_power_of_ten():
    seen = []
    own = typer.Typer()

    @own.command()
    @takes_settings(Calculation, ["budget"])
    def show(source: str, settings: dict) -> None:
        """Show."""
        seen.append(Calculation(**settings))

    assert CliRunner().invoke(own, ["here", "--budget", "2e5"]).exit_code == 0
    content = tomllib.loads("source = 'library'\n[calculation]\nbudget = 2e5")
    found = [*seen, CampaignFile(**content).calculation, Calculation(budget=2e5)]
    for calculation in (*found, Calculation(budget=np.float64(2e5))):
        assert type(calculation.budget) is int
        # One key, however it is written.
        assert calculation.resolve(MODEL) == Calculation(budget=200_000).resolve(MODEL)
    for text in ("many", "1.5", "0", "-1e3", "inf", "nan"):
        refused = CliRunner().invoke(own, ["here", f"--budget={text}"])
        assert isinstance(refused.exception, InputError)
        assert "budget: expected a number of k points of at least 1, found" in str(refused.exception)
    for value in (1.5, True, "2e5", 0.0):
        with pytest.raises(InputError, match="budget: expected a number of k points of at least 1, found"):
            Calculation(budget=value)


def test_a_calculation_resolves_to_settings_with_the_same_key():
    energies = np.linspace(-1, 1, 5)
    calculation = Calculation(kmesh=6, fermi_energy=energies, temperature=300, quantities=["carrier_density"])
    settings = make_settings(MODEL, 6, energies, 300.0, quantities=["carrier_density"])
    assert calculation.resolve(MODEL) == settings
    # As an earlier version wrote it: a key names what is stored.
    whole = make_settings(MODEL, 6, energies)
    assert whole.key_of("fingerprint") == make_settings(MODEL, (6, 6, 1), list(energies)).key_of(
        "fingerprint"
    )


def test_compute_takes_a_calculation_a_mesh_or_settings():
    energies = [0.0, 0.1]
    names = ["carrier_density", "conserved_hall_conductivity"]
    expected = compute(MODEL, 6, energies, 300.0, 5e-3, names)
    calculation = Calculation(kmesh=6, fermi_energy=energies, temperature=300.0, quantities=names)
    for found in (
        compute(MODEL, calculation),
        compute(
            MODEL, Calculation(kmesh=4, quantities=names), kmesh=6, fermi_energy=energies, temperature=300.0
        ),
        compute(MODEL, kmesh=6, fermi_energy=energies, temperature=300.0, quantities=names),
    ):
        assert found.attrs["key"] == expected.attrs["key"]
        for name in names:
            assert found[name].values.tobytes() == expected[name].values.tobytes()
    with pytest.raises(TypeError, match="multiple values for argument 'kmesh'"):
        compute(MODEL, 6, kmesh=6)
    with pytest.raises(InputError, match="'kmsh' is not a setting; did you mean 'kmesh'"):
        compute(MODEL, kmsh=6)


def test_compute_prepares_the_model():
    charged = compute(MODEL, 4, 0.0, charge=True, quantities=["conserved_hall_conductivity"])
    assert "charge" in charged["observable"].values
    paired = compute(MODEL, 4, pairing="s", gap=0.01, quantities=["conserved_hall_conductivity"])
    assert paired["fermi_energy"].values.tolist() == [0.0]


def test_evaluate_takes_what_values_per_k_depend_on():
    point = [[0.1, 0.2, 0.0]]
    calculation = Calculation(degeneracy_threshold=0.02)
    assert evaluate(MODEL, point, calculation=calculation).attrs["degeneracy_threshold"] == 0.02
    with pytest.raises(InputError, match="'temperature' is not a setting here; known: degeneracy_threshold"):
        evaluate(MODEL, point, temperature=300.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kmesh = true", "calculation.kmesh: .*found True"),
        ("kmesh = [4, true]", "calculation.kmesh: .*found"),
        ("temperature = true", "calculation.temperature: .*found True"),
        ("charge = 1", "calculation.charge: .*found 1"),
        ("scan_points = true", "calculation.scan_points: .*found True"),
        ("scan_points = 2.5", "calculation.scan_points: .*found 2.5"),
        ("fermi_energy = [true]", "calculation.fermi_energy: expected a number or a list"),
        ("temperature = 1e-30", "calculation.temperature: expected 0, the limit of low"),
        ("memory_budget = true", "calculation.memory_budget: .*found True"),
    ],
)
def test_a_truth_value_is_no_number_in_a_file(text, message):
    content = tomllib.loads(f"source = 'library'\n[calculation]\n{text}")
    with pytest.raises(InputError, match=message) as caught:
        campaign_settings(content, (), "file")
    assert "\n" not in str(caught.value)


def test_the_old_name_of_scan_points_is_accepted_with_a_warning():
    with pytest.warns(DeprecationWarning, match="energies: is called scan_points now") as caught:
        assert Calculation(energies=5).scan_points == 5
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="energies: is called scan_points now") as caught:
        assert Campaign((), energies=5).scan_points == 5
    assert caught[0].filename == __file__
    # In a file it is seen by whoever runs it.
    with pytest.warns(FutureWarning, match="energies: is called scan_points now"):
        found = campaign_settings({"source": "library"}, ["calculation.energies=5"], "submit")
    assert found.calculation.scan_points == 5
    # What changes a file goes before it, whatever the file calls it.
    old = {"source": "library", "calculation": {"energies": 5}}
    with pytest.warns(FutureWarning, match="energies: is called scan_points now"):
        assert campaign_settings(old, ["calculation.scan_points=7"], "file").calculation.scan_points == 7
    with pytest.raises(InputError, match="energies: is called scan_points now, which is given as well"):
        Calculation(energies=5, scan_points=6)
    with pytest.raises(InputError, match="Fermi energies themselves are fermi_energy"):
        Calculation(energies=[0.1, 0.2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Calculation(scan_points=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"gap": 0.01},
            "gap: has no effect without pairing, expected a pairing such as 's'.* found gap 0.01",
        ),
        ({"chemical_potential": 1.0}, "chemical_potential: has no effect without pairing"),
        ({"quantities": []}, "quantities: expected at least one name, found none; leave it out"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        Calculation(**settings)
    with pytest.raises(InputError, match=message):
        Campaign(find_materials("library"), **settings)


def test_what_is_no_model_and_no_client_is_told_in_a_sentence():
    with pytest.raises(InputError, match=r"expected a WannierModel, found 'kane_mele'; use load_model\(\)"):
        compute("kane_mele", 4)
    with pytest.raises(InputError, match="expected a WannierModel, found None"):
        evaluate(None, [[0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="client: expected a Client of Dask, an Engine, or None"):
        compute(MODEL, 4, client="x")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 1e-4),  # a tenth of the pairing
        ({"temperature": 0.5}, 4.308666631e-06),  # a tenth of k_B T, which is less
        ({"degeneracy_threshold": 5e-3}, 5e-3),  # what was given, also where it is the default
        ({"gap": 1.0}, 5e-3),
    ],
)
def test_the_default_threshold_of_a_superconductor_stays_below_gap_and_temperature(given, expected):
    names = ["conserved_hall_conductivity"]
    calculation = Calculation(kmesh=4, pairing="s", quantities=names, **given)
    model = calculation.prepare(MODEL)
    assert calculation.resolve(model).degeneracy_threshold == pytest.approx(expected)
    # A model that is a superconductor already is no different, nor are values per k.
    bare = Calculation(kmesh=4, quantities=names, **{k: v for k, v in given.items() if k != "gap"})
    assert bare.resolve(model).degeneracy_threshold == pytest.approx(expected)
    bands = evaluate(model, [[0.1, 0.2, 0.0]], calculation=bare)
    assert bands.attrs["degeneracy_threshold"] == pytest.approx(expected)
    # A normal model of the same calculation keeps the default.
    assert Calculation(kmesh=4, quantities=names).resolve(MODEL).degeneracy_threshold == 5e-3


def test_stamps_of_superconductors_tell_a_threshold_that_was_given():
    materials = [SimpleNamespace(id="a", stamp=lambda: "of its files")]
    default, given = (
        Campaign(materials, pairing="s", **extra) for extra in ({}, {"degeneracy_threshold": 5e-3})
    )
    assert default.stamp(materials[0]) != given.stamp(materials[0])
    normal, same = (Campaign(materials, **extra) for extra in ({}, {"degeneracy_threshold": 5e-3}))
    assert normal.stamp(materials[0]) == same.stamp(materials[0])
