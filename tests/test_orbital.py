"""Orbital angular momentum, atoms and layers as observables."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from spinscreen.kernels import InputError
from spinscreen.materials import Atom, library, with_atoms, with_layer, with_orbital_momentum
from spinscreen.materials.orbital import OrbitalOrderWarning
from spinscreen.materials.trial_orbitals import angular_momentum
from spinscreen.workflows import compute


@pytest.mark.parametrize("l_number", [0, 1, 2, 3])
def test_angular_momentum_between_real_harmonics(l_number):
    lx, ly, lz = angular_momentum(l_number)
    np.testing.assert_allclose(lx @ ly - ly @ lx, 1j * lz, atol=1e-14)
    np.testing.assert_allclose(ly @ lz - lz @ ly, 1j * lx, atol=1e-14)
    total = lx @ lx + ly @ ly + lz @ lz
    np.testing.assert_allclose(total, l_number * (l_number + 1) * np.eye(2 * l_number + 1), atol=1e-14)
    for component in (lx, ly, lz):
        # Time reversal: purely imaginary between real functions.
        np.testing.assert_allclose(component.real, 0, atol=1e-15)


def test_signs_in_the_order_of_wannier90():
    """L_z px = i py and L_x py = i pz; order z, x, y."""
    lx, _, lz = angular_momentum(1)
    assert lz[2, 1] == pytest.approx(1j)
    assert lx[0, 2] == pytest.approx(1j)
    # L_z (d_x2-y2) = 2 i d_xy.
    assert angular_momentum(2)[2][4, 3] == pytest.approx(2j)


def projected(lines, atoms=("X",), size=None):
    model = library.load("kane_mele")
    size = size or 18
    return replace(
        model,
        hamiltonian=np.zeros((1, size, size)),
        translations=np.zeros((1, 3)),
        position=np.zeros((1, 3, size, size)),
        observables={},
        atoms=tuple(Atom(symbol, (0.0, 0.0, float(i))) for i, symbol in enumerate(atoms)),
        projections=lines,
    )


@pytest.mark.parametrize("lines", [("X:s;p;d",), ("X: l=0;l=1;l=2",), ("X:sp3d2;dxy;dxz;dyz",)])
def test_complete_shells_keep_the_algebra(lines):
    """Hybrids of complete shells are a rotation of them: eigenvalues of L_z stay whole."""
    model = with_orbital_momentum(projected(lines, size=9))
    lx, ly, lz = (model.observables[f"orbital_{axis}"] for axis in "xyz")
    np.testing.assert_allclose(lx @ ly - ly @ lx, 1j * lz, atol=1e-13)
    np.testing.assert_allclose(np.linalg.eigvalsh(lz), [-2, -1, -1, 0, 0, 0, 1, 1, 2], atol=1e-13)


def test_sites_do_not_mix():
    model = with_orbital_momentum(projected(("A:p", "B:p"), atoms=("A", "B"), size=6))
    lz = model.observables["orbital_z"]
    np.testing.assert_array_equal(lz[:3, 3:], 0)
    assert np.abs(lz[:3, :3]).max() == pytest.approx(1)


def test_chosen_functions():
    model = with_orbital_momentum(projected(("X:l=1,mr=2,3",), size=2))
    np.testing.assert_allclose(model.observables["orbital_z"], [[0, -1j], [1j, 0]], atol=1e-15)
    hybrid = with_orbital_momentum(projected(("X:sp3-2",), size=1))
    assert hybrid.observables["orbital_z"].shape == (1, 1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "has no projections, expected a projections block"),
        (("Y:p",), "projection onto 'Y', but model 'kane_mele' has the atoms X"),
        (("X:q",), "'q' in projection 'X:q' is not a function"),
        (("X:p",), "make 3 functions, expected 18"),
        (("X:p:z=1,0,1",), "z and x axes are not orthogonal"),
    ],
)
def test_projections_that_cannot_be_used_are_named(lines, message):
    with pytest.raises(InputError, match=message):
        with_orbital_momentum(projected(lines))


def test_platinum_has_a_conventional_and_a_conserved_orbital_hall_conductivity(platinum):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = with_orbital_momentum(platinum)
    assert any("orbital angular momentum: from the trial orbitals" in n for n in model.provenance.notes)
    lx, ly, lz = (model.onsite(f"orbital_{axis}") for axis in "xyz")
    np.testing.assert_allclose(lx @ ly - ly @ lx, 1j * lz, atol=1e-13)
    whole = np.repeat([-2, -1, 0, 1, 2], [2, 4, 6, 4, 2])
    np.testing.assert_allclose(np.linalg.eigvalsh(lz), whole, atol=1e-13)
    # Pt's functions are pure spinors to a few thousandths.
    spins = [model.onsite(f"spin_{axis}") for axis in "xyz"]
    assert max(np.abs(o @ s - s @ o).max() for o in (lx, ly, lz) for s in spins) < 0.005
    names = ["conventional_hall_conductivity", "conserved_hall_conductivity"]
    dataset = compute(model, 8, 18.3823, degeneracy_threshold=0.1, quantities=names)
    here = dataset.sel(observable="orbital_z", current_axis="x", field_axis="y").isel(fermi_energy=0)
    assert abs(float(here[names[0]])) > 100
    assert abs(float(here[names[1]]) - float(here[names[0]])) > 100


def test_without_trial_orbitals_platinum_is_warned_about(platinum):
    """Its functions were mixed by the minimization: the result is there, and said to be no good."""
    with pytest.warns(OrbitalOrderWarning, match="should commute, but differ by"):
        model = with_orbital_momentum(replace(platinum, trial_orbitals=None))
    assert any("taken to be the projections" in note for note in model.provenance.notes)


def test_iron_has_the_orbital_moment_of_a_weakly_coupled_magnet(iron):
    """sp3d2 and t2g make a complete s, p, d set: a small orbital moment, far below the spin moment."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = with_orbital_momentum(iron)
    dataset = compute(model, 8, 12.6279, quantities=["observable_density"]).isel(fermi_energy=0)
    density = dataset["observable_density"]
    spin, orbital = (float(density.sel(observable=name)) for name in ("spin_z", "orbital_z"))
    assert abs(spin) > 1
    assert 0 < abs(orbital) < 0.15


def test_atoms_share_the_functions():
    model = with_atoms(library.load("germanene"))
    projectors = [m for name, m in model.observables.items() if name.startswith("atom_")]
    assert list(model.observables)[-2:] == ["atom_1_Ge", "atom_2_Ge"]
    np.testing.assert_array_equal(sum(projectors), np.eye(4))
    np.testing.assert_array_equal(np.diag(projectors[0]), [1, 1, 0, 0])


def test_layers_of_a_buckled_sheet():
    model = with_layer(library.load("germanene"))
    np.testing.assert_array_equal(np.diag(model.observables["layer"]), [-1, -1, 1, 1])
    with pytest.raises(InputError, match="lie on one side"):
        with_layer(library.load("graphene"))
