"""`Wannier90Files`: each file read once, TBmodels as the oracle of _hr.dat, where a model is from."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import tbmodels
from inputs import SEED, write_ab_initio, write_hr, write_tb
from support import random_model

from spinscreen.kernels import InputError
from spinscreen.materials import (
    PathSegment,
    Wannier90Files,
    check_material,
    find_materials,
    library,
    load_model,
)
from spinscreen.materials.through_tbmodels import matrices_of_tbmodels
from spinscreen.materials.wannier90 import calculation
from spinscreen.materials.wannier90.centres import read_centres

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")


def test_each_file_is_read_once(tmp_path, monkeypatch):
    write_ab_initio(tmp_path, formatted=False)
    reads: list[str] = []
    for name in ("read_hr", "read_win", "read_checkpoint", "read_minimal_images", "ab_initio_spin"):
        reader = getattr(calculation, name)

        def counted(*arguments, reader=reader, name=name):
            reads.append(name)
            return reader(*arguments)

        monkeypatch.setattr(calculation, name, counted)
    files = Wannier90Files.of(tmp_path)
    assert reads == []
    for _ in range(2):
        for name in ("win", "lattice", "hamiltonian", "position", "spin", "gauge", "centres", "atoms"):
            getattr(files, name)
    assert sorted(reads) == sorted(
        ["read_hr", "read_win", "read_checkpoint", "read_minimal_images", "ab_initio_spin"]
    )
    assert files.hamiltonian is files.hamiltonian
    assert files.spin.matrices.shape == (len(files.hamiltonian.translations), 3, 2, 2)


def test_a_model_keeps_the_arrays_of_its_files(tmp_path):
    from spinscreen.materials.wannier90 import read_model

    write_ab_initio(tmp_path, formatted=False)
    files = Wannier90Files.of(tmp_path)
    model = read_model(files, "toy")
    assert model.hamiltonian is files.hamiltonian.matrices
    assert model.position is files.position.matrices
    assert np.shares_memory(model.observables["spin_x"], files.spin.matrices)


def test_what_is_not_asked_for_is_not_read(tmp_path):
    write_tb(tmp_path)
    (tmp_path / f"{SEED}.chk").write_text("damaged")
    files = Wannier90Files.of(tmp_path)
    assert files.hamiltonian.matrices.shape[1:] == (4, 4)
    with pytest.raises(InputError, match=r"toy\.chk: not a complete Wannier90 checkpoint"):
        _ = files.gauge


def through_tbmodels(folder: Path, hr: Path, wsvec: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """R vectors and H(R) as TBmodels reads them."""
    plain = [None if file is None else unpacked(folder, file) for file in (hr, wsvec)]
    model = tbmodels.Model.from_wannier_files(
        hr_file=str(plain[0]),
        wsvec_file=None if plain[1] is None else str(plain[1]),
        uc=np.eye(3),
        cc_check_tolerance=1.0,
    )
    return matrices_of_tbmodels(model)


def unpacked(folder: Path, file: Path) -> Path:
    if file.suffix != ".gz":
        return file
    copy = folder / file.stem
    copy.write_bytes(gzip.decompress(file.read_bytes()))
    return copy


def assert_as_tbmodels(folder: Path, files: Wannier90Files) -> None:
    """To the last bit: keys of stored results were made of what TBmodels read."""
    found = files.hamiltonian
    rows = {tuple(vector): row for row, vector in enumerate(found.translations.tolist())}
    expected = np.zeros_like(found.matrices)
    # TBmodels leaves out R vectors without hoppings.
    translations, matrices = through_tbmodels(folder, files.files["hr"], files.files.get("wsvec"))
    expected[[rows[tuple(vector)] for vector in translations.tolist()]] = matrices
    np.testing.assert_array_equal(found.matrices, expected)


@pytest.mark.parametrize("images", [True, False])
def test_a_hamiltonian_as_tbmodels_reads_it(tmp_path, images):
    """Degeneracies and numbers of images of which no binary fraction is exact."""
    model = random_model(4, size=3, periodic=(True, False, False))
    lines = [" comment", "3", "3", "3 1 3"]
    moved = ["# comment"]
    for (cell, *_), matrix in zip(model.translations.tolist(), model.hamiltonian, strict=True):
        for j in range(3):
            for i in range(3):
                label = f"{cell} 0 0 {i + 1} {j + 1}"
                lines.append(f"{label} {matrix[i, j].real:.6f} {matrix[i, j].imag:.6f}")
                # Both end on R and on R - 3 R; a third one goes further.
                targets = [0] if cell == 0 else [0, -2 * cell, 3 * cell]
                moved.append("\n".join([label, str(len(targets)), *(f"{t} 0 0" for t in targets)]))
    (tmp_path / "x_hr.dat").write_text("\n".join(lines) + "\n")
    if images:
        (tmp_path / "x_wsvec.dat").write_text("\n".join(moved) + "\n")
    files = Wannier90Files.of(tmp_path)
    assert_as_tbmodels(tmp_path, files)
    assert len(files.hamiltonian.translations) == (5 if images else 3)


@pytest.mark.parametrize("name", ["Pt", "Fe", "GaAs"])
def test_real_hamiltonians_as_tbmodels_reads_them(reference_data, tmp_path, name):
    packed = "" if name == "Fe" else ".gz"
    assert_as_tbmodels(tmp_path, Wannier90Files.of(reference_data / name / f"{name}_hr.dat{packed}"))


def test_rows_of_a_file_may_come_in_any_order(tmp_path):
    """Spins of .chk and .spn stand on the same R vectors as the Hamiltonian."""
    write_ab_initio(tmp_path, formatted=False)
    (tmp_path / f"{SEED}_wsvec.dat").unlink()
    before = load_model(tmp_path)
    file = tmp_path / f"{SEED}_hr.dat"
    lines = file.read_text().splitlines()
    blocks = [lines[n : n + 4] for n in range(4, 16, 4)]
    file.write_text("\n".join([*lines[:4], *blocks[2], *blocks[0], *blocks[1]]) + "\n")
    after = load_model(tmp_path)
    assert after.fingerprint == before.fingerprint


def source_of(model) -> tuple:
    provenance = model.provenance
    return provenance.position_source, provenance.spin_source, provenance.minimal_images


def test_where_position_and_spin_are_from(tmp_path):
    for name, write in (("tb", write_tb), ("hr", write_hr), ("chk", lambda f: write_ab_initio(f, False))):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    assert source_of(load_model(tmp_path / "tb")) == ("matrix", "tested", False)
    assert source_of(load_model(tmp_path / "tb", spin_ordering="block")) == ("matrix", "given", False)
    assert source_of(load_model(tmp_path / "tb", spin_ordering="none")) == ("matrix", "none", False)
    assert source_of(load_model(tmp_path / "tb", centres=np.zeros((4, 3))))[0] == "centres"
    assert source_of(load_model(tmp_path / "hr"))[0] == "centres"
    assert source_of(load_model(tmp_path / "chk")) == ("centres", "ab_initio", True)
    (tmp_path / "hr" / f"{SEED}_centres.xyz").unlink()
    # The sites of the projections.
    assert source_of(load_model(tmp_path / "hr"))[0] == "centres"
    win = tmp_path / "hr" / f"{SEED}.win"
    win.write_text(re.sub("begin projections.*end projections", "", win.read_text(), flags=re.S))
    assert source_of(load_model(tmp_path / "hr"))[0] == "none"
    (source,) = find_materials(tmp_path / "hr")
    assert "position matrix" in check_material(source).missing
    (source,) = find_materials(tmp_path / "tb")
    assert "position matrix" not in check_material(source).missing


def test_where_built_models_are_from():
    assert source_of(library.load("kane_mele")) == ("matrix", "given", True)
    spinless = library.load("haldane")
    assert source_of(spinless) == ("matrix", "none", True)
    assert source_of(spinless.with_observable("spin_z", np.diag([1.0, -1.0])))[1] == "given"
    model = tbmodels.Model(on_site=[0.0, 1.0], hop={}, dim=3, uc=np.eye(3))
    assert source_of(load_model(model, spin_ordering="none"))[0] == "centres"


NOTED = [
    ((), ("matrix", "given", True)),
    (
        ("position: Wannier centres of x.chk only", "spin: ab initio, from x.chk and x.spn"),
        ("centres", "ab_initio", True),
    ),
    (
        ("no _wsvec.dat: R vectors as they stand in the file", "position: no _tb.dat, .chk or _centres.xyz"),
        ("none", "given", False),
    ),
    (("spin: pure spinors, block, found by test (...)",), ("matrix", "tested", True)),
    (("spin: pure spinors, block as given",), ("matrix", "given", True)),
]


@pytest.mark.parametrize(("notes", "expected"), NOTED)
def test_archives_of_version_1_are_read(tmp_path, notes, expected):
    """Which said where a model is from in its notes alone, and nothing of its observables."""
    model, path = library.load("kane_mele").with_charge(), tmp_path / "model.hdf5"
    header = {
        "name": "old",
        "periodic": [True, True, False],
        "atoms": [],
        "fermi_level": 0.5,
        "is_bogoliubov": False,
        "projections": ["C:pz"],
        "files": [["a", "b"]],
        "notes": list(notes),
        "removed": {"hamiltonian": 1e-17},
    }
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "spinscreen-model", "version": 1, "header": json.dumps(header)})
        for name in ("lattice", "translations", "hamiltonian", "position"):
            file[name] = getattr(model, name)
        group = file.create_group("observables", track_order=True)
        for name, matrix in model.observables.items():
            group[name] = matrix
    found = load_model(path)
    assert found.fingerprint == model.fingerprint
    assert source_of(found) == expected
    assert found.observable_units == ("hbar", "hbar", "hbar", "e")
    assert (found.projections, found.kpoint_path) == (("C:pz",), ())
    found.save(path)
    assert source_of(load_model(path)) == expected


def test_centres_of_the_first_versions(tmp_path):
    """Without the words "Wannier centres, written by" on their second line, and without atoms."""
    path = tmp_path / "toy_centres.xyz"
    path.write_text("     2\n\nX          0.10000000      0.20000000     -0.30000000   \n"
                    "X          1.00000000      0.00000000      0.00000000   \n")  # fmt: skip
    centres, atoms = read_centres(path)
    np.testing.assert_array_equal(centres, [[0.1, 0.2, -0.3], [1, 0, 0]])
    assert atoms == ()


def test_the_path_of_the_win_comes_with_the_model(tmp_path):
    write_tb(tmp_path)
    win = tmp_path / f"{SEED}.win"
    text = win.read_text()
    win.write_text(text + "begin kpoint_path\nG 0 0 0 X 0.5 0 0\nX 0.5 0 0 M 0.5 0.5 0\nend kpoint_path\n")
    model = load_model(tmp_path)
    first, second = model.kpoint_path
    assert first == PathSegment("G", (0.0, 0.0, 0.0), "X", (0.5, 0.0, 0.0))
    assert (second.start_label, second.end) == ("X", (0.5, 0.5, 0.0))
    model.save(tmp_path / "model.hdf5")
    assert load_model(tmp_path / "model.hdf5").kpoint_path == model.kpoint_path
    # It matters to bands alone: whatever is wrong with it, the material is computed.
    win.write_text(text + "begin kpoint_path\nG 0 0 0 X\nend kpoint_path\n")
    model = load_model(tmp_path)
    assert model.kpoint_path == ()
    assert any("expected a label and three numbers, twice" in note for note in model.provenance.notes)


def test_projections_are_read(tmp_path):
    write_tb(tmp_path)
    win = tmp_path / f"{SEED}.win"
    win.write_text(
        re.sub("(?s)begin projections.*end projections", "", win.read_text())
        + "begin projections\nbohr\nC : s; l=1,mr=2,3\nf=0,0.5,0:l=-3:z=1,1,0:r=2 (u)\nend projections\n"
    )
    with pytest.raises(InputError, match=r"spins of their own, but orbital: .* give spin_ordering"):
        load_model(tmp_path)
    model = load_model(tmp_path, spin_ordering="interlaced")
    atoms, point = model.parsed_projections
    assert (atoms.site, atoms.orbitals, atoms.spins) == ("C", ("s", "px", "py"), (1, -1))
    assert atoms.text == model.projections[1]
    assert (point.site, point.orbitals) == ("f=0,0.5,0", ("sp3-1", "sp3-2", "sp3-3", "sp3-4"))
    assert (point.z_axis, point.radial, point.spins) == ((1.0, 1.0, 0.0), 2, (1,))
    assert (point.point, point.is_reduced) == ((0.0, 0.5, 0.0), True)
