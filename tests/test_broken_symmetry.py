"""What a model breaks on purpose stays broken, and what says that its crystal is another is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinscreen.kernels import InputError
from spinscreen.materials import (
    Atom,
    TrialOrbital,
    TrialOrbitals,
    WannierModel,
    bogoliubov,
    library,
    load_model,
    symmetrize,
    symmetry_deviation,
    symmetry_group,
    write_wannier90,
)
from spinscreen.materials.model import hermitian_part, opposite_rows
from spinscreen.workflows import Calculation, compute

#: Sums of a few hundred products of numbers of order 1.
ROUNDING = 1e-10


def with_atoms(model, symbol="C"):
    places = np.unique(model.centres.round(12), axis=0)
    return replace(model, fermi_level=0.0, atoms=tuple(Atom(symbol, tuple(place)) for place in places))


def through_files(model, folder):
    write_wannier90(replace(model, name="m"), folder, "m")
    return load_model(folder)


def layers(heights, period, periodic=(True, True, False), **more):
    """Square lattices of s orbitals above one another."""
    count = len(heights)
    between = 0.3 * (np.eye(count, k=1) + np.eye(count, k=-1))
    sites = [(0.0, 0.0, float(height)) for height in heights]
    return WannierModel.from_hoppings(
        "layers",
        np.diag([3.0, 3.0, period]),
        {(0, 0, 0): between, (1, 0, 0): -np.eye(count), (0, 1, 0): -np.eye(count)},
        [list(site) for site in sites],
        periodic=periodic,
        trial_orbitals=TrialOrbitals(tuple(TrialOrbital(site, "C", "s") for site in sites)),
        atoms=tuple(Atom("C", site) for site in sites),
        fermi_level=0.0,
        **more,
    )


@pytest.mark.parametrize(
    ("name", "parameters", "noise"),
    [
        ("haldane", {"t2": 0.09, "mass": 0.0}, 0.0),
        ("haldane", {"t2": 0.015, "mass": 0.0}, 1e-6),
        ("kane_mele", {"spin_orbit": 0.002, "rashba": 0.01, "staggered": 0.0}, 0.0),
    ],
)
def test_hoppings_that_break_the_lattice_of_their_atoms_stay(name, parameters, noise, tmp_path):
    model = with_atoms(library.load(name, **parameters))
    expected = model.symmetry_group.order
    rng = np.random.default_rng(0)
    shake = hermitian_part(rng.normal(size=model.hamiltonian.shape), opposite_rows(model.translations))[0]
    read = through_files(replace(model, hamiltonian=model.hamiltonian + noise * shake), tmp_path)
    prepared = Calculation().prepare(read)
    assert prepared.symmetry_group.order == expected
    # Digits of the file and noise, a thousand times smaller than what the model breaks.
    assert np.abs(prepared.hamiltonian.sum(axis=0) - read.hamiltonian.sum(axis=0)).max() < 1e-4


def test_a_chain_that_pairs_up_keeps_its_gap(tmp_path):
    sites = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]
    model = WannierModel.from_hoppings(
        "chain",
        np.diag([2.0, 20.0, 20.0]),
        {(0, 0, 0): [[0, -1.08], [-1.08, 0]], (1, 0, 0): [[0, 0], [-0.92, 0]]},
        sites,
        periodic=(True, False, False),
        trial_orbitals=TrialOrbitals(tuple(TrialOrbital(site, "C", "s") for site in sites)),
        fermi_level=0.0,
        atoms=tuple(Atom("C", site) for site in sites),
    )
    assert Calculation().prepare(through_files(model, tmp_path)).hamiltonian.sum(axis=0)[0, 1] == -2.0
    deviation = symmetry_deviation(model)
    assert deviation.hamiltonian < ROUNDING
    assert deviation.order < deviation.candidates


def test_what_a_group_forbids_is_shown_where_it_is_there():
    """A crystal that forbids the Hall effect, and a model that has it and obeys next to nothing."""
    model = with_atoms(library.load("haldane", t2=0.002, mass=0.0))
    rng = np.random.default_rng(0)
    shake = hermitian_part(rng.normal(size=model.hamiltonian.shape), opposite_rows(model.translations))[0]
    noisy = replace(model, hamiltonian=model.hamiltonian + 3e-3 * shake)
    found = compute(noisy, 12, 0.0, quantities=["anomalous_hall_conductivity"], symmetrize="off")
    hall = found["anomalous_hall_conductivity"]
    # e^2/h is 4e-5 S.
    assert float(abs(hall).max()) > 1e-6
    assert "xy" in hall.attrs["independent_components"].split(", ")
    assert hall.attrs["symmetry_residual"] > 0.5


def test_noise_of_a_raw_model_is_no_zero_by_symmetry(platinum):
    """Forbidden, of the order of its error bar, and not zero."""
    found = compute(
        platinum, 2, 18.3823, kshift=0.0, quantities=["anomalous_hall_conductivity"], symmetrize="off"
    )
    hall = found["anomalous_hall_conductivity"]
    assert (hall.attrs["symmetry_residual"] > 1e-3) == ("xy" in hall.attrs["independent_components"])
    assert float(abs(hall).max()) > 0.1
    assert "xy" in hall.attrs["independent_components"]


def test_a_strained_lattice_is_no_square():
    square = layers([0.0], 10.0)
    assert square.symmetry_group.order == 32
    strained = replace(square, lattice=np.diag([3.0, 3.0005, 10.0]))
    # Within the tolerance of positions a square, whose hoppings it has; its velocities differ by 2e-4.
    assert strained.symmetry_group.order == 16
    assert symmetrize(strained).symmetry_group.order == 32


@pytest.mark.parametrize(
    ("heights", "period", "order"),
    [([0.0, 2.0], 1.0, 32), ([0.0, 3.0], 3.0, 32), ([0.0, 3.0, 6.0], 9.0, 32), ([0.0, 5.0], 10.0, 32)],
)
def test_nothing_repeats_along_the_normal_of_layers(heights, period, order):
    observables = {f"layer{n}": np.diag(row) for n, row in enumerate(np.eye(len(heights)))}
    model = layers(heights, period, observables=observables)
    assert symmetry_group(model).order == order
    assert symmetry_group(replace(model, atoms=())).order == order
    assert symmetry_group(symmetrize(model)).order == order


def test_sums_of_observables_follow_as_their_terms_do():
    observables = {"lower": np.diag([1.0, 0.0]), "upper": np.diag([0.0, 1.0]), "both": np.eye(2)}
    model = layers([0.0, 3.0], 20.0, observables=observables)
    averaged = symmetrize(model)
    assert averaged.symmetry_group.order == model.symmetry_group.order == 32
    np.testing.assert_allclose(averaged.observables["both"], np.eye(2), atol=ROUNDING)


def test_orbitals_that_depend_on_one_another_leave_time_reversal():
    same = TrialOrbitals((TrialOrbital((0.0, 0.0, 0.0), "C", "s"),) * 2)
    model = replace(layers([0.0, 0.0], 10.0), trial_orbitals=same, atoms=())
    assert symmetry_group(model).time_reversal.tolist() == [False, True]
    with pytest.raises(InputError, match="depend on one another"):
        symmetrize(model)


def test_orbitals_along_oblique_axes_span_what_others_do():
    """Three p orbitals that are not orthogonal to one another, as `zaxis` makes them."""
    directions = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    across = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    axes = [
        np.array([x, np.cross(z, x), z])
        for z, x in zip(directions / np.linalg.norm(directions, axis=1)[:, None], across, strict=True)
    ]
    orbitals = tuple(TrialOrbital((0.0, 0.0, 0.0), "C", "pz", axes=own) for own in axes)
    cube = WannierModel.from_hoppings(
        "cube",
        3.0 * np.eye(3),
        {(0, 0, 0): np.eye(3)},
        np.zeros((3, 3)),
        trial_orbitals=TrialOrbitals(orbitals),
    )
    assert symmetry_group(cube).order == 96


def test_superconductors_are_not_averaged():
    paired = bogoliubov(library.load("kane_mele"), "s", 0.0, 0.05)
    with pytest.raises(InputError, match="symmetrized before it is paired"):
        Calculation(symmetrize="on").prepare(paired)
    assert Calculation().prepare(paired) is paired


def test_positions_of_another_run_are_not_averaged_away(platinum):
    home = int(np.flatnonzero(~platinum.translations.any(axis=1))[0])
    noise = np.random.default_rng(1).normal(size=(3, platinum.size, platinum.size))
    position = platinum.position.copy()
    position[home] += 0.3 * (noise + noise.transpose(0, 2, 1))
    shaken = replace(platinum, position=position)
    with pytest.raises(InputError, match=r"changes positions by .* angstrom"):
        symmetrize(shaken)
    note = Calculation().prepare(shaken).provenance.notes[-1]
    assert note.startswith("not symmetrized: ")


def test_projections_and_atoms_of_another_run_are_refused(gallium_arsenide):
    trial = gallium_arsenide.trial_orbitals
    half = len(trial.orbitals) // 2
    swapped = replace(trial, orbitals=trial.orbitals[half:] + trial.orbitals[:half])
    with pytest.raises(InputError, match="angstrom from it in their mean"):
        symmetrize(replace(gallium_arsenide, trial_orbitals=swapped))
    plain = [
        replace(o, name=name, coefficients=None)
        for o, name in zip(trial.orbitals[:8], np.repeat(["s", "pz", "px", "py"], 2), strict=True)
    ]
    named = replace(trial, orbitals=(*plain, *trial.orbitals[8:]))
    with pytest.raises(InputError, match="not made of the projections"):
        symmetrize(replace(gallium_arsenide, trial_orbitals=named))
