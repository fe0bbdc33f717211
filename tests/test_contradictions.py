"""Files beside a Hamiltonian that contradict it or each other: told in one sentence, not believed."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from damage import refused
from inputs import SEED, write_tb
from support import values

from spinscreen.materials import WannierModel, load_model, write_wannier90
from spinscreen.materials.spin import PAULI
from spinscreen.materials.wannier90.mesh_images import wigner_seitz_of_mesh

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")

#: Primitive and conventional vectors of fcc, angstrom.
PRIMITIVE = 2.0 * np.array([[-1.0, 0, 1], [0, 1, 1], [-1, 1, 0]])
CONVENTIONAL = 4.0 * np.eye(3)


def poscar(cell: np.ndarray, comment: str = "cubic", elements: str = "Pt\n") -> str:
    vectors = "\n".join(" ".join(f"{x:.8f}" for x in vector) for vector in cell)
    return f"{comment}\n1.0\n{vectors}\n{elements}1\nDirect\n0 0 0\n"


@pytest.fixture
def fcc(tmp_path: Path) -> Path:
    """A Hamiltonian on the R vectors of a 4 x 4 x 4 mesh of an fcc crystal, as Wannier90 writes it."""
    lattice = wigner_seitz_of_mesh(PRIMITIVE, (4, 4, 4), None)
    lengths = np.linalg.norm(lattice.translations @ PRIMITIVE, axis=1)
    hoppings = (np.exp(-lengths) / lattice.degeneracy)[:, None, None].astype(complex)
    place = np.zeros((len(hoppings), 3, 1, 1), dtype=complex)
    model = WannierModel(SEED, PRIMITIVE, lattice.translations, hoppings, place)
    write_wannier90(model, tmp_path)
    for name in ("_tb.dat", "_centres.xyz", ".win"):
        (tmp_path / f"{SEED}{name}").unlink()
    path = tmp_path / f"{SEED}_hr.dat"
    lines = path.read_text().replace("written by spinscreen", "written on 1Jan2020").splitlines()
    start = next(n for n, line in enumerate(lines[3:], start=3) if len(line.split()) == 7)
    ndegen = lattice.degeneracy.tolist()
    rows = [line.split() for line in lines[start:]]
    body = [" ".join([*r[:5], f"{float(r[5]) * n:.6f}", r[6]]) for r, n in zip(rows, ndegen, strict=True)]
    counts = [" ".join(map(str, ndegen[n : n + 15])) for n in range(0, len(ndegen), 15)]
    path.write_text("\n".join([*lines[:3], *counts, *body]) + "\n")
    return tmp_path


def test_a_cell_that_the_r_vectors_do_not_have(fcc):
    """The conventional cell of a POSCAR, or given, beside a Hamiltonian of the primitive one."""
    (fcc / "POSCAR").write_text(poscar(CONVENTIONAL))
    with refused("R vectors are not the shortest of the mesh 4 x 4 x 4", "POSCAR", "give lattice="):
        load_model(fcc)
    # Another file that fits counts.
    (fcc / "CONTCAR").write_text(poscar(PRIMITIVE))
    assert "unit cell: from CONTCAR" in load_model(fcc).provenance.notes
    with refused("R vectors are not the shortest", "lattice="):
        load_model(fcc, lattice=CONVENTIONAL)
    # A little strain is another functional.
    load_model(fcc, lattice=PRIMITIVE @ np.diag([1.01, 1, 0.99]))
    vectors = "\n".join(" ".join(map(str, vector)) for vector in 1.1 * PRIMITIVE)
    (fcc / f"{SEED}.win").write_text(f"begin unit_cell_cart\n{vectors}\nend unit_cell_cart\n")
    notes = load_model(fcc, lattice=PRIMITIVE).provenance.notes
    assert "unit cell: as given, that of toy.win differs by 0.2 angstrom" in notes


def test_degeneracies_of_r_and_its_negative_are_the_same(tmp_path):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    lines = path.read_text().splitlines()
    assert lines[6].split()[0] == "1"
    path.write_text("\n".join([*lines[:6], lines[6].replace("1", "2", 1), *lines[7:]]) + "\n")
    with refused("the degeneracy of R = ", " is 2, but that of -R 1, expected the same"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("kmesh_tol = 1\nkmesh_tol = 2\n", "'kmesh_tol' is '2', but line"),
        ("begin x\n1\nend x\nbegin x\n2\nend x\n", "block 'x' stands there twice and says two things"),
        ("use_ws_distance = yes\n", "expected true or false, found 'yes'"),
    ],
)
def test_a_win_that_says_two_things(tmp_path, more, told):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}.win"
    text = path.read_text()
    path.write_text(text + more)
    with refused(told):
        load_model(tmp_path)
    path.write_text(text + "kmesh_tol = 1\nKMesh_Tol : 1\n")
    load_model(tmp_path)


def test_an_archive_that_holds_a_file_twice(tmp_path):
    write_tb(tmp_path / "files")
    names = [f"{SEED}_tb.dat", f"{SEED}.win", f"{SEED}.win"]
    content = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(fileobj=content, mode="w") as tar:
        for name in names:
            tar.add(tmp_path / "files" / name, name)
            with warnings.catch_warnings(action="ignore"):
                packed.write(tmp_path / "files" / name, name)
    (tmp_path / "a.tar").write_bytes(content.getvalue())
    for archive in ("a.zip", "a.tar"):
        with refused(f"{archive}: holds toy.win twice, expected each file once"):
            load_model(tmp_path / archive)


def test_a_file_and_its_packed_copy(tmp_path):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    packed = tmp_path / f"{SEED}_tb.dat.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    load_model(tmp_path)
    packed.write_bytes(gzip.compress(path.read_bytes() + b"\n"))
    with refused("toy_tb.dat: holds something else than toy_tb.dat.gz beside it"):
        load_model(tmp_path)


def hoppings(seed: int, exchange: float = 0.0) -> dict[tuple[int, int, int], np.ndarray]:
    """Two orbitals with both spins, up and down in turn; time reversal holds without the exchange field."""
    rng = np.random.default_rng(seed)
    found = {}
    for vector in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]:
        matrix = np.kron(rng.normal(size=(2, 2)), np.eye(2)).astype(complex)
        for sigma in PAULI:
            matrix += 0.3j * np.kron(rng.normal(size=(2, 2)), sigma)
        if not any(vector):
            matrix = (matrix + matrix.conj().T) / 2 + exchange * np.kron(np.eye(2), PAULI[2])
        found[vector] = matrix
    return found


def write_spinors(folder: Path, turn: np.ndarray, projections: str, exchange: float = 0.0) -> Path:
    """Functions that are combinations (columns of `turn`) of up and down in turn, with their projections."""
    matrices = {vector: turn.conj().T @ h @ turn for vector, h in hoppings(3, exchange).items()}
    sites = np.array([[0.0, 0, 0], [0, 0, 0], [1.5, 1.5, 1.5], [1.5, 1.5, 1.5]])
    model = WannierModel.from_hoppings(SEED, 3 * np.eye(3), matrices, sites)
    write_wannier90(model, folder)
    path = folder / f"{SEED}.win"
    text = path.read_text().replace("spinors = .false.", "spinors = .true.")
    path.write_text(
        f"{text}begin projections\n{projections}end projections\n"
        "begin atoms_frac\nFe 0 0 0\nTe 0.5 0.5 0.5\nend atoms_frac\n"
    )
    return folder


@pytest.mark.parametrize(
    ("projections", "turn"),
    [
        ("Fe:s(d)\nFe:s(u)\nTe:s(d)\nTe:s(u)\n", np.eye(4)[:, [1, 0, 3, 2]]),
        ("Fe:s(u)\nTe:s(u)\nTe:s(d)\nFe:s(d)\n", np.eye(4)[:, [0, 2, 3, 1]]),
        ("Fe:s(u,d)[1,0,0]\nTe:s(u,d)[1,0,0]\n", np.kron(np.eye(2), [[1, -1], [1, 1]]) / np.sqrt(2)),
        ("Fe:s[0,0,-1]\nTe:s\n", np.eye(4)[:, [1, 0, 2, 3]]),
    ],
)
def test_the_spins_of_the_projections_count(tmp_path, projections, turn):
    """Order and axes that projections give; time reversal cannot tell up first from down first."""
    plain = load_model(write_spinors(tmp_path / "plain", np.eye(4), "Fe:s\nTe:s\n"))
    turned = load_model(write_spinors(tmp_path / "turned", turn, projections))
    assert any("as the projections say" in note for note in turned.provenance.notes)
    names = ["energy", "texture"]
    points = np.array([[0.13, 0.27, 0.05], [0.4, 0.11, 0.33]])
    expected, found = values(plain, points, names=names), values(turned, points, names=names)
    for name in names:
        # Six digits of the file, over the least distance of two levels.
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
    wrong = tmp_path / "wrong"
    write_spinors(wrong, np.eye(4)[:, [0, 2, 1, 3]], projections)
    with refused("is not that of the spinors of the projections in their order", "spin_ordering"):
        load_model(wrong)


def test_spinors_of_a_magnet_that_no_file_announces(tmp_path):
    folder = write_spinors(tmp_path, np.eye(4), "Fe:s\nTe:s\n", exchange=2.0)
    (folder / f"{SEED}.win").unlink()
    model = load_model(folder)
    assert (model.spin_degeneracy, dict(model.observables)) == (2, {})
    assert "give spin_degeneracy=1 if they are spinors" in model.provenance.notes[-1]
    with refused(
        "electrons: no file says whether its 4 functions are spinors", "give spin_degeneracy=1 or 2"
    ):
        load_model(folder, electrons=2)
    assert load_model(folder, electrons=2, spin_degeneracy=1).spin_degeneracy == 1
    assert load_model(folder, electrons=2, spin_ordering="interlaced").spin_degeneracy == 1
    # WannierTools says it.
    cell = "\n".join(" ".join(map(str, vector)) for vector in (3.0 * np.eye(3)).tolist())
    wt = folder / "wt.in"
    wt.write_text(f"&SYSTEM\nSOC = 1\n/\nLATTICE\nAngstrom\n{cell}\nPROJECTORS\n1 1\nFe s\nTe s\n")
    with refused("spinors: wt.in says SOC = 1, but neither spinor order fits"):
        load_model(folder, electrons=2)
    assert load_model(folder, electrons=2, spin_ordering="none").spin_degeneracy == 1
    (folder / f"{SEED}.win").write_text("num_wann = 4\n")
    with refused("wt.in says SOC = 1, which counts; toy.win does not say spinors = .true., but neither"):
        load_model(folder)
