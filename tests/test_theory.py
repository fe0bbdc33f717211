"""theory.md section 7: analytic and exact answers of T1-T10."""

from __future__ import annotations

import numpy as np
import pytest
from support import IN_QUANTA, random_model

from spinscreen.kernels import (
    BOLTZMANN,
    BlochOperators,
    Resolution,
    Weight,
    band_weight,
    solve_bands,
)
from spinscreen.kernels.quantities.hall import conserved_curvature
from spinscreen.materials import library
from spinscreen.workflows import compute

HALL = ("conventional_hall_conductivity", "conserved_hall_conductivity")


def hall(model, kmesh, energy=0.0, threshold=1e-6, axes=("x", "y"), **options):
    """2 pi int_k f Omega of spin_z, conventional and conserved."""
    options |= {"degeneracy_threshold": threshold, "quantities": HALL, "kshift": 0}
    dataset = compute(model, kmesh, energy, **options)
    here = dataset.sel(observable="spin_z", current_axis=axes[0], field_axis=axes[1])
    return tuple(IN_QUANTA * here[name].values.squeeze() for name in HALL)


def test_kane_mele_without_rashba_is_quantized():
    model = library.load("kane_mele", rashba=0.0, staggered=0.0)
    conventional, conserved = hall(model, (60, 60, 1))
    assert conventional == pytest.approx(conserved, rel=1e-10)
    # Exponential convergence: 60 x 60 points leave 3e-9 of a gap of 0.6 eV.
    assert conserved == pytest.approx(-1, abs=1e-7)


def test_kane_mele_with_rashba_tells_conserved_from_conventional():
    """Numbers of the theory note; partners resolved to 1e-6 eV.

    C2T makes texture and curvature of every resolved band vanish, but at the points of high symmetry where
    partners meet. Those alone give -0.0018 on 40 x 40 points and nothing in the limit of a dense mesh.
    """
    model = library.load("kane_mele", rashba=0.05, staggered=0.0)
    conventional, coarse = hall(model, (40, 40, 1))
    # The note gives -1.02200 on a dense mesh.
    assert conventional == pytest.approx(-1.0220, abs=5e-5)
    # 61 x 61 points hold one such point, Gamma, where spin and curvature vanish with the splitting.
    assert hall(model, (61, 61, 1))[1] == pytest.approx(0, abs=1e-10)
    # One over the number of points, to what the next order leaves.
    assert hall(model, (80, 80, 1))[1] == pytest.approx(coarse / 4, rel=0.02)
    # The threshold is physical: unresolved Kramers partners carry the quantized value again.
    assert hall(model, (40, 40, 1), threshold=0.3)[1] == pytest.approx(-1, abs=0.1)


def test_haldane_has_chern_number_minus_one():
    dataset = compute(library.load("haldane"), (80, 80, 1), 0.0, quantities=["anomalous_hall_conductivity"])
    tensor = IN_QUANTA * dataset["anomalous_hall_conductivity"].values[..., 0]
    # sigma_xy = -(e^2/hbar) int f Omega: Chern number -1 gives +e^2/h.
    assert tensor[0, 1] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(tensor, -tensor.T, atol=1e-15)
    assert not dataset["anomalous_hall_conductivity"].attrs["units"].startswith("(")


@pytest.mark.parametrize(("m", "chern"), [(-5.0, 0), (-3.0, 1), (-1.0, -1), (1.0, 0)])
def test_lattice_dirac_has_a_chern_number_but_no_spin_hall_effect(m, chern):
    model = library.load("lattice_dirac", m=m)
    dataset = compute(model, (80, 80, 1), 0.0, quantities=["anomalous_hall_conductivity"])
    assert -IN_QUANTA * dataset["anomalous_hall_conductivity"].values[0, 1, 0] == pytest.approx(
        chern, abs=1e-6
    )
    conventional, conserved = hall(model, (80, 80, 1))
    assert conventional == pytest.approx(0, abs=1e-12)
    # The sphere average of d_z converges with the mesh as the Chern number does.
    assert conserved == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("mass", [0.3, 1.0, -2.0])
def test_massive_continuum_dirac_point_gives_one_sixteenth(mass):
    """int_k f Omega^cons of s_z has the magnitude 1/(16 pi), whatever the mass."""
    sx, sy, sz = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    # k = |m| tan(t) maps the plane to t in (0, pi/2), where the integrand is smooth.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = (nodes + 1) * np.pi / 4
    k = abs(mass) * np.tan(t)
    jacobian = abs(mass) / np.cos(t) ** 2 * weights * np.pi / 4
    stacked = np.zeros((len(k), 2, 7, 2), dtype=complex)
    stacked[:, :, 0], stacked[:, :, 1], stacked[:, :, 6] = sx, sy, sz / 2
    hamiltonian = k[:, None, None] * sx + mass * sz
    bands = solve_bands(BlochOperators(hamiltonian, stacked, 1), Resolution(1e-9))
    lower = conserved_curvature(bands)[:, 0, 2, 0]
    integral = (lower * k * jacobian).sum() / (2 * np.pi)
    assert abs(integral) == pytest.approx(1 / (16 * np.pi), rel=1e-10)


def test_rashba_square_lattice_sum_rules():
    """t = 1, lambda = 0.3, mu = 1, kT = 0.08: 8 pi int f Omega^conv_yx, T8 and T6 are 0.994, -0.99995, 0."""
    model = library.load("rashba_ferromagnet", exchange=0.0)
    dataset = compute(
        model,
        (300, 300, 1),
        1.0,
        temperature=0.08 / BOLTZMANN,
        degeneracy_threshold=1e-9,
        quantities=[*HALL, "dipole_surface_conductivity"],
    )
    here = 4 * IN_QUANTA * dataset.sel(observable="spin_z", current_axis="y", field_axis="x").squeeze()
    assert float(here["conventional_hall_conductivity"]) == pytest.approx(0.994, abs=5e-4)
    assert float(here["dipole_surface_conductivity"]) == pytest.approx(-0.99995, abs=1e-4)
    # The texture of the Rashba model lies in the plane.
    assert float(here["conserved_hall_conductivity"]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_filled_bands_carry_no_hall_current_but_may_carry_a_conserved_one(seed):
    model = random_model(seed)
    dataset = compute(model, (8, 8, 8), 1e3, degeneracy_threshold=1e-9)
    scale = 1e8 / model.cell_measure * 2.4e-4
    conventional = dataset["conventional_hall_conductivity"].values / scale
    conserved = dataset["conserved_hall_conductivity"].values / scale
    anomalous = dataset["anomalous_hall_conductivity"].values / scale
    assert np.abs(conserved).max() > 1e-2
    # Sums over the mesh of curl A and of antisymmetric pairs; curvatures near crossings reach 1e4.
    np.testing.assert_allclose(anomalous, 0, atol=1e-9)
    np.testing.assert_allclose(conventional, 0, atol=1e-9)


@pytest.mark.parametrize("name", ["MoS2", "WSe2"])
def test_conserved_equals_conventional_where_spin_is_conserved(name):
    model = library.load(name)
    energies = np.linspace(-1, 4, 41)
    dataset = compute(model, (30, 30, 1), energies, degeneracy_threshold=1e-6)
    spin_z = dataset.sel(observable="spin_z")
    conventional = spin_z["conventional_hall_conductivity"].values
    assert IN_QUANTA * np.abs(conventional).max() > 0.1
    np.testing.assert_allclose(
        spin_z["conserved_hall_conductivity"].values, conventional, atol=1e-10 * np.abs(conventional).max()
    )
    assert np.abs(spin_z["torque_dipole_conductivity"].values).max() < 1e-10 * np.abs(conventional).max()


def test_torque_dipole_response_is_the_difference():
    dataset = compute(random_model(2), (4, 4, 4), np.linspace(-2, 2, 5))
    np.testing.assert_allclose(
        dataset["torque_dipole_conductivity"],
        dataset["conserved_hall_conductivity"] - dataset["conventional_hall_conductivity"],
        rtol=1e-12,
        atol=1e-9,
    )


def test_drude_weight_of_the_charge_is_the_ordinary_positive_one():
    """T9 with Theta = -1 equals int f d_a d_b eps, here of eps = 2t (2 - cos kx - cos ky)."""
    model = library.load("rashba_ferromagnet", rashba=0.0, exchange=0.0).with_observable("charge", -np.eye(2))
    temperature = 0.4 / BOLTZMANN  # smooth on this mesh: partial sums converge exponentially
    dataset = compute(model, (100, 100, 1), 2.0, temperature=temperature, quantities=["drude_weight"])
    tensor = dataset["drude_weight"].sel(observable="charge").values[..., 0]
    k = 2 * np.pi * np.arange(100) / 100
    energy = 4 - 2 * np.cos(k)[:, None] - 2 * np.cos(k)[None]
    mass = 2 * np.cos(k)[:, None] * np.ones(100)
    expected = 2 * (band_weight(energy - 2.0, 0.4, Weight.SEA) * mass).mean()
    assert tensor[0, 0] * IN_QUANTA / (2 * np.pi) == pytest.approx(expected, rel=1e-10)
    assert tensor[0, 0] > 0
    assert tensor[0, 1] == pytest.approx(0, abs=1e-12 * tensor[0, 0])


@pytest.mark.parametrize("kind", ["anomalous", "conventional", "conserved"])
def test_nernst_is_the_energy_integral_of_the_zero_temperature_hall_conductivity(kind):
    """T10: alpha = -(1/(eT)) int (-df/deps)(eps - mu) sigma(eps; T = 0), in A/(K cm) for S/cm."""
    model = random_model(3)
    temperature, mu = 2000.0, 0.2
    name = f"{kind}_nernst_conductivity"
    found = compute(model, (5, 5, 5), mu, temperature=temperature, quantities=[name])[name].values[..., 0]
    energies = np.linspace(mu - 6, mu + 6, 60001)
    hall_name = f"{kind}_hall_conductivity"
    sigma = compute(model, (5, 5, 5), energies, quantities=[hall_name])[hall_name].values
    x, kt = energies - mu, BOLTZMANN * temperature
    slope = -band_weight(x, kt, Weight.SURFACE)
    expected = -(slope * x * sigma).sum(axis=-1) * (energies[1] - energies[0]) / temperature
    # A step of 0.2 meV on steps of sigma: first order in the step.
    np.testing.assert_allclose(found, expected, atol=3e-3 * np.abs(expected).max())


def test_density_of_states_is_the_slope_of_the_carrier_density():
    model, step = random_model(5), 1e-3
    energies = np.array([-step, 0.0, step])
    dataset = compute(
        model, (6, 6, 6), energies, temperature=1000.0, quantities=["carrier_density", "density_of_states"]
    )
    density = dataset["carrier_density"].values
    slope = (density[2] - density[0]) / (2 * step)
    # Third derivative over 6 times the step squared, in units of kT = 86 meV.
    assert dataset["density_of_states"].values[1] == pytest.approx(slope, rel=1e-4)


def test_low_temperature_joins_zero_temperature():
    model = random_model(1)
    energies = np.linspace(-3, 3, 13)
    names = ["anomalous_hall_conductivity", "conserved_hall_conductivity"]
    cold, zero = (compute(model, (5, 5, 5), energies, temperature=t, quantities=names) for t in (1e-3, 0.0))
    for name in names:
        # No level of this mesh lies within some kT = 1e-7 eV of a Fermi energy.
        np.testing.assert_allclose(cold[name], zero[name], rtol=1e-9, atol=1e-6)
