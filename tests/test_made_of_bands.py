"""Models made of .chk and .eig, as postw90 and WannierBerri make them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from inputs import CENTRES, SEED, write_ab_initio, write_overlaps

from spinscreen.kernels import InputError
from spinscreen.materials import check_material, find_materials, load_model
from spinscreen.materials.wannier90 import read_win
from spinscreen.materials.wannier90.mesh_images import wigner_seitz_of_mesh
from spinscreen.materials.wannier90.tight_binding_files import read_tb
from spinscreen.materials.wannier90.wigner_seitz import read_minimal_images


def write_bands(reference: Path, folder: Path, name: str) -> Path:
    """The real files that postw90 reads, and no Hamiltonian."""
    folder.mkdir()
    for ending in ("chk", "eig", "spn", "win", "mmn.gz", "nnkp"):
        file = reference / name / f"{name}.{ending}"
        if file.exists():
            (folder / file.name).symlink_to(file)
    return folder


@pytest.mark.parametrize("name", ["Fe", "Pt", "GaAs"])
def test_real_models_are_those_that_wannier90_wrote(reference_data, tmp_path, name):
    """Of Fe with its .mmn, of Pt and GaAs with the neighbours of the .nnkp and the overlaps in the .chk."""
    found = load_model(write_bands(reference_data, tmp_path / name, name))
    expected = load_model(reference_data / name)
    np.testing.assert_array_equal(found.translations, expected.translations)
    # The file has eight digits: half a unit of the last of 50 eV and of some angstrom, before elements that
    # go to several cells are shared.
    np.testing.assert_allclose(found.hamiltonian, expected.hamiltonian, atol=5e-7)
    np.testing.assert_allclose(found.position, expected.position, atol=5e-8)
    np.testing.assert_allclose(found.observables["spin_x"], expected.observables["spin_x"], atol=1e-12)
    assert (found.provenance.position_source, found.provenance.spin_source) == ("matrix", "ab_initio")
    assert found.provenance.minimal_images
    used = {Path(file).name for file, _ in found.provenance.files}
    assert ("Fe.mmn.gz" if name == "Fe" else f"{name}.nnkp") in used
    assert f"Hamiltonian: made of {name}.chk and {name}.eig" in found.provenance.notes


@pytest.mark.parametrize("name", ["Fe", "Pt", "GaAs"])
def test_images_are_those_of_wannier90(reference_data, name):
    """R vectors, degeneracies and T vectors, of which sets are compared."""
    packed = "" if name == "Fe" else ".gz"
    folder = reference_data / name
    raw = read_tb(folder / f"{name}_tb.dat{packed}")
    wanted = read_minimal_images(folder / f"{name}_wsvec.dat{packed}", raw.translations, raw.size)
    win = read_win(folder / f"{name}.win")
    home = int(np.flatnonzero(~raw.translations.any(axis=1))[0])
    centres = np.diagonal(raw.position[home].real, axis1=1, axis2=2).T
    tolerance = win.real("ws_distance_tol") or 1e-5
    found = wigner_seitz_of_mesh(raw.lattice, win.integers("mp_grid", 3), centres, tolerance)
    assert dict(zip(map(tuple, found.translations.tolist()), found.degeneracy.tolist(), strict=True)) == dict(
        zip(map(tuple, raw.translations.tolist()), raw.degeneracy.tolist(), strict=True)
    )

    def as_set(translations, images):
        all_of = images.entries(np.arange(len(translations)))
        vectors = translations[all_of.source], images.vectors[all_of.vector]
        parts = (vectors[0], all_of.row, all_of.column, vectors[1], all_of.count)
        return set(map(tuple, np.column_stack(parts).tolist()))

    assert as_set(found.translations, found.images) == as_set(raw.translations, wanted)


def test_positions_from_overlaps(tmp_path):
    write_overlaps(tmp_path)
    model = load_model(tmp_path)
    np.testing.assert_allclose(model.centres, CENTRES, atol=1e-10)
    off_diagonal = model.position.copy()
    off_diagonal[:, :, range(2), range(2)] = 0
    assert np.abs(off_diagonal).max() < 1e-10
    (tmp_path / f"{SEED}.mmn").unlink()
    assert load_model(tmp_path).provenance.position_source == "centres"


def test_the_same_bands_as_the_written_hamiltonian(tmp_path):
    write_ab_initio(tmp_path, formatted=True)
    written = load_model(tmp_path)
    for name in (f"{SEED}_hr.dat", f"{SEED}_wsvec.dat"):
        (tmp_path / name).unlink()
    made = load_model(tmp_path)
    assert made.periodic == written.periodic
    # Twelve decimals; the functions are at one place, so that the images are those of the cell alone.
    np.testing.assert_allclose(made.hamiltonian.sum(axis=0), written.hamiltonian.sum(axis=0), atol=1e-10)
    (source,) = find_materials(tmp_path)
    assert check_material(source).error is None


def test_a_checkpoint_without_eigenvalues(tmp_path):
    write_overlaps(tmp_path)
    (tmp_path / f"{SEED}.eig").unlink()
    with pytest.raises(InputError, match="found no Wannier90 Hamiltonian"):
        load_model(tmp_path)
    with pytest.raises(InputError, match=r"add what is missing of \.chk and \.eig"):
        load_model(tmp_path / SEED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], r"toy\.mmn, line \d+: the file ends here"),
        (lambda lines: [*lines, "1 2"], r"toy\.mmn, line \d+: expected the end of the file"),
        (lambda lines: [lines[0], "3 3 6", *lines[2:]], r"toy\.mmn: has 3 bands at 3 k points"),
        (
            lambda lines: [*lines[:2], "2 2 0 0 0", *lines[3:]],
            "expected neighbour 1 of k point 1",
        ),
        (lambda lines: [*lines[:2], "1 2 5 0 0", *lines[3:]], "do not span all directions"),
        (lambda lines: [*lines[:3], "1.0 x", *lines[4:]], r"toy\.mmn, line 4: expected 2 finite numbers"),
    ],
)
def test_damaged_overlaps(tmp_path, change, message):
    write_overlaps(tmp_path)
    file = tmp_path / f"{SEED}.mmn"
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=message):
        load_model(tmp_path)


def test_overlaps_of_another_run(reference_data, tmp_path):
    folder = write_bands(reference_data, tmp_path / "Fe", "Fe")
    text = gzip.decompress((folder / "Fe.mmn.gz").read_bytes()).decode()
    (folder / "Fe.mmn.gz").unlink()
    lines = text.splitlines()
    lines[3] = "0.5 0.5"
    (folder / "Fe.mmn").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"Fe\.mmn: its overlaps differ by .* from those of the \.chk"):
        load_model(folder)
