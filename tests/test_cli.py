"""The command line as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import xarray as xr
from command_line import spinscreen, spinscreen_process
from figures import assert_drawn

from spinscreen.materials import library, write_wannier90
from spinscreen.storage import open_store, published, screen
from spinscreen.workflows import cli as workflows_cli
from spinscreen.workflows import evaluate
from spinscreen.workflows.cli.console import quantities_markdown
from spinscreen.workflows.cli.material import app, color_labels

#: A monolayer of MoS2, space group 187 in its cell with vacuum.
POSCAR = """MoS2
1.0
 3.19 0 0
 -1.595 2.762621 0
 0 0 20
Mo S
1 2
Direct
 0.333333 0.666667 0.5
 0.666667 0.333333 0.578
 0.666667 0.333333 0.422
"""


def test_help_names_every_command_and_option():
    text = spinscreen("--help").stdout
    for command in ("info", "run", "bands", "demo", "library", "quantities", "campaign", "screen"):
        assert command in text
    text = spinscreen("run", "--help").stdout
    for option in (
        "--store",
        "--kmesh",
        "--fermi-energy",
        "--degeneracy-threshold",
        "--quantities",
        "--workers",
    ):
        assert option in text


def test_info_shows_the_assumed_spin_order(tmp_path):
    write_wannier90(library.load("kane_mele"), tmp_path)
    shown = spinscreen("info", str(tmp_path))
    assert shown.returncode == 0
    assert "pure spinors, interlaced, found by test" in shown.stdout
    assert "spinors block?" in shown.stdout
    assert "time reversal broken by" in shown.stdout
    assert "kane_mele_tb.dat" in shown.stdout
    assert "Warning" not in shown.stderr


def test_run_prints_publishes_and_does_nothing_twice(tmp_path):
    arguments = ("run", "kane_mele", "--kmesh", "20", "--fermi-energy", "-0.5:0.5:0.25", "--store", "r.zarr")
    first = spinscreen(*arguments, "--plot", "hall.png", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "conserved_hall_conductivity" in first.stdout
    assert_drawn(tmp_path / "hall.png")
    (name,) = published(tmp_path / "r.zarr")
    assert f"materials/{name}" in first.stdout
    dataset = xr.open_zarr(f"zip::{tmp_path}/r.zarr/materials/{name}.zip")
    np.testing.assert_allclose(dataset["fermi_energy"], [-0.5, -0.25, 0, 0.25, 0.5])
    assert "nothing to do" in spinscreen(*arguments, cwd=tmp_path).stdout
    changed = spinscreen(*arguments, "--degeneracy-threshold", "0.1", "--workers", "2", cwd=tmp_path)
    assert changed.returncode == 0, changed.stderr
    assert len(published(tmp_path / "r.zarr")) == 2


def test_bands_draws_a_figure(tmp_path):
    drawn = spinscreen("bands", "MoS2", "--color", "berry_curvature:z", "--points", "10", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert_drawn(tmp_path / "bands.png")


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("energy", {}),
        ("texture:z", {"observable": "spin_z"}),
        ("conserved_curvature:z_z", {"observable": "spin_z", "axis": "z"}),
        ("conserved_curvature:spin_z,z", {"observable": "spin_z", "axis": "z"}),
        *(
            (f"proper_curvature:{text}", {"observable": "spin_z", "current_axis": "x", "field_axis": "y"})
            for text in ("xy_z", "z_xy", "spin_z,x,y")
        ),
    ],
)
def test_colours_are_components_as_everywhere(color, expected):
    name = color.partition(":")[0]
    values = evaluate(library.load("kane_mele"), [[0.1, 0.2, 0.0]], [name])[name]
    assert color_labels(values, color) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "nowhere"), "error: nowhere: no such file, folder or seedname"),
        (("run", "MoS2", "--kmesh", "few"), "error: --kmesh: expected 48 or 48,48,48, found 'few'"),
        (("run", "MoS2", "--kmesh", "0"), "error: kmesh: expected three whole numbers of at least 1"),
        (("run", "MoS2", "--fermi-energy", "1:2"), "error: --fermi-energy: expected"),
        (("run", "MoS2", "--fermi-energy", "1:2:0"), "error: --fermi-energy: expected"),
        (("run", "MoS2", "--quantities", "berry"), "did you mean 'berry_curvature'"),
        (("bands", "MoS2", "--path", "G 0 0"), "error: --path: expected 'LABEL k1 k2 k3"),
        (("bands", "MoS2", "--color", "texture:spin_q"), "error: --color: expected texture:observable"),
        (("run", "MoS2", "--store", "taken"), "error: taken: is a file, expected a folder"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(tmp_path, arguments, message):
    (tmp_path / "taken").write_text("")
    failed = spinscreen(*arguments, cwd=tmp_path)
    assert failed.returncode == 2
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_a_superconducting_material_from_one_command(tmp_path, reference_data):
    """Pt with s-wave pairing of 1 meV, from files to a store."""
    store = tmp_path / "results.zarr"
    options = ("--chemical-potential", "18.3823", "--pairing", "s", "--gap", "0.001", "--kmesh", "6")
    names = ("--quantities", "conserved_hall_conductivity,circulation_magnetization")
    shown = spinscreen("run", str(reference_data / "Pt"), *options, *names, "--store", str(store))
    assert shown.returncode == 0, shown.stderr
    assert "smallest excitation" in shown.stdout
    assert "charge" in shown.stdout
    (name,) = published(store)
    assert name.startswith("Pt_s-")
    dataset = open_store(store)[f"materials/{name}"]
    assert list(dataset["observable"].values) == ["spin_x", "spin_y", "spin_z", "charge"]
    assert list(dataset["fermi_energy"].values) == [0.0]


def test_charge_and_orbital_observables_from_the_command_line(tmp_path):
    shown = spinscreen(
        "run", "haldane", "--charge", "--kmesh", "12", "--fermi-energy", "0", "--quantities",
        "circulation_magnetization",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "moment z_charge" in shown.stdout
    failed = spinscreen("run", "bhz_hgte", "--orbital")
    assert failed.returncode == 2
    assert "has no projections" in failed.stderr


def test_a_campaign_from_check_to_screening(tmp_path):
    for name in ("MoS2", "WS2"):
        write_wannier90(library.load(name), tmp_path / "tree" / name)
    checked = spinscreen("check", "tree", "--workers", "1", cwd=tmp_path).stdout
    assert "2 of 2 can be computed" in checked
    assert "MoS2: good: " in checked
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x_tb.dat").write_text("nonsense")
    refused = spinscreen("check", "bad", cwd=tmp_path)
    assert refused.returncode == 1
    assert "x_tb.dat, line" in refused.stdout
    assert "0 of 1 can be computed" in refused.stdout
    arguments = (
        "submit",
        "tree",
        "--store",
        "r.zarr",
        "--kmesh",
        "12",
        "--set",
        "calculation.scan_points=21",
    )
    first = spinscreen(*arguments, "--workers", "1", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "2 computed, 0 there already, 0 failed" in first.stdout
    again = spinscreen(*arguments, "--workers", "0", cwd=tmp_path)
    assert "0 computed, 2 there already" in again.stdout
    assert "2 results" in spinscreen("status", "r.zarr", cwd=tmp_path).stdout
    assert "2 materials" in spinscreen("catalog", "r.zarr", cwd=tmp_path).stdout
    files = ("--csv", "found.csv", "--json", "found.json", "--parquet", "found.parquet")
    options = ("--where", "name == 'WS2'", *files)
    shown = spinscreen("screen", "r.zarr", *options, cwd=tmp_path)
    assert "1 material " in shown.stdout
    assert "WS2" in (tmp_path / "found.csv").read_text()
    assert "WS2" in (tmp_path / "found.json").read_text()
    assert pd.read_parquet(tmp_path / "found.parquet")["name"].tolist() == ["WS2"]
    failed = spinscreen("screen", "r.zarr", "--where", "gpa < 1", cwd=tmp_path)
    assert failed.returncode == 2
    assert "did you mean 'gap'" in failed.stderr
    refused = spinscreen(*arguments, "--scheduler", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert refused.returncode == 2
    assert "no Dask scheduler answers" in refused.stderr


def test_textures_are_streamed_from_the_command_line(tmp_path):
    words = (
        "stream",
        "rashba_ferromagnet",
        "--store",
        "r.zarr",
        "--kmesh",
        "20",
        "--quantities",
        "energy,texture",
    )
    shown = spinscreen(*words, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    (name,) = open_store(tmp_path / "r.zarr")["bands"].children
    assert f"bands/{name}" in shown.stdout.replace("\n", "")
    assert open_store(tmp_path / "r.zarr")[f"bands/{name}"]["texture"].shape == (400, 3, 2)
    # Under the name of the last version: the same, which is there already.
    again = spinscreen("texture", *words[1:], cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1] == shown.stdout.splitlines()[-1]
    assert again.stderr == "warning: texture is called stream now; the old name goes away\n"
    assert "│ texture " not in spinscreen("--help").stdout


def test_version_and_fast_path_are_told():
    assert spinscreen_process("--version").stdout == f"spinscreen {version('spinscreen')}\n"
    assert spinscreen("--version").stdout == f"spinscreen {version('spinscreen')}\n"
    # Which way it is is decided when the kernels are imported.
    shown = spinscreen_process("info", "haldane", env={"NUMBA_DISABLE_JIT": "1"}).stdout
    assert "kernels: plain Python, some hundred times slower (NUMBA_DISABLE_JIT is set)" in shown
    assert "kernels: compiled" in spinscreen("info", "haldane").stdout


def test_run_and_demo_publish_like_a_campaign(tmp_path):
    """Formula and space group are columns, and the catalog knows the result at once."""
    write_wannier90(library.load("MoS2"), tmp_path / "MoS2")
    (tmp_path / "MoS2" / "POSCAR").write_text(POSCAR)
    for words in (
        ("run", "MoS2", "--store", "run.zarr", "--kmesh", "6", "--scan-points", "5"),
        ("submit", ".", "--store", "campaign.zarr", "--kmesh", "6", "--scan-points", "5", "--workers", "0"),
    ):
        shown = spinscreen(*words, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
    for store in ("run.zarr", "campaign.zarr"):
        found = screen(tmp_path / store, columns=["formula", "space_group_number"])
        assert found["formula"].tolist() == ["MoS2"]
        assert found["space_group_number"].tolist() == [187]
    assert published(tmp_path / "run.zarr") == published(tmp_path / "campaign.zarr")


def test_a_driver_leaves_a_log(tmp_path):
    (tmp_path / "list.json").write_text('[{"id": "red", "path": "nowhere"}]')
    words = ("submit", "list.json", "--store", "r.zarr", "--kmesh", "4", "--workers", "0")
    assert spinscreen(*words, cwd=tmp_path).returncode == 1
    (log,) = (tmp_path / "r.zarr.logs").iterdir()
    first, second, last = log.read_text().splitlines()
    assert "1 materials, 0 known, into " in first
    assert "red: failed: " in second
    assert "0 computed, 0 present, 1 failed in " in last


def test_an_unknown_option_is_explained():
    failed = spinscreen_process("run", "MoS2", "--kmeh", "4")
    assert failed.returncode == 2
    assert "--kmesh" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_library_and_quantities_are_listed():
    text = spinscreen("library").stdout
    assert all(name in text for name in library.names())
    assert "conserved_hall_conductivity" in spinscreen("quantities").stdout


def test_demo_ranks_stores_and_draws(tmp_path):
    shown = spinscreen("demo", "--workers", "1", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "MoS2" in shown.stdout
    assert "conserved" in shown.stdout
    folder = tmp_path / "spinscreen-demo"
    assert_drawn(folder / "hall.png")
    assert len(open_store(folder / "results.zarr")["materials"]) == 10


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("Pt", ("--fermi-energy", "18.4", "--broadening", "0.1"), 2036.21),
        ("Fe", ("--fermi-energy", "12.6279"), 541.98),
    ],
)
def test_one_command_from_real_files_to_a_store_with_the_peers_numbers(
    tmp_path, reference_data, name, options, expected
):
    store = tmp_path / "results.zarr"
    arguments = ("--kmesh", "25", "--kshift", "0", "--degeneracy-threshold", "1e-6", "--symmetrize", "off")
    shown = spinscreen("run", str(reference_data / name), *arguments, "--store", str(store), *options)
    assert shown.returncode == 0, shown.stderr
    (material,) = published(store)
    found = open_store(store)[f"materials/{material}"].to_dataset()
    printed = [name for name in found.data_vars if name in shown.stdout]
    # Of the peers' number as many digits as they print; the table shows no more than the error allows.
    assert min(float(abs(found[name] - expected).min()) for name in printed) < 0.005
    assert "±" in shown.stdout


def test_the_reference_of_quantities_is_the_registry():
    page = Path(__file__).resolve().parents[1] / "docs" / "quantities.md"
    assert page.read_text() == quantities_markdown() + "\n"


def test_the_help_that_is_printed_at_once_is_that_of_the_commands():
    """Refresh it by `python tests/test_cli.py` after a change of commands and options."""
    pages = help_of_commands()
    assert {file.stem: file.read_text("utf-8") for file in HELP.iterdir()} == pages
    for words, page in ((["--help"], "spinscreen"), (["run", "-h"], "run")):
        shown = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "spinscreen.workflows.cli", *words],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert shown.stdout == pages[page]
        for heavy in ("distributed", "pandas", "tbmodels", "xarray", "numpy"):
            assert f" {heavy}\n" not in shown.stderr


HELP = Path(workflows_cli.__file__).with_name("help")


def help_of_commands() -> dict[str, str]:
    """Name of a command, or "spinscreen", -> its help."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    names = [name for name, command in commands.items() if not command.hidden]
    pages = {"spinscreen": ("--help",), **{name: (name, "--help") for name in names}}
    env = {"COLUMNS": "80", "NO_COLOR": "1"}
    return {page: spinscreen(*words, env=env).stdout for page, words in pages.items()}


if __name__ == "__main__":
    for name, text in help_of_commands().items():
        HELP.joinpath(f"{name}.txt").write_text(text, "utf-8")
