"""Files beside a Hamiltonian that contradict it or each other: told in one sentence, not believed."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damage import refused
from inputs import SEED, write_tb
from support import values

from spinscreen.kernels import InputError
from spinscreen.materials import Atom, WannierModel, load_model, with_spin_orbit, write_wannier90
from spinscreen.materials.distances import UnitCellWarning, with_told_distances
from spinscreen.materials.elements import covalent_radius
from spinscreen.materials.gaps import distance_from_bands
from spinscreen.materials.matrices import BOHR
from spinscreen.materials.spin import PAULI
from spinscreen.materials.spin_orbit import read_couplings
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
    for alike in (
        "kmesh_tol = 1\nKMesh_Tol : 1\n",
        "dis_win_max=10.0\ndis_win_max 1.0d1\n",
        "t_x = T\nt_x = .true.\n",
    ):
        path.write_text(text + alike)
        load_model(tmp_path)


def test_an_archive_that_holds_a_file_twice(tmp_path):
    write_tb(tmp_path / "files")
    win = (tmp_path / "files" / f"{SEED}.win").read_bytes()
    for stem, second in (("same", win), ("other", win.replace(b"=", b":", 1))):
        members = ((f"{SEED}_tb.dat", None), (f"{SEED}.win", win), (f"{SEED}.win", second))
        content = io.BytesIO()
        with (
            zipfile.ZipFile(tmp_path / f"{stem}.zip", "w") as packed,
            tarfile.open(fileobj=content, mode="w") as tar,
        ):
            for name, given in members:
                held = (tmp_path / "files" / name).read_bytes() if given is None else given
                entry = tarfile.TarInfo(name)
                entry.size = len(held)
                tar.addfile(entry, io.BytesIO(held))
                with warnings.catch_warnings(action="ignore"):
                    packed.writestr(name, held)
        (tmp_path / f"{stem}.tar").write_bytes(content.getvalue())
    assert second != win
    for ending in ("zip", "tar"):
        assert load_model(tmp_path / f"same.{ending}").size
        with refused(f"other.{ending}: holds toy.win twice with other contents, expected each file once"):
            load_model(tmp_path / f"other.{ending}")


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


def shell_of(name: str, turn: np.ndarray, seed: int = 1) -> WannierModel:
    """Four real functions on one site; columns of `turn` are what they are made of."""
    rng = np.random.default_rng(seed)
    matrices = {(1, 0, 0): rng.normal(size=(4, 4)), (0, 1, 0): rng.normal(size=(4, 4))}
    matrices[0, 0, 0] = np.diag([0.0, 1, 2, 3]) + (0.3 if name.endswith("up") else -0.3) * np.eye(4)
    turned = {vector: turn.T @ matrix @ turn for vector, matrix in matrices.items()}
    return WannierModel.from_hoppings(name, 3 * np.eye(3), turned, np.zeros((4, 3)))


@pytest.mark.parametrize("ends", [("_up", "_dn"), ("up", "dn"), ("_spinup", "_spindown")])
def test_signs_of_the_functions_of_two_channels(tmp_path, ends):
    """Minimization leaves each sign open; spins between the channels and added coupling hang on them."""
    projections = (
        "begin projections\nFe:p\nFe:s\nend projections\nbegin atoms_frac\nFe 0 0 0\nend atoms_frac\n"
    )
    loaded = []
    for folder, turn in (("plain", np.eye(4)), ("turned", np.diag([1.0, -1, 1, 1]))):
        for end, matrix in zip(ends, (np.eye(4), turn), strict=True):
            write_wannier90(shell_of(f"toy{end}", matrix), tmp_path / folder)
            with (tmp_path / folder / f"toy{end}.win").open("a") as win:
                win.write(projections)
        loaded += [load_model(tmp_path / folder), load_model(tmp_path / folder, soc="Fe:p=0.3")]
    plain, coupled, turned, both = loaded
    assert turned.name == "toy"
    assert any("signs of 1 functions turned" in note for note in turned.provenance.notes)
    np.testing.assert_array_equal(turned.hamiltonian, plain.hamiltonian)
    np.testing.assert_array_equal(both.hamiltonian, coupled.hamiltonian)
    # Functions of another kind, at the same place.
    write_wannier90(shell_of(f"toy{ends[1]}", np.eye(4), seed=2), tmp_path / "turned")
    model = load_model(tmp_path / "turned")
    assert set(model.observables) == {"spin_z"}
    write_wannier90(shell_of(f"toy{ends[0]}", np.eye(4)), tmp_path / "turned", f"toy{ends[1]}")
    notes = load_model(tmp_path / "turned").provenance.notes
    assert any("both are the same to the last digit" in note for note in notes)


def gallium_arsenide(folder: Path, spinors: bool = False) -> Path:
    """One s function on each atom, and what Wannier90 writes beside the Hamiltonian."""
    cell = 2.8265 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    sites = np.array([[0.0, 0, 0], 3 * [1.41325]])
    matrices = {(0, 0, 0): np.diag([0.0, 1]) + 0.3, (1, 0, 0): np.diag([0.1, 0.2])}
    if spinors:
        sites, matrices = np.repeat(sites, 2, axis=0), {v: np.kron(h, np.eye(2)) for v, h in matrices.items()}
    atoms = (Atom("Ga", (0.0, 0.0, 0.0)), Atom("As", (1.41325, 1.41325, 1.41325)))
    model = replace(WannierModel.from_hoppings(SEED, cell, matrices, sites), atoms=atoms)
    write_wannier90(model, folder)
    (folder / f"{SEED}_tb.dat").unlink()
    path = folder / f"{SEED}.win"
    text = path.read_text() + "begin projections\nGa:s\nAs:s\nend projections\n"
    path.write_text(text.replace("spinors = .false.", f"spinors = .{str(spinors).lower()}."))
    return folder


def scaled(path: Path, factor: float, rows: slice) -> None:
    lines = path.read_text().splitlines()
    for number in range(len(lines))[rows]:
        label, *numbers = lines[number].split()
        lines[number] = " ".join([label, *(f"{factor * float(x):.6f}" for x in numbers)])
    path.write_text("\n".join(lines) + "\n")


def test_centres_that_lie_elsewhere(tmp_path):
    folder = gallium_arsenide(tmp_path)
    model = load_model(folder)
    path = folder / f"{SEED}_centres.xyz"
    good = path.read_text()
    scaled(path, 1 / BOHR, slice(2, None))
    with refused("toy_centres.xyz: its atom 2, As, lies", "from the nearest of toy.win", "bohr"):
        load_model(folder)
    lines = good.splitlines()
    path.write_text("\n".join([*lines[:2], lines[3], lines[2], *lines[4:]]) + "\n")
    with refused("toy_centres.xyz: centre 1 lies 2.45 angstrom from the site of its projection"):
        load_model(folder)
    # A lattice vector away is the same place.
    x, y, z = model.centres[1] + model.lattice[0] - model.lattice[2]
    path.write_text("\n".join([*lines[:3], f"X {x:.6f} {y:.6f} {z:.6f}", *lines[4:]]) + "\n")
    load_model(folder)
    path.write_text(good)
    write_wannier90(model, folder / "other", SEED)
    tb = folder / f"{SEED}_tb.dat"
    tb.write_text((folder / "other" / f"{SEED}_tb.dat").read_text())
    load_model(folder)
    tb.write_text(tb.read_text().replace("1.41325000E+00", "2.67065533E+00"))
    with refused("toy_centres.xyz: centre 2 lies", "from that of the position matrix of toy_tb.dat"):
        load_model(folder)


def test_centres_of_partners_under_time_reversal(tmp_path):
    folder = gallium_arsenide(tmp_path, spinors=True)
    assert load_model(folder).provenance.spin_source == "tested"
    path = folder / f"{SEED}_centres.xyz"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "X 0.7 0 0", *lines[3:]]) + "\n")
    with refused("centres of functions that time reversal exchanges are 0.7 angstrom apart"):
        load_model(folder)


def test_atoms_as_far_apart_as_no_atoms_are(tmp_path):
    """A lost line `bohr`, or a cell in nanometre."""
    folder = gallium_arsenide(tmp_path)
    assert not any("unit cell" in note for note in load_model(folder).provenance.notes)
    path = folder / f"{SEED}_centres.xyz"
    path.unlink()
    text = (folder / f"{SEED}.win").read_text()
    for factor in (1 / BOHR, 0.1):
        cell = factor * 2.8265 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
        vectors = "\n".join(" ".join(f"{x:.8f}" for x in vector) for vector in cell)
        block = f"begin unit_cell_cart\nang\n{vectors}\nend unit_cell_cart"
        changed = re.sub("(?s)begin unit_cell_cart.*end unit_cell_cart", block, text)
        (folder / f"{SEED}.win").write_text(changed)
        with pytest.warns(UnitCellWarning, match="Ga and As are .* angstrom apart"):
            load_model(folder)


def test_atoms_without_neighbours_and_those_of_an_alloy():
    """Two elements on one site are a virtual crystal; one atom in a box has none beside it."""
    here, translations = Atom("Fe", (0.0, 0.0, 0.0)), np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0]])

    def told(length: float, *atoms: Atom, count: int = 3) -> bool:
        matrices = np.zeros((count, 1, 1))
        model = WannierModel(
            "x", length * np.eye(3), translations[:count], matrices, np.zeros((count, 3, 1, 1)), atoms=atoms
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitCellWarning)
            return with_told_distances(model) is not model

    assert not told(2.5, here, replace(here, symbol="Co"))
    assert told(2.5, replace(here, symbol="Fe1"), replace(here, symbol="Fe2"))
    assert told(12.0, here)
    assert not told(12.0, here, count=1)
    assert not told(2 * 1.32 * 0.56, here)
    assert told(2.5 * 0.1, here, count=1)


def test_centres_of_functions_that_start_from_bloch_states(tmp_path):
    """Their order is not that of the projections, which may stand there from another run."""
    folder = gallium_arsenide(tmp_path)
    path = folder / f"{SEED}_centres.xyz"
    lines = path.read_text().splitlines()
    number = int(lines[0])
    functions = [line for line in lines[2:] if line.split()[0] == "X"]
    turned = [*lines[:2], *functions[::-1], *lines[2 + len(functions) :]]
    assert len(turned) == number + 2
    path.write_text("\n".join(turned) + "\n")
    with refused("from the site of its projection"):
        load_model(folder)
    with (folder / f"{SEED}.win").open("a") as file:
        file.write("\nuse_bloch_phases = .true.\n")
    load_model(folder)


def test_covalent_radii_are_those_of_ase():
    data = pytest.importorskip("ase.data")
    for symbol, radius in zip(data.chemical_symbols[1:97], data.covalent_radii[1:97], strict=True):
        if symbol not in ("He", "Ne", "Ar", "Kr", "Xe", "Rn"):
            assert covalent_radius(symbol) == pytest.approx(radius)


def test_couplings_that_no_shell_has():
    with pytest.raises(InputError, match=r"expected each shell once, found Fe:p as 0\.3 and 0\.2"):
        read_couplings("Fe:p=0.3, Fe:p=0.2")
    model = replace(shell_of("toy", np.eye(4)), spin_degeneracy=2, atoms=(Atom("Fe1", (0.0, 0.0, 0.0)),))
    model = replace(model, projections=("Fe1:p", "Fe1:s"))
    with pytest.raises(InputError, match=r"Fe:p is 300 eV, expected at most 10, .* is it in meV"):
        with_spin_orbit(model, {"Fe:p": 300})
    with pytest.raises(InputError, match="Fe:p and Fe1:p are one shell"):
        with_spin_orbit(model, {"Fe:p": 0.3, "Fe1:p": 0.2})


def test_levels_that_contradict_each_other(tmp_path):
    folder = gallium_arsenide(tmp_path)
    win = folder / f"{SEED}.win"
    assert "fermi_energy" not in win.read_text()
    scf, nscf = folder / "scf.out", folder / "nscf.out"
    scf.write_text("the Fermi energy is 0.5000 ev\nthe Fermi energy is 0.8000 ev\n")
    nscf.write_text("the Fermi energy is 1.3000 ev\n")
    model = load_model(folder)
    assert model.fermi_level == 0.8
    told = " ".join(model.provenance.notes)
    assert "scf.out has 0.5000 to 0.8000 eV, of which the last, 0.8000 eV, counts" in told
    assert "nscf.out says 1.3000 eV, scf.out 0.8000 eV, which counts" in told
    told = " ".join(load_model(folder, electrons=2).provenance.notes)
    assert "scf.out says 0.8000 eV; the electrons that are given count" in told
    nscf.unlink()
    relaxation = folder / "relax_scf.out"
    relaxation.write_text("the Fermi energy is 1.1000 ev\n")
    model = load_model(folder)
    assert model.fermi_level == 0.8
    assert any("relax_scf.out says 1.1000 eV, scf.out 0.8000 eV" in note for note in model.provenance.notes)
    relaxation.rename(folder / "relaxed_scf.out")
    with refused("its Fermi level is", "expected one scf run in the folder"):
        load_model(folder)
    (folder / "relaxed_scf.out").unlink()
    scf.write_text("the Fermi energy is 4.0000 ev\n")
    assert any("4.0000 eV of scf.out lies 2." in note for note in load_model(folder).provenance.notes)
    scf.write_text("the Fermi energy is 100.0000 ev\n")
    model = load_model(folder)
    assert model.fermi_level is None
    told = " ".join(model.provenance.notes)
    assert "100.0000 eV of scf.out lies 98." in told
    assert "and is left out" in told
    win_text = win.read_text()
    win.write_text(win_text + "num_valence_bands = 1\n")
    assert load_model(folder).fermi_level is not None
    win.write_text(win_text)
    gap = "highest occupied, lowest unoccupied level (ev): {:.4f} {:.4f}\n"
    top = distance_from_bands(model, 100.0)[2]
    for occupied, is_known in ((top, True), (top - 3, False)):
        scf.write_text(gap.format(occupied, 199.0))
        assert (load_model(folder).fermi_level is not None) == is_known
    scf.write_text("the Fermi energy is 100.0000 ev\n")
    assert load_model(folder, fermi_level=100).fermi_level == 100


@pytest.mark.parametrize("comment", ["In", "Fe Te In", "FeTe", "", "no comment"])
def test_the_cell_of_an_old_poscar(fcc, comment):
    """Before VASP 5 the comment may name the elements; where it does not the cell is whole all the same."""
    pytest.importorskip("ase")
    text = poscar(PRIMITIVE, comment, elements="").replace("\n1\nDirect\n", "\n1 1\nDirect\n0.5 0.5 0.5\n")
    (fcc / "POSCAR").write_text(text)
    np.testing.assert_allclose(load_model(fcc).lattice, PRIMITIVE)


def test_archives_that_are_not_what_their_name_says(tmp_path):
    write_tb(tmp_path / "files")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(tmp_path / "files", "files")
    plain = content.getvalue()
    for name, packed, told in (
        ("a.tar.gz", plain, "by its content it is a .tar: name it so"),
        ("b.zip", gzip.compress(plain), "by its content it is a .tar.gz: name it so"),
        ("c.tar", gzip.compress(plain), "by its content it is a .tar.gz: name it so"),
    ):
        (tmp_path / name).write_bytes(packed)
        with refused(name, told):
            load_model(tmp_path / name)
    inner = tmp_path / "one" / "inner.tar"
    inner.parent.mkdir()
    inner.write_bytes(plain)
    with refused("or name the archive in it", "inner.tar"):
        load_model(inner.parent)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(inner, "inner.tar")
    with refused("inner.tar in it is an archive in an archive, which is not opened: unpack it"):
        load_model(tmp_path / "outer.zip")


def test_lines_that_end_with_carriage_returns_alone(tmp_path):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    with refused("toy_tb.dat: its lines end with carriage returns alone"):
        load_model(tmp_path)


def test_centres_of_wannier_tools(tmp_path):
    model = load_model(gallium_arsenide(tmp_path))
    for name in ("_centres.xyz", ".win"):
        (tmp_path / f"{SEED}{name}").unlink()
    cell = "\n".join(" ".join(f"{x:.6f}" for x in vector) for vector in model.lattice)
    atoms = "ATOM_POSITIONS\n2\nDirect\nGa 0 0 0\nAs 0.25 0.25 0.25\n"
    text = f"LATTICE\nAngstrom\n{cell}\n{atoms}PROJECTORS\n1 1\nGa s\nAs s\n"
    centres = "WANNIER_CENTRES\nDirect\n0 0 0\n0.25 0.25 0.25\n\nSURFACE\n1 0 0\n"
    (tmp_path / "wt.in").write_text(f"{text}{centres}")
    found = load_model(tmp_path)
    np.testing.assert_allclose(found.centres, model.centres, atol=1e-6)
    assert "position: Wannier centres of wt.in only" in found.provenance.notes
    (tmp_path / "wt.in").write_text(f"{text}WANNIER_CENTRES\nCartesian\n0 0 0\n1.41325 1.41325 1.41325\n")
    np.testing.assert_allclose(load_model(tmp_path).centres, model.centres, atol=1e-6)
