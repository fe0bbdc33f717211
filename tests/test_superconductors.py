"""Bogoliubov-de Gennes models: section 6 of the theory note and its rows of section 7."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import constants
from support import values

from spinscreen.kernels import BOLTZMANN, CONDUCTANCE, INTEGRALS, InputError, find_quantity
from spinscreen.materials import WannierModel, bcs_gap, bogoliubov, library, superconducting_state
from spinscreen.workflows import compute
from spinscreen.workflows.alarms import ThresholdWarning

M = "circulation_magnetization"


def one_orbital() -> WannierModel:
    """eps = -2 t (cos kx + cos ky) with t = 1 eV and a = 1 angstrom, spinless."""
    hop = -np.eye(1)
    return WannierModel.from_hoppings(
        "one-orbital",
        np.diag([1.0, 1.0, 20.0]),
        {(0, 0, 0): np.zeros((1, 1)), (1, 0, 0): hop, (0, 1, 0): hop},
        np.zeros((1, 3)),
        periodic=(True, True, False),
        fermi_level=0.0,
    )


@pytest.mark.parametrize("mu", [-0.6, 0.05, 0.4])
@pytest.mark.parametrize("temperature", [0.0, 1000.0])
@pytest.mark.parametrize("name", ["haldane", "kane_mele"])
def test_without_a_gap_the_normal_magnetization_comes_back(name, mu, temperature):
    normal = library.load(name).with_charge()
    size = normal.size
    pairing = {(0, 0, 0): np.zeros((size, size))}
    doubled = bogoliubov(normal, pairing, chemical_potential=mu)
    options = {"degeneracy_threshold": 1e-9, "temperature": temperature, "quantities": [M]}
    expected = compute(normal, 20, mu, **options)[M].sum("part").sel(observable="charge").values
    found = compute(doubled, 20, **options)[M].sum("part").sel(observable="charge").values
    if name == "haldane":
        assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found, expected, atol=1e-12)


#: Every integral that has a meaning in a superconductor.
MEANINGFUL = [quantity.name for quantity in INTEGRALS if not quantity.refused_superconducting]


def assert_same(found, expected, name, tolerance):
    """Equal up to the largest element; what symmetry makes zero leaves rounding of elements of order one."""
    values = found.sel(observable=expected["observable"]) if "observable" in expected.dims else found
    factor = CONDUCTANCE if "S" in expected.attrs["units"] or "A/" in expected.attrs["units"] else 1.0
    scale = max(float(abs(expected).max()), 1e-4 * factor)
    np.testing.assert_allclose(values, expected, atol=tolerance * scale, err_msg=name)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mu", [-0.9, 0.05, 0.4])
@pytest.mark.parametrize("temperature", [0.0, 900.0])
@pytest.mark.parametrize("name", ["haldane", "kane_mele"])
def test_without_a_gap_every_quantity_has_its_normal_value(name, mu, temperature):
    """The battery over the registry: field responses with their vertex, constants of the doubling, notes."""
    normal = library.load(name).with_charge()
    doubled = bogoliubov(normal, {(0, 0, 0): np.zeros((normal.size,) * 2)}, chemical_potential=mu)
    names = [n for n in MEANINGFUL if temperature > 0 or not find_quantity(n).needs_temperature]
    expected = compute(normal, 12, mu, temperature, 1e-9, names)
    # Particles and holes meet at the Fermi level: a threshold would join them.
    found = compute(doubled, 12, None, temperature, 1e-12, names)
    for quantity in names:
        assert_same(found[quantity], expected[quantity], quantity, 1e-9)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_a_gap_gallium_arsenide_has_its_normal_values(gallium_arsenide):
    """Ab initio spins and a position matrix that do not commute, at k_BT = 0.3 eV."""
    shape = (gallium_arsenide.size,) * 2
    doubled = bogoliubov(gallium_arsenide, {(0, 0, 0): np.zeros(shape)}, chemical_potential=7.0)
    temperature = 0.3 / BOLTZMANN
    expected = compute(gallium_arsenide, 4, 7.0, temperature, 1e-3, MEANINGFUL, symmetrize="off")
    found = compute(doubled, 4, None, temperature, 1e-3, MEANINGFUL)
    for quantity in MEANINGFUL:
        if quantity not in ("observable_density", "anomalous_hall_conductivity"):
            # Levels closer than the threshold: curvatures of 1e6 with the rounding of their terms.
            assert_same(found[quantity], expected[quantity], quantity, 1e-6)


def test_field_vertex_numbers_of_the_theory_note():
    """Kane-Mele, mu = -0.9, 900 K, 30 x 30, gap 1e-9 eV; two codes that share nothing with the kernels."""
    model = bogoliubov(library.load("kane_mele"), "s", chemical_potential=-0.9, gap=1e-9)
    expected = {
        "conventional_hall_conductivity": -2.167443e-6,
        "conserved_hall_conductivity": -3.146624e-6,
        "dipole_surface_conductivity": -7.284996e-6,
        "proper_hall_conductivity": -7.304627e-6 + 7.284996e-6,
        "proper_surface_conductivity": 7.284996e-6,
        "accumulation_coefficient": -7.284996e-6 - 6.744907e-6,
    }
    names = [*expected, "drude_weight", "field_induced_density_rate"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = compute(model, 30, None, 900.0, 1e-12, names, kshift=0).isel(fermi_energy=0)
    for name, value in expected.items():
        here = float(found[name].sel(observable="spin_z", current_axis="x", field_axis="y"))
        # Seven printed digits.
        assert here == pytest.approx(value, abs=2e-12), name
    drude = found["drude_weight"].sel(observable="charge", current_axis="x", field_axis="x")
    assert float(drude) == pytest.approx(6.488946e-5, abs=1e-11)
    rate = found["field_induced_density_rate"].sel(observable="spin_y", field_axis="x")
    assert CONDUCTANCE * float(rate) == pytest.approx(-7.515169e-7, abs=1e-12)


def test_an_open_gap_changes_the_response_smoothly():
    """T4 and T14 of an s wave tend to the normal values with the square of the gap."""
    normal, names = library.load("kane_mele"), ["conventional_hall_conductivity", "proper_hall_conductivity"]
    at = {"observable": "spin_z", "current_axis": "x", "field_axis": "y", "fermi_energy": 0}

    def response(gap):
        model = bogoliubov(normal, "s", chemical_potential=-0.9, gap=gap)
        found = compute(model, 24, None, 2000.0, 1e-12, names)
        return np.array([float(found[name].sel(at)) for name in names])

    none, small, large = response(1e-9), response(2e-3), response(4e-3)
    # kT is 0.17 eV: the next order is (gap/kT)^2 smaller.
    np.testing.assert_allclose((large - none) / (small - none), 4, rtol=1e-2)


def test_what_has_no_meaning_in_a_superconductor_is_refused():
    model = bogoliubov(library.load("kane_mele"), "s", gap=0.05)
    with pytest.raises(InputError, match=r"'conserved_hall_conductivity_occupied' has no meaning in a super"):
        compute(model, 4, quantities=["conserved_hall_conductivity_occupied"])


def test_a_threshold_that_joins_electrons_and_holes_is_warned_about():
    model = bogoliubov(library.load("kane_mele"), "s", gap=1e-3)
    with pytest.warns(UserWarning, match=r"threshold 0.005 eV joins levels on both sides of the gap"):
        compute(model, 4, quantities=["conserved_hall_conductivity"], degeneracy_threshold=5e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ThresholdWarning)
        compute(model, 4, quantities=["conserved_hall_conductivity"])


def test_results_of_a_superconductor_say_what_is_not_in_them():
    model = bogoliubov(library.load("kane_mele"), "s", gap=0.05)
    found = compute(model, 6, None, 50.0, 1e-6, ["drude_weight", M, "proper_hall_conductivity"])
    assert "without the superfluid weight" in found["drude_weight"].attrs["note"]
    assert "of the quasiparticles" in found[M].attrs["note"]
    assert "bare bubble" in found["proper_hall_conductivity"].attrs["note"]


def test_one_orbital_chiral_p_wave_outside_the_band():
    """The moment vanishes; dipole and Berry part cancel."""
    model = bogoliubov(one_orbital(), "p+ip", chemical_potential=-5.0, gap=0.7)
    found = compute(model, 60, quantities=[M])[M].sel(observable="charge", axis="z").isel(fermi_energy=0)
    moment, dipole, berry = (float(found.sel(part=part)) for part in ("moment", "dipole", "berry"))
    assert abs(berry) > 1e-4
    assert moment == pytest.approx(0, abs=1e-15)
    assert dipole + berry == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("name", ["s", "extended_s", "d_x2-y2", "d_xy", "d+id", "p+ip"])
def test_every_named_pairing_is_fermionic_and_particle_hole_symmetric(name):
    model = bogoliubov(library.load("rashba_ferromagnet"), name, gap=0.1)
    k = np.random.default_rng(0).random((6, 3)) * [1, 1, 0]
    here, there = (values(model, point, names=("energy",))["energy"] for point in (k, -k))
    np.testing.assert_allclose(here, -there[:, ::-1], atol=1e-13)
    assert list(model.observables)[-1] == "charge"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("s", lambda x, y: 1 + 0 * x),
        ("extended_s", lambda x, y: np.cos(x) + np.cos(y)),
        ("d_x2-y2", lambda x, y: np.cos(x) - np.cos(y)),
        ("d_xy", lambda x, y: -2 * np.sin(x) * np.sin(y)),
        ("p+ip", lambda x, y: np.sin(x) + 1j * np.sin(y)),
    ],
)
def test_gaps_of_named_pairings_on_the_square_lattice(name, form):
    """A band without spin-orbit coupling: E = sqrt(xi^2 + |gap phi|^2)."""
    normal = library.load("rashba_ferromagnet", rashba=0.0, exchange=0.0)
    model = bogoliubov(normal, name, chemical_potential=1.0, gap=0.3)
    k = np.random.default_rng(1).random((8, 3)) * [1, 1, 0]
    x, y = 2 * np.pi * k[:, 0], 2 * np.pi * k[:, 1]
    xi = 4 - 2 * np.cos(x) - 2 * np.cos(y) - 1.0
    expected = np.sqrt(xi**2 + np.abs(0.3 * form(x, y)) ** 2)
    np.testing.assert_allclose(values(model, k, names=("energy",))["energy"][:, 2], expected, atol=1e-12)


def test_pairing_on_the_triangular_lattice_winds_twice():
    normal = library.load("MoS2")
    delta = bogoliubov(normal, "d+id", gap=1.0)
    off_diagonal = delta.hamiltonian[:, :6, 6:]
    rows = {tuple(v): abs(off_diagonal[i]).max() for i, v in enumerate(delta.translations.tolist())}
    assert sum(size > 0 for size in rows.values()) == 6


@pytest.mark.parametrize(("mu", "chern"), [(-2.0, 1), (2.0, -1), (-5.0, 0)])
def test_chiral_p_wave_has_its_chern_number_and_gap(mu, chern):
    state = superconducting_state(bogoliubov(one_orbital(), "p+ip", chemical_potential=mu, gap=0.5), 24)
    assert state.chern_number == chern
    assert state.nodes == ()
    if chern == 0:
        assert state.gap == pytest.approx(1.0, abs=1e-6)
    else:
        assert 0.1 < state.gap <= 0.5 * np.sqrt(2)


def test_d_wave_has_its_nodes():
    normal = library.load("rashba_ferromagnet", rashba=0.0, exchange=0.0)
    state = superconducting_state(bogoliubov(normal, "d_x2-y2", chemical_potential=1.0, gap=0.2), 24)
    assert state.gap < 1e-8
    assert state.chern_number is None
    assert len(state.nodes) == 4
    for node in state.nodes:
        assert abs(node[0]) == pytest.approx(abs(node[1]), abs=1e-5)


@pytest.mark.parametrize(("mu", "chern"), [(-2.0, 1), (2.0, -1)])
def test_thermal_hall_conductivity_is_quantized(mu, chern):
    """|kappa_xy| = (pi^2 k_B^2 T/3h) |C|/2 at k_B T = gap/50, sign of T2."""
    model = bogoliubov(one_orbital(), "p+ip", chemical_potential=mu, gap=0.5)
    gap = superconducting_state(model, 24).gap
    temperature = gap / 50 / BOLTZMANN
    found = compute(model, 100, temperature=temperature, quantities=["thermal_hall_conductivity"])
    kappa = float(found["thermal_hall_conductivity"][0, 1, 0])
    quantum = np.pi**2 * constants.k**2 * temperature / (3 * constants.h)
    assert found["thermal_hall_conductivity"].attrs["units"] == "W/K"
    assert kappa / quantum == pytest.approx(-chern / 2, rel=1e-3)


def test_thermal_hall_of_a_chern_insulator_obeys_wiedemann_and_franz():
    model, temperature = library.load("haldane"), 60.0
    names = ["thermal_hall_conductivity", "anomalous_hall_conductivity"]
    found = compute(model, 60, 0.0, temperature=temperature, quantities=names).isel(fermi_energy=0)
    lorenz = np.pi**2 / 3 * (constants.k / constants.e) ** 2
    kappa, sigma = (float(found[name][0, 1]) for name in names)
    assert kappa == pytest.approx(lorenz * temperature * sigma, rel=1e-6)


def test_bcs_gap_closes_at_the_critical_temperature():
    gap = 1e-3
    critical = gap / (1.764 * BOLTZMANN)
    assert bcs_gap(gap, 0) == gap
    assert bcs_gap(gap, 0.1 * critical) == pytest.approx(gap, rel=1e-4)
    assert bcs_gap(gap, critical) == 0
    assert 0 < bcs_gap(gap, 0.99 * critical) < 0.2 * gap
    assert bcs_gap(gap, 5.0, critical_temperature=4.0) == 0


def test_spin_of_the_quasiparticles_and_their_charge():
    model = bogoliubov(library.load("kane_mele"), "s", gap=0.05)
    assert set(model.observables) == {"spin_x", "spin_y", "spin_z", "charge"}
    charge = np.diag(model.observables["charge"]).real
    np.testing.assert_array_equal(charge, [-1] * 4 + [1] * 4)
    # Everything of the package runs on it, with labels.
    dataset = compute(model, 8, temperature=50.0)
    assert "charge" in dataset["observable"].values
    assert list(dataset["fermi_energy"].values) == [0.0]


def test_s_wave_platinum_has_a_gap_of_its_pairing(platinum):
    """Time reversal is fitted: partners are scattered over the Wannier functions, with phases."""
    from spinscreen.materials.superconductors.pairing import time_reversal

    unitary = time_reversal(platinum)
    np.testing.assert_allclose(unitary, -unitary.T, atol=1e-12)
    np.testing.assert_allclose(unitary @ unitary.conj().T, np.eye(18), atol=1e-12)
    home = ~platinum.translations.any(axis=1)
    spin = platinum.observables["spin_x"][home][0]
    np.testing.assert_allclose(unitary @ spin.conj() @ unitary.conj().T, -spin, atol=2e-3)
    model = bogoliubov(platinum, "s", chemical_potential=18.3823, gap=0.2)
    energy = values(model, np.random.default_rng(0).random((300, 3)), names=("energy",))["energy"]
    # Exact time reversal would give 0.2; the Wannier functions break it by up to 0.1 eV.
    assert 0.08 < np.abs(energy).min() < 0.25


@pytest.mark.parametrize(
    ("pairing", "message"),
    [
        (
            {(0, 0, 0): np.eye(4)},
            r"Delta\(R\) = -Delta\(-R\)\^T, found a difference of 2 eV at R = \(0, 0, 0\)",
        ),
        ({(1, 0, 0): np.eye(4)}, "Fermi statistics demand"),
        ({(0, 0, 0): np.eye(3)}, r"expected finite \(4, 4\) matrices"),
        ("f", "'f' is not known, expected one of s, extended_s"),
        ("d_x2y2", "did you mean 'd_x2-y2'"),
    ],
)
def test_a_pairing_that_cannot_be_is_refused(pairing, message):
    with pytest.raises(InputError, match=message):
        bogoliubov(library.load("kane_mele"), pairing)


def test_other_mistakes_are_named():
    haldane = library.load("haldane")
    with pytest.raises(InputError, match="pairs opposite spins, but model 'haldane' has no spin"):
        bogoliubov(haldane, "s")
    with pytest.raises(InputError, match=r"the Fermi level of model .* is unknown"):
        bogoliubov(replace(haldane, fermi_level=None), "p+ip")
    superconductor = bogoliubov(haldane, "p+ip")
    with pytest.raises(InputError, match="is a superconductor already"):
        bogoliubov(superconductor, "p+ip")
    with pytest.raises(InputError, match="occupied at 0, found"):
        compute(superconductor, 4, 0.1)


def test_a_superconductor_survives_save_and_load(tmp_path):
    from spinscreen.materials import load_model

    model = bogoliubov(library.load("kane_mele"), "s", gap=0.05)
    model.save(tmp_path / "sc.hdf5")
    again = load_model(tmp_path / "sc.hdf5")
    assert again.is_bogoliubov
    assert again.fingerprint == model.fingerprint
