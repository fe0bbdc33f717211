"""What lies beside a Hamiltonian: where its cell, atoms, centres and Fermi level come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import spinscreen
from inputs import CIF, POSCAR

from spinscreen.kernels import InputError
from spinscreen.materials import check_material, find_materials, load_model
from spinscreen.workflows.cli.console import model_table
from spinscreen.workflows.cli.reading import read_source

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")

CELL = 3.0 * np.eye(3)

WIN = """begin unit_cell_cart
3 0 0
0 3 0
0 0 3
end unit_cell_cart
begin atoms_frac
Si 0 0 0
end atoms_frac
mp_grid = 3 1 1
"""

CUBE = """Si
1.0
3 0 0
0 3 0
0 0 3
Si
1
Direct
0 0 0
"""

WT_IN = """&TB_FILE
Hrfile = 'toy_hr.dat'
/
LATTICE
Bohr  ! a comment
5.66917838 0 0
0 5.66917838 0
0 0 5.66917838

ATOM_POSITIONS
1
Direct
Si 0.5 0 0

PROJECTORS
1
Si s
&SYSTEM
SOC = 1
E_FERMI = 0.25  ! eV
/
"""

WOUT = """
                              Lattice Vectors (Ang)
                    a_1     3.000000   0.000000   0.000000
                    a_2     0.000000   3.000000   0.000000
                    a_3     0.000000   0.000000   3.000000
 *----------------------------------------------------------------------------*
 |   Site       Fractional Coordinate          Cartesian Coordinate (Ang)     |
 +----------------------------------------------------------------------------+
 | Si   1   0.50000   0.00000   0.00000   |    1.50000   0.00000   0.00000    |
 *----------------------------------------------------------------------------*
 Initial State
  WF centre and spread    1  (  9.000000,  9.000000,  9.000000 )     1.00000000
 Final State
  WF centre and spread    1  (  0.100000, -0.200000,  0.000000 )     1.50000000
  WF centre and spread    2  (  1.500000,  0.000000,  0.000000 )     2.50000000
  Sum of centres and spreads (  1.600000, -0.200000,  0.000000 )     4.00000000
"""

NNKP = "calc_only_A  :  F\nbegin real_lattice\n3 0 0\n0 3 0\n0 0 3\nend real_lattice\n"

ESPRESSO = """&control
/
&system
 ibrav = 0, nat = 1, ntyp = 1, ecutwfc = 20
/
&electrons
/
ATOMIC_SPECIES
Si 28.0 Si.upf
ATOMIC_POSITIONS crystal
Si 0 0 0
CELL_PARAMETERS angstrom
3 0 0
0 3 0
0 0 3
K_POINTS gamma
"""

ABINIT = """acell 3.0 3.0 3.0 angstrom
rprim 1 0 0  0 1 0  0 0 1
ntypat 1
znucl 14
natom 1
typat 1
xred 0 0 0
"""


def write_chain(folder: Path, name: str = "toy") -> Path:
    """A chain of two functions without anything that knows its cell."""
    folder.mkdir(parents=True, exist_ok=True)
    home, hop = [[1.0, 0.05], [0.05, -1.0]], [[0.1, 0.3], [0.2, -0.1]]
    lines = ["two orbitals, three R", "2", "3", " 1 1 1"]
    for cell, matrix in ((-1, np.transpose(hop)), (0, home), (1, hop)):
        lines += [f"{cell} 0 0 {i + 1} {j + 1} {matrix[i][j]} 0.0" for j in range(2) for i in range(2)]
    (folder / f"{name}_hr.dat").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_chain(tmp_path / "chain")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wannier90.win", WIN),
        ("toy.wout", WOUT),
        ("other.wout", WOUT),
        ("toy.nnkp", NNKP),
        ("POSCAR", CUBE),
        ("wt.in", WT_IN),
        ("scf.in", ESPRESSO),
        ("chain.abi", ABINIT),
    ],
)
def test_the_cell_of_whatever_lies_beside_a_hamiltonian(folder, name, text):
    (folder / name).write_text(text)
    model = load_model(folder)
    # wt.in and the inputs have it in bohr, with eight digits.
    np.testing.assert_allclose(model.lattice, CELL, atol=1e-6)
    assert any(name in note for note in model.provenance.notes)
    assert name in {Path(file).name for file, _ in model.provenance.files}


def test_the_centres_and_atoms_of_a_log(folder):
    (folder / "toy.wout").write_text(WOUT)
    model = load_model(folder)
    np.testing.assert_allclose(model.centres, [[0.1, -0.2, 0], [1.5, 0, 0]])
    assert model.provenance.position_source == "centres"
    assert model.atoms[0].symbol == "Si"
    assert model.atoms[0].position == (1.5, 0, 0)


def test_projections_are_where_functions_are_that_no_file_places(folder):
    (folder / "toy.win").write_text(
        "num_wann = 2\nbegin unit_cell_cart\n3 0 0\n0 3 0\n0 0 3\nend unit_cell_cart\n"
        "begin projections\nf=0.5,0,0:s\nf=1,0,0.25:s\nend projections\n"
    )
    model = load_model(folder)
    (home,) = np.flatnonzero(~model.translations.any(axis=1))
    centres = np.diagonal(model.position[home], axis1=1, axis2=2).real.T
    np.testing.assert_allclose(centres, [[1.5, 0, 0], [3, 0, 0.75]], atol=1e-12)  # rounding
    assert model.provenance.position_source == "centres"
    assert any("sites of the projections of the .win" in note for note in model.provenance.notes)
    (folder / "toy.wout").write_text(WOUT)
    assert any("Wannier centres of toy.wout" in note for note in load_model(folder).provenance.notes)


def test_a_log_in_bohr(folder):
    (folder / "toy.wout").write_text(WOUT.replace("(Ang)", "(Bohr)"))
    model = load_model(folder)
    assert model.lattice[0, 0] == pytest.approx(3 * 0.52917721092)
    assert model.centres[1, 0] == pytest.approx(1.5 * 0.52917721092)


def test_a_log_of_another_material_is_not_believed(folder):
    (folder / "other.wout").write_text(
        WOUT.replace("    2  (", "    2  ( 1,1,1 ) 1\n WF centre and spread 3 (")
    )
    with pytest.raises(InputError, match="no unit cell found"):
        load_model(folder)


def test_a_win_of_another_material_is_not_believed(folder):
    (folder / "other.win").write_text(WIN + "num_wann = 6\n")
    with pytest.raises(InputError, match="no unit cell found"):
        load_model(folder)


def test_an_input_of_wannier_tools_for_another_hamiltonian_is_not_believed(folder):
    (folder / "wt.in").write_text(WT_IN.replace("PROJECTORS\n1", "PROJECTORS\n3"))
    with pytest.raises(InputError, match=r"wt\.in: is for another Hamiltonian.* give lattice="):
        load_model(folder)
    assert load_model(folder, lattice=CELL).fermi_level is None


def test_a_conventional_cell_of_a_database_is_not_taken(folder):
    """A .cif holds the cube of four cells where the Hamiltonian has the primitive one."""
    (folder / "x.cif").write_text(CIF)
    with pytest.raises(InputError, match=r"x\.cif: holds 4 primitive cells"):
        load_model(folder)
    (folder / "POSCAR").write_text(POSCAR)
    assert load_model(folder).lattice[0, 1] == 2.8265


def test_two_cells_that_contradict_each_other(folder):
    (folder / "POSCAR").write_text(CUBE)
    (folder / "POSCAR_old").write_text(CUBE.replace("0 0 3", "0 0 4"))
    with pytest.raises(InputError, match=r"POSCAR: its unit cell is not that of POSCAR_old"):
        load_model(folder)


def test_the_fermi_level_of_wt_in_and_of_jarvis(folder):
    (folder / "wt.in").write_text(WT_IN)
    assert load_model(folder).fermi_level == 0.25
    (folder / "wt.in").unlink()
    (folder / "POSCAR").write_text(CUBE)
    content = {"info_bands": {"efermi": 9.0}, "info_mesh": {"efermi": -0.5}, "name": "x"}
    (folder / "JVASP-1.json").write_text(json.dumps(content))
    model = load_model(folder)
    assert model.fermi_level == -0.5
    assert "Fermi level: from JVASP-1.json" in model.provenance.notes
    (folder / "scf.out").write_text("the Fermi energy is    0.1 ev\n")
    assert load_model(folder).fermi_level == 0.1


def test_the_table_says_a_level_and_where_it_is_from(folder):
    (folder / "wt.in").write_text(WT_IN)
    table = model_table(load_model(folder))
    rows = dict(zip(table.columns[0].cells, table.columns[1].cells, strict=True))
    assert rows["Fermi level"] == "0.2500 eV; from wt.in"


def test_names_that_begin_with_a_dot_are_no_files_of_a_material(folder):
    (folder / "toy.win").write_text(WIN)
    for name in ("._toy_hr.dat", "._scf.out", "._toy.win", "._POSCAR"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    (source,) = find_materials(folder)
    assert check_material(source).error is None
    assert load_model(folder).size == 2


@pytest.mark.parametrize("given", ["3 0 0 0 3 0 0 0 3", "3,0,0; 0,3,0; 0,0,3", "cell/POSCAR", CELL.tolist()])
def test_a_cell_by_hand(folder, given, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "cell").mkdir()
    (folder.parent / "cell" / "POSCAR").write_text(CUBE)
    np.testing.assert_allclose(load_model(folder, lattice=given).lattice, CELL)
    rows = [{"id": "one", "path": "chain", "lattice": given}]
    Path("list.json").write_text(json.dumps(rows))
    (source,) = find_materials("list.json")
    np.testing.assert_allclose(source.load().lattice, CELL)
    if isinstance(given, str):
        np.testing.assert_allclose(read_source("chain", None, given)[1].lattice, CELL)


def test_a_missing_cell_is_told_in_the_words_of_who_asked(folder):
    with pytest.raises(InputError, match="put one there or give lattice="):
        load_model(folder)
    (source,) = find_materials(folder)
    with pytest.raises(InputError, match="give lattice as a column of a manifest"):
        source.load()
    assert "put one there or give --lattice" in spinscreen("info", str(folder)).stderr
    with pytest.raises(InputError, match="lattice: expected nine numbers"):
        load_model(folder, lattice="3 0 0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LATTICE\n",
        "LATTICE\nAngstrom\n1 x 0\n0 1 0\n0 0 1\n",
        WT_IN.replace("\n1\nDirect", "\n99999999\nD"),
    ],
)
def test_a_damaged_wt_in_is_left_out(folder, text):
    (folder / "wt.in").write_text(text)
    with pytest.raises(InputError, match=r"wt\.in: "):
        load_model(folder)
    (folder / "toy.win").write_text(WIN)
    assert load_model(folder).size == 2


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    for name in ("elsewhere/Au", "tree/Pt"):
        (write_chain(tmp_path / name) / "toy.win").write_text(WIN)
    tree = tmp_path / "tree"
    (tree / "Au").symlink_to("../elsewhere/Au")
    (tree / "Pt" / "again").symlink_to("..")
    (tree / "A-Pt").symlink_to("Pt")
    assert sorted(source.id for source in find_materials(tree)) == ["Au", "Pt"]
    for name in ("Pt", "A-Pt"):
        (tree / name).rename(tmp_path / name)
    assert [source.id for source in find_materials(tree)] == ["Au"]
