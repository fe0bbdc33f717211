"""The .win files that people write."""

from __future__ import annotations

import numpy as np
import pytest

from spinscreen.kernels import InputError
from spinscreen.materials.matrices import BOHR
from spinscreen.materials.wannier90.win import read_win

TYPICAL = """
Num_Wann   4      ! a comment
NUM_BANDS: 8      # another
Spinors = .TRUE.
dis-win-max = 1.5d1
mp_grid : 4, 4 1
fermi_energy=-1.25

BEGIN Unit_Cell_Cart
  Bohr
 1.0 0 0
 0 2.0d0 0
 0 0 3.0 ! c
END unit_cell_cart

Begin atoms_cart
ang
Fe1 0.0 0.0 0.5
end atoms_cart

begin kpoint_path
G 0.0 0.0 0.0   X 0.5 0.0 0.0
X 0.5 0.0 0.0   M 0.5 0.5 0.0
end kpoint_path
begin projections
Fe1:s;p   ! orbitals
end projections
"""


@pytest.fixture
def win(tmp_path):
    def write(text):
        path = tmp_path / "x.win"
        path.write_text(text)
        return read_win(path)

    return write


def test_any_case_separator_comment_and_unit(win):
    found = win(TYPICAL)
    assert found.integer("num_wann") == 4
    assert found.integer("numwann") == 4
    assert found.logical("spinors") is True
    assert found.real("dis_win_max") == 15.0
    assert found.integers("mp_grid", 3) == (4, 4, 1)
    assert found.real("fermi_energy") == -1.25
    np.testing.assert_allclose(found.lattice, BOHR * np.diag([1, 2, 3]))
    assert found.atoms[0].symbol == "Fe1"
    assert found.atoms[0].position == (0.0, 0.0, 0.5)
    assert found.kpoint_path[1] == ("X", (0.5, 0.0, 0.0), "M", (0.5, 0.5, 0.0))
    assert found.projections == ("Fe1:s;p",)
    assert found.integer("not_there") is None
    assert found.logical("not_there") is None


def test_fractional_atoms_and_angstrom_by_default(win):
    found = win(
        "begin unit_cell_cart\n2 0 0\n0 2 0\n0 0 2\nend unit_cell_cart\n"
        "begin atoms_frac\nPt 0.5 0.5 0.25\nend atoms_frac\n"
    )
    np.testing.assert_allclose(found.lattice, 2 * np.eye(3))
    assert found.atoms[0].position == (1.0, 1.0, 0.5)


def test_windows_line_ends_and_tabs(win):
    found = win("num_wann\t=\t4\r\nbegin atoms_cart\r\nH\t0 0 1\r\nend atoms_cart\r\n")
    assert found.integer("num_wann") == 4
    assert found.atoms[0].position == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "ask", "message"),
    [
        (
            "num_wann = four",
            lambda w: w.integer("num_wann"),
            r"line 1: expected 1 whole number\(s\), found 'four'",
        ),
        ("num_wann = 4.5", lambda w: w.integer("num_wann"), "line 1: expected 1 whole number"),
        (
            "\nspinors = maybe",
            lambda w: w.logical("spinors"),
            "line 2: expected true or false, found 'maybe'",
        ),
        ("begin unit_cell_cart\n1 0 0\nend unit_cell_cart", lambda w: w.lattice, "has 1 vectors, expected 3"),
        (
            "begin unit_cell_cart\nfeet\n1 0 0\nend unit_cell_cart",
            lambda w: w.lattice,
            "line 2: expected bohr or ang",
        ),
        ("begin atoms_frac\nH 0 0 0\nend atoms_frac", lambda w: w.atoms, "needs a unit_cell_cart block"),
        (
            "begin kpoint_path\nG 0 0\nend kpoint_path",
            lambda w: w.kpoint_path,
            "line 2: expected a label and three",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_line(win, text, ask, message):
    with pytest.raises(InputError, match=message):
        ask(win(text))


def test_a_line_that_is_nothing(win):
    with pytest.raises(InputError, match="line 1: expected a keyword and its value"):
        win("= 5")


@pytest.mark.parametrize("text", ["begin projections\nH:s\n", "begin projections\nH 1 2\nend kpoints\n"])
def test_a_block_without_end_is_told_where_it_is_needed(win, text):
    found = win(f"{text}num_wann = 4\n= 5\n")
    assert found.integer("num_wann") == 4
    with pytest.raises(InputError, match="line 1: block 'projections' has no end"):
        _ = found.projections


@pytest.mark.parametrize("between", [" ", "\t", "_", "-", ":", "", "  "])
def test_marks_of_a_block_as_wannier90_takes_them(win, between):
    cell = "\n".join(["2 0 0", "0 2 0", "0 0 2"])
    found = win(f"Begin{between}unit_cell_cart\n{cell}\nEND{between}Unit_Cell_Cart\nspinors = .T.\n")
    np.testing.assert_allclose(found.lattice, 2 * np.eye(3))
    assert found.logical("spinors") is True


@pytest.mark.parametrize(("word", "value"), [(".T.", True), (".f.", False), ("T", True), (".FALSE.", False)])
def test_spellings_of_true_and_false(win, word, value):
    assert win(f"spinors = {word}").logical("spinors") is value


def test_units_and_marks_of_byte_order(win, tmp_path):
    assert win("fermi_energy = 5.1 eV").real("fermi_energy") == 5.1
    (tmp_path / "x.win").write_bytes(b"\xef\xbb\xbfnum_wann = 4\r\n")
    assert read_win(tmp_path / "x.win").integer("num_wann") == 4
