"""Collinear pairs as one model, and spin-orbit coupling added on sites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import spinscreen
from support import values

from spinscreen.kernels import InputError
from spinscreen.materials import Atom, WannierModel, find_materials, library, load_model, with_spin_orbit
from spinscreen.materials.spin_orbit import read_couplings
from spinscreen.materials.trial_orbitals import TrialOrbitals, exact_orbitals
from spinscreen.materials.wannier90 import write_wannier90
from spinscreen.workflows import compute
from spinscreen.workflows.configuration import read_campaign_file

POINTS = np.array([[0.13, 0.0, 0.0], [0.4, 0.0, 0.0]])


def channel(name: str, split: float, size: int = 2, centre: float = 0.0) -> WannierModel:
    levels = np.diag(np.linspace(-1, 1, size)) + split * np.eye(size)
    sites = np.full((size, 3), centre)
    hoppings = {(0, 0, 0): levels, (1, 0, 0): 0.1 * np.eye(size) + 0.05 * np.eye(size, k=1)}
    return WannierModel.from_hoppings(name, 3 * np.eye(3), hoppings, sites, periodic=(True, False, False))


def write_pair(folder: Path, ends: tuple[str, str], level: str = "the Fermi energy is 0.0500 ev\n") -> None:
    for end, split in zip(ends, (-0.3, 0.3), strict=True):
        write_wannier90(channel(f"toy{end}", split), folder)
    (folder / "scf.out").write_text(level)


@pytest.mark.parametrize(
    "ends", [("_up", "_dn"), ("_up", "_down"), (".up", ".dn"), (".1", ".2"), ("_UP", "_DW")]
)
def test_a_pair_of_channels_is_one_model(tmp_path, ends):
    write_pair(tmp_path, ends)
    (source,) = find_materials(tmp_path)
    for model in (load_model(tmp_path), load_model(tmp_path / "toy"), source.load()):
        assert (model.size, model.spin_degeneracy, model.provenance.spin_source) == (4, 1, "given")
        assert model.fermi_level == 0.05
        found = np.sort(values(model, POINTS, names=["energy"])["energy"], axis=1)
        alone = [values(channel("x", s), POINTS, names=["energy"])["energy"] for s in (-0.3, 0.3)]
        # The digits of the file.
        np.testing.assert_allclose(found, np.sort(np.concatenate(alone, axis=1), axis=1), atol=1e-7)
        np.testing.assert_array_equal(np.diag(model.observables["spin_z"]), [0.5, 0.5, -0.5, -0.5])
    assert source.id == "toy"


def test_a_pair_without_a_shared_name_is_one_model(tmp_path):
    for name, split in (("up", -0.3), ("dw", 0.3)):
        write_wannier90(channel(name, split), tmp_path)
    (tmp_path / "scf.out").write_text("the Fermi energy is 0.0500 ev\n")
    (source,) = find_materials(tmp_path)
    for model in (load_model(tmp_path), source.load()):
        assert (model.size, model.spin_degeneracy, model.fermi_level) == (4, 1, 0.05)


def test_electrons_fill_both_channels_of_a_pair(tmp_path):
    write_pair(tmp_path, ("_up", "_dn"))
    model = load_model(tmp_path, electrons=3)
    dataset = compute(
        model, (8, 1, 1), [model.fermi_level], quantities=["carrier_density", "observable_density"]
    )
    assert float(dataset["carrier_density"][0]) == pytest.approx(3)
    # Levels -1.3, -0.7, 0.7 and 1.3 eV: up, down and up are filled.
    assert float(dataset["observable_density"].sel(observable="spin_z")[0]) == pytest.approx(0.5)


def test_one_channel_alone_says_so(tmp_path):
    write_pair(tmp_path, ("_up", "_dn"))
    model = load_model(tmp_path / "toy_up")
    assert (model.size, model.spin_degeneracy) == (2, 1)
    assert "one spin channel; the other one is toy_dn" in model.provenance.notes


def test_channels_that_are_none_or_do_not_fit(tmp_path):
    for name in ("toy_1", "toy_2"):
        write_wannier90(channel(name, 0.0), tmp_path / "numbers")
    assert len(find_materials(tmp_path / "numbers")) == 2
    for name in ("a_up", "a_dn"):
        write_wannier90(replace(library.load("kane_mele"), name=name), tmp_path / "spinors")
    assert len(find_materials(tmp_path / "spinors")) == 2
    write_wannier90(channel("toy_up", -0.3), tmp_path / "sizes")
    write_wannier90(channel("toy_dn", 0.3, size=3), tmp_path / "sizes")
    model = load_model(tmp_path / "sizes")
    assert (model.size, list(model.observables)) == (5, ["spin_z"])
    write_wannier90(channel("toy_up", -0.3), tmp_path / "cells")
    write_wannier90(replace(channel("toy_dn", 0.3), lattice=4 * np.eye(3)), tmp_path / "cells")
    with pytest.raises(InputError, match="toy_up and toy_dn have other unit cells"):
        load_model(tmp_path / "cells")


def shell(names: tuple[str, ...], spinless: float = 0.0) -> WannierModel:
    size = len(names)
    model = WannierModel.from_hoppings(
        "atom", 5 * np.eye(3), {(0, 0, 0): spinless * np.eye(size)}, np.zeros((size, 3))
    )
    orbitals = exact_orbitals(np.zeros((1, 3)), ["Fe1"], names, spinors=False)
    return replace(model, atoms=(Atom("Fe1", (0, 0, 0)),), trial_orbitals=orbitals, spin_degeneracy=2)


P = ("pz", "px", "py")
D = ("dz2", "dxz", "dyz", "dx2-y2", "dxy")


@pytest.mark.parametrize(("names", "l_number"), [(P, 1), (D, 2)])
@pytest.mark.parametrize("mixed", [False, True])
def test_coupling_splits_a_shell_as_an_atom_does(names, l_number, mixed):
    """lambda l/2 for j = l + 1/2, -lambda (l + 1)/2 for j = l - 1/2, whatever the Wannier gauge."""
    model = shell(names)
    if mixed:
        turn = np.linalg.qr(np.random.default_rng(1).normal(size=2 * (len(names),)))[0]
        trial = TrialOrbitals(model.trial_orbitals.orbitals, turn)
        model = replace(model, trial_orbitals=trial)
    letter = "spd"[l_number]
    found = with_spin_orbit(model, {f"Fe:{letter}": 0.1})
    levels = np.linalg.eigvalsh(found.hamiltonian[0])
    expected = [-0.05 * (l_number + 1)] * (2 * l_number) + [0.05 * l_number] * (2 * l_number + 2)
    np.testing.assert_allclose(levels, expected, atol=1e-12)
    assert (found.spin_degeneracy, found.provenance.spin_source, found.size) == (1, "given", 2 * len(names))
    # Time reversal stays: spin and H make Kramers pairs.
    assert found.trial_orbitals.has_spin
    total = found.trial_orbitals.to_wannier(found.trial_orbitals.angular_momentum())
    jz = total[2] + found.observables["spin_z"]
    assert np.abs(jz @ found.hamiltonian[0] - found.hamiltonian[0] @ jz).max() < 1e-12


def test_coupling_of_a_pair_and_from_projections(tmp_path):
    for name, split in (("toy_up", -0.3), ("toy_dn", 0.3)):
        write_wannier90(replace(shell(P, split), name=name, trial_orbitals=None), tmp_path)
        win = tmp_path / f"{name}.win"
        win.write_text(win.read_text() + "begin projections\nFe1:p\nend projections\n")
    model = load_model(tmp_path, soc="Fe:p=0.1")
    found = np.linalg.eigvalsh(model.hamiltonian[np.flatnonzero(~model.translations.any(axis=1))[0]])
    plain = np.diag(np.repeat([-0.3, 0.3], 3)).astype(complex)
    coupled = with_spin_orbit(shell(P), {"Fe1:p": 0.1}).hamiltonian[0]
    np.testing.assert_allclose(found, np.linalg.eigvalsh(plain + coupled), atol=1e-6)
    assert any("spin-orbit coupling added on site" in note for note in model.provenance.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [("Fe=0.1", "soc: expected for example"), ("Fe:s=1", "soc: expected"), ("Fe:d=nan", "soc: expected")],
)
def test_couplings_that_cannot_be_read(text, message):
    with pytest.raises(InputError, match=message):
        read_couplings(text)


def test_coupling_is_refused_where_it_has_no_meaning():
    with pytest.raises(InputError, match="has no Te:p among its orbitals, expected some of Fe1 p"):
        with_spin_orbit(shell(P), {"Te:p": 0.1})
    with pytest.raises(InputError, match="has spinors, is one spin channel or built in"):
        with_spin_orbit(library.load("kane_mele"), {"C:p": 0.1})


def write_orbitals(folder: Path, projections: str = "begin projections\nFe1:p\nend projections\n") -> None:
    """Three orbitals on an atom, without spin."""
    write_wannier90(replace(shell(P), name="toy", trial_orbitals=None), folder)
    win = folder / "toy.win"
    kept = [line for line in win.read_text().splitlines(keepends=True) if "spinors" not in line]
    win.write_text("".join(kept) + projections)


def test_how_materials_are_read_is_said_once_for_all(tmp_path):
    """By options, in a campaign file and in Python; a line of a manifest goes before it."""
    tree = tmp_path / "tree"
    write_orbitals(tree / "a")
    write_orbitals(tree / "b")
    (source, _) = find_materials(tree, soc="Fe:p=0.1")
    np.testing.assert_array_equal(
        source.load().hamiltonian, load_model(tree / "a", soc="Fe:p=0.1").hamiltonian
    )
    (tmp_path / "list.csv").write_text("id,path,soc\na,tree/a,Fe:p=0.2\nb,tree/b,\n")
    found = find_materials(tmp_path / "list.csv", soc="Fe:p=0.1", spin_degeneracy=2)
    assert [one.overrides["soc"] for one in found] == ["Fe:p=0.2", "Fe:p=0.1"]
    with pytest.raises(InputError, match="soc: library is built in"):
        find_materials("library", soc="Fe:p=0.1")
    file = tmp_path / "campaign.toml"
    file.write_text('source = "tree"\n[reading]\nsoc = "Fe:p=0.1"\n')
    assert read_campaign_file(file).reading.given == {"soc": "Fe:p=0.1"}
    told = spinscreen("submit", "x", "--dry-run", "--soc", "Fe=1").stderr
    assert "reading.soc: expected for example 'Fe:d=0.05,Te:p=0.5' in eV, found 'Fe=1'" in told
    told = spinscreen("check", str(tree), "--soc", "Co:d=0.1").stdout
    assert f"a: {tree / 'a' / 'toy'}: soc: model 'a' has no Co:d among its orbitals" in told
    told = spinscreen("info", str(tree / "a"), "--spin-degeneracy", "1", "--electrons", "9").stderr
    assert "electrons is 9, expected more than 0 and at most the 3 that" in told


def test_soc_without_projections_says_what_is_missing(tmp_path):
    write_orbitals(tmp_path / "a", projections="")
    beside = "has no projections, expected a projections block in its .win; put the .win of the run"
    with pytest.raises(InputError, match=f"soc: model 'toy' {beside}"):
        load_model(tmp_path / "a", soc="Fe:p=0.1")
    assert (
        f"a: --soc: model 'toy' {beside}"
        in spinscreen("info", str(tmp_path / "a"), "--soc", "Fe:p=0.1").stderr
    )
    (tmp_path / "list.csv").write_text("id,path,soc\nx,a,Fe:p=0.1\n")
    (source,) = find_materials(tmp_path / "list.csv")
    with pytest.raises(InputError, match=f"a: soc in list.csv, entry 1: model 'x' {beside}"):
        source.load()
