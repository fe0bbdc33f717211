"""Files of another calculation beside a Hamiltonian: they add nothing, and a note says why."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from inputs import SEED, write_ab_initio, write_tb
from test_companions import CELL, CUBE, WIN, WOUT, WT_IN, write_chain

from spinscreen.kernels import InputError
from spinscreen.materials import (
    SpinOrderingWarning,
    WannierModel,
    find_materials,
    load_model,
    write_wannier90,
)
from spinscreen.materials.wannier90.checkpoint import read_checkpoint, read_eigenvalues
from spinscreen.materials.wannier90.consistency import check_energies

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")


def told(model: WannierModel, *words: str) -> bool:
    return any(all(word in note for word in words) for note in model.provenance.notes)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("begin unit_cell_cart\nang\n", "begin unit_cell_cart\nbohr\n", "its unit cell differs"),
        ("num_wann = 4", "num_wann = 2", "num_wann is 2"),
    ],
)
def test_a_win_of_another_name_must_fit_the_hamiltonian(tmp_path, old, new, reason):
    write_tb(tmp_path)
    own = tmp_path / f"{SEED}.win"
    text = own.read_text().replace("fermi_energy = 0.0000000000", "fermi_energy = 3.21")
    own.unlink()
    (tmp_path / "wannier90.win").write_text(text)
    assert load_model(tmp_path).fermi_level == 3.21
    assert old in text
    (tmp_path / "wannier90.win").write_text(text.replace(old, new))
    model = load_model(tmp_path)
    assert model.fermi_level is None
    assert told(model, "left out", "wannier90.win", reason)


def bands(folder: Path, win: str = "", name: str = "wannier90.win") -> WannierModel:
    for suffix in ("_hr.dat", "_wsvec.dat", ".win"):
        (folder / f"{SEED}{suffix}").unlink(missing_ok=True)
    (folder / name).write_text(win) if win else (folder / name).unlink(missing_ok=True)
    return load_model(folder)


def test_a_win_of_another_name_says_how_a_model_of_bands_is_made(tmp_path):
    write_ab_initio(tmp_path, formatted=False)
    base = "num_wann = 2\nmp_grid = 3 1 1\n"
    off, on = bands(tmp_path, base + "use_ws_distance = F\n"), bands(tmp_path, base + "use_ws_distance = T\n")
    assert (off.provenance.minimal_images, on.provenance.minimal_images) == (False, True)
    assert told(on, "assumed ws_distance_tol = 1e-05")
    assert not told(off, "assumed")
    alone = bands(tmp_path)
    np.testing.assert_array_equal(alone.hamiltonian, on.hamiltonian)
    assert told(alone, "assumed use_ws_distance = .true. and ws_distance_tol = 1e-05")
    other = bands(tmp_path, base.replace("3 1 1", "4 1 1") + "use_ws_distance = F\n")
    assert other.provenance.minimal_images
    assert told(other, "left out", "mp_grid is 4 x 1 x 1")


@pytest.mark.parametrize("names", [("U_0.1", "U_0.2"), ("strain_0.1", "strain_0.2"), ("x.1", "x.2", "x.3")])
def test_values_of_a_scan_are_no_spin_channels(tmp_path, names):
    for name in names:
        write_chain(tmp_path, name)
        (tmp_path / f"{name}.win").write_text(WIN)
    assert sorted(source.load().size for source in find_materials(tmp_path)) == [2] * len(names)
    assert load_model(tmp_path / f"{names[0]}_hr.dat").spin_degeneracy == 2


def test_vasp_numbers_the_channels_of_wannier90(tmp_path):
    for name in ("wannier90.1", "wannier90.2"):
        write_chain(tmp_path, name)
        (tmp_path / f"{name}.win").write_text(WIN)
    assert load_model(tmp_path).size == 4


@pytest.mark.parametrize("name", ["toy.wout", "other.wout"])
def test_a_log_of_another_cell_gives_no_centres(tmp_path, name):
    folder = write_chain(tmp_path)
    (folder / "toy.win").write_text(WIN)
    (folder / name).write_text(WOUT.replace("3.000000   0.000000", "6.000000   0.000000"))
    model = load_model(folder)
    assert not model.centres.any()
    assert model.provenance.position_source == "none"
    assert told(model, "left out", name, "unit cell differs by 3 angstrom")


def test_why_a_log_is_left_out_is_said_where_no_cell_is_found(tmp_path):
    folder = write_chain(tmp_path)
    (folder / "x.wout").write_text(WOUT.replace("    2  (", "    2  ( 1,1,1 ) 1\n WF centre and spread 3 ("))
    with pytest.raises(InputError, match=r"no unit cell found.*Left out: .*x\.wout: has 3 Wannier functions"):
        load_model(folder)


@pytest.mark.parametrize(
    ("old", "new"), [("5.66917838 0 0\n", "9 0 0\n"), ("toy_hr.dat", "other_hr.dat"), ("toy_hr.dat", "")]
)
def test_the_level_of_a_wt_in_is_of_the_hamiltonian_that_it_names(tmp_path, old, new):
    folder = write_chain(tmp_path)
    (folder / "toy.win").write_text(WIN)
    (folder / "wt.in").write_text(WT_IN.replace(old, new))
    assert load_model(folder).fermi_level == (None if new else 0.25)


def two_atoms(imaginary: float) -> WannierModel:
    """Two alike on each of two sites: orbitals that do not mix, or the spins of a magnet."""
    levels = np.diag([0.5, -0.5, 0.7, -0.6]) + 0.1 * np.kron([[0, 1], [1, 0]], np.eye(2))
    mixing = 0.03j * imaginary * np.kron(np.eye(2), [[0, 1], [-1, 0]])
    hop = np.kron([[0.3, 0.1], [0.2, 0.25]], np.eye(2))
    sites = np.repeat([[0.0, 0, 0], [1.5, 0, 0]], 2, axis=0)
    return WannierModel.from_hoppings("two", CELL, {(0, 0, 0): levels + mixing, (1, 0, 0): hop}, sites)


@pytest.mark.parametrize("imaginary", [0.0, 1.0])
def test_no_hamiltonian_is_taken_for_a_magnet_without_a_win(tmp_path, imaginary):
    """Groups of orbitals that hardly mix, in an orbital magnet, look like two spins."""
    write_wannier90(two_atoms(imaginary), tmp_path, SEED)
    (tmp_path / f"{SEED}.win").unlink()
    with pytest.warns(SpinOrderingWarning, match="no file says spinors = .true."):
        model = load_model(tmp_path / f"{SEED}_tb.dat")
    assert (model.provenance.spin_source, model.spin_degeneracy) == ("none", 2)
    assert told(model, "give spin_ordering='block' if there is") or told(
        model, "give spin_ordering='interlaced'"
    )
    given = load_model(tmp_path / f"{SEED}_tb.dat", spin_ordering="block")
    assert (given.provenance.spin_source, given.spin_degeneracy) == ("given", 1)


@pytest.fixture
def iron(reference_data, tmp_path) -> Path:
    """Fe without its _wsvec.dat, though the .win says use_ws_distance = .true."""
    for suffix in ("_tb.dat", "_hr.dat", ".win", "_centres.xyz"):
        (tmp_path / f"Fe{suffix}").symlink_to(reference_data / "Fe" / f"Fe{suffix}")
    return tmp_path


def test_a_hamiltonian_alone_says_what_it_lacks(iron):
    (iron / "Fe.win").unlink()
    model = load_model(iron / "Fe_tb.dat", spin_ordering="none")
    assert told(model, "R vectors as they stand in the file; ", "put Fe_wsvec.dat there")


def test_images_of_a_lost_file_are_made_again(iron, reference_data):
    expected = load_model(reference_data / "Fe", spin_ordering="none")
    found = load_model(iron, spin_ordering="none")
    np.testing.assert_array_equal(found.translations, expected.translations)
    np.testing.assert_array_equal(found.hamiltonian, expected.hamiltonian)
    assert told(found, "minimal images made of mesh, unit cell and Wannier centres")
    (iron / "Fe_tb.dat").unlink()
    # The _hr.dat has six digits.
    other = load_model(iron, spin_ordering="none").hamiltonian
    np.testing.assert_allclose(other, expected.hamiltonian, atol=1e-6)
    (iron / "Fe_centres.xyz").unlink()
    with pytest.raises(
        InputError, match=r"Fe_hr\.dat: Fe\.win says use_ws_distance = \.true\., but there is no"
    ):
        load_model(iron)


@pytest.mark.parametrize(
    "change", [lambda numbers: ["0"] * 3, lambda numbers: [f"{-int(n)}" for n in numbers]]
)
def test_images_lead_to_the_nearest_place(iron, reference_data, change):
    text = (reference_data / "Fe" / "Fe_wsvec.dat").read_text()
    lines = [line if len(line.split()) != 3 else " ".join(change(line.split())) for line in text.splitlines()]
    (iron / "Fe_wsvec.dat").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"Fe_wsvec\.dat: the T vectors of R = .* nearest image"):
        load_model(iron)


def energies_of(folder: Path, change) -> Path:
    """Change the energies (k, band) of a list."""
    path = folder / "GaAs.eig"
    table = np.loadtxt(path)
    shape = int(table[:, 1].max()), int(table[:, 0].max())
    table[:, 2] = change(table[:, 2].reshape(shape)).ravel()
    path.unlink()
    np.savetxt(path, table, fmt="%d %d %.12f")
    return path


def shifted(energies: np.ndarray) -> np.ndarray:
    energies[5, 3] += 20
    return energies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shifted, "expected bands in the order of energy"),
        (lambda e: e[[1, 0, *range(2, len(e))]], "equivalent by symmetry, differ"),
    ],
)
def test_energies_that_nothing_else_says(reference_data, tmp_path, change, message):
    for name in ("GaAs.chk", "GaAs.win", "GaAs.eig"):
        (tmp_path / name).symlink_to(reference_data / "GaAs" / name)
    energies_of(tmp_path, lambda e: e)
    load_model(tmp_path, spin_ordering="none")
    energies_of(tmp_path, change)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path, spin_ordering="none")


@pytest.mark.parametrize(("point", "is_told"), [(3, True), (0, False)])
def test_a_digit_on_a_mesh_of_points_that_are_their_own_negatives(reference_data, point, is_told):
    """The six equivalent points of Fe's 2 x 2 x 2 mesh tell of each other; Gamma has no equivalent."""
    checkpoint = read_checkpoint(reference_data / "Fe" / "Fe.chk")
    path = reference_data / "Fe" / "Fe.eig"
    energies = read_eigenvalues(path, len(checkpoint.kpoints) * checkpoint.band_count)
    check_energies(path, energies, checkpoint)
    wrong = energies.copy()
    wrong[point, 8] += 0.3
    if not is_told:
        check_energies(path, wrong, checkpoint)
        return
    with pytest.raises(
        InputError, match=r"Fe\.eig: k points .* equivalent by symmetry, differ by 0\.\d+ eV in"
    ):
        check_energies(path, wrong, checkpoint)


@pytest.mark.parametrize(
    ("names", "is_one"),
    [
        (("x_up",), True),
        (("up",), True),
        (("x_UP",), True),
        (("UP",), False),
        (("down_to_scale",), False),
        (("up_x", "dn_x"), True),
        (("x_alpha", "x_beta"), True),
        (("SiO2_alpha",), False),
        (("setup",), False),
    ],
)
def test_what_is_named_like_one_spin_is_asked_about(tmp_path, names, is_one):
    """Its bands hold one electron or two, which no file says; the .win of its partner may."""
    folder = tmp_path / "x"
    for name in names:
        write_chain(folder, name)
        (folder / f"{name}.win").write_text(WIN)
    path = folder / f"{names[0]}_hr.dat"
    if is_one:
        with pytest.raises(InputError, match=r"_hr.dat: is named like one spin.*give spin_deg"):
            load_model(path)
    else:
        assert load_model(path).spin_degeneracy == 2
    for given in (1, 2):
        assert load_model(path, spin_degeneracy=given).spin_degeneracy == given
    if len(names) == 2:
        (folder / f"{names[1]}.win").write_text(WIN + "spin = down\n")
        assert load_model(path).spin_degeneracy == 1


def test_phases_and_uranium_phosphide_are_no_spins(tmp_path):
    for name, length in (("Sn_alpha", "3"), ("Sn_beta", "4")):
        write_chain(tmp_path / "Sn", name)
        cell = f"begin unit_cell_cart\n{length} 0 0\n0 9 0\n0 0 9\nend unit_cell_cart\n"
        (tmp_path / "Sn" / f"{name}.win").write_text(WIN.split("begin unit_cell")[0] + cell)
    assert load_model(tmp_path / "Sn" / "Sn_alpha").spin_degeneracy == 2
    folder = write_chain(tmp_path / "mp", "mp-7_UP")
    atoms = "begin atoms_frac\nU 0 0 0\nP 0.5 0.3 0\nend atoms_frac\n"
    (folder / "mp-7_UP.win").write_text(WIN[: WIN.index("begin atoms_frac")] + atoms)
    assert load_model(folder).spin_degeneracy == 2


def test_folders_named_like_spins_are_asked_about(tmp_path):
    for name in ("UP", "back_up", "warm-up", "speed.up", "down_to_scale", "dw.2", "x_dn"):
        folder = write_chain(tmp_path / name)
        (folder / "toy.win").write_text(WIN)
        assert load_model(folder).spin_degeneracy == 2
    (tmp_path / "x_up").mkdir()
    with pytest.raises(InputError, match="give spin_degeneracy=1"):
        load_model(folder)
    folder = write_chain(tmp_path / "up")
    (folder / "toy.win").write_text(WIN)
    with pytest.raises(InputError, match="give spin_degeneracy=1"):
        load_model(folder)
    (folder / "toy.win").write_text(WIN + "spin = up\n")
    assert load_model(folder).spin_degeneracy == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # Without the time, so that all processes of the suite find the same tests.
        ("POSCAR.gz", gzip.compress(CUBE.encode(), mtime=0)),
        ("POSCAR.bz2", bz2.compress(CUBE.encode())),
        ("CONTCAR.xz", lzma.compress(CUBE.encode())),
        ("x.poscar", CUBE.encode()),
        ("POSCAR", CUBE.replace("Si\n1\nDirect", "1\nDirect").encode()),
        ("POSCAR", CUBE.replace("Si\n1\nDirect", "1\nDirect").replace("Si\n", "my system\n", 1).encode()),
    ],
)
def test_cells_of_packed_and_old_structure_files(tmp_path, name, content):
    folder = write_chain(tmp_path)
    (folder / name).write_bytes(content)
    model = load_model(folder)
    np.testing.assert_allclose(model.lattice, CELL)
    assert [atom.symbol for atom in model.atoms] == ["X" if b"my system" in content else "Si"]


def test_a_lattice_file_of_any_name_may_be_a_poscar(tmp_path):
    folder = write_chain(tmp_path)
    (folder / "cell.txt").write_text(CUBE)
    np.testing.assert_allclose(load_model(folder, lattice=folder / "cell.txt").lattice, CELL)


def test_control_characters_in_an_id_are_shown(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"id,path\na\x07b,x\nok,x\n")
    assert [source.id for source in find_materials(tmp_path / "list.csv")] == ["a\\x07b", "ok"]
