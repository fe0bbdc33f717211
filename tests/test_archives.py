"""Archives opened in place: databases as they are downloaded, and those that are made to hurt."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from damage import refused
from inputs import SEED, write_scf, write_tb
from test_companions import CUBE, WIN, write_chain

from spinscreen.kernels import InputError
from spinscreen.materials import check_material, composition, find_materials, load_model

pytestmark = pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")

KINDS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"]


def pack(folder: Path, archive: Path, inner: str = "") -> Path:
    """The files of a folder in an archive, in a folder of it where one is named."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    named = [(file, str(Path(inner, file.relative_to(folder)))) for file in files]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for file, name in named:
                packed.write(file, name)
        return archive
    packing = {".tar": "w"}.get(
        archive.suffix, f"w:{ {'.tgz': 'gz'}.get(archive.suffix, archive.suffix[1:]) }"
    )
    with tarfile.open(archive, packing) as tar:
        for file, name in named:
            tar.add(file, name)
    return archive


@pytest.fixture
def jarvis(tmp_path) -> Path:
    """A material as JARVIS-WTB has it, its folder."""
    folder = write_chain(tmp_path / "plain", "wannier90")
    (folder / "POSCAR").write_text(CUBE)
    (folder / "JVASP-1.json").write_text(json.dumps({"info_mesh": {"efermi": -0.5}}))
    return folder


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("inner", ["", "JVASP-1"])
def test_a_material_of_a_database_as_it_is_downloaded(jarvis, tmp_path, ending, inner):
    plain = load_model(jarvis)
    (tmp_path / "tree").mkdir()
    archive = pack(jarvis, tmp_path / "tree" / f"JVASP-1{ending}", inner)
    model = load_model(archive)
    assert (model.name, model.fermi_level, model.atoms[0].symbol) == ("JVASP-1", -0.5, "Si")
    assert model.fingerprint == plain.fingerprint
    digests = [digest for _, digest in plain.provenance.files]
    assert [digest for _, digest in model.provenance.files] == digests
    assert all(str(archive) in file for file, _ in model.provenance.files)
    (source,) = find_materials(tmp_path / "tree")
    assert source.id == "JVASP-1"
    assert source.stamp() is not None
    assert composition(source.load(), source)["formula"] == "Si"
    (alone,) = find_materials(archive)
    assert alone.id == "JVASP-1"


def test_several_materials_in_one_archive(jarvis, tmp_path):
    root = tmp_path / "root"
    for name in ("A", "B"):
        shutil.copytree(jarvis, root / name)
    archive = pack(root, tmp_path / "all.zip")
    assert [source.id for source in find_materials(archive)] == ["A", "B"]
    assert load_model(archive / "B").fermi_level == -0.5
    assert load_model(archive / "A" / "wannier90_hr.dat").size == 2
    with pytest.raises(InputError, match=r"all\.zip: found several calculations"):
        load_model(archive)
    with pytest.raises(InputError, match=r"all\.zip/C: no such file"):
        load_model(archive / "C")


@pytest.mark.parametrize(("ending", "packer"), [(".gz", gzip), (".xz", lzma), (".bz2", bz2)])
def test_single_files_may_be_packed(tmp_path, ending, packer):
    write_scf(tmp_path)
    before = load_model(tmp_path)
    for name in (f"{SEED}_tb.dat", f"{SEED}.win", "OUTCAR"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        (tmp_path / f"{name}{ending}").write_bytes(
            packer.compress(content[:50]) + packer.compress(content[50:])
        )
    model = load_model(tmp_path)
    assert (model.fingerprint, model.fermi_level) == (before.fingerprint, before.fermi_level)
    (source,) = find_materials(tmp_path)
    assert check_material(source).error is None


def test_a_dump_of_aiida(tmp_path):
    folder = write_chain(tmp_path / "PtTe2" / "outputs", "aiida")
    (folder.parent / "inputs").mkdir()
    (folder.parent / "inputs" / "aiida.win").write_text(WIN)
    (folder / "aiida.out").write_text("     the Fermi energy is     0.2500 ev\n")
    for place in (folder, folder.parent):
        model = load_model(place)
        assert (model.fermi_level, model.atoms[0].symbol) == (0.25, "Si")
    (source,) = find_materials(tmp_path)
    assert source.id == "PtTe2"


def test_names_that_lead_out_of_an_archive_are_not_there(jarvis, tmp_path):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("../evil_hr.dat", "/etc/evil_hr.dat", "a/../../evil_hr.dat"):
            packed.writestr(name, "x")
    with refused("x.zip: found no Wannier90 Hamiltonian"):
        load_model(archive)
    pack(jarvis, archive)
    with refused("no such file"):
        load_model(archive / ".." / ".." / "etc" / "passwd_hr.dat")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        link = tarfile.TarInfo("toy_hr.dat")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with refused("x.tar: found no Wannier90 Hamiltonian"):
        load_model(tmp_path / "x.tar")


@pytest.mark.parametrize("ending", KINDS)
def test_archives_that_unpack_to_too_much(tmp_path, ending):
    archive = tmp_path / f"x{ending}"
    zeros = bytes(64 << 20)
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("toy_hr.dat", zeros)
    else:
        kind = {".tar": "w:gz", ".tgz": "w:gz"}.get(ending, f"w:{ending[5:]}")
        with tarfile.open(archive, kind) as tar:
            entry = tarfile.TarInfo("toy_hr.dat")
            entry.size = len(zeros)
            tar.addfile(entry, io.BytesIO(zeros))
    del zeros
    with refused("x" + ending):
        load_model(archive)


@pytest.mark.parametrize("ending", [".xz", ".bz2"])
def test_packed_files_that_unpack_to_too_much(tmp_path, ending):
    write_tb(tmp_path)
    packer = {".xz": lzma, ".bz2": bz2}[ending]
    file = tmp_path / f"{SEED}_tb.dat"
    content = file.read_bytes() + bytes(64 << 20)
    file.unlink()
    file.with_name(f"{file.name}{ending}").write_bytes(packer.compress(content))
    with refused("_tb.dat" + ending):
        load_model(tmp_path)


@pytest.mark.parametrize("ending", KINDS)
def test_damaged_archives(jarvis, tmp_path, ending):
    (tmp_path / "tree").mkdir()
    archive = pack(jarvis, tmp_path / "tree" / f"x{ending}")
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="x"):
        load_model(archive)
    for source in find_materials(tmp_path / "tree") if ending != ".tar" else ():
        assert "cannot be read" in (check_material(source).error or "")


def test_an_encrypted_archive(jarvis, tmp_path):
    archive = pack(jarvis, tmp_path / "x.zip")
    content = bytearray(archive.read_bytes())
    # The flag of encryption, in the header of a file and in the table at the end.
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + place] |= 1
            start = content.find(mark, start + 1)
    archive.write_bytes(content)
    with refused("is encrypted"):
        load_model(archive)


def test_streams_of_archives_are_those_of_files(jarvis, tmp_path):
    """A file of an archive is as long as on the disk, whichever reader asks."""
    archive = pack(jarvis, tmp_path / "x.tar.gz")
    model = load_model(archive, lattice=str(archive / "POSCAR"))
    np.testing.assert_allclose(model.lattice, 3 * np.eye(3))
