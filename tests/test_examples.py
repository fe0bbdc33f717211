"""The example scripts run, on small meshes, and draw."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest
from figures import assert_drawn

import spinscreen
from spinscreen.kernels import InputError

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("kane_mele_rashba", {"points": 12}),
        ("which_quantity", {"points": 9}),
        ("honeycomb_chiral_d_wave", {"points": 12, "temperatures": 4}),
        ("square_chiral_p_wave", {"points": 16, "levels": 4}),
    ],
)
def test_an_example_draws_its_figure(tmp_path, name, options):
    assert_drawn(script(name).main(tmp_path, **options))


def test_the_fermi_surface_of_iron_is_drawn(tmp_path, reference_data):
    drawn = script("iron_fermi_surface").main(reference_data / "Fe", tmp_path, points=40)
    assert_drawn(drawn)


def test_the_symmetry_of_platinum_is_drawn(tmp_path, reference_data):
    assert_drawn(script("symmetry_of_platinum").main(reference_data / "Pt", tmp_path, kmesh=3, thresholds=2))


#: Enough for a number, in a second.
QUICK = {"kmesh": 4, "fermi_energy": [0.0], "quantities": ["proper_hall_conductivity"]}


@pytest.fixture
def team(monkeypatch):
    """Imports an example by its name, as the workers of workflow managers do."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def test_materials_are_jobs_of_jobflow(team):
    pytest.importorskip("jobflow", reason="jobflow is not installed; pip install jobflow")
    sources = ["library:kane_mele?rashba=0.3", "kane_mele"]
    ranking = team("teams_jobflow").main(sources, QUICK)
    alone = [spinscreen.screen_one(source, QUICK) for source in sources]
    values = [one["quantities"]["proper_hall_conductivity"]["components"]["xy_z"] for one in alone]
    wanted = [
        {"name": one["name"], "quality": one["quality"]} | v for one, v in zip(alone, values, strict=True)
    ]
    assert ranking == sorted(wanted, key=lambda one: -abs(one["value"]))
    assert len({one["value"] for one in ranking}) == 2


def test_a_job_of_jobflow_that_fails_keeps_the_sentence(team, tmp_path):
    jobflow = pytest.importorskip("jobflow", reason="jobflow is not installed; pip install jobflow")
    flow = team("teams_jobflow").screening_flow([str(tmp_path / "nowhere")], {})
    with pytest.raises(InputError, match="nowhere"):
        jobflow.run_locally(flow, raise_immediately=True, log=False)


def test_materials_are_a_recipe_of_quacc(team):
    pytest.importorskip("quacc", reason="quacc is not installed; pip install 'spinscreen[teams]'")
    (record,) = team("teams_quacc").main(["kane_mele"], QUICK)
    assert record["id"] == spinscreen.screen_one("kane_mele", QUICK)["id"]


def test_a_material_is_a_calculation_of_aiida(team, monkeypatch, tmp_path):
    # It is read when AiiDA is imported, and where its profiles go.
    monkeypatch.setenv("AIIDA_PATH", str(tmp_path))
    pytest.importorskip("aiida", reason="AiiDA is not installed; pip install 'spinscreen[teams]'")
    from aiida import load_profile, orm
    from aiida.storage.sqlite_temp import SqliteTempBackend

    load_profile(SqliteTempBackend.create_profile("temporary"))
    # It asks for a profile when it is imported.
    pytest.importorskip("aiida_pythonjob", reason="pip install aiida-pythonjob")
    here = ("localhost", "localhost", "this machine", "core.local", "core.direct", str(tmp_path / "work"))
    computer = orm.Computer(*here).store()
    computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    record = team("teams_aiida").main("kane_mele", QUICK).get_dict()
    expected = spinscreen.screen_one("kane_mele", QUICK)
    found, wanted = (
        one["quantities"]["proper_hall_conductivity"]["components"]["xy_z"] for one in (record, expected)
    )
    # AiiDA stores 14 digits.
    assert found["value"] == pytest.approx(wanted["value"], rel=1e-13)
    assert (found["error"], found["units"]) == (pytest.approx(wanted["error"], rel=1e-13), wanted["units"])
    assert record["provenance"]["key"] == expected["provenance"]["key"]


def test_every_example_is_listed_and_run():
    page = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert path.name in page
        assert path.stem in Path(__file__).read_text()
