"""Real Wannier90 outputs against postw90 3.1.0 and WannierBerri 26.10 (tolerances of CONVENTIONS.md)."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from support import values

from spinscreen.materials import load_model
from spinscreen.workflows import compute

MATERIALS = ("Fe", "Pt", "GaAs")

#: Exactly degenerate levels only: the peers know no multiplets.
NO_MULTIPLETS = 1e-9


@pytest.fixture(scope="module", params=MATERIALS)
def peer(request, reference_data):
    """Model, reference folder, k points, the k table and our values at the same points."""
    folder = reference_data / request.param / "reference"
    spin_berry = np.load(folder / "k_table_spinberry.npz")
    kpoints = spin_berry["kpoints"]
    model = load_model(reference_data / request.param)
    rows = [line for line in (folder / "k_table.csv").read_text().splitlines() if line[0] != "#"]
    table = list(csv.DictReader(rows))

    def column(name: str) -> np.ndarray:
        found = [float(row[name]) if row[name] else np.nan for row in table]
        return np.array(found).reshape(len(kpoints), model.size)

    found = values(model, kpoints, NO_MULTIPLETS, float(spin_berry["eta"]))
    return request.param, column, found, spin_berry


def stacked(column, stem, suffix=""):
    return np.stack([column(f"{stem}{axis}{suffix}") for axis in "xyz"], axis=1)


def test_energies_velocities_spins_and_curvatures_per_k(peer):
    _, column, found, _ = peer
    # The table gives nine digits; tolerances of CONVENTIONS.md for the same text files.
    np.testing.assert_allclose(found["energy"], column("E"), atol=1e-7)
    np.testing.assert_allclose(found["velocity"], stacked(column, "v"), atol=1e-7)
    np.testing.assert_allclose(2 * found["texture"], stacked(column, "s"), atol=1e-7)
    np.testing.assert_allclose(found["berry_curvature"], stacked(column, "O"), atol=1e-6)


def test_values_of_postw90_per_k(peer):
    name, column, found, _ = peer
    np.testing.assert_allclose(found["energy"], column("E_pw"), atol=1e-6)
    np.testing.assert_allclose(found["velocity"], stacked(column, "v", "_pw"), atol=1e-5)
    # postw90 reads .chk (16 digits), we read _tb.dat (8 digits).
    np.testing.assert_allclose(2 * found["texture"], stacked(column, "s", "_pw"), atol=1e-4)
    if name != "Pt":
        tolerance = {"Fe": 1e-3, "GaAs": 0.03}[name]
        curvature = stacked(column, "O", "_pwT")
        np.testing.assert_allclose(found["berry_curvature"], curvature, atol=tolerance)


def test_conventional_curvature_of_the_simple_spin_current_per_k(peer):
    _, _, found, spin_berry = peer
    ours = 2 * np.einsum("ksabn->knabs", found["conventional_curvature"])
    reference = spin_berry["SB_simple"]
    # The same formula with the same broadening: 1e-6 relative to the largest element.
    np.testing.assert_allclose(ours, reference, atol=1e-6 * np.abs(reference).max())


def test_ab_initio_spin_matrix_in_the_wannier_basis(reference_data):
    from spinscreen.materials.wannier90.checkpoint import read_checkpoint
    from spinscreen.materials.wannier90.spin import ab_initio_spin, to_lattice
    from spinscreen.materials.wannier90.wigner_seitz import WignerSeitz

    for name in MATERIALS:
        reference = np.load(reference_data / name / "reference" / "spin_R.npz")
        checkpoint = read_checkpoint(reference_data / name / f"{name}.chk")
        wigner_seitz = WignerSeitz(reference["R"].astype(int), np.ones(len(reference["R"]), int))
        spin = ab_initio_spin(checkpoint, reference_data / name / f"{name}.spn")
        found = to_lattice(spin, checkpoint, wigner_seitz)
        np.testing.assert_allclose(2 * found, np.moveaxis(reference["S_R"], -1, 1), atol=1e-10)


def scan(path, *names):
    rows = [line for line in path.read_text().splitlines() if line[0] != "#"]
    table = list(csv.DictReader(rows))
    return tuple(np.array([float(row[name]) for row in table]) for name in names)


def test_iron_anomalous_hall_scan(iron, reference_data):
    path = reference_data / "Fe" / "reference" / "ahc_scan_25.csv"
    energies, *axial = scan(path, "Ef_eV", "x_wb", "y_wb", "z_wb")
    electrons, moment, postw90 = scan(path, "n_e", "mz", "z_pwT")
    dataset = compute(
        iron,
        (25, 25, 25),
        energies,
        degeneracy_threshold=NO_MULTIPLETS,
        symmetrize="off",
        quantities=["anomalous_hall_conductivity", "carrier_density", "observable_density"],
        kshift=0,
    )
    tensor = dataset["anomalous_hall_conductivity"].values
    for expected, (a, b) in zip(axial, ((1, 2), (2, 0), (0, 1)), strict=True):
        np.testing.assert_allclose(tensor[a, b], expected, atol=1e-2)
    np.testing.assert_allclose(tensor[0, 1], postw90, atol=0.03)
    # One level of one k point more or less at a Fermi energy counts 1/25^3.
    np.testing.assert_allclose(dataset["carrier_density"], electrons, atol=1e-4)
    spin_z = dataset["observable_density"].sel(observable="spin_z")
    np.testing.assert_allclose(2 * spin_z, moment, atol=1e-4)


def test_iron_anomalous_hall_at_the_fermi_level(iron):
    dataset = compute(
        iron,
        25,
        12.6279,
        degeneracy_threshold=NO_MULTIPLETS,
        symmetrize="off",
        quantities=["anomalous_hall_conductivity"],
        kshift=0,
    )
    assert float(dataset["anomalous_hall_conductivity"][0, 1, 0]) == pytest.approx(541.979541, abs=1e-2)


def test_platinum_spin_hall_scan(platinum, reference_data):
    energies, expected = scan(
        reference_data / "Pt" / "reference" / "shc_scan_25.csv", "Ef_eV", "wb_simple_dyn"
    )
    dataset = compute(
        platinum,
        (25, 25, 25),
        energies,
        degeneracy_threshold=NO_MULTIPLETS,
        symmetrize="off",
        broadening=0.1,
        quantities=["conventional_hall_conductivity"],
        kshift=0,
    )
    here = dataset["conventional_hall_conductivity"].sel(
        observable="spin_z", current_axis="x", field_axis="y"
    )
    # The same formula: 1e-6 of the largest value.
    np.testing.assert_allclose(here, expected, atol=1e-6 * np.abs(expected).max())
    assert float(here.sel(fermi_energy=18.4, method="nearest")) == pytest.approx(2036.2099342867, rel=1e-6)


def test_gallium_arsenide_in_the_gap(gallium_arsenide):
    """-8.12, where the Qiao formula of both peers, not covariant inside close pairs, gives 128."""
    dataset = compute(
        gallium_arsenide,
        (20, 20, 20),
        7.9366,
        degeneracy_threshold=NO_MULTIPLETS,
        symmetrize="off",
        broadening=0.05,
        quantities=["conventional_hall_conductivity"],
        kshift=0,
    )
    here = dataset["conventional_hall_conductivity"].sel(
        observable="spin_z", current_axis="x", field_axis="y"
    )
    assert float(here[0]) == pytest.approx(-8.121687089529354, rel=1e-6)


def test_platinum_static_tensor_of_occupied_empty_pairs(platinum, reference_data):
    """All 27 components without broadening, where each pair of bands counts between its two occupations."""
    reference = json.loads((reference_data / "Pt" / "reference" / "shc_tensor_EF.json").read_text())
    dataset = compute(
        platinum,
        (25, 25, 25),
        reference["Ef"],
        # At time-reversal invariant k levels are split by 1e-9 eV of rounding.
        degeneracy_threshold=1e-6,
        symmetrize="off",
        quantities=["conventional_hall_conductivity"],
        kshift=0,
    )
    ours = np.einsum("sab->abs", dataset["conventional_hall_conductivity"].values[..., 0])
    expected = np.array(reference["simple_static"])
    np.testing.assert_allclose(ours, expected, atol=1e-6 * np.abs(expected).max())


def test_conserved_differs_from_conventional_in_platinum(platinum):
    quantities = ["conventional_hall_conductivity", "conserved_hall_conductivity"]
    settings = {"symmetrize": "off", "quantities": quantities, "kshift": 0}
    dataset = compute(platinum, 12, 18.3823, degeneracy_threshold=0.1, **settings)
    here = dataset.sel(observable="spin_z", current_axis="x", field_axis="y").isel(fermi_energy=0)
    conventional, conserved = (float(here[name]) for name in quantities)
    assert conventional > 1500
    assert abs(conserved - conventional) > 100


@pytest.mark.parametrize("name", MATERIALS)
def test_hr_file_agrees_to_its_six_decimals(reference_data, name):
    folder = reference_data / name
    packed = ".gz" if name != "Fe" else ""
    by_tb = load_model(folder)
    by_hr = load_model(folder / f"{name}_hr.dat{packed}")
    kpoints = np.random.default_rng(1).random((10, 3))
    energies = [values(m, kpoints, names=("energy",))["energy"] for m in (by_tb, by_hr)]
    np.testing.assert_allclose(energies[1], energies[0], atol=3e-5)
    assert np.abs(energies[1] - energies[0]).max() > 0


@pytest.mark.parametrize("name", ["Fe", "GaAs"])
def test_formatted_and_unformatted_checkpoints_agree(reference_data, name):
    from spinscreen.materials.wannier90.checkpoint import read_checkpoint

    folder = reference_data / name
    binary = read_checkpoint(folder / f"{name}.chk")
    text = read_checkpoint(folder / f"{name}.chk.fmt.gz")
    for field in ("lattice", "kpoints", "gauge", "centres"):
        np.testing.assert_allclose(getattr(binary, field), getattr(text, field), atol=1e-14)


def test_formatted_and_unformatted_spins_agree(reference_data):
    from spinscreen.materials.wannier90.checkpoint import read_spin

    folder = reference_data / "Fe"
    np.testing.assert_allclose(read_spin(folder / "Fe.spn"), read_spin(folder / "Fe.spn.fmt.gz"), atol=1e-14)
