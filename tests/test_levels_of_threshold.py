"""Thresholds that chain levels of large cells, or tell levels apart that symmetry makes one: it is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import random_model, supercell

from spinscreen.materials import band_gap, library, narrow_gap
from spinscreen.workflows import compute
from spinscreen.workflows.levels import ChainedLevelsWarning, SplitLevelsWarning, chains_of, warn_of_levels
from spinscreen.workflows.narrow_gaps import NarrowGapWarning


@given(seed=st.integers(0, 200), threshold=st.floats(0.01, 1.0))
def test_chains_are_those_of_a_plain_count(seed, threshold):
    energy = np.sort(np.random.default_rng(seed).random((3, 8)) * 3, axis=1)
    members = widest = 0
    for row in energy:
        chain = [row[0]]
        for level in [*row[1:], np.inf]:
            if level - chain[-1] < threshold:
                chain.append(level)
                continue
            width = chain[-1] - chain[0]
            members += len(chain) if width > 2 * threshold else 0
            widest = max(widest, width)
            chain = [level]
    found = chains_of(energy, threshold)
    assert found.share == pytest.approx(members / energy.size)
    assert found.width == pytest.approx(widest)


def test_a_threshold_that_fits_a_cell_chains_levels_of_a_larger_one():
    """Case 08: folded bands lie closer, and consecutive ones closer than the threshold are chained."""
    small = random_model(1, size=4)
    large = supercell(supercell(supercell(small, 0), 1), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_levels(small, 0.02)
        warn_of_levels(large, 1e-4)
    with pytest.warns(ChainedLevelsWarning, match=r"chains \d+% of the levels into .* lower it"):
        warn_of_levels(large, 0.2)
    with pytest.warns(ChainedLevelsWarning):
        compute(large, 2, 0.0, quantities=["carrier_density"], degeneracy_threshold=0.2)


def test_pairs_of_a_raw_model_that_the_threshold_tells_apart_are_told(platinum):
    with pytest.warns(SplitLevelsWarning, match=r"of the pairs of levels that time reversal and inversion"):
        warn_of_levels(platinum, 1e-7)


@pytest.mark.parametrize("name", library.names())
def test_models_of_the_library_have_no_such_trouble(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_levels(library.load(name), 5e-3)


@pytest.mark.parametrize(("mass", "chern"), [(0.5186, 1.0), (0.5206, 0.0)])
def test_a_gap_below_the_threshold_is_told(mass, chern):
    """2 meV at K: at the default threshold the Hall conductivity is neither 1 nor 0, whatever its bar."""
    model = library.haldane(mass=mass)
    asked = {"fermi_energy": 0.0, "quantities": ["anomalous_hall_conductivity", "carrier_density"]}
    with pytest.warns(
        NarrowGapWarning, match=r"gap of 0.002 eV at k = .* degeneracy_threshold = 1e-04"
    ) as told:
        found = compute(model, **asked)
    assert not found.attrs["converged"]
    assert not found["anomalous_hall_conductivity"].attrs["converged"]
    assert found["carrier_density"].attrs["converged"]
    advised = float(str(told[0].message).split("degeneracy_threshold = ")[1].rstrip("."))
    with warnings.catch_warnings():
        warnings.simplefilter("error", NarrowGapWarning)
        right = compute(model, degeneracy_threshold=advised, **asked)
    hall = right["anomalous_hall_conductivity"]
    # The bar, as everywhere; e^2/h in S.
    off = abs(hall).max().item() - chern * 3.874045865e-5
    assert abs(off) <= right["anomalous_hall_conductivity_error"].max().item()
    assert hall.attrs["converged"]


def test_nodes_metals_and_wide_gaps_are_no_narrow_gaps():
    for model in (library.haldane(mass=0.3), library.load("rashba_ferromagnet"), library.haldane(t2=0.0)):
        assert narrow_gap(model, np.linspace(-1, 1, 201), 0.005) is None


@pytest.mark.parametrize("mass", [0.0, 0.2, 0.5186, 0.515, 0.9])
def test_the_gap_of_bands_is_that_of_the_cone(mass):
    """The carrier density of a cone hardly changes over a tenth of an eV, which is no gap."""
    # At K: |mass - 3 sqrt(3) t2|, twice.
    right = 2 * abs(mass - 3 * np.sqrt(3) * 0.1)
    # The edges of a cone are found to 1e-4 eV each.
    assert band_gap(library.haldane(mass=mass), 0.0) == pytest.approx(right, abs=2e-4)


def test_a_metal_has_no_gap_and_a_level_outside_of_the_bands_no_number():
    metal = library.load("rashba_ferromagnet")
    assert band_gap(metal, metal.fermi_level) == 0
    assert np.isnan(band_gap(library.haldane(), 100.0))
    found = compute(library.haldane(), kmesh=6, fermi_energy=0.0, quantities=["carrier_density"])
    assert found.attrs["band_gap"] == band_gap(library.haldane(), 0.0)
