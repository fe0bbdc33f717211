"""T14-T16: the table of section 8 of the theory note, and ways to T14 that share nothing with its kernel."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from finite_q import proper_response
from scipy.special import expit
from support import IN_QUANTA, random_model, values

from spinscreen.kernels import (
    BOLTZMANN,
    CONDUCTANCE,
    KMesh,
    Resolution,
    Weight,
    band_weight,
    bloch_operators,
    solve_bands,
)
from spinscreen.kernels.quantities import hall, proper, surface
from spinscreen.kernels.quantities.equilibrium import wave_packet_moment
from spinscreen.materials import library
from spinscreen.workflows import NetTorqueWarning, compute
from spinscreen.workflows.premise import may_have_net_torque

TOTAL, SURFACE = "proper_hall_conductivity", "proper_surface_conductivity"
GAMMA = "accumulation_coefficient"
OCCUPIED = "conserved_hall_conductivity_occupied"
RATE, NERNST = "field_induced_density_rate", "proper_nernst_conductivity"
TORQUE_DIPOLE = "proper_torque_dipole_conductivity"
SENSITIVITY = "conserved_hall_conductivity_sensitivity"
T4, T6, T7, T8 = (
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "torque_dipole_conductivity",
    "dipole_surface_conductivity",
)

pytestmark = pytest.mark.filterwarnings("ignore:.*a field exerts a net torque")


def component(model, kmesh, mu, kt, threshold, names, axes="xy", observable="spin_z", factor=IN_QUANTA):
    """One component of each quantity, by default times 2 pi hbar/e^2; axes: current and field, or field."""
    # Numbers of the theory note for real materials are those of raw models.
    found = compute(model, kmesh, mu, kt / BOLTZMANN, threshold, names, symmetrize="off", kshift=0)
    found = found.isel(fermi_energy=0)
    at = {"observable": observable, "field_axis": axes[-1]}
    if len(axes) == 2:
        at["current_axis"] = axes[0]
    return [factor * float(found[name].sel(at)) for name in names]


@pytest.mark.parametrize(
    ("threshold", "expected"), [(1e-6, -0.9742299), (1e-2, -0.9742299), (0.05, -0.9742294)]
)
def test_full_response_of_kane_mele_does_not_hang_on_the_threshold(threshold, expected):
    """T6 at these three thresholds is -0.019, -0.054 and -0.45."""
    model = library.load("kane_mele", staggered=0.0, rashba=0.05)
    total, occupied = component(model, 60, 0.0, 0.0, threshold, [TOTAL, OCCUPIED])
    # Seven printed digits.
    assert total == pytest.approx(expected, abs=5e-8)
    assert occupied == pytest.approx(-0.99487, abs=5e-6)


def test_full_response_of_the_quantum_well():
    total, occupied = component(library.load("bhz_hgte"), 300, 0.0, 0.0, 1e-6, [TOTAL, OCCUPIED])
    assert total == pytest.approx(0.993278, abs=5e-7)
    assert occupied == pytest.approx(0.99865, abs=5e-6)


def test_full_response_of_the_rashba_model():
    model = library.load("rashba_ferromagnet", exchange=0.0)
    total, surface_part, gamma = component(model, 300, 1.0, 0.08, 1e-9, [TOTAL, SURFACE, GAMMA], "yx")
    # Six printed digits of 8 pi times each.
    assert 4 * (total - surface_part) == pytest.approx(-1.987824, abs=1e-6)
    assert 4 * surface_part == pytest.approx(0.999996, abs=1e-6)
    assert 4 * gamma == pytest.approx(-0.999996, abs=1e-6)


def test_full_response_of_the_rashba_ferromagnet():
    model = library.load("rashba_ferromagnet")
    total, surface_part, gamma = component(model, 200, 1.0, 0.1, 1e-9, [TOTAL, SURFACE, GAMMA])
    assert total - surface_part == pytest.approx(0.316753, abs=1e-6)
    assert surface_part == pytest.approx(-0.156921, abs=1e-6)
    assert gamma == pytest.approx(0.162871, abs=1e-6)


def test_accumulation_coefficient_of_kane_mele():
    gamma, dipole = component(library.load("kane_mele"), 60, 0.5, 0.1, 1e-6, [GAMMA, T8])
    assert gamma == pytest.approx(0.069717, abs=1e-6)
    assert dipole == pytest.approx(0.153314, abs=1e-6)


@pytest.mark.parametrize(("rashba", "rest"), [(0.3, 0.0061), (0.1, 0.00068)])
def test_torque_dipole_is_minus_twice_the_conventional_current(rashba, rest):
    """Chen and Guo, PRB 79, 125301: any H = eps(k^2) + A sigma_x - B sigma_y with lambda -> 0."""
    model = library.load("rashba_ferromagnet", exchange=0.0, rashba=rashba)
    names = ["proper_torque_dipole_conductivity", T7, T8, T4]
    i1_and_i2, torque, dipole, conventional = component(model, 300, 1.0, 0.08, 1e-9, names, "yx")
    # What is left falls as lambda^2; to two digits, from T14 = -0.987828 and T4 = 0.99393 of lambda = 0.3.
    assert i1_and_i2 / conventional == pytest.approx(-2 + rest, abs=0.02 * rest)
    assert (torque + dipole) / conventional == pytest.approx(-2 - rest, abs=0.02 * rest)


def test_edelstein_density():
    model, rate = library.load("rashba_ferromagnet", exchange=0.0), "field_induced_density_rate"
    (found,) = component(model, 300, 1.0, 0.02, 1e-9, [rate], "x", "spin_y", factor=1)
    assert abs(found) == pytest.approx(0.0118603, abs=1e-7)
    # alpha m/(4 pi) of the continuum: k_F = 1 is not small.
    assert abs(found) == pytest.approx(0.3 * 0.5 / (4 * np.pi), rel=1e-2)
    magnet = library.load("rashba_ferromagnet")
    (intrinsic,) = component(magnet, 200, 1.0, 0.1, 1e-9, ["field_induced_density"], "x", "spin_x", factor=1)
    assert intrinsic == pytest.approx(0.018490, abs=1e-6)
    (rate_of_magnet,) = component(magnet, 200, 1.0, 0.1, 1e-9, [rate], "x", "spin_y", factor=1)
    assert rate_of_magnet == pytest.approx(-0.014958, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 3])
def test_filled_bands_have_no_full_response(seed):
    """Identically at each k: G_nm + G_mn is even and 1/(eps_n - eps_m) odd under exchange."""
    k = np.random.default_rng(seed).random((5, 3))
    found = values(random_model(seed), k, 1e-9, names=("proper_curvature",))["proper_curvature"]
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found.sum(axis=-1), 0, atol=1e-11 * np.abs(found).max())


@pytest.mark.parametrize("threshold", [1e-4, 5e-3, 5e-2])
def test_full_response_of_gallium_arsenide_in_its_gap(gallium_arsenide, threshold):
    """T6 at these thresholds is 22506, -487 and 217."""
    (found,) = component(gallium_arsenide, 10, 7.9366, 0.0, threshold, [TOTAL], factor=1)
    # Four printed decimals.
    assert found == pytest.approx(-89.5421, abs=1e-4)


def test_full_response_of_platinum(platinum):
    (found,) = component(platinum, 20, 18.3823, 0.0, 0.1, [TOTAL], factor=1)
    assert found == pytest.approx(1541, abs=0.5)


@pytest.mark.parametrize(
    ("name", "parameters", "mu", "kt"),
    [
        ("kane_mele", {"staggered": 0.0}, 0.0, 0.0),
        ("kane_mele", {"staggered": 0.4, "rashba": 0.2}, 0.3, 0.15),
        ("rashba_ferromagnet", {}, 1.0, 0.15),
    ],
)
@pytest.mark.parametrize("axes", ["xy", "yx", "xx"])
def test_full_response_is_the_one_at_finite_wave_vector(name, parameters, mu, kt, axes):
    model = library.load(name, **parameters)
    a, b = ("xy".index(axis) for axis in axes)
    expected = 2 * np.pi * proper_response(model, "spin_z", a, b, 80, mu, kt)
    (found,) = component(model, 80, mu, kt, 1e-9, [TOTAL], axes)
    # The degenerate points of high symmetry leave 0.07/N^2 on a mesh of N x N points.
    assert found == pytest.approx(expected, abs=2e-5)


def shifted(model, kmesh=60):
    """Bands on a mesh without points of high symmetry, which a field conjugate to Theta would split."""
    k = KMesh((kmesh, kmesh, 1)).points() + np.array([0.137, 0.291, 0]) / kmesh
    return solve_bands(bloch_operators(model.operators, k), Resolution(1e-9))


@pytest.mark.parametrize(("name", "mu", "kt"), [("kane_mele", 0.5, 0.1), ("rashba_ferromagnet", 1.0, 0.15)])
def test_full_response_is_packet_and_dipole_and_a_derivative_of_the_moment(name, mu, kt):
    """T14 = T6 + T8 + eps_abc int (f d_h m_c + g d_h Omega_c), h a uniform field conjugate to Theta."""
    model = library.load(name).with_charge()
    charge, spin = (list(model.observables).index(label) for label in ("charge", "spin_z"))
    home = ~model.translations.any(axis=1)

    def in_field(h):
        field = home[:, None, None] * model.onsite("spin_z")
        return shifted(replace(model, hamiltonian=model.hamiltonian + h * field))

    # Smaller than the splittings near degenerate points, which it must not reach.
    bands, step = in_field(0.0), 1e-6
    plus, minus = in_field(step), in_field(-step)
    f, g, slope = (
        band_weight(bands.energy - mu, kt, w) for w in (Weight.SEA, Weight.GRAND_POTENTIAL, Weight.SURFACE)
    )

    def mean(weight, band_values):
        return (weight * band_values).sum() / len(weight)

    # The charge is -1, the moment that of Theta = +1.
    moment = -(wave_packet_moment(plus) - wave_packet_moment(minus))[:, charge, 2] / (2 * step)
    curvature = (hall.berry_curvature(plus) - hall.berry_curvature(minus))[:, 2] / (2 * step)
    correction = mean(f, moment) + mean(g, curvature)
    packet = mean(f, hall.conserved_curvature(bands)[:, spin, 2])
    for (a, b), sign in (((0, 1), 1), ((1, 0), -1)):
        sea = mean(f, proper.proper_curvature(bands)[:, spin, a, b])
        surface_part = mean(slope, proper.proper_flow(bands)[:, spin, a, b])
        dipole = mean(slope, surface.dipole_flow(bands)[:, spin, a, b])
        expected = sign * (packet + correction) + dipole
        # What 60 x 60 points leave, and rounding of 1e-11 over the step.
        assert sea + surface_part == pytest.approx(expected, abs=3e-5)
        assert abs(sea + surface_part) > 1e-2


def test_full_response_is_what_a_magnetic_field_does_to_an_open_flake():
    """The physical Streda relation sigma^P_xy = d<S_z>/dB_z, with Peierls phases and nothing of k space."""
    model = library.load("kane_mele", spin_orbit=0.3, rashba=0.3, staggered=0.0)
    (bulk,) = component(model, 60, 0.0, 0.0, 1e-6, [TOTAL])
    assert bulk == pytest.approx(-0.789644, abs=1e-6)
    step = 1e-4
    plus, minus = (spin_of_the_middle_cell(model, 12, sign * step) for sign in (1, -1))
    slope = 2 * np.pi * (plus - minus) / (2 * step) / model.cell_measure
    # The middle of 12 x 12 cells still feels the edge; 22 x 22 give six digits.
    assert slope == pytest.approx(bulk, abs=1e-3)


def spin_of_the_middle_cell(model, cells, field):
    """<S_z> of the middle cell of a flake with half of its levels filled; field e B/hbar in 1/angstrom^2."""
    corner = np.stack(np.meshgrid(*2 * [np.arange(cells)], indexing="ij"), axis=-1).reshape(-1, 2)
    cell = {tuple(c): number for number, c in enumerate(corner.tolist())}
    size = model.size
    x, y = ((corner @ model.lattice[:2])[:, None] + model.centres)[..., :2].reshape(-1, 2).T
    matrix = np.zeros((len(corner) * size,) * 2, dtype=complex)
    for vector, hopping in zip(model.translations.tolist(), model.hamiltonian, strict=True):
        for number, (i, j) in enumerate(corner.tolist()):
            other = cell.get((i + vector[0], j + vector[1]))
            if other is not None:
                matrix[number * size : (number + 1) * size, other * size : (other + 1) * size] += hopping
    # Charge -e in A = (-B y, 0).
    matrix *= np.exp(1j * field * (y[:, None] + y[None, :]) / 2 * (x[:, None] - x[None, :]))
    _, states = np.linalg.eigh(matrix)
    first = cell[cells // 2, cells // 2] * size
    amplitudes = states[first : first + size, : len(matrix) // 2]
    return np.einsum("in,ij,jn->", amplitudes.conj(), model.onsite("spin_z"), amplitudes).real


def test_nernst_of_the_full_response_is_the_energy_integral():
    """T10 of sea and surface part: the Mott relation in integral form, with the surface part as a delta."""
    model, kt, mu = library.load("kane_mele"), 0.1, 0.5
    (found,) = component(model, 24, mu, kt, 1e-6, ["proper_nernst_conductivity"], factor=1)
    bands = solve_bands(bloch_operators(model.operators, KMesh((24, 24, 1)).points()), Resolution(1e-6))
    spin = list(model.observables).index("spin_z")
    energies = np.linspace(mu - 5, mu + 5, 40001)
    step = energies[1] - energies[0]
    level = np.searchsorted(energies, bands.energy.ravel())
    sea, flow = np.zeros((2, len(energies)))
    np.add.at(sea, level, proper.proper_curvature(bands)[:, spin, 0, 1].ravel())
    np.add.at(flow, level, -proper.proper_flow(bands)[:, spin, 0, 1].ravel() / step)
    sigma = np.cumsum(sea) + flow
    x = (energies - mu) / kt
    integral = (expit(x) * expit(-x) / kt * (energies - mu) * sigma).sum() * step
    expected = -CONDUCTANCE * integral / (24**2 * model.cell_measure) / (kt / BOLTZMANN)
    # A step of 0.25 meV at kT = 100 meV: first order in the step.
    assert found == pytest.approx(expected, rel=5e-3)


def test_at_zero_temperature_the_full_response_says_that_it_is_its_sea():
    model = library.load("kane_mele")
    cold = compute(model, 12, 0.0)
    assert "its Fermi-sea part only" in cold[TOTAL].attrs["note"]
    assert {SURFACE, GAMMA, T8} <= set(cold.attrs["left_out_at_zero_temperature"].split("\n"))
    assert SURFACE not in cold
    warm = compute(model, 12, 0.0, 300.0)
    assert "Fermi-sea part" not in warm[TOTAL].attrs["note"]
    assert "left_out_at_zero_temperature" not in warm.attrs
    for name in (T4, T6, TOTAL, GAMMA, SENSITIVITY):
        assert name in warm


def test_a_net_torque_is_said():
    """Rashba spins in the plane get one, spin_z does not; inversion forbids it for all."""
    model = library.load("rashba_ferromagnet", exchange=0.0)
    with pytest.warns(NetTorqueWarning, match="a field exerts a net torque on spin_x, spin_y at some Fermi"):
        found = compute(model, 60, 1.0, 800.0)
    assert found[T6].attrs["net_torque"] == "spin_x\nspin_y"
    without = compute(library.load("kane_mele", rashba=0.0, staggered=0.0), 20, 0.5, 800.0)
    assert "net_torque" not in without[T6].attrs


@pytest.mark.parametrize("rashba", [0.01, 0.003])
def test_a_weak_net_torque_is_told_from_the_error_of_the_mesh(rashba):
    """Both are below 1 % of what the torque could be at most, and many bars of the mesh."""
    model = library.load("rashba_ferromagnet", exchange=0.0, rashba=rashba)
    # The sub-meshes of a mesh with Gamma on it are twice as dense as those of one that is shifted.
    settings = {"quantities": [RATE, GAMMA, NERNST, TORQUE_DIPOLE, T7], "kshift": 0}
    with pytest.warns(NetTorqueWarning, match="on spin_x, spin_y at some"):
        # k_B T = 0.05 eV.
        found = compute(model, 200, 1.0, 580.225, **settings)
    for name in (RATE, GAMMA, NERNST, TORQUE_DIPOLE, T7):
        assert found[name].attrs["net_torque"] == "spin_x\nspin_y"


def test_what_the_crystal_forbids_is_no_net_torque(platinum):
    """Raw Wannier functions of Pt break inversion by per mille."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", NetTorqueWarning)
        found = compute(platinum, 6, 18.3823, 300.0, 0.1, [T6, RATE])
    assert "net_torque" not in found[T6].attrs


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("rashba_ferromagnet", {"exchange": 0.0}, "spin_x, spin_y"),
        ("kane_mele", {"rashba": 0.0, "staggered": 0.0}, ""),  # inversion
        ("MoS2", {}, ""),  # its mirror plane
    ],
)
def test_a_premise_that_is_not_checked_is_said(name, settings, expected):
    """At T = 0, and where nobody asks for T16: not where the observable or symmetry grants it."""
    model = library.load(name, **settings)
    assert ", ".join(may_have_net_torque(model)) == expected
    for found in (
        compute(model, 6, 0.0, quantities=[TOTAL]),
        compute(model, 6, 0.0, 300.0, quantities=[TOTAL]),
    ):
        assert found[TOTAL].attrs.get("net_torque") == ("unchecked" if expected else None)
        assert (f"no net torque on {expected}: " in found[TOTAL].attrs["note"]) == bool(expected)
    assert "net_torque" not in compute(model.with_charge(), 6, 0.0, quantities=[T4])[T4].attrs


def test_sensitivity_is_the_same_integral_at_another_threshold():
    model = library.load("kane_mele", staggered=0.0)
    fine, coarse = (compute(model, 60, 0.0, 0.0, t, [T6, SENSITIVITY]) for t in (5e-3, 2e-2))
    # Rounding of values of 1e-5 S.
    np.testing.assert_allclose(fine[SENSITIVITY], coarse[T6] - fine[T6], atol=1e-18)
    assert float(abs(fine[SENSITIVITY]).max()) > 1e-7


def test_occupied_resolution_asks_for_levels_and_not_for_the_temperature(gallium_arsenide):
    """At 300 K the levels of a gap are no more empty and occupied to rounding; it is a gap all the same."""
    energies = [7.0, 7.9366]
    cold, warm = (
        compute(gallium_arsenide, 4, energies, t, quantities=[OCCUPIED])[OCCUPIED] for t in (0.0, 300.0)
    )
    assert warm.isel(fermi_energy=0).isnull().all()
    # Some 7 k_B T lie between the levels and the Fermi energy: f is 1 to a thousandth.
    np.testing.assert_allclose(warm[..., 1], cold[..., 1], rtol=0, atol=2e-3 * float(abs(cold[..., 1]).max()))


def test_what_lies_outside_the_wannier_functions_is_noted_where_there_is_an_outside(iron):
    exact = library.load("kane_mele")
    names = [GAMMA, "circulation_magnetization"]
    for model, noted in ((exact, False), (iron, True)):
        found = compute(model, 2, 0.0, 300.0, quantities=names)
        assert [".sIu" in found[names[0]].attrs["note"], ".uHu" in found[names[1]].attrs.get("note", "")] == [
            noted
        ] * 2


def test_the_charge_lacks_the_wannier_bracket_in_the_sums_over_states(iron):
    """T3 and T14 see only states that Wannier functions span: for the charge T4 = T14, not T2.

    T5 has the curvature of the Wannier subspace itself, as T2: T6 = T2, and the difference is the bracket.
    """
    model, mesh, mu = iron.with_charge(), KMesh((6, 6, 6)), 12.6279
    names = [T4, T6, TOTAL, "anomalous_hall_conductivity"]
    found = compute(model, 6, mu, quantities=names, kshift=0).isel(fermi_energy=0)
    t4, t6, t14, t2 = (
        values.sel(observable="charge") if "observable" in values.dims else values
        for values in (found[name] for name in names)
    )
    # Rounding of sums of up to 1e5 S/cm; published numbers differ in the third digit.
    np.testing.assert_allclose(t14, t4, atol=1e-6)
    np.testing.assert_allclose(t6, t2, atol=1e-6)
    assert float(t4[0, 1]) == pytest.approx(131.90, abs=0.01)
    assert float(t6[0, 1]) == pytest.approx(138.15, abs=0.01)
    bands = solve_bands(bloch_operators(model.operators, mesh.points()), Resolution())
    diagonal = np.einsum("kncn->knc", hall.wannier_bracket(bands, bands.bare)).real
    bracket = -np.einsum("kn,knc->c", bands.energy <= mu, diagonal) / mesh.size
    factor = CONDUCTANCE / model.cell_measure * 1e8
    assert float(t6[0, 1] - t4[0, 1]) == pytest.approx(factor * bracket[2], abs=1e-6)


def test_occupied_resolution_is_nan_where_there_is_no_gap():
    model = library.load("kane_mele", staggered=0.0)
    found = compute(model, 20, [-2.0, 0.0], quantities=[OCCUPIED])[OCCUPIED]
    assert found.isel(fermi_energy=0).isnull().all()
    assert found.isel(fermi_energy=1).notnull().all()
