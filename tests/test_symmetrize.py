"""Groups that models obey, and models averaged over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from command_line import spinscreen
from hypothesis import given
from hypothesis import strategies as st
from support import supercell
from symmetric import CRYSTALS, crystal_model, turned_axes

from spinscreen.kernels import InputError
from spinscreen.materials import library, load_model, symmetrize, symmetry_deviation, symmetry_group
from spinscreen.materials.model import hermitian_part, opposite_rows
from spinscreen.materials.symmetry import group_name, symmetrized
from spinscreen.materials.symmetry.levels import levels
from spinscreen.storage import open_store
from spinscreen.workflows import Calculation, compute, evaluate

#: Sums of some hundred products of numbers of order 1 to 30.
ROUNDING = 1e-10


@pytest.fixture(scope="module")
def symmetric_platinum(platinum):
    return symmetrized(platinum)


def test_platinum_is_averaged(platinum, symmetric_platinum):
    # Figures of the theory note, section 8, to their digits.
    model, found = symmetric_platinum
    assert (found.name, found.order, len(model.translations)) == ("Fm-3m and time reversal", 96, 93)
    assert found.hamiltonian == pytest.approx(0.0510, abs=5e-5)
    assert found.hamiltonian_rms == pytest.approx(0.0037, abs=5e-5)
    assert found.position == pytest.approx(0.0186, abs=5e-5)
    assert found.observables == pytest.approx(0.00176, abs=5e-6)
    assert found.splitting == pytest.approx(0.025, abs=2e-3)
    assert model.provenance.symmetry_deviation == found.hamiltonian
    assert model.provenance.pair_splitting == found.splitting
    assert model.provenance.band_change == found.band
    assert model.provenance.notes[-1].startswith("symmetrized: 96 operations of Fm-3m and time reversal; ")
    assert symmetry_group(platinum).order == 1


def test_what_is_symmetric_stays(symmetric_platinum):
    model, _ = symmetric_platinum
    again = symmetry_deviation(model)
    changes = (again.hamiltonian, again.position, again.observables, again.lattice)
    assert max(changes) < ROUNDING
    assert again.largest_splitting < 1e-9
    assert model.symmetry_group.order == 96
    assert model.trial_orbitals is not None


def test_kramers_pairs_are_one(symmetric_platinum):
    energy = levels(symmetric_platinum[0], np.random.default_rng(0).random((20, 3)))
    assert np.abs(energy[:, ::2] - energy[:, 1::2]).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "group", "order"),
    [
        ("iron", "I4/m, magnetic group BNS 139.537", 16),
        ("gallium_arsenide", "F-43m and time reversal", 48),
    ],
)
def test_groups_of_real_materials(name, group, order, request):
    model, found = symmetrized(request.getfixturevalue(name))
    assert (found.name, found.order) == (group, order)
    broken = found.candidates - order
    assert broken == (80 if name == "iron" else 0)
    told = f"the model breaks {broken} of 96 of its crystal"
    assert model.provenance.notes[-1].endswith(told) == (broken > 0)
    # Their functions came out symmetric but for what their files round and their minimization left.
    assert found.hamiltonian < 1e-3
    assert symmetry_group(model).order == order
    assert symmetry_deviation(model).hamiltonian < ROUNDING


def test_saved_models_keep_what_was_measured(symmetric_platinum, tmp_path):
    model, _ = symmetric_platinum
    model.save(tmp_path / "Pt.hdf5")
    read = load_model(tmp_path / "Pt.hdf5")
    assert read.fingerprint == model.fingerprint
    assert read.provenance == model.provenance
    assert read.symmetry_group.order == 96


#: Orders by hand: point group, times two where time reversal itself is among them.
LIBRARY = {
    # C3v and time reversal: Rashba coupling takes the mirror of the plane, the potential the inversion.
    "kane_mele": ({}, 12),
    # D6h and time reversal
    "graphene": ({}, 48),
    # D3d and time reversal, C3v in a field along the normal
    "silicene": ({}, 24),
    "germanene": ({"staggered": 0.1}, 12),
    # D3h and time reversal
    "MoS2": ({}, 24),
    # C4, and the mirrors with time reversed
    "rashba_ferromagnet": ({}, 8),
    # C3h, and the mirrors with time reversed
    "haldane": ({}, 12),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_groups_of_the_library(name):
    parameters, order = LIBRARY[name]
    model = library.load(name, **parameters)
    assert symmetry_group(model).order == order
    # What a model of the library breaks it means to break.
    assert symmetry_deviation(model).hamiltonian < ROUNDING


@pytest.mark.parametrize("name", CRYSTALS)
def test_groups_of_crystals(name):
    model = crystal_model(name)
    group = symmetry_group(model)
    assert group.order == CRYSTALS[name].order
    assert not group.rotations[0].any() or np.array_equal(group.rotations[0], np.eye(3))
    assert group_name(group, model.lattice)
    names = {(w.tobytes(), bool(t)) for w, t in zip(group.rotations, group.time_reversal, strict=True)}
    for first in range(group.order):
        for second in range(group.order):
            product = group.rotations[first] @ group.rotations[second]
            assert (
                product.tobytes(),
                bool(group.time_reversal[first] ^ group.time_reversal[second]),
            ) in names


QUANTITIES = ["energy", "velocity", "texture", "berry_curvature", "conserved_curvature", "proper_curvature"]


@given(
    name=st.sampled_from(sorted(CRYSTALS)),
    seed=st.integers(0, 3),
    number=st.integers(0, 47),
    k=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_values_at_a_turned_k_are_turned_values(name, seed, number, k):
    model = crystal_model(name, seed)
    group = model.symmetry_group
    number %= group.order
    # Accidental degeneracies at the ends of the interval are as good as any: multiplets are resolved by 1e-6.
    points = np.array([k, group.on_kpoints[number] @ np.array(k)])
    chosen = QUANTITIES if model.observables else ["energy", "velocity", "berry_curvature"]
    found = evaluate(model, points, chosen, degeneracy_threshold=1e-6)
    polar, axial, reversal = turned_axes(group, number)
    mixing = group.observables[number]
    expected = {
        "energy": lambda x: x,
        "velocity": lambda x: reversal * np.einsum("ab,bn->an", polar, x),
        "texture": lambda x: np.einsum("st,tn->sn", mixing, x),
        "berry_curvature": lambda x: reversal * np.einsum("ab,bn->an", axial, x),
        "conserved_curvature": lambda x: reversal * np.einsum("st,ab,tbn->san", mixing, axial, x),
        "proper_curvature": lambda x: reversal * np.einsum("st,ac,bd,tcdn->sabn", mixing, polar, polar, x),
    }
    for quantity in chosen:
        here, there = found[quantity].values
        # Curvatures near a degeneracy are large and lose as many digits as they are.
        scale = max(1.0, np.abs(here).max() ** 2)
        np.testing.assert_allclose(there, expected[quantity](here), atol=1e-8 * scale, err_msg=quantity)


def test_any_observable_is_followed_or_refused():
    model = crystal_model("rhombohedral")
    height = model.trial_orbitals.positions[:, 2]
    layer = np.diag(np.where(height < 4.0, np.sign(height), 0.0))
    both = model.with_observable("layer", model.trial_orbitals.to_wannier(layer))
    group = symmetry_group(both)
    assert group.order == 24
    signs = group.observables[:, 3, 3]
    # Inversion exchanges the layers of Bi; time reversal does not.
    np.testing.assert_allclose(np.abs(signs), 1.0, atol=ROUNDING)
    assert (signs < 0).sum() == 12
    lone = replace(model, observables={"spin_z": model.observable_facts["spin_z"]})
    # Twofold axes and mirrors turn s_z over; nothing of this crystal takes it out of its axis.
    assert symmetry_group(lone).order == 24
    oblique = replace(model, observables={"spin_x": model.observable_facts["spin_x"]})
    assert symmetry_group(oblique).order < 24


def test_a_model_without_trial_orbitals_obeys_time_reversal_at_most(gallium_arsenide):
    unknown = replace(crystal_model("zincblende"), trial_orbitals=None)
    assert symmetry_group(unknown).order == 1
    plain = replace(library.load("kane_mele"), trial_orbitals=None)
    group = symmetry_group(plain)
    assert group.time_reversal.tolist() == [False, True]
    np.testing.assert_allclose(group.observables[1], -np.eye(3), atol=ROUNDING)
    assert symmetry_group(replace(library.load("haldane"), trial_orbitals=None)).order == 1
    with pytest.raises(InputError, match="trial orbitals of model 'kane_mele' are not known"):
        symmetrize(plain)


def test_files_are_symmetrized_by_default(platinum, symmetric_platinum):
    symmetric, _ = symmetric_platinum
    assert Calculation().prepare(platinum).fingerprint == symmetric.fingerprint
    assert Calculation(symmetrize="off").prepare(platinum) is platinum
    # What is symmetric already, or built by hand, keeps its key.
    assert Calculation().prepare(symmetric) is symmetric
    model = library.load("kane_mele")
    assert Calculation().prepare(model) is model
    assert Calculation(symmetrize="on").prepare(model) is model
    paired = Calculation(pairing="s", chemical_potential=18.0).prepare(platinum)
    assert paired.provenance.symmetry_deviation == symmetric.provenance.symmetry_deviation


def test_the_setting_is_one_of_three():
    with pytest.raises(InputError, match="symmetrize"):
        Calculation(symmetrize="perhaps")


def test_what_cannot_be_symmetrized_is_told(platinum):
    unknown = replace(platinum, trial_orbitals=None)
    with pytest.raises(InputError, match="trial orbitals of model 'Pt' are not known"):
        Calculation(symmetrize="on").prepare(unknown)
    assert (
        Calculation().prepare(unknown).provenance.notes[-1].startswith("not symmetrized: the trial orbitals")
    )


def test_other_projections_or_atoms_are_refused_in_a_sentence(platinum):
    """Orbitals under the names of others; an atom that is not where the orbitals are."""
    orbitals = platinum.trial_orbitals.orbitals
    shuffled = replace(platinum.trial_orbitals, orbitals=orbitals[8:] + orbitals[:8])
    with pytest.raises(InputError, match=r"of 96 operations of its crystal change H by up to"):
        symmetrize(replace(platinum, trial_orbitals=shuffled))
    moved = (replace(platinum.atoms[0], position=(0.3, 0.1, 0.2)),)
    with pytest.raises(
        InputError, match=r"none of the 96 operations of the crystal .* or the atoms are wrong"
    ):
        symmetrize(replace(platinum, atoms=moved))


@pytest.mark.filterwarnings("ignore:.*one k point")
def test_forbidden_components_vanish(symmetric_platinum, iron):
    """One spin Hall component of Pt, antisymmetric in all axes; the Hall effect of Fe along z alone."""
    # Without its orbitals nothing is known of its group: every point of the mesh counts for itself.
    model = replace(symmetric_platinum[0], trial_orbitals=None)
    settings = {"degeneracy_threshold": 1e-6, "kshift": 0.0, "quantities": ["proper_hall_conductivity"]}
    found = compute(model, 6, 18.3823, **settings)
    assert found.attrs["evaluations"] == 6**3
    tensor = found["proper_hall_conductivity"].values[..., 0]
    levi_civita = np.zeros((3, 3, 3))
    for even in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[even], levi_civita[even[0], even[2], even[1]] = 1, -1
    # Sums of 216 points, whose terms are a hundred times their sum.
    np.testing.assert_allclose(tensor, tensor[2, 0, 1] * levi_civita, atol=1e-7 * np.abs(tensor).max())
    model = replace(symmetrize(iron), trial_orbitals=None)
    hall = compute(model, 8, 12.6279, kshift=0.0, quantities=["anomalous_hall_conductivity"])
    tensor = hall["anomalous_hall_conductivity"].values[..., 0]
    forbidden = np.abs(tensor - tensor[0, 1] * levi_civita[2]).max()
    assert forbidden < 1e-7 * abs(tensor[0, 1])


#: Last row of section 8 of the theory note: T4, T14 and, at a threshold of 1e-6 eV, T6; as printed.
THEORY = [
    (16, 0.0, 1787.0, 1438.8, 80937),
    (24, 0.0, 1975.4, 1473.1, 52254),
    (24, 0.5, 2017.1, 1514.4, 1518),
    (32, 0.5, 1990.3, 1503.7, 1495),
]


@pytest.mark.filterwarnings("ignore:.*one k point")
@pytest.mark.parametrize(("kmesh", "kshift", "conventional", "proper", "conserved"), THEORY)
def test_symmetric_platinum_of_the_theory_note(
    symmetric_platinum, kmesh, kshift, conventional, proper, conserved
):
    names = ["conventional_hall_conductivity", "proper_hall_conductivity", "conserved_hall_conductivity"]
    found = {
        threshold: compute(symmetric_platinum[0], kmesh, 18.3823, 0.0, threshold, names, kshift=kshift).sel(
            observable="spin_z"
        )
        for threshold in (1e-6, 5e-2)
    }
    for name, expected in zip(names[:2], (conventional, proper), strict=True):
        for dataset in found.values():
            tensor = dataset[name].values[..., 0]
            assert tensor[0, 1] == pytest.approx(expected, abs=0.05)
            # Sums of some thousand terms a hundred times as large.
            assert tensor[1, 0] == pytest.approx(-tensor[0, 1], rel=1e-9)
    packets = found[1e-6]["conserved_hall_conductivity"].values[0, 1, 0]
    assert packets == pytest.approx(conserved, abs=0.5)


def test_a_fortieth_of_the_points_from_the_command_line(tmp_path, reference_data):
    store = tmp_path / "results.zarr"
    shown = spinscreen(
        "run", str(reference_data / "Pt"), "--symmetrize", "on", "--kmesh", "48", "--kshift", "0",
        "--fermi-level", "18.3823", "--quantities", "conventional_hall_conductivity",
        "--store", str(store),
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    (dataset,) = (node.to_dataset() for node in open_store(store)["materials"].children.values())
    assert dataset.attrs["evaluations"] <= 48**3 / 20
    value = dataset["conventional_hall_conductivity"].sel(
        observable="spin_z", current_axis="x", field_axis="y"
    )
    assert float(value.sel(fermi_energy=18.3823)) == pytest.approx(2017.6, abs=1)


def test_information_shows_the_group(reference_data):
    shown = spinscreen("info", str(reference_data / "Pt")).stdout
    assert "Fm-3m and time reversal, 96 of 96 operations" in shown
    assert "0.051 eV, rms 0.0037 eV" in shown
    assert "averaged away before anything is computed" in shown
    assert "P3m1 and time reversal, 12 operations" in spinscreen("info", "kane_mele").stdout


def test_two_cells_are_one_crystal():
    """Graphene, two cells along a1: half a translation is an operation over which noise is averaged too."""
    model = library.load("graphene")
    trial = model.trial_orbitals
    shifted = [np.add(orbital.position, model.lattice[0]) for orbital in trial.orbitals]
    second = [replace(o, position=tuple(p)) for o, p in zip(trial.orbitals, shifted, strict=True)]
    atoms = [replace(a, position=tuple(np.add(a.position, model.lattice[0]))) for a in model.atoms]
    double = replace(
        supercell(model, 0),
        atoms=(*model.atoms, *atoms),
        trial_orbitals=replace(trial, orbitals=(*trial.orbitals, *second)),
    )
    group = double.symmetry_group
    # D2h, which is what the long cell leaves of D6h, twice for the half translation, and with time reversed.
    assert group.order == 8 * 2 * 2
    unmoved = (group.rotations == np.eye(3)).all(axis=(1, 2)) & ~group.time_reversal
    np.testing.assert_allclose(sorted(group.translations[unmoved, 0] % 1), [0, 0.5], atol=ROUNDING)
    rng = np.random.default_rng(1)
    noise = hermitian_part(
        1e-3 * rng.normal(size=double.hamiltonian.shape), opposite_rows(double.translations)
    )[0]
    noisy = replace(double, hamiltonian=double.hamiltonian + noise)
    assert noisy.symmetry_group.order == 1
    averaged = symmetrize(noisy)
    assert averaged.symmetry_group.order == 32
    assert symmetry_deviation(averaged).hamiltonian < ROUNDING
