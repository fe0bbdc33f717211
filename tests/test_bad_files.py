"""Damaged, missing and contradictory files: one sentence each, naming file and line or field."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from spinscreen.kernels import InputError
from spinscreen.materials import library, load_model, write_wannier90
from spinscreen.materials.spin import spin_matrices

SEED = "kane_mele"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small, complete calculation to damage."""
    write_wannier90(library.load(SEED), tmp_path)
    return tmp_path


@pytest.fixture
def iron_folder(tmp_path: Path, reference_data: Path) -> Path:
    for name in ("Fe_tb.dat", "Fe_wsvec.dat", "Fe.win", "Fe.chk", "Fe.spn", "Fe.eig"):
        shutil.copy(reference_data / "Fe" / name, tmp_path / name)
        (tmp_path / name).chmod(0o644)
    return tmp_path


def edit(path: Path, change) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(change(lines)))


def replaced(number: int, text: str):
    """Replace a line (counted from 1)."""
    return lambda lines: [*lines[: number - 1], text + "\n", *lines[number:]]


def dropped(number: int):
    return lambda lines: [*lines[: number - 1], *lines[number:]]


def check(source: Path, *parts: str) -> None:
    """Loading fails with one sentence that holds all parts in this order."""
    with pytest.raises(InputError) as caught:
        load_model(source)
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(".*".join(map(re.escape, parts)), message), message


# Lines of _tb.dat: 1 comment, 2-4 cell, 5 functions, 6 R vectors, 7 degeneracies, 8 blank, 9 R, 10 ...
@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda lines: lines[: len(lines) // 2], ("_tb.dat, line ", "the file ends here")),
        (lambda lines: lines[:4], ("_tb.dat, line 5", "ends in its header")),
        (replaced(12, "  3  1  garbage 0.0"), ("_tb.dat, line 12", "expected 4 finite numbers", "garbage")),
        (replaced(12, "  3  1  NaN 0.0"), ("_tb.dat, line 12", "expected 4 finite numbers")),
        (replaced(12, "  3  1  0.0"), ("_tb.dat, line 12", "expected 4 finite numbers")),
        (replaced(12, "  3  1  *********  0.0"), ("_tb.dat, line 12", "****")),
        (
            replaced(12, "  4  1  0.0  0.0"),
            ("_tb.dat", "R block 1", "expected the element 3 1", "found [4, 1]"),
        ),
        (replaced(5, " four "), ("_tb.dat, line 5", "number of Wannier functions", "four")),
        (replaced(6, " -3 "), ("_tb.dat, line 6", "number of R vectors", "-3")),
        (
            replaced(7, "    1    1    0    1    1    1    1"),
            ("_tb.dat, line 7", "degeneracies of at least 1"),
        ),
        (replaced(3, " 1.0 2.0"), ("_tb.dat, line 3", "expected 3 finite numbers")),
        (replaced(3, " 2.46 0.0 0.0"), ("lattice is singular",)),
        (replaced(11, "  2  1  5.0  0.0"), ("_tb.dat", "not Hermitian")),
        (lambda lines: [*lines, "1 2 3\n"], ("_tb.dat, line ", "expected the end of the file")),
    ],
)
def test_a_damaged_tb_file(folder, change, parts):
    edit(folder / f"{SEED}_tb.dat", change)
    check(folder, *parts)


# Lines of _hr.dat: 1 comment, 2 functions, 3 R vectors, 4 degeneracies, 5 ... elements.
@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda lines: lines[:40], ("_hr.dat, line 40", "the file ends here")),
        (
            replaced(9, "   -1    0    0    1    2    x.0    0.0"),
            ("_hr.dat, line 9", "expected 7 finite numbers"),
        ),
        (dropped(9), ("_hr.dat",)),
        (replaced(9, "   -1    0    0    2    2    0.0    0.0"), ("_hr.dat", "expected the element 1 2")),
        (replaced(5, "   -1    0    0    1    1    3.0    0.0"), ("_hr.dat", "not Hermitian")),
    ],
)
def test_a_damaged_hr_file(folder, change, parts):
    (folder / f"{SEED}_tb.dat").unlink()
    edit(folder / f"{SEED}_hr.dat", change)
    check(folder, *parts)


def test_a_binary_file_under_a_text_name(folder):
    (folder / f"{SEED}_tb.dat").write_bytes(b"\xff\xfe\x00\x01" * 100)
    check(folder, "_tb.dat", "expected a text file, found binary data")


def test_a_broken_gzip_file(folder):
    path = folder / f"{SEED}_tb.dat"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (folder / f"{SEED}_tb.dat.gz").write_bytes(packed[: len(packed) // 2])
    check(folder, "_tb.dat.gz", "cannot be read", "is the file complete")


def test_gzipped_files_are_read_as_they_are(folder):
    before = load_model(folder, spin_ordering="interlaced")
    for path in list(folder.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    after = load_model(folder, spin_ordering="interlaced")
    assert after.fingerprint == before.fingerprint
    by_hr = load_model(folder / f"{SEED}_hr.dat.gz", spin_ordering="interlaced")
    np.testing.assert_allclose(by_hr.hamiltonian, before.hamiltonian, atol=1e-6)


def test_fortran_d_exponents_are_numbers(folder):
    path = folder / f"{SEED}_tb.dat"
    before = load_model(folder, spin_ordering="interlaced")
    path.write_text(path.read_text().replace("E+0", "D+0").replace("E-0", "D-0"))
    assert load_model(folder, spin_ordering="interlaced").fingerprint == before.fingerprint


def test_a_missing_source(tmp_path):
    check(tmp_path / "nothing", "nothing: no such file, folder or seedname")


def test_an_empty_folder(tmp_path):
    check(tmp_path, "found no Wannier90 Hamiltonian", "seedname_tb.dat")


def test_a_folder_with_two_calculations(folder):
    write_wannier90(library.load("haldane"), folder)
    check(folder, "found several calculations (haldane, kane_mele)", "name one")


def test_a_seedname_without_hamiltonian(folder):
    for suffix in ("_tb.dat", "_hr.dat"):
        (folder / f"{SEED}{suffix}").unlink()
    check(folder / SEED, "expected kane_mele_tb.dat or kane_mele_hr.dat, found only kane_mele.win")


def test_a_hr_file_without_a_cell(folder):
    (folder / f"{SEED}_tb.dat").unlink()
    (folder / f"{SEED}.win").unlink()
    check(folder, "no unit cell found", "lattice=")


def test_a_win_file_with_another_number_of_functions(folder):
    edit(folder / f"{SEED}.win", replaced(1, "num_wann = 6"))
    check(folder, ".win, line 1", "num_wann is 6", "has 4 Wannier functions")


def test_centres_of_another_calculation(folder):
    (folder / f"{SEED}_tb.dat").unlink()
    write_wannier90(library.load("haldane"), folder, "other")
    shutil.move(folder / "other_centres.xyz", folder / f"{SEED}_centres.xyz")
    for path in folder.glob("other*"):
        path.unlink()
    check(folder, "_centres.xyz", "has 2 Wannier centres, expected 4")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (dropped(4), ("_centres.xyz, line 1", "announces 4 entries, found 3")),
        (replaced(3, "X 0.0 zero 0.0"), ("_centres.xyz, line 3", "expected a label and three numbers")),
    ],
)
def test_damaged_centres(folder, change, parts):
    (folder / f"{SEED}_tb.dat").unlink()
    edit(folder / f"{SEED}_centres.xyz", change)
    check(folder, *parts)


def test_an_odd_number_of_spinors(tmp_path):
    model = library.load("haldane")
    write_wannier90(model, tmp_path)
    with pytest.raises(
        InputError, match="3 Wannier functions cannot be spinor pairs, expected an even number"
    ):
        spin_matrices(3, "interlaced")
    with pytest.raises(InputError, match="expected 'interlaced'"):
        load_model(tmp_path, spin_ordering="updown")


def test_spinors_that_fit_neither_order(tmp_path, reference_data):
    """Pt's partners are scattered: without .chk and .spn the spin is refused, not guessed."""
    for name in ("Pt_tb.dat.gz", "Pt_wsvec.dat.gz", "Pt.win"):
        shutil.copy(reference_data / "Pt" / name, tmp_path / name)
    check(
        tmp_path, "neither spinor order fits", "interlaced: time reversal broken by 7.73 eV", "block", ".spn"
    )
    assert not load_model(tmp_path, spin_ordering="none").observables


@pytest.mark.parametrize("name", ["Pt", "GaAs"])
def test_spinors_whose_centres_no_file_says(tmp_path, reference_data, name):
    """Partners that are assumed at one site show nothing, and most of these functions are up or down."""
    for end in ("_hr.dat.gz", "_wsvec.dat.gz", ".win"):
        shutil.copy(reference_data / name / f"{name}{end}", tmp_path)
    check(tmp_path, "without Wannier centres nothing shows which functions are partners", ".spn")
    assert not load_model(tmp_path, spin_ordering="none").observables
    # Functions that were left where they were projected have their order, minimized or not.
    edit(tmp_path / f"{name}.win", lambda lines: [x for x in lines if x.split()[:1] != ["num_iter"]])
    with (tmp_path / f"{name}.win").open("a") as file:
        file.write("\nnum_iter = 0\n")
    assert load_model(tmp_path).provenance.spin_source == "tested"


@pytest.mark.parametrize("name", ["Fe_wsvec.dat"])
def test_a_truncated_wsvec_file(iron_folder, name):
    edit(iron_folder / name, lambda lines: lines[: len(lines) // 2])
    check(iron_folder, name, "truncated")


def test_a_wsvec_file_of_another_calculation(iron_folder):
    edit(iron_folder / "Fe_wsvec.dat", replaced(2, "   -9    0   -1    1    1"))
    check(iron_folder, "Fe_wsvec.dat", "an R vector that the Hamiltonian does not have")


@pytest.mark.parametrize("name", ["Fe.chk", "Fe.spn"])
def test_a_truncated_unformatted_file(iron_folder, name):
    raw = (iron_folder / name).read_bytes()
    (iron_folder / name).write_bytes(raw[: len(raw) // 2])
    check(iron_folder, name, "not a complete", "broken or cut off")


def test_a_spin_file_without_checkpoint(iron_folder):
    (iron_folder / "Fe.chk").unlink()
    check(iron_folder, "Fe.spn", "expected Fe.chk beside it", "spin_ordering=")


def test_a_spin_file_of_another_calculation(iron_folder, reference_data):
    shutil.copy(reference_data / "GaAs" / "GaAs.spn", iron_folder / "Fe.spn")
    check(iron_folder, "Fe.spn", "has 16 bands at 64 k points, expected 28 at 8", "another calculation")


def test_a_spin_file_that_is_no_spin(iron_folder, reference_data):
    text = gzip.decompress((reference_data / "Fe" / "Fe.spn.fmt.gz").read_bytes()).decode()
    (iron_folder / "Fe.spn").unlink()
    (iron_folder / "Fe.spn.fmt").write_text(text.replace("-9.9999", "-29.9999"))
    check(iron_folder, "Fe.spn.fmt", "a Pauli matrix has the eigenvalue", "expected at most 1")


def test_a_checkpoint_of_another_calculation(iron_folder, reference_data):
    shutil.copy(reference_data / "GaAs" / "GaAs.chk", iron_folder / "Fe.chk")
    check(iron_folder, "Fe.chk", "has 16 Wannier functions, expected 18")


def test_eigenvalues_of_another_calculation(iron_folder):
    edit(iron_folder / "Fe.eig", replaced(1, "    1    1   -9.0"))
    check(iron_folder, "Fe.chk", "differs by", "two calculations")


def test_truncated_eigenvalues(iron_folder):
    edit(iron_folder / "Fe.eig", lambda lines: lines[:-3])
    check(iron_folder, "Fe.eig", "found 221 lines")


@pytest.mark.parametrize("given", [{"fermi_level": "high"}, {"electrons": True}, {"electrons": "3"}])
def test_a_level_that_is_no_number(folder, given):
    ((name, value),) = given.items()
    with pytest.raises(InputError, match=f"^{name}: expected a number, found {value!r}"):
        load_model(folder, **given)
