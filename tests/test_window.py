"""A scan of Fermi energies leaves out what its levels add up to nothing, and sums the same."""

from __future__ import annotations

import numpy as np
import pytest
from support import random_model

from spinscreen.kernels import (
    INTEGRALS,
    FermiScan,
    IrreducibleMesh,
    KMesh,
    LineSpan,
    Resolution,
    SymmetryGroup,
    Task,
    bloch_operators,
    solve_bands,
    sum_span,
    terms_of,
)
from spinscreen.kernels.quantities.hall import conventional_curvature
from spinscreen.materials import bogoliubov

ENERGIES = np.array([-0.8, -0.3, 0.5])


def sums(model, energies, temperature, threshold):
    mesh = IrreducibleMesh.of(KMesh((3, 2, 3), (0.1, 0.2, 0.3)), SymmetryGroup.identity(3))
    scan, resolution = FermiScan(energies, temperature), Resolution(threshold, 0.05)
    terms = [t for t in terms_of(INTEGRALS, temperature) if temperature > 0 or not t.weight.needs_temperature]
    task = Task(mesh, scan, resolution, tuple(terms), 11)
    return sum_span(model.operators, task, LineSpan(0, mesh.full.line_count)).values


@pytest.mark.parametrize("threshold", [1e-6, 0.4])
@pytest.mark.parametrize("temperature", [0.0, 300.0])
@pytest.mark.parametrize("paired", [False, True])
def test_a_narrow_scan_gives_what_a_wide_one_gives(paired, temperature, threshold):
    model = random_model(3, size=7)
    if paired:
        pairing = np.triu(np.full((7, 7), 0.05), 1)
        model = bogoliubov(model.with_charge(), {(0, 0, 0): pairing - pairing.T})
    narrow = sums(model, ENERGIES, temperature, threshold)
    everything = np.concatenate([[-1e3], ENERGIES, [1e3]])
    for term, expected in sums(model, everything, temperature, threshold).items():
        found = expected[..., 1:-1]
        # Curvatures of levels that nearly meet cancel: rounding of the largest times 1e3.
        atol = 1e-12 * max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(narrow[term], found, atol=atol, err_msg=term.kernel.__name__)


def test_pairs_of_levels_on_one_side_are_left_out():
    operators = random_model(3, size=7).operators
    bloch = bloch_operators(operators, np.array([[0.1, 0.2, 0.3], [0.4, 0.1, 0.7]]))
    resolution = Resolution(1e-6)
    energy = solve_bands(bloch, resolution).energy
    between = float(energy[:, 2:5].mean()), float(energy[:, 2:5].mean()) + 1e-9
    whole, part = (solve_bands(bloch, resolution, window) for window in ((-np.inf, np.inf), between))
    values = [conventional_curvature(bands) for bands in (whole, part)]
    assert not np.allclose(*values)
    filled = energy[:, None, None, None, :] <= between[0]
    np.testing.assert_allclose(*[(v * filled).sum(axis=-1) for v in values], rtol=1e-10, atol=1e-10)
