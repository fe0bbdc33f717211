"""The benchmarks run, and the page they write is the one that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from figures import assert_drawn

from benchmarks import report
from benchmarks.cases import models, random_model
from benchmarks.stages import pipeline_and_floor, stages

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize("size", [2, 6])
def test_pipeline_and_stages_are_measured(size):
    model = models((size,))[size]
    found = pipeline_and_floor(model)
    assert set(found) == {"eigh", "27 products", "T = 0", "300 K"}
    assert all(value > 0 for value in found.values())
    assert {"Fourier sums", "eigh", "rotation to bands"} <= set(stages(model, rounds=1))


def test_random_models_have_the_extent_of_real_ones():
    model = random_model(3)
    assert len(model.translations) == 93
    assert len(model.observables) == 3


def test_the_performance_page_is_made_of_what_was_measured(tmp_path):
    page = (DOCS / "performance.md").read_text()
    (tmp_path / "performance.md").write_text(page)
    report.write(json.loads((DOCS / "performance.json").read_text()), tmp_path)
    assert (tmp_path / "performance.md").read_text() == page
    assert_drawn(tmp_path / "performance.png")


def test_an_error_is_reached_where_all_later_runs_are_below_it():
    runs = [(100, 0.1, 0.04, 0.2), (200, 0.2, 0.06, 0.2), (400, 0.4, 0.009, 0.02)]
    row = report._convergence_row("adaptive", runs)
    assert row == ("adaptive", "400, 0.4 s", "400, 0.4 s", "not reached", "0.9 % (bar 2 %), 400, 0.4 s")
    assert report._convergence_row("peer", [(1, 2.0, 0.5, None)])[-1] == "50 %, 1, 2 s"
