"""What is stored by name: shown, drawn, screened; and where commands find their places."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import spinscreen
from figures import assert_drawn
from support import random_model

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials, library
from spinscreen.storage import Store, open_catalog, screen
from spinscreen.workflows import compute
from spinscreen.workflows.configuration import read_campaign_file

SMALL = ("--fermi-energy", "0", "--quantities", "conventional_hall_conductivity,conserved_hall_conductivity")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with kane_mele on two meshes, the finer one later, and a crystal-like neighbour."""
    place = tmp_path_factory.mktemp("stored")
    for mesh in ("6", "8"):
        words = ("run", "kane_mele", "--kmesh", mesh, *SMALL, "--store", "r.zarr")
        assert spinscreen(*words, cwd=place).returncode == 0
    return place


def test_a_result_is_shown_by_its_name(folder):
    shown = spinscreen("show", "r.zarr", "kane_mele", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    newest, older = Store.at(folder / "r.zarr").ids_of("kane_mele")
    assert f"{newest} is the newest of 2; the others: {older}" in shown.stdout
    assert "8x8x1" in shown.stdout
    assert "conventional_hall_conductivity, what most codes print" in shown.stdout
    assert f"materials/{newest}.zip" in shown.stdout
    assert "6x6x1" in spinscreen("show", "r.zarr", older[:-4], cwd=folder).stdout
    assert Store.at(folder / "r.zarr").read("kane_mele").attrs["k_mesh"] == [8, 8, 1]


def test_what_the_user_gave_is_never_shown_as_computed(tmp_path):
    given = {"gap": 9.75, "conserved_xy_z": 7.0, "quality": "perfect", "k mesh": "none", "E_hull (eV)": 0.5}
    found = compute(library.load("kane_mele"), 6, [0.0], quantities=["conserved_hall_conductivity"])
    store = Store.at(tmp_path / "r.zarr")
    store.publish(found.assign_attrs(material="KM", columns=json.dumps(given)), "KM-0000000001")
    store.build_catalog()
    shown = spinscreen("show", "r.zarr", "KM", cwd=tmp_path).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line]
    told = {row[0]: row[1] for row in rows if len(row) == 2}
    expected = {
        "gap_given": "9.75",
        "conserved_xy_z_given": "7",
        "quality_given": "perfect",
        "k_mesh_given": "none",
        "E_hull_eV": "0.5",
    }
    assert expected.items() | {("k mesh", "6x6x1")} <= told.items()
    assert set(expected) <= set(screen(store, columns=["all"]).columns)
    assert not {"gap", "conserved_xy_z"} & set(told)
    assert told["quality"] != "perfect"


def test_a_result_is_drawn_by_its_name(folder):
    drawn = spinscreen("plot", "r.zarr", "kane_mele", "--output", "a.png", cwd=folder)
    assert drawn.returncode == 0, drawn.stderr
    assert_drawn(folder / "a.png")
    words = (
        "plot",
        "r.zarr",
        "kane_mele",
        "--component",
        "xy_z",
        "--quantity",
        "conserved",
        "--save",
        "b.png",
    )
    assert spinscreen(*words, cwd=folder).returncode == 0
    assert_drawn(folder / "b.png")
    assert "drawn: kane_mele-conserved.png" in spinscreen(*words[:-2], cwd=folder).stdout
    assert_drawn(folder / "kane_mele-conserved.png")
    words = ("run", "kane_mele", "--kmesh", "8e0", *SMALL, "--store", "r.zarr", "--plot", "c.png")
    again = spinscreen(*words, cwd=folder)
    assert "nothing to do" in again.stdout
    assert "spinscreen show r.zarr kane_mele-" in again.stdout
    assert_drawn(folder / "c.png")


def test_values_at_another_level_are_those_of_the_scan(tmp_path):
    words = ("run", "kane_mele", "--kmesh", "6", "--fermi-energy", "0:1:0.25")
    names = ("--quantities", "density_of_states,conserved_hall_conductivity", "--temperature", "300")
    assert spinscreen(*words, *names, "--store", "r.zarr", cwd=tmp_path).returncode == 0
    store = Store.at(tmp_path / "r.zarr")
    shown = spinscreen("show", "r.zarr", "kane_mele", "--fermi-level", "0.76", cwd=tmp_path).stdout
    title = "kane_mele at 0.7500 eV, the scanned energy next to the Fermi level, 0.7600 eV"
    # A title is as wide as its table.
    assert title in " ".join(shown.split())
    expected = store.read("kane_mele")["density_of_states"].sel(fermi_energy=0.75)
    (row,) = (line for line in shown.splitlines() if "density_of_states" in line)
    # Three digits are printed where the mesh has an error of per cents.
    assert float(row.split("│")[3].split("±")[0]) == pytest.approx(float(expected), rel=0.1)
    drawn = spinscreen("plot", "r.zarr", "kane_mele", "--fermi-level", "0.75", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert_drawn(tmp_path / "kane_mele-hall.png")
    unknown = store.read("kane_mele").assign_attrs(material="none").drop_vars("fermi_level")
    del unknown.attrs["fermi_level"]
    store.publish(unknown, "none-0000000001")
    assert "give --fermi-level" in spinscreen("show", "r.zarr", "none", cwd=tmp_path).stdout
    told = spinscreen("show", "r.zarr", "none", "--fermi-level", "0.5", cwd=tmp_path).stdout
    assert "at the Fermi level, 0.5000 eV" in told


def test_a_store_in_which_all_failed_says_so(tmp_path):
    Store.at(tmp_path / "r.zarr").record_failure("a", "no unit cell found")
    told = spinscreen("screen", "r.zarr", cwd=tmp_path).stderr
    assert "holds no results, as all 1 that ran failed; `spinscreen status" in " ".join(told.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "kane_mele", "--kmesh", "4.5"), "--kmesh: expected 48 or 48,48,48, found '4.5'"),
        (("run", "kane_mele", "--scan-points", "4.5"), "scan_points: input should be a valid integer"),
        (("show", "r.zarr", "kanemele"), "did you mean 'kane_mele'?"),
        (("show", "r.zarr", "../kane_mele"), "holds no result that is called '../kane_mele'"),
        (
            ("show", "r.zarr", "kane_mele", "--fermi-level", "1"),
            "--fermi-level: expected an energy of the scan",
        ),
        (
            ("plot", "r.zarr", "kane_mele", "--fermi-level", "nan"),
            "found nan eV: the one Fermi energy, 0 eV, is not",
        ),
        (("show", "none.zarr", "kane_mele"), "none.zarr: no store found there"),
        (("status", "none.zarr"), "none.zarr: no store found there"),
        (("plot", "r.zarr", "kane_mele", "--component", "xq"), "--component: expected a name such as"),
        (("plot", "r.zarr", "kane_mele", "--quantity", "dos"), "--quantity: 'dos' is not in the dataset"),
        (("plot", "r.zarr", "kane_mele", "--window", "1:0"), "--window: expected two energies in eV"),
        (("plot", "r.zarr", "kane_mele", "--window", "1:2"), "--window: expected one that contains some"),
        (("screen", "r.zarr", "--campaign", "ab"), "as there are no results of campaigns"),
    ],
)
def test_what_is_not_there_is_one_sentence(folder, words, message):
    failed = spinscreen(*words, cwd=folder)
    assert failed.returncode == 2
    assert message in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_superseded_rows_are_shown_when_asked_for(folder):
    newest, older = Store.at(folder / "r.zarr").ids_of("kane_mele")
    shown = spinscreen("screen", "r.zarr", cwd=folder).stdout
    assert newest in shown
    assert older not in shown
    assert "1 left out, superseded by a newer result of the same material; --all shows them" in shown
    everything = spinscreen("screen", "r.zarr", "--all", cwd=folder).stdout
    assert newest in everything
    assert older in everything
    # An old number must not stand where the new one does not pass.
    hidden = screen(folder / "r.zarr", "k_mesh == '6x6x1'", latest=True)
    assert (len(hidden), hidden.attrs["superseded"]) == (0, 1)
    assert len(screen(folder / "r.zarr")) == 2


def test_a_campaign_is_screened_alone(tmp_path):
    for mesh in ("4", "6"):
        words = (
            "submit",
            "library:kane_mele",
            "--kmesh",
            mesh,
            *SMALL,
            "--workers",
            "0",
            "--store",
            "c.zarr",
        )
        assert spinscreen(*words, cwd=tmp_path).returncode == 0
    first, second = Store.at(tmp_path / "c.zarr").campaigns
    for name in (first, second):
        found = screen(tmp_path / "c.zarr", columns=["campaign"], campaign=name[:6], latest=True)
        assert found["campaign"].tolist() == [name]


def test_tables_keep_ids_whole_in_a_pipe_and_numbers_readable_in_a_terminal(folder):
    newest, _ = Store.at(folder / "r.zarr").ids_of("kane_mele")
    narrow = {"COLUMNS": "60"}
    piped = spinscreen("screen", "r.zarr", "--columns", "all", cwd=folder, env=narrow).stdout
    assert sum(newest in line for line in piped.splitlines()) == 1
    assert "conserved_xy_z_max" in piped
    terminal = spinscreen(
        "screen", "r.zarr", "--columns", "all", cwd=folder, env={**narrow, "FORCE_COLOR": "1"}
    ).stdout
    assert max(map(len, terminal.splitlines()[3:])) < 120  # with the codes of colours
    assert "conserved_xy_z" in terminal


def test_each_kind_has_a_table_with_its_units(tmp_path):
    store = Store.at(tmp_path / "r.zarr")
    answers = ["conventional_hall_conductivity", "conserved_hall_conductivity"]
    for name, model in (("layer", library.load("kane_mele")), ("crystal", random_model(1))):
        store.publish(
            compute(model, 4, [0.0], quantities=answers).assign_attrs(material=name), f"{name}-0000000001"
        )
    store.build_catalog()
    shown = spinscreen("screen", "r.zarr", cwd=tmp_path).stdout
    crystals, layers = shown.split("1 layer")
    assert crystals.startswith("1 crystal")
    assert crystals.count("((ħ/e) S/cm)") == layers.count("(e/2π)") == 3
    assert "S/cm" not in layers
    # In one ranking they have one table, with the unit in each cell.
    mixed = spinscreen("screen", "r.zarr", "--sort", "conserved_xy_z", "--mixed", cwd=tmp_path).stdout
    assert mixed.startswith("2 materials")


def test_columns_of_conditions_are_shown_with_units(folder):
    words = ("screen", "r.zarr", "--where", "temperature < 1 and abs(gap) >= 0", "--sort", "evaluations")
    shown = spinscreen(*words, "--columns", "name", cwd=folder).stdout
    assert "temperature" not in shown
    shown = spinscreen("screen", "r.zarr", "--sort", "-temperature", cwd=folder).stdout
    assert "temperature" in shown
    assert "(K)" in shown
    assert "(e/2π)" in shown
    # Of a quantum spin Hall state -1; on so coarse a mesh within its first digit.
    stored = screen(folder / "r.zarr", latest=True)["conventional_xy_z"].iloc[0]
    factor = float(shown.rpartition("1 e/2π = ")[2].split()[0])
    assert -1.3 < stored / factor < -0.7


def test_places_are_expanded_as_a_shell_does(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "c.toml"
    file.write_text('source = "~/models"\nstore = "${SCRATCH}/r.zarr"\n[cluster]\npython = "~/bin/python"\n')
    found = read_campaign_file(file)
    assert Path(found.source) == tmp_path / "home" / "models"
    assert Path(found.store) == tmp_path / "scratch" / "r.zarr"
    assert found.cluster.python == str(tmp_path / "home" / "bin" / "python")
    file.write_text('source = "library"\nstore = "$NOWHERE_AT_ALL/r.zarr"\n')
    with pytest.raises(InputError, match=r"store: the variable \$NOWHERE_AT_ALL is not set"):
        read_campaign_file(file)
    (tmp_path / "home").mkdir()
    words = ("run", "kane_mele", "--kmesh", "4", *SMALL, "--store", "~/r.zarr")
    assert spinscreen(*words, cwd=tmp_path).returncode == 0
    assert Store.at(tmp_path / "home" / "r.zarr").exists
    assert not (tmp_path / "~").exists()


def test_parameters_are_scanned(tmp_path):
    found = find_materials("library:MoS2?soc=0:0.2:0.05")
    assert [s.columns["soc"] for s in found] == [0, 0.05, 0.1, 0.15, 0.2]
    assert [s.id for s in found][1] == "MoS2_soc_0.05"
    models = [s.load() for s in found[:2]]
    assert models[1].name == "MoS2_soc_0.05"
    split = [np.ptp(np.linalg.eigvalsh(m.hamiltonian.sum(0))[:2]) for m in models]
    assert split[0] < 1e-12  # rounding of numbers of some eV
    assert len(find_materials("library:haldane?phi=0.5,1.0&mass=0:0.2:0.1")) == 6
    words = (
        "submit",
        "library:kane_mele?t=1,2",
        "--kmesh",
        "4",
        *SMALL,
        "--workers",
        "0",
        "--store",
        "s.zarr",
    )
    done = spinscreen(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(open_catalog(tmp_path / "s.zarr")["t"].values) == [1, 2]
    assert spinscreen("info", "library:kane_mele?t=2", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("library:MoS3", "did you mean 'MoS2'"),
        ("library:MoS2?so=1", "has no parameter 'so', expected one of spin_orbit"),
        ("library:MoS2?soc", "expected parameter=values"),
        ("library:MoS2?soc=0:1:0", "expected 0.1, 0.1,0.2 or start:stop:step"),
        ("library:MoS2?soc=0:1:1e-9", "expected 0.1, 0.1,0.2 or start:stop:step"),
        ("library:MoS2?soc=a", "expected 0.1, 0.1,0.2 or start:stop:step"),
        ("library:MoS2?soc=nan", "expected 0.1, 0.1,0.2 or start:stop:step"),
        ("library:MoS2?soc=1&soc=2", "expected each parameter once"),
    ],
)
def test_scans_that_cannot_be_read(source, message):
    with pytest.raises(InputError, match=message):
        find_materials(source)


@pytest.fixture
def two(folder, tmp_path):
    """Two stores with one result each."""
    newest, older = Store.at(folder / "r.zarr").ids_of("kane_mele")
    for store, kept in (("a.zarr", newest), ("b.zarr", older)):
        shutil.copytree(folder / "r.zarr", tmp_path / store, symlinks=True)
        root = tmp_path / store / "zarr.json"
        root.write_text(root.read_text().replace('"store_id": "', f'"store_id": "{store[0]}'))
        Store.at(tmp_path / store).remove_results([name for name in (newest, older) if name != kept])
    return tmp_path, newest, older


def test_results_are_removed(two):
    place, newest, _ = two
    assert Store.at(place / "a.zarr").results == (newest,)
    assert len(screen(place / "a.zarr")) == 1
    refused = spinscreen("remove", "a.zarr", "kane_mele", cwd=place)
    assert refused.returncode == 2
    assert "expected --yes where nobody can answer" in refused.stderr
    assert (
        "nothing to remove" in spinscreen("remove", "a.zarr", "kane_mele", "--superseded", cwd=place).stdout
    )
    gone = spinscreen("remove", "a.zarr", "kane_mele", "--yes", cwd=place)
    assert f"removed: {newest} of a.zarr" in gone.stdout
    assert Store.at(place / "a.zarr").results == ()
    assert "has no catalog" in spinscreen("screen", "a.zarr", cwd=place).stderr
    assert Store.at(place / "a.zarr").verify() == ()


def test_stores_are_merged(two):
    place, newest, older = two
    a, b = Store.at(place / "a.zarr"), Store.at(place / "b.zarr")
    a.record_campaign({"source": "a"})
    campaign = b.record_campaign({"source": "b"})
    b.record_failure("bad", "why", campaign)
    b.record_failure("kane_mele", "mended in a", "")
    done = spinscreen("merge", "a.zarr", "b.zarr", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "b.zarr: 1 copied, 0 there already" in done.stdout
    assert a.results == tuple(sorted((newest, older)))
    assert a.read(older).identical(b.read(older))
    assert sorted(screen(place / "a.zarr").index) == list(a.results)
    assert len(a.campaigns) == 2
    assert a.failures == {"bad": "why"}
    assert a.verify() == ()
    assert b.results == (older,)
    assert "0 copied, 1 there already" in spinscreen("merge", "a.zarr", "b.zarr", cwd=place).stdout
    refused = spinscreen("remove", "a.zarr", "kane_mele", "--yes", cwd=place)
    assert "kane_mele: is 2 results" in refused.stderr
    spinscreen("remove", "a.zarr", "kane_mele", "--superseded", "--yes", cwd=place)
    assert a.results == (newest,)


def test_a_merge_that_clashes_copies_nothing(two):
    place, newest, older = two
    a, b = Store.at(place / "a.zarr"), Store.at(place / "b.zarr")
    other = a.read(newest).load()
    other["conserved_hall_conductivity"][:] += 1.0
    b.publish(other, newest)
    refused = spinscreen("merge", "a.zarr", "b.zarr", cwd=place)
    assert refused.returncode == 2
    assert "(conserved_hall_conductivity differs), nothing was copied" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert a.results == (newest,)
    for words, told in (
        (("merge", "a.zarr", "a.zarr"), "is the same store"),
        (("merge", "a.zarr", "none.zarr"), "no store found there"),
    ):
        assert told in spinscreen(*words, cwd=place).stderr
    # What is damaged is left and said, the rest is copied.
    b.remove_results([newest])
    b.file("x-0123456789").write_bytes(b"cut")
    left = spinscreen("merge", "a.zarr", "b.zarr", cwd=place)
    assert left.returncode == 1
    assert "It was not copied." in left.stdout
    assert older in a.results


def test_bands_are_merged(tmp_path):
    words = ("stream", "kane_mele", "--kmesh", "4", "--quantities", "energy")
    assert spinscreen(*words, "--store", "b.zarr", cwd=tmp_path).returncode == 0
    words = ("stream", "haldane", "--kmesh", "4", "--quantities", "energy")
    assert spinscreen(*words, "--store", "a.zarr", cwd=tmp_path).returncode == 0
    a, b = Store.at(tmp_path / "a.zarr"), Store.at(tmp_path / "b.zarr")
    assert a.merge(b).copied == b.bands
    assert a.read_bands(b.bands[0]).identical(b.read_bands(b.bands[0]))
    assert a.verify() == ()
