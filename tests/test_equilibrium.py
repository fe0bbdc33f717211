"""T11-T13: circulating equilibrium currents, their magnetization, and Streda's relation."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tbmodels
from scipy import constants
from support import random_model, values

from spinscreen.kernels import (
    BOLTZMANN,
    CONDUCTANCE,
    KMesh,
    Resolution,
    bloch_operators,
    cell_measure,
    solve_bands,
)
from spinscreen.kernels.quantities.equilibrium import texture_slope
from spinscreen.materials import library, load_model
from spinscreen.materials.model import centre_position
from spinscreen.workflows import compute
from spinscreen.workflows.alarms import EquilibriumCurrentWarning

M = "circulation_magnetization"


def magnetization(model, kmesh, energies, **options):
    return compute(model, kmesh, energies, quantities=[M], kshift=0, **options)[M]


@pytest.mark.parametrize("parameters", [{"mass": 0.2}, {"mass": 0.4, "phi": 0.8}])
def test_haldane_magnetization_is_the_orbital_magnetization(parameters):
    """Against sum_n f Im <d_x u|(H + eps - 2 mu)|d_y u> written out as a sum over states."""
    model = library.load("haldane", **parameters).with_charge()
    mu, mesh = 0.05, KMesh((24, 24, 1))
    found = magnetization(model, mesh.shape, mu, degeneracy_threshold=1e-9)
    bands = solve_bands(bloch_operators(model.operators, mesh.points()), Resolution(1e-9))
    energy, r = bands.energy, bands.position
    expected = 0.0
    for n in range(2):
        for m in range(2):
            if m != n:
                cross = r[:, n, 0, m] * r[:, m, 1, n]
                weight = (energy[:, n] <= mu) * (energy[:, m] + energy[:, n] - 2 * mu)
                expected += (weight * cross.imag).sum()
    expected /= mesh.size * model.cell_measure
    total = float(found.sum("part").sel(observable="charge", axis="z")[0])
    assert abs(total) > 1e-3
    assert total == pytest.approx(expected, rel=1e-12)


def test_parts_of_a_conserved_observable_have_no_dipole():
    model = library.load("MoS2")
    found = magnetization(model, 24, np.linspace(-0.5, 3, 8), degeneracy_threshold=1e-7)
    spin_z = found.sel(observable="spin_z", axis="z")
    assert np.abs(spin_z.sel(part="moment")).max() > 1e-3
    np.testing.assert_allclose(spin_z.sel(part="dipole"), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["spin_z", "charge"])
def test_streda(name):
    """T13: in a gap dM/dmu = -int f Omega^cons, exactly, on one mesh."""
    model = library.load("kane_mele", rashba=0.05, staggered=0.1).with_charge()
    levels = np.array([-0.02, 0.03])
    names = [M, "conserved_hall_conductivity"]
    found = compute(model, 40, levels, degeneracy_threshold=1e-7, quantities=names).sel(observable=name)
    total = found[M].sum("part").sel(axis="z").values
    curvature = (
        found["conserved_hall_conductivity"].sel(current_axis="x", field_axis="y").values / CONDUCTANCE
    )
    assert (total[1] - total[0]) / (levels[1] - levels[0]) == pytest.approx(-curvature[0], abs=1e-10)


@pytest.mark.parametrize("seed", [0, 1])
def test_streda_in_three_dimensions(seed):
    """Between two Fermi energies without a level of the mesh all three components obey it."""
    model = random_model(seed)
    energies = np.sort(values(model, KMesh((4, 4, 4)).points(), names=("energy",))["energy"].ravel())
    widest = int(np.diff(energies).argmax())
    low, high = energies[widest], energies[widest + 1]
    levels = low + np.array([0.3, 0.7]) * (high - low)
    names = [M, "conserved_hall_conductivity"]
    found = compute(model, 4, levels, degeneracy_threshold=1e-9, quantities=names, kshift=0)
    slope = np.diff(found[M].sum("part").values, axis=-1)[..., 0] / (levels[1] - levels[0])
    tensor = found["conserved_hall_conductivity"].values[..., 0] / (CONDUCTANCE * 1e8)
    expected = -np.stack([tensor[:, 1, 2], tensor[:, 2, 0], tensor[:, 0, 1]], axis=1)
    np.testing.assert_allclose(slope, expected, atol=1e-10 * np.abs(expected).max() / (high - low))


@pytest.mark.parametrize("onsite", [True, False])
def test_slope_of_the_texture_is_its_derivative(onsite):
    model = random_model(5, onsite=onsite)
    k = np.array([[0.21, 0.37, -0.12]])
    bands = solve_bands(bloch_operators(model.operators, k, True), Resolution(1e-9))
    step = 1e-5
    for a in range(3):
        shift = step * model.lattice[:, a] / (2 * np.pi)
        plus, minus = (
            values(model, k + sign * shift, 1e-9, names=("texture",))["texture"] for sign in (1, -1)
        )
        # Central differences of a smooth function with a step of 1e-5/angstrom.
        np.testing.assert_allclose(texture_slope(bands)[:, :, a], (plus - minus) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("onsite", [True, False])
def test_uniform_equilibrium_current_vanishes(onsite):
    """T12 on a dense mesh: int f theta v + g d theta = int d(g theta) = 0."""
    model = random_model(2, size=2, onsite=onsite)
    temperature = 0.4 / BOLTZMANN
    dataset = compute(model, 40, 0.3, temperature, 1e-9, quantities=["equilibrium_current"])
    current = dataset["equilibrium_current"]
    assert float(abs(current).max()) > 1e-3
    # Exponential convergence at k_B T = 0.4 eV for bands of some eV; near crossings it is slower.
    np.testing.assert_allclose(current.sum("part"), 0, atol=2e-3 * float(abs(current).max()))


def test_a_coarse_mesh_is_warned_about():
    model = library.load("rashba_ferromagnet", exchange=0.2, rashba=0.4)
    with pytest.warns(EquilibriumCurrentWarning, match=r"refine kmesh or raise temperature"):
        compute(model, 5, 1.0, quantities=["equilibrium_current"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute(model, 200, 1.0, temperature=1500.0, quantities=["equilibrium_current"])


def test_parts_are_labelled_and_share_their_dim():
    dataset = compute(library.load("kane_mele"), 6, 0.0, quantities=[M, "equilibrium_current"])
    assert list(dataset["part"].values) == ["moment", "dipole", "berry", "bare"]
    assert dataset[M].sel(part="bare").isnull().all()
    alone = compute(library.load("kane_mele"), 6, 0.0, quantities=["equilibrium_current"])
    assert list(alone["part"].values) == ["bare", "berry"]
    assert alone["equilibrium_current"].attrs["units"] == "hbar eV/(hbar angstrom)"


def test_orbital_moment_of_the_bands_of_iron(iron):
    """Theta = -1: the moment of a band is -Im sum_m (eps_n - eps_m) r_x,nm r_y,mn, written out."""
    model = iron.with_charge()
    k = np.array([[0.3192, 0.1710, 0.0497]])
    bands = solve_bands(bloch_operators(model.operators, k), Resolution(1e-9))
    r = bands.position
    gap = bands.energy[:, :, None] - bands.energy[:, None, :]
    product = np.einsum("knm,knm,kmn->kn", gap, r[:, :, 0], r[:, :, 1]).imag
    found = values(model, k, 1e-9, names=("wave_packet_moment",))["wave_packet_moment"]
    charge = list(model.observables).index("charge")
    np.testing.assert_allclose(found[:, charge, 2], -product, atol=1e-9 * np.abs(product).max())


def test_cell_measure_enters_as_it_should():
    model = library.load("haldane")
    area = cell_measure(model.lattice, model.periodic)
    assert area == pytest.approx(2.46**2 * np.sqrt(3) / 2)


#: e eV angstrom^2 / hbar in Bohr magnetons.
IN_MAGNETONS = constants.e**2 * 1e-20 / constants.hbar / constants.physical_constants["Bohr magneton"][0]


def per_cell_in_magnetons(model, kmesh, energies):
    found = magnetization(model, kmesh, energies, degeneracy_threshold=1e-6).sum("part")
    return found.sel(observable="charge").values.T * model.cell_measure * IN_MAGNETONS


def test_haldane_orbital_magnetization_of_wannierberri():
    """WannierBerri 26.10, static.Morb (all terms, tetra=False) of its Haldane_tbm, 20 x 20 mesh, per cell."""
    hopping = 0.15 * np.exp(0.8j)
    source = tbmodels.Model(
        on_site=[-0.2, 0.2],
        uc=[[1.0, 0.0], [0.5, np.sqrt(3.0) / 2.0]],
        dim=2,
        pos=[[1 / 3, 1 / 3], [2 / 3, 2 / 3]],
    )
    for vector in ([0, 0], [-1, 0], [0, -1]):
        source.add_hop(-1.0, 0, 1, vector)
    for vector in ([1, 0], [0, -1], [-1, 1]):
        source.add_hop(hopping, 0, 0, vector)
        source.add_hop(hopping.conjugate(), 1, 1, vector)
    model = load_model(source, spin_ordering="none").with_charge()
    found = per_cell_in_magnetons(model, (20, 20, 1), [-0.9, 0.0, 0.5])
    # Eight printed digits.
    np.testing.assert_allclose(found[:, 2], [0.01807402, -0.00868533, -0.01624804], atol=1e-8)


def test_iron_orbital_magnetization_of_wannierberri(reference_data, tmp_path):
    """Internal terms (H and Wannier centres, external_terms=False), no minimal images, 8^3 mesh, per cell."""
    shutil.copy(reference_data / "Fe" / "Fe_tb.dat", tmp_path)
    iron = load_model(tmp_path, spin_ordering="none").with_charge()
    centres_only = replace(iron, position=centre_position(iron.translations, iron.centres))
    found = per_cell_in_magnetons(centres_only, 8, [12.0, 12.6279, 13.0])
    expected = [
        [1.90790955e-07, 1.95939333e-07, 2.04733428e-04],
        [1.52725792e-07, 1.59097267e-07, 1.14665131e-03],
        [-2.86500772e-07, 1.53096734e-07, -1.00581393e-02],
    ]
    # The x and y components are the rounding of the file; nine digits of z.
    np.testing.assert_allclose(found, expected, atol=1e-11)
