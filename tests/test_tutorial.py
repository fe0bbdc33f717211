"""The tutorial notebook runs from top to bottom and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIAL = Path(__file__).resolve().parents[1] / "docs" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    notebook = nbformat.read(TUTORIAL, as_version=4)
    place = tmp_path_factory.mktemp("tutorial")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(place)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output(cells, containing: str) -> dict:
    """Data of the result of the cell whose source contains a text."""
    (cell,) = (cell for cell in cells if containing in cell.source)
    return cell.outputs[-1]["data"]


def test_every_cell_that_draws_shows_a_figure(executed):
    for drawing in ("plot_bands(", 'plot("z_xy")', "plot_fermi_surface(", "plot_scatter(", ".plot.line("):
        assert "image/png" in output(executed, drawing)


def test_the_numbers_of_the_tutorial(executed):
    assert output(executed, "again = run_campaign")["text/plain"] == "(15, 15, 0)"
    # One quantum, less what Rashba coupling and 300 K take of it.
    quanta = float(output(executed, "quanta.sel(")["text/plain"])
    assert abs(quanta) == pytest.approx(1, abs=0.05)
    asymmetry = float(output(executed, "symmetrize()")["text/plain"])
    # (e^2/hbar) in S times rounding.
    assert asymmetry < 1e-12


def test_the_ranking_ends_with_numbers_that_are_right(executed):
    """A quantum of e/2pi where spin is nearly conserved, T14 of Kane-Mele as in `docs/which-quantity.md`."""
    table = output(executed, "ranked = screen(")["text/html"]
    rows = re.findall(r"<th>(\w+)</th>((?:\s*<td>[-\d.]+</td>)+)", table)
    numbers = {name: [float(cell) for cell in re.findall(r">([-\d.]+)<", cells)] for name, cells in rows}
    for name, expected in {"stanene": 1, "germanene": 1, "silicene": 1, "kane_mele": 0.9742}.items():
        value, error, *_ = numbers[name]
        # Rashba coupling takes 1e-4 of the quanta; the bar holds what the mesh leaves.
        assert abs(abs(value) - expected) < error + 3e-4
        assert error < 0.02
    assert output(executed, "apart = ")["text/plain"] == "['kane_mele', 'rashba_ferromagnet']"


def test_the_notebook_is_kept_without_outputs():
    assert all(not cell.get("outputs") for cell in nbformat.read(TUTORIAL, as_version=4).cells)
