"""Models of PythTB, sisl and WannierBerri."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import random_hermitian, random_model

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials, load_model
from spinscreen.workflows import evaluate


def energies(model, points) -> np.ndarray:
    return evaluate(model, points, ["energy"])["energy"].values


def checkerboard(pythtb, nspin: int):
    model = pythtb.tb_model(2, 2, [[1.0, 0.0], [0.3, 1.2]], [[0, 0], [0.5, 0.4]], nspin=nspin)
    rng = np.random.default_rng(0)
    if nspin == 2:
        model.set_onsite(list(random_hermitian(rng, 2, 2, 2)))
        for row, column, cell in ((0, 1, [0, 0]), (0, 1, [-1, 0]), (0, 0, [1, 1]), (1, 0, [0, 2])):
            model.set_hop(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)), row, column, cell)
    else:
        model.set_onsite([0.5, -0.7])
        for row, column, cell in ((0, 1, [0, 0]), (0, 1, [-1, 0]), (0, 0, [1, 1])):
            model.set_hop(complex(*rng.normal(size=2)), row, column, cell)
    return model


class TBModel:
    """The public interface of PythTB 2, which needs a newer Python, on a model of 1.8."""

    __module__ = "pythtb.tbmodel"

    def __init__(self, old) -> None:
        self.nspin, self.onsite, self.periodic_dirs = old._nspin, old._site_energies, old._per
        self.lat_vecs, self.orb_vecs, self.parameters = old.get_lat(), old.get_orb(), []
        self.hoppings = []
        for amplitude, row, column, *cell in old._hoppings:
            entry = {"amplitude": amplitude, "from_orbital": row, "to_orbital": column}
            if np.any(cell):
                entry["lattice_vector"] = list(cell[0])
            self.hoppings.append(entry)


@pytest.mark.parametrize("spinful", [False, True])
@pytest.mark.parametrize("periodic", [[0, 1], [1]])
def test_a_model_of_pythtb_2(spinful, periodic):
    pythtb = pytest.importorskip("pythtb", minversion="2", reason="PythTB 2 needs Python 3.12")
    rng = np.random.default_rng(0)
    size = 2 if spinful else 1

    def amplitude():
        found = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
        return found if spinful else found.item()

    lattice = pythtb.Lattice([[1.0, 0.0], [0.3, 1.2]], [[0, 0], [0.5, 0.4]], periodic_dirs=periodic)
    source = pythtb.TBModel(lattice, spinful=spinful)
    source.set_onsite([0.5, -0.7])
    for row, column, cell in (
        (0, 1, [0, 0]),
        (0, 1, [0, -1]),
        (0, 0, [0, 2]),
        *[(0, 1, [1, 1])] * (0 in periodic),
    ):
        source.set_hop(amplitude(), row, column, cell)
    model = load_model(source)
    points = rng.random((5, 3))
    np.testing.assert_allclose(energies(model, points), source.solve_ham(points[:, periodic]), atol=1e-12)
    source.set_hop("t", 0, 1, [0, 1])
    with pytest.raises(InputError, match="has the free parameters t, expected numbers"):
        load_model(source)


@pytest.mark.parametrize("nspin", [1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_a_model_of_pythtb(nspin, version):
    pythtb = pytest.importorskip("pythtb", reason="PythTB 1.8 is the oracle of its models")
    source = checkerboard(pythtb, nspin)
    model = load_model(source if version == 1 else TBModel(source), name="board")
    points = np.random.default_rng(1).random((5, 3))
    expected = np.stack([source.solve_one(k[:2]) for k in points])
    np.testing.assert_allclose(energies(model, points), expected, atol=1e-12)
    assert model.name == "board"
    assert model.periodic == (True, True, False)
    np.testing.assert_allclose(model.centres[-1], [0.5 + 0.4 * 0.3, 0.4 * 1.2, 0])
    assert model.provenance.spin_source == ("given" if nspin == 2 else "none")
    if nspin == 2:
        np.testing.assert_allclose(np.diag(model.observables["spin_z"]).real, [0.5, -0.5, 0.5, -0.5])
    assert load_model(source, fermi_level=0.3).fermi_level == 0.3


def test_other_things_are_no_models():
    broken = type("tb_model", (), {"__module__": "pythtb"})()
    with pytest.raises(InputError, match=r"tb_model of pythtb cannot be read"):
        load_model(broken)
    with pytest.raises(InputError, match=r"or a model of TBmodels, PythTB or sisl, found SimpleN"):
        load_model(SimpleNamespace())


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("spin", ["unpolarized", "polarized", "non-colinear", "spin-orbit"])
def test_a_hamiltonian_of_sisl(orthogonal, spin):
    """An orthogonalized one has the eigenvalues of H c = E S c at any k, up to where its tails are cut."""
    sisl = pytest.importorskip("sisl", reason="sisl is the oracle of its Hamiltonians")
    source = sisl.Hamiltonian(sisl.geom.graphene(), spin=spin, orthogonal=orthogonal)
    parts = {"unpolarized": 1, "polarized": 2, "non-colinear": 4, "spin-orbit": 8}[spin]
    onsite, hop = np.zeros(parts), np.zeros(parts)
    onsite[:2], hop[:2] = [0.3, -0.2][:parts], [-2.7, -2.5][:parts]
    hop[2:4] = [0.1, 0.2][: max(0, parts - 2)]
    onsite, hop = onsite.tolist(), hop.tolist()
    if not orthogonal:
        onsite, hop = [*onsite, 1.0], [*hop, 0.1]
    source.construct([[0.1, 1.44], [onsite, hop]])
    source = (source + source.transpose(spin=spin not in ("unpolarized", "polarized"))) * 0.5
    if not orthogonal:
        assert not source.orthogonal
    model = load_model(source)
    points = np.random.default_rng(1).random((4, 3)) * [1, 1, 0]
    channels = (0, 1) if spin == "polarized" else (None,)
    for k, found in zip(points, energies(model, points), strict=True):
        options = [{} if channel is None else {"spin": channel} for channel in channels]
        expected = np.sort(np.concatenate([source.eigh(k, **option) for option in options]))
        np.testing.assert_allclose(found, expected, atol=1e-12 if orthogonal else 1e-4)
    assert model.periodic == (True, True, False)
    assert model.atoms[0].symbol == "C"
    assert model.size == (2 if spin == "unpolarized" else 4)
    assert (model.provenance.spin_source == "given") == (model.size == 4)


def save_system(folder: Path, model, *, old: bool, subtracted: bool) -> None:
    """A folder as WannierBerri's `System.save_npz` writes it, of new or old versions."""
    folder.mkdir()
    position = np.array(model.position)
    home = int(np.flatnonzero(~model.translations.any(axis=1))[0])
    if subtracted:
        for n, centre in enumerate(model.centres):
            position[home, :, n, n] -= centre
    spin = np.stack([model.observables[f"spin_{x}"] for x in "xyz"], axis=1)
    matrices = {
        "Ham": model.hamiltonian,
        "AA": np.moveaxis(position, 1, 3),
        "SS": 2 * np.moveaxis(spin, 1, 3),
    }
    for key, matrix in matrices.items():
        np.savez_compressed(folder / f"_XX_R_{key}.npz", np.moveaxis(matrix, 0, 2) if old else matrix)
    facts = {
        "real_lattice": model.lattice,
        "iRvec": model.translations,
        "periodic": np.array(model.periodic),
        "wannier_centers_cart": model.centres,
        "num_wann": model.size,
    }
    for key, fact in (facts | ({"use_wcc_phase": subtracted} if old else {})).items():
        np.savez(folder / f"{key}.npz", fact)


@pytest.fixture
def spinful():
    model = random_model(3, size=4)
    rng = np.random.default_rng(0)
    opposite = [int(np.flatnonzero((model.translations == -v).all(axis=1))[0]) for v in model.translations]
    for x in "xyz":
        matrix = rng.normal(size=model.hamiltonian.shape) + 1j * rng.normal(size=model.hamiltonian.shape)
        matrix = (matrix + matrix[opposite].conj().swapaxes(1, 2)) / 2
        model = model.with_observable(f"spin_{x}", matrix)
    return model


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("subtracted", [True, False])
def test_a_system_of_wannierberri(tmp_path, spinful, old, subtracted):
    save_system(tmp_path / "system", spinful, old=old, subtracted=subtracted)
    model = load_model(tmp_path / "system")
    np.testing.assert_allclose(model.hamiltonian, spinful.hamiltonian, atol=1e-12)
    np.testing.assert_allclose(model.position, spinful.position, atol=1e-12)
    for x in "xyz":
        np.testing.assert_allclose(
            model.observables[f"spin_{x}"], spinful.observables[f"spin_{x}"], atol=1e-12
        )
    assert model.periodic == spinful.periodic
    assert model.provenance.position_source == "matrix"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("_XX_R_Ham", np.zeros((2, 3, 3)), "expected 1?[0-9]+ R vectors as in iRvec"),
        ("_XX_R_AA", np.array(["text"]), "holds <U4, expected numbers"),
        ("_XX_R_SS", np.array([None]), "cannot be read as an array"),
        ("wannier_centers_cart", np.zeros((2, 3)), "has shape"),
        ("wannier_centers_cart", np.full((4, 3), 9.0), "its diagonal is neither zero nor that"),
        ("iRvec", np.zeros((1, 2)), "_XX_R_Ham|translations|R vector"),
    ],
)
def test_a_damaged_system_of_wannierberri(tmp_path, spinful, name, content, message):
    save_system(tmp_path / "system", spinful, old=False, subtracted=False)
    np.savez(tmp_path / "system" / f"{name}.npz", content)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "system")
    (tmp_path / "system" / "_XX_R_Ham.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"_XX_R_Ham\.npz: cannot be read as an array"):
        load_model(tmp_path / "system")


def test_a_system_of_wannierberri_in_a_tree(tmp_path, spinful):
    save_system(tmp_path / "Fe", spinful, old=False, subtracted=True)
    (source,) = find_materials(tmp_path)
    assert source.id == "Fe"
    assert source.load().size == 4
