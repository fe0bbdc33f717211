"""The frozen model: validation, identity, round trips."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import tbmodels
from support import random_model, values

from spinscreen.kernels import InputError
from spinscreen.materials import SpinOrderingWarning, WannierModel, library, load_model, write_wannier90

KPOINTS = np.random.default_rng(9).random((5, 3))


def assert_equal(first: WannierModel, second: WannierModel) -> None:
    assert first.fingerprint == second.fingerprint
    for name in ("name", "periodic", "atoms", "fermi_level", "provenance"):
        assert getattr(first, name) == getattr(second, name), name
    assert list(first.observables) == list(second.observables)


def test_arrays_are_read_only():
    model = library.load("kane_mele")
    for array in (model.lattice, model.hamiltonian, model.position, model.observables["spin_x"]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        model.observables["spin_x"] = np.eye(4)


@pytest.mark.parametrize("suffix", [".hdf5", ".h5"])
@pytest.mark.parametrize("model", [library.load("silicene"), random_model(1)], ids=["library", "random"])
def test_save_and_load_keep_everything(tmp_path, model, suffix):
    path = tmp_path / f"model{suffix}"
    model.save(path)
    assert_equal(model, load_model(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_model_travels_by_pickle():
    model = library.load("MoS2")
    assert model.operators.size == 6
    assert_equal(model, pickle.loads(pickle.dumps(model)))


def test_saving_under_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.hdf5 or \.h5"):
        library.load("MoS2").save(tmp_path / "model.txt")


def test_a_damaged_or_foreign_hdf5_file_is_refused(tmp_path):
    path = tmp_path / "model.hdf5"
    path.write_bytes(b"not hdf5")
    with pytest.raises(InputError, match=r"model\.hdf5: neither a saved spinscreen model nor a TBmodels"):
        load_model(path)


def test_the_fingerprint_sees_numbers_not_names():
    model = random_model(2)
    assert replace(model, name="other", fermi_level=3.0).fingerprint == model.fingerprint
    changed = model.hamiltonian.copy()
    changed[~model.translations.any(axis=1)] += 1e-12 * np.eye(4)
    assert replace(model, hamiltonian=changed).fingerprint != model.fingerprint


def _replaced(**changes):
    return lambda: replace(random_model(0), **changes)


def _with_element(field, value):
    def build():
        model = random_model(0)
        array = np.array(getattr(model, field))
        array[(0,) * array.ndim] = value
        return replace(model, **{field: array})

    return build


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_with_element("hamiltonian", np.nan), "hamiltonian has a NaN or infinite element at index"),
        (_with_element("position", np.inf), "position has a NaN or infinite element"),
        (_with_element("hamiltonian", 100.0), "hamiltonian is not Hermitian"),
        (_with_element("position", 100.0), "position is not Hermitian"),
        (_replaced(lattice=np.ones((3, 3))), "lattice is singular"),
        (_replaced(lattice=np.eye(2)), r"lattice has shape \(2, 2\), expected \(3, 3\)"),
        (_replaced(periodic=(False,) * 3), "periodic has no true entry"),
        (
            _replaced(observables={"odd": np.eye(3)}),
            r"observable 'odd' has shape \(3, 3\), expected \(4, 4\)",
        ),
        (_replaced(observables={"skew": 1j * np.eye(4)}), "observable 'skew' is not Hermitian"),
        (lambda: _without_opposite(), "for every R vector, its negative"),
        (lambda: _doubled(), "appears twice"),
        (_replaced(hamiltonian="text"), "expected an array"),
    ],
)
def test_a_model_that_cannot_be_right_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def _without_opposite():
    model = random_model(0)
    return replace(
        model,
        translations=model.translations[1:],
        hamiltonian=model.hamiltonian[1:],
        position=model.position[1:],
        observables={},
    )


def _doubled():
    model = random_model(0)
    translations = model.translations.copy()
    translations[0] = translations[1]
    return replace(model, translations=translations)


@pytest.mark.parametrize("name", ["haldane", "kane_mele", "germanene", "MoS2", "bhz_hgte", "lattice_dirac"])
@pytest.mark.filterwarnings("ignore::spinscreen.materials.loading.SpinOrderingWarning")
@pytest.mark.parametrize("kind", ["_tb.dat", "_hr.dat"])
def test_wannier90_files_bring_the_model_back(tmp_path, name, kind):
    model = library.load(name)
    stem = write_wannier90(model, tmp_path)
    found = load_model(stem.with_name(stem.name + kind))
    assert found.periodic == model.periodic
    assert [a.symbol for a in found.atoms] == [a.symbol for a in model.atoms]
    assert found.fermi_level == pytest.approx(model.fermi_level, abs=1e-9)
    np.testing.assert_allclose(found.centres, model.centres, atol=1e-7)
    k = KPOINTS * model.periodic
    before, after = (values(m, k, 1e-3, names=("energy", "berry_curvature")) for m in (model, found))
    # 8 digits in _tb.dat; 6 decimals in _hr.dat, summed over some ten R.
    tolerance = 1e-6 if kind == "_tb.dat" else 1e-5
    np.testing.assert_allclose(after["energy"], before["energy"], atol=tolerance)
    if kind == "_tb.dat":
        # 0 up to rounding where time reversal and inversion both hold.
        scale = max(np.abs(before["berry_curvature"]).max(), 1e-6)
        np.testing.assert_allclose(after["berry_curvature"], before["berry_curvature"], atol=1e-3 * scale)
    if "spin_z" in model.observables and name != "bhz_hgte":
        np.testing.assert_array_equal(found.observables["spin_z"], model.observables["spin_z"])


def test_tbmodels_in_memory_and_in_its_own_file(tmp_path):
    lattice, spin = np.diag([2.0, 3.0]), np.array([[1, 0.2], [0.2, -1]])
    source = tbmodels.Model(
        hop={(0, 0): spin / 2, (1, 0): 0.3 * np.eye(2), (0, 1): np.array([[0, 1j], [0.5, 0]])},
        contains_cc=False,
        pos=[[0.0, 0.0], [0.5, 0.25]],
        uc=lattice,
    )
    model = load_model(source, spin_ordering="none", name="two-orbital")
    assert model.periodic == (True, True, False)
    np.testing.assert_allclose(model.centres[1], [1.0, 0.75, 0])
    k = KPOINTS * [1, 1, 0]
    expected = np.array([np.linalg.eigvalsh(source.hamilton(point[:2])) for point in k])
    np.testing.assert_allclose(values(model, k, names=("energy",))["energy"], expected, atol=1e-12)
    path = tmp_path / "model.hdf5"
    source.to_hdf5_file(str(path))
    again = load_model(path, spin_ordering="none")
    np.testing.assert_array_equal(again.hamiltonian, model.hamiltonian)


def test_overrides_go_before_files():
    model = load_model(
        tbmodels.Model(on_site=[0.0, 1.0], hop={}, dim=3, uc=np.eye(3)),
        name="given",
        fermi_level=0.5,
        spin_ordering="interlaced",
        centres=np.ones((2, 3)),
        observables={"layer": np.diag([1.0, -1.0])},
    )
    assert (model.name, model.fermi_level) == ("given", 0.5)
    assert set(model.observables) == {"spin_x", "spin_y", "spin_z", "layer"}
    np.testing.assert_array_equal(model.centres, 1)


def test_an_unknown_override_is_refused():
    with pytest.raises(InputError, match="unknown keyword 'fermi_energy', expected one of name, fermi_level"):
        load_model("anything", fermi_energy=3)


def test_something_else_than_a_path_is_refused():
    with pytest.raises(
        InputError, match=r"expected a path, or a model of TBmodels, PythTB or sisl, found int"
    ):
        load_model(3)


def test_an_assumed_spin_order_is_said(tmp_path):
    stem = write_wannier90(library.load("kane_mele"), tmp_path)
    with pytest.warns(SpinOrderingWarning, match=r"interlaced, found by test \(interlaced: time reversal"):
        model = load_model(stem)
    assert any("interlaced" in note for note in model.provenance.notes)


def large_model(size: int = 100) -> WannierModel:
    """`size` functions on 27 R vectors: H takes 4 MiB, A three times as much."""
    return random_model(3, size=size)


@pytest.mark.parametrize(
    "changed",
    [
        lambda model: model.noted("x"),
        lambda model: model.with_charge(),
        lambda model: replace(model, name="other", fermi_level=1.0),
        lambda model: pickle.loads(pickle.dumps(model)).noted("x"),
    ],
    ids=["noted", "with_charge", "replace", "pickle"],
)
def test_read_only_arrays_are_shared(changed):
    model = random_model(2)
    found = changed(model)
    again = replace(found)
    for name in ("lattice", "translations", "hamiltonian", "position"):
        assert not getattr(found, name).flags.writeable
        assert getattr(again, name) is getattr(found, name)
        np.testing.assert_array_equal(getattr(found, name), getattr(model, name))
    for name in model.observables:
        assert again.observables[name] is found.observables[name]


def test_a_note_shares_everything_and_what_was_computed():
    model = random_model(2)
    operators, fingerprint = model.operators, model.fingerprint
    found = model.noted("x")
    assert found.hamiltonian is model.hamiltonian
    assert found.operators is operators
    assert found.fingerprint == fingerprint
    assert (found.provenance.notes, model.provenance.notes) == (("x",), ())
    assert found.with_charge().operators is not operators


def test_a_note_takes_no_memory():
    model = large_model()
    tracemalloc.start()
    try:
        found = model.noted("x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.position is model.position
    # A few small objects; the arrays of the model take 30 MiB.
    assert peak < 100_000


def test_arrays_that_somebody_can_write_to_are_copied():
    model = random_model(2)
    mine = model.hamiltonian.copy()
    view = mine[:]
    view.flags.writeable = False
    for array in (mine, view):
        found = replace(model, hamiltonian=array)
        assert not np.shares_memory(found.hamiltonian, mine)


def test_hoppings_need_no_home_cell_and_have_the_size_of_the_centres():
    hop = {(1, 0, 0): [[-1.0]]}
    chain = WannierModel.from_hoppings(
        "chain", np.eye(3), hop, np.zeros((1, 3)), periodic=(True, False, False)
    )
    assert chain.translations.tolist() == [[-1, 0, 0], [0, 0, 0], [1, 0, 0]]
    for wrong in ({(1, 0, 0): np.eye(2)}, {(1, 0): [[1.0]]}):
        with pytest.raises(InputError, match="hoppings at R"):
            WannierModel.from_hoppings("chain", np.eye(3), wrong, np.zeros((1, 3)))


def test_a_model_is_shown_in_a_few_lines():
    model = large_model(4).noted("<b>")
    text = repr(model)
    assert text.startswith("WannierModel 'random-3'\n")
    assert "Wannier functions: 4" in text
    assert "spin_z (hbar)" in text
    # As many lines as facts, whatever the arrays are.
    assert len(text.splitlines()) <= 12
    html = model._repr_html_()
    assert html.startswith("<table>")
    assert "&lt;b&gt;" in html
    assert len(html) < 4000


def test_what_was_valid_is_not_checked_again(monkeypatch):
    from spinscreen.materials.model import validation

    # Private on purpose: only the check itself knows whether it ran, and nobody else should call it.
    model, checked = random_model(2), []
    check = validation._validate_hermiticity
    monkeypatch.setattr(
        validation,
        "_validate_hermiticity",
        lambda where, name, *rest: (checked.append(name), check(where, name, *rest)),
    )
    replace(model, name="other", fermi_level=1.0, provenance=model.provenance).noted("x")
    pickle.loads(pickle.dumps(model))
    assert checked == []
    charged = model.with_charge()
    assert checked == ["observable 'charge'"]
    replace(charged, observables={"spin_x": model.observables["spin_y"]})
    assert checked == ["observable 'charge'"]
    replace(charged, hamiltonian=model.hamiltonian.copy())
    assert set(checked) == {
        "hamiltonian",
        "position",
        *(f"observable {name!r}" for name in charged.observables),
    }
