"""Files made to hurt: bombs, counts that nothing backs, pipes and loops, odd names, numbers beyond sense."""

from __future__ import annotations

import gzip
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damage import bomb, refused
from inputs import (
    OPTIMADE,
    POSCAR,
    SEED,
    as_records,
    write_ab_initio,
    write_hr,
    write_scf,
    write_structures,
    write_tb,
    write_trial,
)
from support import random_model

from spinscreen.materials import (
    MaterialSource,
    TrialOrbitalWarning,
    check_material,
    find_materials,
    load_model,
    read_structure,
)
from spinscreen.materials.companions import find_structure_files
from spinscreen.materials.wannier90.checkpoint import read_checkpoint, read_eigenvalues, read_spin
from spinscreen.materials.wannier90.scf_outputs import level_of_outputs
from spinscreen.materials.wannier90.wigner_seitz import WignerSeitz, read_minimal_images


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder, and no right to read what is forbidden: root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


def pack(path: Path, content: bytes) -> None:
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(content)


def test_a_damaged_gzip_file(tmp_path):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    pack(path, packed)
    with refused("toy_tb.dat.gz: cannot be read", "is the file complete"):
        load_model(tmp_path)


@pytest.mark.parametrize("filler", [b"1.0 0.0\n", b"\0"])
@pytest.mark.parametrize(
    "name",
    ["toy_hr.dat", "toy_wsvec.dat", "toy.win", "toy.eig", "toy.chk", "toy.spn", "toy.chk.fmt", "toy.spn.fmt"],
)
def test_a_gzip_bomb_stops_where_its_header_does(tmp_path, name, filler):
    write_ab_initio(tmp_path, formatted=name.endswith(".fmt"))
    content = (tmp_path / name).read_bytes()
    pack(tmp_path / name, bomb(content, filler, 64 << 20))
    # What has a header is stopped at 1 MiB, for the rest its size on the disk counts.
    # These are read a piece at a time, and their content is refused before its size.
    in_pieces = name in ("toy_hr.dat", "toy_wsvec.dat")
    with refused(f"{name}.gz" if in_pieces else f"{name}.gz: holds more than"):
        load_model(tmp_path)


def test_a_gzip_bomb_that_announces_itself(tmp_path):
    write_hr(tmp_path)
    path = tmp_path / f"{SEED}_hr.dat"
    pack(path, bomb(b" comment\n 999999\n 999999\n", b"1 ", 64 << 20))
    with refused("toy_hr.dat.gz: holds more than", "its size on disk"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["toy_hr.dat", "toy_wsvec.dat", "toy.chk", "toy.spn", "toy.eig", "toy.win"])
def test_a_file_with_a_hole(tmp_path, name):
    """It takes no place on the disk, whatever its size."""
    write_ab_initio(tmp_path, formatted=False)
    os.truncate(tmp_path / name, 1 << 36)
    with refused(f"{name}: holds more than {67.1 if name == 'toy.win' else 1.0} MB"):
        load_model(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        # An .amn only adds: whatever it holds costs no model, and it is told.
        (lambda text: text + "1 1 1 0 0\n", "12 overlaps are missing"),
        (lambda text: text[: len(text) // 2], "are missing"),
        (lambda text: text.replace("2 3 2", "2 3 900000000"), "by its header, the most"),
        (lambda text: text.replace("2 3 2", "2 3"), "expected 2 bands and 3 k points"),
        (lambda text: text.replace("2 3 2", "2 4 2"), "found '2 4 2'; it belongs to another"),
        (
            lambda text: text.replace("    2    2    1", "    2    7    1"),
            "k point up to 2, 2, 3 on each line, found 2, 7, 1",
        ),
        (lambda text: text.replace("    2    2    1", "    2  x 2  1"), "line 6: expected 5 finite"),
        (lambda text: "", "ends in its header"),
        (lambda text: "\0" * 100, "found binary data"),
        (lambda text: text + "1 " * (1 << 22), "holds more than"),
    ],
)
def test_a_damaged_amn_fails_no_model(tmp_path, change, told, packed):
    write_trial(tmp_path)
    path = tmp_path / f"{SEED}.amn"
    assert load_model(tmp_path).trial_orbitals is not None
    content = change(path.read_text()).encode()
    if packed:
        pack(path, gzip.compress(content))
    else:
        path.write_bytes(content)
    with pytest.warns(TrialOrbitalWarning, match="trial orbitals unknown") as caught:
        model = load_model(tmp_path)
    assert model.trial_orbitals is None
    assert told in model.provenance.without_trial_orbitals
    assert all("\n" not in str(one.message) for one in caught)


@pytest.mark.parametrize("count", ["10000000000", "-3", "1e10", "9" * 5000])
@pytest.mark.parametrize("line", [2, 3])
def test_a_count_that_the_file_does_not_back(tmp_path, line, count):
    write_hr(tmp_path)
    path = tmp_path / f"{SEED}_hr.dat"
    lines = path.read_text().splitlines()
    lines[line - 1] = count
    path.write_text("\n".join(lines))
    with refused(f"toy_hr.dat, line {line}: expected the number of"):
        load_model(tmp_path)


def test_one_huge_number_among_eigenvalues(tmp_path):
    path = tmp_path / "toy.eig"
    path.write_text("1 1 0.5\n999999 1 0.6\n")
    with refused("toy.eig: expected 999999 bands at each of 1 k points, found 2 lines"):
        read_eigenvalues(path)
    path.write_text("1 1 0.5\n1 1000000000 0.6\n")
    with refused("toy.eig, line 2: expected 3 finite numbers below 1e+06"):
        read_eigenvalues(path)


def _items(*counts: int) -> list[str | np.ndarray]:
    bands, excluded, kpoints = counts
    head = ["comment".ljust(33), *(np.array([n], "<i4") for n in (bands, excluded)), np.zeros(0, "<i4")]
    return [*head, np.eye(3), np.eye(3), np.array([kpoints], "<i4"), np.ones(3, "<i4"), np.zeros((1, 3))]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((10**9, 0, 1), "the number of bands is 1000000000"),
        ((-1, 0, 1), "the number of bands is -1"),
        ((2, -5, 1), "the number of excluded bands is -5"),
        ((2, 0, 2**31 - 1), "the number of k points is 2147483647"),
        ((2, 0, 999_999), "a record holds 24 bytes, expected 2999997"),
    ],
)
def test_counts_of_a_checkpoint(tmp_path, counts, told):
    path = tmp_path / "toy.chk"
    path.write_bytes(as_records(_items(*counts)))
    with refused("toy.chk: not a complete Wannier90 checkpoint", told):
        read_checkpoint(path)


@pytest.mark.parametrize("counts", [(999_999, 1), (999_999, 0), (2, 999_999), (-2, 3)])
def test_counts_of_a_spin_file(tmp_path, counts):
    binary, text = tmp_path / "toy.spn", tmp_path / "toy.spn.fmt"
    binary.write_bytes(as_records(["comment".ljust(60), np.array(counts, "<i4"), np.zeros(9, complex)]))
    text.write_text(f"comment\n{counts[0]} {counts[1]}\n0.0 0.0\n")
    for path in (binary, text):
        with refused(path.name):
            read_spin(path)


def test_images_that_lead_everywhere(tmp_path):
    """Few lines of T vectors would make a matrix for each of very many cells."""
    path = tmp_path / "toy_wsvec.dat"
    far = "\n".join(f"{n} {n % 97} {n % 89}" for n in range(1, 5000))
    path.write_text(f"# comment\n0 0 0 1 1\n4999\n{far}\n")
    home = np.zeros((1, 3), dtype=np.int64)
    images = read_minimal_images(path, home, 1)
    with refused("_wsvec.dat: its T vectors make 9998 R vectors of 1"):
        WignerSeitz(home, np.ones(1, dtype=np.int64), images).expand(np.ones((1, 1, 1), dtype=complex))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    # The name of a socket is short, wherever tests run.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_pipe, "is a pipe, expected a regular file"),
        (_socket, "is a socket, expected a regular file"),
        (Path.mkdir, "is a folder, expected a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, expected a regular file"),
        (lambda path: path.symlink_to(path.name), "cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.symlink_to("nowhere"), "is a link to a file that is gone"),
    ],
)
@pytest.mark.parametrize("name", ["toy_tb.dat", "toy.win", "POSCAR"])
def test_what_stands_in_the_place_of_a_file(tmp_path, name, make, told):
    write_tb(tmp_path)
    path = tmp_path / name
    path.unlink(missing_ok=True)
    make(path)
    with refused(name, told):
        read_structure(path) if name == "POSCAR" else load_model(tmp_path)
    for source in (MaterialSource("a", str(path)), MaterialSource("a", str(tmp_path))):
        source.stamp()
        check_material(source)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_pipe, "is a pipe, expected"),
        (_socket, "is a socket, expected"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, expected"),
        (lambda path: path.symlink_to(path.name), "cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.symlink_to("nowhere"), "no such"),
    ],
)
@pytest.mark.parametrize(("name", "read"), [("toy.hdf5", load_model), ("list.csv", find_materials)])
def test_what_stands_in_the_place_of_an_archive_or_a_manifest(tmp_path, name, read, make, told):
    make(tmp_path / name)
    told = {"no such": "is a link to a file that is gone"}.get(told, told) if read is load_model else told
    with refused(name, told):
        read(tmp_path / name)


def test_what_may_not_be_read(tmp_path):
    with as_nobody() as folder:
        for name in ("closed", "open"):
            (folder / name).mkdir()
            write_tb(folder / name)
        (folder / "open" / f"{SEED}.win").chmod(0)
        with refused(f"{SEED}.win: cannot be read (Permission denied)"):
            load_model(folder / "open")
        (folder / "closed").chmod(0)
        with refused("closed: cannot be read (Permission denied)"):
            load_model(folder / "closed")
        first, second = find_materials(folder)
        assert (first.id, second.id) == ("closed", "open")
        assert "closed: cannot be read (Permission denied)" in (check_material(first).error or "")
        assert first.stamp() is None
        with refused("closed: cannot be read (Permission denied)"):
            find_materials(folder / "closed")
        (folder / "closed").chmod(0o700)


def test_links_in_a_tree_that_lead_in_a_circle(tmp_path):
    (tmp_path / "a").mkdir()
    write_tb(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert [source.id for source in find_materials(tmp_path)] == ["a"]
    with refused("loop"):
        find_materials(tmp_path / "loop")


def test_names_that_are_not_utf8(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    write_tb(folder)
    (source,) = find_materials(tmp_path)
    assert source.id == r"caf\udce9\n"
    assert source.stamp()
    assert check_material(source).error is None
    model = load_model(folder)
    assert all(path.encode() for path, _ in model.provenance.files)
    model.save(tmp_path / "saved.hdf5")
    assert load_model(tmp_path / "saved.hdf5").provenance.files == model.provenance.files
    (folder / f"{SEED}_tb.dat").write_text("nonsense")
    with refused(r"caf\udce9\n/toy_tb.dat, line 1"):
        load_model(folder)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "\udcff", "a" * 300 + "/b"])
def test_a_stamp_and_a_check_never_raise(path):
    source = MaterialSource("a", path)
    source.stamp()
    assert (check_material(source).error or "").isprintable()


@pytest.mark.parametrize(
    ("line", "text", "told"),
    [
        (12, "3 1 1e300 0.0", "toy_tb.dat, line 12: expected 4 finite numbers below 1e+06"),
        (9, "99999999999999999999 0 0", "toy_tb.dat, line 9: expected 3 finite numbers below 1e+06"),
        (9, "0.5 0 0", "toy_tb.dat: expected whole numbers as R vectors, found 0.5"),
        (7, "1 1 1.5 1 1 1 1", "toy_tb.dat: expected whole numbers as degeneracies, found 1.5"),
        (2, "1e155 0 0", "toy_tb.dat, line 2: expected 3 finite numbers"),
        (2, "1e-9 0 0", "lattice is singular"),
    ],
)
def test_numbers_beyond_sense(tmp_path, line, text, told):
    write_tb(tmp_path)
    path = tmp_path / f"{SEED}_tb.dat"
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines))
    with refused(told):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"position": 1e155}, "position has an element that is too large at index (0, 0, 0, 0)"),
        ({"hamiltonian": 1e300j}, "hamiltonian has an element that is too large"),
        ({"lattice": 1e7}, "lattice has an element that is too large"),
        ({"fermi_level": float("nan")}, "fermi_level is nan eV, expected a finite number below 1e+06"),
        ({"translations": 10**30}, "expected an array of int64"),
        ({"translations": -(2**63)}, "translations has an element that is too large"),
        ({"translations": 10**12}, "translations has an element that is too large"),
        (
            {"observables": {"odd": np.full((4, 4), 1e13)}},
            "observable 'odd' has an element that is too large",
        ),
    ],
)
def test_a_model_of_numbers_beyond_sense(changes, told):
    model = random_model(0)
    (name, value) = next(iter(changes.items()))
    if isinstance(getattr(model, name), np.ndarray):
        value = np.full(getattr(model, name).shape, value, dtype=object if isinstance(value, int) else None)
    with refused(told):
        replace(model, **{name: value})


def test_a_cell_too_small_to_count_electrons(tmp_path):
    write_tb(tmp_path)
    (tmp_path / f"{SEED}.win").unlink()
    lines = (tmp_path / f"{SEED}_tb.dat").read_text().splitlines()
    lines[1:4] = ["0.002 0 0", "0 0.002 0", "0 0 0.002"]
    (tmp_path / f"{SEED}_tb.dat").write_text("\n".join(lines))
    with refused("model 'toy': electrons would be counted on", "is the unit cell in angstrom?"):
        load_model(tmp_path, electrons=2)


def test_levels_in_long_outputs(tmp_path):
    write_scf(tmp_path)
    (tmp_path / "toy.scf.out").unlink()
    path = tmp_path / "OUTCAR"
    digits = b" E-fermi :" + b"1" * (3 << 20)
    # The last level lies across the pieces of 1 MiB in which an output is read.
    told = b" E-fermi :   0.7321     XC(G=0)\n"
    for shift in range(0, len(told), 5):
        path.write_bytes(digits + b"\n" * ((1 << 20) - shift) + told + b" " * (2 << 20))
        level, _ = level_of_outputs(tmp_path, SEED) or (None, None)
        assert level == 0.7321
    path.write_bytes(told + b" E-fermi : 1e300\n")
    with refused("OUTCAR: its Fermi level is 1e+300 eV, expected one below 1e+06"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace("\n1 1\n", "\n1000000000 1\n"),
            "found 1000000000 atoms, expected 1 to 5000",
        ),
        (lambda text: text.replace("0.25", "nan", 1), "a length or position is not finite"),
        (lambda text: text.replace("1.0", "1e155", 1), "cannot be read as a structure"),
        (lambda text: text + " " * (5 << 20), "expected a structure file of at most 4 MB"),
    ],
)
def test_a_poscar_made_to_hurt(tmp_path, change, told):
    (tmp_path / "POSCAR").write_text(change(POSCAR))
    with refused("POSCAR: ", told):
        read_structure(tmp_path / "POSCAR")


def test_a_layer_without_third_vector(tmp_path):
    """OPTIMADE writes null; spglib dies of NaN."""
    layer = json.loads(json.dumps(OPTIMADE))
    layer["data"]["attributes"] |= {"dimension_types": [1, 1, 0], "nperiodic_dimensions": 2}
    layer["data"]["attributes"]["lattice_vectors"][2] = [None] * 3
    (tmp_path / "layer.json").write_text(json.dumps(layer))
    structure = read_structure(tmp_path / "layer.json")
    assert (structure.formula, structure.space_group) == ("AsGa", None)


def test_a_pipe_beside_an_old_poscar(tmp_path):
    """Its elements are looked for in POTCAR and OUTCAR."""
    (tmp_path / "POSCAR").write_text(POSCAR.replace("Ga As\n", "").replace("GaAs", "unknown"))
    os.mkfifo(tmp_path / "OUTCAR")
    with refused("POSCAR: cannot be read as a structure (OUTCAR beside it is a pipe)"):
        read_structure(tmp_path / "POSCAR")


def test_a_large_json_file_is_no_structure(tmp_path):
    write_structures(tmp_path)
    folder = tmp_path / "toy_json"
    (folder / "toy.json").write_text('"cartesian_site_positions"' + " " * (5 << 20))
    assert find_structure_files(folder / SEED) == []
