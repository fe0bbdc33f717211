"""The Fermi level among the scanned energies: values at it are at it, or they are missing and it is said."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from command_line import spinscreen

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials, library
from spinscreen.storage import place_of_level, screen
from spinscreen.workflows import Calculation, Campaign, compute, run_campaign
from spinscreen.workflows.alarms import DominantPointWarning, ScanWarning
from spinscreen.workflows.settings import default_scan

COLUMNS = ["carrier_density", "conserved_xy_z", "gap"]


@pytest.fixture
def tree(cases, tmp_path):
    shutil.copytree(cases / "07-scan-without-the-level" / "Pt", tmp_path / "tree" / "Pt")
    return tmp_path / "tree"


@pytest.mark.parametrize("points", [1, 2, 4, 201])
def test_the_level_is_one_of_the_scanned_energies(points):
    model = library.load("MoS2")
    energies = default_scan(model, points)
    assert model.fermi_level in energies
    assert len(energies) == points + (points % 2 == 0)


def test_a_scan_of_any_number_of_points_has_the_values_of_the_level(tree):
    """Case 07a: -1.9 eV instead of 0.1 with one point, 2 and 0.67 eV away with two and four."""
    found = []
    for points in (1, 2, 4, 5):
        store = tree.parent / f"{points}.zarr"
        run_campaign(Campaign(find_materials(tree), kmesh=6, kshift=0, scan_points=points), store)
        found.append(screen(store, columns=COLUMNS).iloc[0])
    for row in found:
        # What the case's README calls right.
        assert row["carrier_density"] == pytest.approx(1.981, abs=1e-3)
        assert row["conserved_xy_z"] == pytest.approx(-33.19, abs=0.01)


def test_a_scan_without_the_level_has_no_values_of_it(tree):
    """Case 07b: the values of the edge at 1.5 eV stood under the name of the level at 0.1 eV."""
    store, options = tree.parent / "w.zarr", ("--kmesh", "4", "--fermi-energy", "1.5:2:0.1")
    answer = spinscreen("run", str(tree / "Pt"), *options, "--store", str(store))
    assert answer.returncode == 0
    assert (
        "none of the 6 Fermi energies from 1.5 to 2 eV is within 0.05 eV of the Fermi level" in answer.stderr
    )
    assert "no table of values at the Fermi level, 0.1 eV" in answer.stdout
    row = screen(store, columns=["fermi_level", "scan_minimum", *COLUMNS]).iloc[0]
    assert row["fermi_level"] == 0.1
    assert row["scan_minimum"] == 1.5
    # The gap is that of the bands, whatever was scanned.
    assert row[COLUMNS].isna().tolist() == [True, True, False]


def test_at_fermi_level_refuses_the_edge_of_a_scan():
    with pytest.warns(ScanWarning, match=r"of the Fermi level, 0 eV: values at the level will be missing"):
        dataset = compute(library.load("kane_mele"), 8, [0.5, 0.6], quantities=["carrier_density"])
    with pytest.raises(InputError, match=r"none of the 2 .* from 0\.5 to 0\.6 eV is within 0\.05 eV of 0 eV"):
        dataset.spinscreen.at_fermi_level()
    assert float(dataset.spinscreen.at_fermi_level(0.56)["fermi_energy"]) == 0.6
    with pytest.raises(InputError, match=r"the 2 .* from 0\.5 to 0\.6 eV do not reach 0\.49 eV"):
        dataset.spinscreen.at_fermi_level(0.49)


@pytest.mark.parametrize("start", ["0.04", "0.0386"])
def test_a_scan_that_ends_just_before_the_level_does_not_contain_it(tmp_path, start):
    """An edge within 0.05 eV of the level stood for it: -0.097 of silicene, where -0.978 is right."""
    names = ("--quantities", "carrier_density", "--kmesh", "6", "--fermi-level", "0.0376")
    scan = ("--fermi-energy", f"{start}:0.3:0.04", "--store", "r.zarr")
    run = spinscreen("run", "silicene", *names, *scan, cwd=tmp_path)
    row = screen(tmp_path / "r.zarr", columns=["carrier_density"]).iloc[0]
    is_scanned = start == "0.0386"
    assert ("do not reach the Fermi level, 0.0376 eV" in run.stderr) is not is_scanned
    assert ("no table of values at the Fermi level, 0.0376 eV" in run.stdout) is not is_scanned
    assert ("at the Fermi level, 0.0386 eV" in run.stdout) is is_scanned
    assert np.isfinite(row["carrier_density"]) == is_scanned


def test_one_energy_stands_for_a_level_that_it_is():
    assert place_of_level([0.04], 0.0395) == 0
    assert place_of_level([0.04], 0.0376) is None


def test_one_energy_of_ones_own_is_no_scan_to_be_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScanWarning)
        compute(library.load("kane_mele"), 8, 0.5, quantities=["carrier_density"])


@pytest.mark.parametrize(("energies", "level", "place"), [([3.0, 1.0, 2.0], 2.04, 2), ([0.0, 0.1], 0.05, 0)])
def test_energies_come_in_any_order(energies, level, place):
    assert place_of_level(energies, level) == place
    assert place_of_level(energies, level + 2) is None


def test_electrons_and_levels_are_given_to_every_command(tmp_path):
    model = library.load("kane_mele")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DominantPointWarning)
        given = compute(model, 12, fermi_level=0.7, quantities=["carrier_density"])
        filled = compute(model, 12, electrons=1, quantities=["carrier_density"])
    assert given.attrs["fermi_level"] == 0.7
    assert 0.7 in given["fermi_energy"]
    # The level is found on a mesh of its own, so that the sum on another one is not quite 1.
    assert float(filled.spinscreen.at_fermi_level()["carrier_density"]) == pytest.approx(1, abs=0.05)
    assert "0.7000 eV" in spinscreen("info", "kane_mele", "--fermi-level", "0.7").stdout
    assert "holds 1 electrons" in spinscreen("info", "kane_mele", "--electrons", "1").stdout
    run = spinscreen("run", "kane_mele", "--kmesh", "6", "--electrons", "1", "--scan-points", "3")
    assert "at the Fermi level, " in run.stdout
    drawn = spinscreen("bands", "kane_mele", "--fermi-level", "0.7", "--output", str(tmp_path / "b.png"))
    assert drawn.returncode == 0


def test_a_level_and_electrons_are_one_too_many():
    with pytest.raises(
        InputError, match=r"electrons: expected electrons or fermi_level, found both, 2 and 0\.5"
    ):
        Calculation(electrons=2, fermi_level=0.5)
    with pytest.raises(InputError, match="electrons is 5, expected more than 0 and at most the 4"):
        compute(library.load("kane_mele"), 4, electrons=5)


def test_a_campaign_takes_one_level_for_all(tmp_path):
    sources = [source for source in find_materials("library") if source.id in ("kane_mele", "silicene")]
    run_campaign(Campaign(sources, kmesh=4, scan_points=1, fermi_level=0.2), tmp_path / "s.zarr")
    np.testing.assert_array_equal(screen(tmp_path / "s.zarr", columns=["fermi_level"])["fermi_level"], 0.2)
