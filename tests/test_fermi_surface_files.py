"""Fermi surfaces as files of other programs, read back by what their formats say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from command_line import spinscreen
from support import random_model

from spinscreen.kernels import InputError, KMesh
from spinscreen.materials import library
from spinscreen.workflows import evaluate

LEVEL = 0.3
MODEL = random_model(3)


def on_mesh(shape=(4, 5, 6), shift=(0.0, 0.0, 0.0)):
    return evaluate(MODEL, KMesh(shape, shift), ["energy", "texture", "velocity"])


def read_frmsf(path: Path):
    """Points, energies and colours, (band, n1, n2, n3), as the manual of FermiSurfer describes them."""
    words = path.read_text().split()
    shape, kind, bands = [int(word) for word in words[:3]], int(words[3]), int(words[4])
    numbers = np.array(words[5:], dtype=float)
    reciprocal, values = numbers[:9].reshape(3, 3), numbers[9:].reshape(2, bands, *shape)
    i = [np.arange(1, n + 1) for n in shape]
    along = {1: [(j - 1) / len(j) for j in i], 2: [(2 * j - 1) / (2 * len(j)) for j in i]}[kind]
    points = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
    return points, reciprocal, values[0], values[1]


def read_bxsf(path: Path):
    """Fermi energy, points and energies as the manual of XCrySDen describes them."""
    words = path.read_text().split()
    level = float(words[words.index("Energy:") + 1])
    start = words.index("BEGIN_BANDGRID_3D_spinscreen") + 1
    bands, shape = int(words[start]), [int(word) for word in words[start + 1 : start + 4]]
    assert words[start + 4 : start + 7] == ["0.0"] * 3
    reciprocal = np.array(words[start + 7 : start + 16], dtype=float).reshape(3, 3)
    body = words[start + 16 : words.index("END_BANDGRID_3D")]
    size = int(np.prod(shape))
    blocks = [body[i * (size + 2) : (i + 1) * (size + 2)] for i in range(bands)]
    assert all(block[0] == "BAND:" for block in blocks)
    energies = np.array([block[2:] for block in blocks], dtype=float).reshape(bands, *shape)
    points = np.stack(np.meshgrid(*(np.arange(n) / (n - 1) for n in shape), indexing="ij"), axis=-1)
    return level, points, reciprocal, energies, [int(block[1]) for block in blocks]


def energies_at(points):
    return evaluate(MODEL, points.reshape(-1, 3), ["energy"])["energy"].values


def crossing(energies):
    return [b for b in range(energies.shape[-1]) if energies[:, b].min() <= LEVEL <= energies[:, b].max()]


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_fermisurfer_finds_energies_and_colours_where_they_belong(tmp_path, shift):
    dataset = on_mesh(shift=(shift,) * 3)
    dataset.spinscreen.to_frmsf(tmp_path / "f.frmsf", LEVEL, "texture", "spin_y")
    points, reciprocal, energies, colors = read_frmsf(tmp_path / "f.frmsf")
    np.testing.assert_allclose(MODEL.lattice @ reciprocal.T, 2 * np.pi * np.eye(3), atol=1e-8)
    there = evaluate(MODEL, points.reshape(-1, 3), ["energy", "texture"])
    bands = crossing(there["energy"].values)
    # Nine digits are written.
    np.testing.assert_allclose(
        energies.reshape(len(bands), -1).T, there["energy"].values[:, bands] - LEVEL, atol=1e-7
    )
    texture = there["texture"].sel(observable="spin_y").values[:, bands]
    np.testing.assert_allclose(colors.reshape(len(bands), -1).T, texture, atol=1e-7)


def test_xcrysden_finds_a_grid_that_closes(tmp_path):
    on_mesh().spinscreen.to_bxsf(tmp_path / "f.bxsf", LEVEL)
    level, points, reciprocal, energies, numbers = read_bxsf(tmp_path / "f.bxsf")
    assert level == LEVEL
    np.testing.assert_allclose(MODEL.lattice @ reciprocal.T, 2 * np.pi * np.eye(3), atol=1e-8)
    there = energies_at(points)
    assert [number - 1 for number in numbers] == crossing(there)
    np.testing.assert_allclose(
        energies.reshape(len(numbers), -1).T, there[:, [n - 1 for n in numbers]], atol=1e-7
    )


def test_without_a_colour_the_speed_is_it(tmp_path):
    dataset = on_mesh()
    dataset.spinscreen.to_frmsf(tmp_path / "f.frmsf", LEVEL)
    *_, colors = read_frmsf(tmp_path / "f.frmsf")
    speed = np.linalg.norm(dataset["velocity"].transpose("k", "band", "axis").values, axis=-1)
    bands = crossing(dataset["energy"].values)
    np.testing.assert_allclose(np.sort(colors, axis=None), np.sort(speed[:, bands], axis=None), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: on_mesh(shift=(0.5, 0, 0)), "expected equal steps with one shift"),
        (lambda: on_mesh().isel(k=slice(1, None)), "expected a whole mesh of a crystal"),
        (lambda: evaluate(library.load("haldane"), KMesh((4, 4, 1)), ["energy"]), "expected a whole mesh"),
        (lambda: on_mesh().assign(energy=lambda d: d["energy"] + 99), "no band crosses 0.3 eV"),
    ],
)
def test_what_no_file_can_hold_is_refused(tmp_path, make, message):
    for write in ("to_frmsf", "to_bxsf"):
        with pytest.raises(InputError, match=message):
            getattr(make().spinscreen, write)(tmp_path / "f", LEVEL)
    assert not list(tmp_path.iterdir())


def test_xcrysden_needs_gamma(tmp_path):
    with pytest.raises(InputError, match="bxsf: expected a mesh that has Gamma"):
        on_mesh(shift=(0.5,) * 3).spinscreen.to_bxsf(tmp_path / "f.bxsf", LEVEL)


def test_commands_say_how_the_level_is_given(tmp_path):
    replace(random_model(1), fermi_level=None).save(tmp_path / "Pt.hdf5")
    with patch("spinscreen.workflows.cli.fermi.evaluate") as evaluated:
        for output in ("f.png", "f.frmsf"):
            failed = spinscreen("fermi", "Pt.hdf5", "--output", output, cwd=tmp_path)
            assert failed.returncode == 2
            assert "give --energy or --fermi-level in eV, or --electrons" in failed.stderr
            assert failed.stderr.count("\n") == 1
    evaluated.assert_not_called()
    path = ("--path", "G 0 0 0, X 0.5 0 0", "--points", "5")
    failed = spinscreen("bands", "Pt.hdf5", *path, "--window", "90:91", cwd=tmp_path)
    assert failed.returncode == 2
    warned, said = failed.stderr.splitlines()
    assert "give --fermi-level or --electrons" in warned
    assert "--window: expected one with bands" in said
    given = spinscreen("bands", "Pt.hdf5", *path, "--window", "-9:9", "--electrons", "1", cwd=tmp_path)
    assert (given.returncode, given.stderr) == (0, "")


def test_the_command_draws_and_writes(tmp_path):
    words = ("fermi", "rashba_ferromagnet", "--energy", "2.1", "--points", "30")
    drawn = spinscreen(*words, "--map", "berry_curvature:z", "--color", "texture:spin_z", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "fermi.png").stat().st_size > 5000
    for more, message in (
        (("--output", "f.bxsf", "--kmesh", "4"), "bxsf: expected a whole mesh of a crystal"),
        (("--normal", "0,0"), "--normal: expected three numbers"),
        (("--normal", "0,0,1"), "normal: expected none for a layer"),
        (("--energy", "99"), "--energy: no band crosses 99 eV"),
        (("--output", "f.xyz"), "--output: expected a file ending in"),
    ):
        failed = spinscreen(*words, *more, cwd=tmp_path)
        assert failed.returncode == 2
        assert message in failed.stderr
        assert failed.stderr.count("\n") == 1
