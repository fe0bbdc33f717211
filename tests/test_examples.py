"""The example scripts run, on small meshes, and draw."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from figures import assert_drawn

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


def test_every_example_is_listed_and_run():
    page = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert path.name in page
        assert path.stem in Path(__file__).read_text()
