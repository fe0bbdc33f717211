"""Data that are wrong, or say less than they seem to: what no reader may make a number of."""

from __future__ import annotations

from pathlib import Path

import pytest
from inputs import SEED, write_ab_initio, write_tb

from spinscreen.materials import load_model

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")


def without(path: Path, word: str) -> None:
    """Take the lines with a word out of a file."""
    path.write_text("".join(line for line in path.read_text().splitlines(True) if word not in line))


def test_spinors_that_the_win_does_not_announce_are_none(tmp_path):
    """Wannier90's default is false: two orbitals on two atoms are not taken for up and down."""
    write_tb(tmp_path)
    assert load_model(tmp_path).provenance.spin_source == "tested"
    without(tmp_path / f"{SEED}.win", "spinors")
    model = load_model(tmp_path)
    assert not model.observables
    assert "no spin: toy.win does not say spinors" in model.provenance.notes[-1]
    assert load_model(tmp_path, spin_ordering="interlaced").provenance.spin_source == "given"


def test_an_ab_initio_spin_counts_whatever_the_win_says(tmp_path):
    write_ab_initio(tmp_path, formatted=False)
    without(tmp_path / f"{SEED}.win", "spinors")
    model = load_model(tmp_path)
    assert model.provenance.spin_source == "ab_initio"
    assert "the spin that was found counts" in model.provenance.notes[-1]
