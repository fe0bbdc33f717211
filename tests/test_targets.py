"""Where output goes: looked at before the work, written whole, and never at the cost of the result."""

from __future__ import annotations

import csv
import json
import os
import pty
import stat
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import COMMAND, spinscreen, spinscreen_process
from figures import assert_drawn

from spinscreen.kernels import InputError
from spinscreen.materials import library
from spinscreen.storage import (
    check_figure,
    checked_store,
    open_store,
    plot_hall,
    publish,
    published,
    save_figure,
)
from spinscreen.storage.targets import TABLES, check_file, written_whole
from spinscreen.workflows import compute

SMALL = ("run", "WSe2", "--kmesh", "6")

as_root = pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")


@pytest.fixture(scope="module")
def result():
    return compute(library.load("MoS2"), 6, [0.3, 0.1, 0.2])


@pytest.fixture(scope="module")
def store(tmp_path_factory, result):
    folder = tmp_path_factory.mktemp("store") / "results.zarr"
    publish(result, folder, "first")
    return folder


def test_a_store_may_be_new_empty_or_one(tmp_path, store):
    assert checked_store(store) == store
    assert checked_store(tmp_path / "a" / "b.zarr") == tmp_path / "a" / "b.zarr"
    assert checked_store(tmp_path) == tmp_path
    assert not list(tmp_path.iterdir())


def test_a_link_that_leads_nowhere_yet_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.zarr").symlink_to(tmp_path / "disk" / "new.zarr")
    assert checked_store(tmp_path / "link.zarr") == tmp_path / "disk" / "new.zarr"
    shown = spinscreen(*SMALL, "--store", "link.zarr", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert len(published(tmp_path / "disk" / "new.zarr")) == 1


@pytest.fixture
def obstacles(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "is a file, expected a folder"),
        ("file/x.zarr", "is a file, expected a folder"),
        ("other", "is a folder with other content"),
        ("loop", "cannot be written"),
        ("x" * 300, "cannot be written"),
        ("a\0b", "cannot be written"),
    ],
)
def test_a_store_that_cannot_be_is_refused(obstacles, name, message):
    with pytest.raises(InputError, match=message):
        checked_store(obstacles / name)


@as_root
def test_a_closed_folder_is_no_place_for_a_store(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\)"):
        checked_store(tmp_path / "results.zarr")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="/proc takes no files of root either")
def test_a_place_that_takes_no_files_is_refused():
    with pytest.raises(InputError, match="cannot be written"):
        checked_store("/proc/results.zarr")
    with pytest.raises(InputError, match="cannot be written"):
        check_file("/proc/table.csv", "--csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("h.xyz", r"--plot: expected a file ending in \.[a-z]+, .*\.png.*, found .*h.xyz"),
        ("h", "expected a file ending in"),
        ("nowhere/h.png", "the folder of .*nowhere/h.png does not exist"),
        ("file/h.png", "does not exist"),
        ("other.png", "is a folder, expected the name of a file"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(obstacles, name, message):
    (obstacles / "other.png").mkdir()
    with pytest.raises(InputError, match=message):
        check_figure(obstacles / name, "--plot")


def test_what_is_written_is_there_as_a_whole_or_not_at_all(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def fail() -> None:
        with written_whole(target) as file:
            file.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="cannot be written"):
        fail()
    assert target.read_text() == "old"
    with written_whole(target) as file:
        file.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
    with written_whole(os.devnull) as file:
        assert file == Path(os.devnull)


#: Ids and texts as nobody should choose them.
TABLE = pd.DataFrame(
    {
        "name": ["=1+1", "+a", "-b", "@c", "\td", "\re", "x=1", ""],
        "gap": [-1.5, 0, 1, 2, 3, 4, 5, np.nan],
        "@n": 1,
    },
    index=pd.Index(["=cmd|' /C calc'!A0", "a", "b", "c", "d", "e", "-f", "h"], name="material"),
)


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    TABLES["--csv"].write(TABLE, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["material", "name", "gap", "'@n"]
    assert [row[0] for row in rows] == ["'=cmd|' /C calc'!A0", "a", "b", "c", "d", "e", "'-f", "h"]
    assert [row[1] for row in rows] == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "'\re", "x=1", ""]
    # Numbers stay numbers, also those with a sign.
    assert [row[2] for row in rows] == ["-1.5", "0.0", "1.0", "2.0", "3.0", "4.0", "5.0", ""]


def test_other_formats_keep_texts_as_they_are(tmp_path):
    TABLES["--json"].write(TABLE, tmp_path / "t.json")
    TABLES["--parquet"].write(TABLE, tmp_path / "t.parquet")
    assert json.loads((tmp_path / "t.json").read_text())[0]["name"] == "=1+1"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), TABLE)


@pytest.mark.parametrize("suffix", ["png", "PDF", "svg"])
def test_a_name_that_is_no_mathematics_is_drawn(tmp_path, result, suffix):
    odd = result.assign_coords(observable=["a$_{", "b^c_d", "Δ \\x"])
    odd.attrs["model_name"] = "$x_{ [/x] \\frac"
    target = tmp_path / f"h.{suffix}"
    for component in (None, ("a$_{", "x", "y"), ("b^c_d", "x", "y"), ("Δ \\x", "x", "y")):
        save_figure(plot_hall(odd, component), target)
        assert_drawn(target)


def test_a_scan_in_any_order_is_drawn_from_left_to_right(result):
    assert result["fermi_energy"].values.tolist() == [0.3, 0.1, 0.2]
    line = plot_hall(result).axes[0].lines[0]
    assert np.all(np.diff(line.get_xdata()) > 0)


@pytest.mark.parametrize(
    ("call", "how"),
    [
        (spinscreen_process, {"env": {"PYTHONIOENCODING": "ascii"}}),
        (spinscreen, {"encoding": "cp1252"}),
        (spinscreen, {"encoding": "latin-1"}),
    ],
    ids=["ascii", "cp1252", "latin-1"],
)
def test_run_in_a_terminal_of_few_letters(tmp_path, call, how):
    """Energies in any order; "ħ" and the lines of tables are in none of these encodings."""
    words = (*SMALL, "--fermi-energy", "0.3,0.1,0.2", "--store", "r.zarr", "--plot", "h.png")
    shown = call(*words, cwd=tmp_path, **how)
    assert shown.returncode == 0, shown.stderr
    assert "published: xr.open_zarr" in shown.stdout
    (name,) = published(tmp_path / "r.zarr")
    found = open_store(tmp_path / "r.zarr")[f"materials/{name}"]
    assert found["fermi_energy"].values.tolist() == [0.3, 0.1, 0.2]
    assert_drawn(tmp_path / "h.png")
    # The figure alone is drawn of what is there.
    again = spinscreen(*words[:-1], "again.png", cwd=tmp_path)
    assert "nothing to do" in again.stdout
    assert_drawn(tmp_path / "again.png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a full disk")
def test_a_full_disk_below_the_output_costs_no_result(tmp_path):
    with Path("/dev/full").open("w") as full:
        failed = spinscreen_process(
            *SMALL, "--store", "r.zarr", "--plot", "h.png", cwd=tmp_path, capture_output=False, stdout=full,
            stderr=subprocess.PIPE,
        )  # fmt: skip
    assert failed.returncode == 2
    assert "No space left on device" in failed.stderr
    assert "r.zarr/materials/WSe2-" in failed.stderr
    assert [line for line in failed.stderr.splitlines() if not line.startswith("warning: ")] == [
        failed.stderr.splitlines()[-1]
    ]
    assert len(published(tmp_path / "r.zarr")) == 1
    assert_drawn(tmp_path / "h.png")


def test_a_reader_who_goes_costs_no_result(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, *SMALL, "--store", "r.zarr"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.wait()
    assert b"Traceback" not in errors
    assert len(published(tmp_path / "r.zarr")) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--store", "file/x.zarr"), "file/x.zarr: "),
        (("--store", "other"), "other: is a folder with other content"),
        (("--plot", "nowhere/h.png"), "--plot: the folder of nowhere/h.png does not exist"),
        (("--plot", "h.xyz"), "--plot: expected a file ending in"),
        (("--fermi-energy", "0:1:1e-12"), "--fermi-energy: expected at most 1,000,000 energies"),
        (("--fermi-energy", "nan:1:1"), "--fermi-energy: expected 18.4, 18.4,18.5 or start:stop:step"),
        (("--fermi-energy", "1,1"), "fermi_energy: 1.0 is given twice"),
    ],
)
def test_run_says_before_the_work_what_it_could_not_do_after(obstacles, words, message):
    # A mesh of a quarter of an hour: what is refused before it is refused at once.
    failed = spinscreen("run", "WSe2", "--kmesh", "6000", *words, cwd=obstacles)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"error: {message}")
    assert failed.stderr.count("\n") == 1
    assert not failed.stdout


def test_a_mesh_of_days_needs_a_yes(tmp_path):
    words = ("run", "WSe2", "--kmesh", "400000")
    failed = spinscreen(*words, cwd=tmp_path)
    assert failed.returncode == 2
    assert "take about" in failed.stderr
    assert "go on with --yes" in failed.stderr
    failed = spinscreen("texture", *words[1:], "--store", "r.zarr", cwd=tmp_path)
    assert "go on with --yes" in failed.stderr
    # The same in a terminal: a question, which is answered with no.
    driver, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words], stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    os.close(terminal)
    os.write(driver, b"n\n")
    output, errors = process.communicate(timeout=120)
    os.close(driver)
    assert process.returncode == 1
    assert b"Go on? [y/N]" in errors
    assert not output.strip()


def test_tables_are_refused_before_the_catalog_is_read(tmp_path):
    failed = spinscreen("screen", "nowhere.zarr", "--csv", "nowhere/t.csv", cwd=tmp_path)
    assert failed.returncode == 2
    assert "--csv: the folder of nowhere/t.csv does not exist" in failed.stderr


def test_brackets_in_paths_and_messages_are_printed(tmp_path):
    for name in ("[soc] Fe", "[red]run[final]"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x_hr.dat").write_text("damaged")
    shown = spinscreen("check", ".", cwd=tmp_path)
    assert shown.returncode == 1
    assert "[soc] Fe/x_hr.dat" in shown.stdout
    assert "[red]run[final]/x_hr.dat" in shown.stdout
    failed = spinscreen("info", "[red]nowhere[/x]", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: [red]nowhere[/x]: ")
