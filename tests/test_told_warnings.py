"""What is warned about while something is computed stays with its result, also that of a campaign."""

from __future__ import annotations

import warnings

import pytest
import xarray as xr
from command_line import spinscreen

from spinscreen.materials import find_materials, library
from spinscreen.storage import Store
from spinscreen.workflows import Campaign, compute, run_campaign, screen_one
from spinscreen.workflows.alarms import DominantPointWarning, ToleranceWarning
from spinscreen.workflows.telling import note_warnings, warnings_of

SETTINGS = {"budget": 1, "scan_points": 1, "quantities": ["conventional_hall_conductivity"]}


def test_a_result_keeps_what_was_warned_about():
    with pytest.warns(ToleranceWarning, match=r"of the start mesh, which is always taken \(budget 1\)"):
        found = compute(library.load("silicene"), **SETTINGS)
    told = [sentence for sentence in warnings_of(found) if "expected at most" in sentence]
    assert len(told) == 1
    assert told[0].startswith("silicene: the error of conventional_hall_conductivity")


def test_verdicts_are_of_one_type():
    """As they are stored: netCDF and Zarr of others have no truth values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        # A gap narrower than the threshold takes the verdict back after it was made.
        narrow = compute(library.load("silicene"), 6, 0.0, degeneracy_threshold=5e-3)
        wide = compute(library.load("haldane"), 6, 0.0)
    verdicts = [
        attributes["converged"]
        for dataset in (narrow, wide)
        for attributes in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values()))
        if "converged" in attributes
    ]
    assert {type(verdict) for verdict in verdicts} == {int}


def test_sentences_are_noted_once_and_stay_one_each():
    dataset = xr.Dataset()
    note_warnings(dataset, ["a\nb", "c", "c"])
    note_warnings(dataset, ["c", "d"])
    assert warnings_of(dataset) == ("a b", "c", "d")
    assert warnings_of(xr.Dataset()) == ()


def test_a_campaign_loses_no_warning(tmp_path, caplog):
    wanted = [source for source in find_materials("library") if source.id in ("silicene", "MoS2")]
    with caplog.at_level("INFO", logger="spinscreen.driver"):
        report = run_campaign(Campaign(wanted, **SETTINGS), tmp_path / "r.zarr")
    assert {one.id for one in report.unconverged} == {one.id for one in report.warned} >= {"silicene"}
    first = report.warned[0]
    stored = Store.at(tmp_path / "r.zarr").read(first.material_id)
    assert warnings_of(stored) == first.warnings
    assert f"{first.id}: warning: {first.warnings[0]}" in caplog.messages
    again = screen_one(first.id, SETTINGS, store=tmp_path / "r.zarr")
    assert set(first.warnings) <= set(again["warnings"])


def test_the_command_line_says_what_is_to_be_known(tmp_path):
    options = ("--budget", "1", "--scan-points", "1", "--quantities", "conventional_hall_conductivity")
    words = ("submit", "library:silicene", "--store", "r.zarr", "--workers", "0", *options)
    told = " ".join(spinscreen(*words, cwd=tmp_path).stdout.split())
    assert "of 1 computed 1 is unconverged, 1 has warnings; why: spinscreen show r.zarr silicene" in told
    (log,) = (tmp_path / "r.zarr.logs").glob("driver-*.log")
    assert "silicene: warning: silicene: the error of" in log.read_text()
    shown = spinscreen("show", "r.zarr", "silicene", cwd=tmp_path).stdout
    assert "warning: silicene: the error of conventional_hall_conductivity" in shown
    run = spinscreen("run", "silicene", *options, "--store", "r.zarr", cwd=tmp_path).stdout
    assert "warning: silicene: the error of conventional_hall_conductivity" in run
    fresh = spinscreen("run", "silicene", *options, cwd=tmp_path)
    (line,) = (line for line in fresh.stdout.splitlines() if " k points" in line)
    done, total = line.split(": ")[1].split(" k points")[0].split(" of ")
    assert int(done) == int(total) > 1
