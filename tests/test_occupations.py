"""Sums over bands for a scan of Fermi energies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.kernels import BOLTZMANN, FermiScan, InputError, Occupations, Weight, band_weight

ENERGIES = st.lists(st.floats(-5, 5), min_size=1, max_size=20)


@given(levels=ENERGIES, scan=ENERGIES)
def test_zero_temperature_counts_levels_up_to_and_including_the_fermi_energy(levels, scan):
    energy = np.array(levels)[None]
    fermi = np.sort(np.array(scan))
    found = Occupations(energy, FermiScan(fermi)).sum(energy.T + 7, Weight.SEA)
    expected = [(energy[energy <= mu] + 7).sum() for mu in fermi]
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


@given(levels=ENERGIES, scan=ENERGIES)
def test_zero_temperature_grand_potential_is_the_sum_of_negative_distances(levels, scan):
    energy = np.array(levels)[None]
    fermi = np.sort(np.array(scan))
    found = Occupations(energy, FermiScan(fermi)).sum(np.ones((energy.size, 1)), Weight.GRAND_POTENTIAL)
    expected = [np.minimum(energy - mu, 0).sum() for mu in fermi]
    np.testing.assert_allclose(found[0], expected, atol=1e-11)


@given(x=st.floats(-3, 3), kt=st.floats(0.01, 1))
def test_weights_are_derivatives_of_one_another(x, kt):
    step = 1e-4 * kt
    ends = np.array([x + step, x - step])
    for above, below in ((Weight.GRAND_POTENTIAL, Weight.SEA), (Weight.SEA, Weight.SURFACE)):
        slope = -np.diff(band_weight(ends, kt, above))[0] / (2 * step)
        scale = 1 if below is Weight.SEA else 1 / kt
        assert band_weight(np.array([x]), kt, below)[0] == pytest.approx(slope, abs=1e-6 * scale)
    sea, grand = (band_weight(np.array([x]), kt, w)[0] for w in (Weight.SEA, Weight.GRAND_POTENTIAL))
    assert band_weight(np.array([x]), kt, Weight.ENTROPY)[0] == pytest.approx(sea * x - grand, abs=1e-12)


def test_weights_do_not_overflow_far_from_the_fermi_energy():
    with np.errstate(over="raise", invalid="raise"):
        for weight in Weight:
            far = band_weight(np.array([-1e4, 1e4]), 1e-4, weight)
            assert np.isfinite(far).all()


@pytest.mark.parametrize("weight", [Weight.SURFACE, Weight.ENTROPY])
def test_fermi_surface_weights_refuse_zero_temperature(weight):
    with pytest.raises(InputError, match="needs a temperature above 0 K"):
        Occupations(np.zeros((1, 1)), FermiScan(np.zeros(1))).sum(np.ones((1, 1)), weight)


@pytest.mark.parametrize(
    ("energies", "temperature", "message"),
    [
        (np.array([]), 0.0, "fermi_energy: expected"),
        (np.array([np.nan]), 0.0, "fermi_energy: expected"),
        (np.array([1.0, 0.0]), 0.0, "ascending"),
        (np.zeros(1), -1.0, "temperature: expected kelvin"),
    ],
)
def test_a_scan_that_makes_no_sense_is_refused(energies, temperature, message):
    with pytest.raises(InputError, match=message):
        FermiScan(energies, temperature)


@pytest.mark.parametrize("weight", list(Weight))
@given(levels=ENERGIES, scan=ENERGIES, kt=st.floats(1e-4, 1.0))
def test_windowed_sums_are_the_full_ones(weight, levels, scan, kt):
    energy, fermi = np.array(levels), np.sort(np.array(scan))
    found = Occupations(energy[None], FermiScan(fermi, kt / BOLTZMANN)).sum(energy[:, None] + 7, weight)
    expected = band_weight(energy - fermi[:, None], kt, weight) @ (energy + 7)
    # Outside the window weights are 0 or 1 to double precision; the Fermi surface weight grows as 1/kT.
    np.testing.assert_allclose(found[0], expected, atol=1e-12 * max(1, 1 / kt))
