"""Loops with one k point in each lane against LAPACK and NumPy; lanes do not know of each other."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscreen.kernels.compiled import fast_path
from spinscreen.kernels.lanes import eigensolver, eigh, layout
from spinscreen.kernels.lanes.width import aligned, scratch, width

SIZES = st.integers(1, 24)
SEEDS = st.integers(0, 10**6)


def unitary(rng, size):
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def with_levels(rng, levels):
    """A matrix with these eigenvalues, Hermitian to the last bit."""
    basis = unitary(rng, len(levels))
    matrix = (basis * levels) @ basis.conj().T
    return (matrix + matrix.conj().T) / 2


def blocks(rng, size):
    half = with_levels(rng, rng.normal(size=(size + 1) // 2))
    return np.kron(np.eye(2), half)[:size, :size].copy()


#: Matrices on which eigensolvers stumble.
KINDS = {
    "random": lambda rng, n: with_levels(rng, rng.normal(size=n)),
    "zero": lambda rng, n: np.zeros((n, n), dtype=complex),
    "unit": lambda rng, n: np.eye(n, dtype=complex),
    "one level": lambda rng, n: with_levels(rng, np.full(n, -3.0)),
    "pairs": lambda rng, n: with_levels(rng, np.repeat(rng.normal(size=n), 2)[:n]),
    "nearly equal": lambda rng, n: with_levels(rng, 1 + 1e-9 * rng.normal(size=n)),
    "graded": lambda rng, n: with_levels(rng, 10.0 ** -np.arange(n)),
    "graded the other way": lambda rng, n: with_levels(rng, 10.0 ** np.arange(-n, 0)),
    "two levels": lambda rng, n: with_levels(rng, np.sign(rng.normal(size=n))),
    "diagonal": lambda rng, n: np.diag(rng.normal(size=n)).astype(complex),
    "blocks": blocks,
    "real": lambda rng, n: np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1) + 0j,
    "chain that underflows": lambda rng, n: 1e-170 * (np.ones((n, n), dtype=complex) - np.eye(n)),
    "large": lambda rng, n: 1e120 * with_levels(rng, rng.normal(size=n)),
}


def assert_solved(matrices, energy, states):
    """Residuals and orthogonality to a few times what LAPACK leaves, which grows with the size."""
    size = matrices.shape[1]
    tolerance = 20 * size * np.finfo(float).eps
    for matrix, levels, vectors in zip(matrices, energy, states, strict=True):
        scale = max(np.abs(matrix).max() * size, 1e-150)
        assert (np.diff(levels) >= 0).all()
        assert np.abs(vectors.conj().T @ vectors - np.eye(size)).max() < tolerance
        assert np.abs(matrix @ vectors - vectors * levels).max() < tolerance * scale
        assert np.abs(levels - np.linalg.eigvalsh(matrix)).max() < tolerance * scale


@given(kinds=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=11), size=SIZES, seed=SEEDS)
def test_eigenvalues_and_vectors(kinds, size, seed):
    rng = np.random.default_rng(seed)
    matrices = np.stack([KINDS[kind](rng, size) for kind in kinds])
    assert_solved(matrices, *eigh(matrices))


@pytest.mark.skipif(not fast_path().compiled, reason="plain Python takes minutes for these")
@pytest.mark.parametrize("size", [36, 64, 65, 128])
def test_eigenvalues_and_vectors_of_large_matrices(size):
    rng = np.random.default_rng(size)
    matrices = np.stack([KINDS[kind](rng, size) for kind in ("random", "pairs", "one level", "blocks")])
    assert_solved(matrices, *eigh(matrices))


@given(
    kinds=st.lists(st.sampled_from(list(KINDS)), min_size=2, max_size=40), size=st.integers(1, 12), seed=SEEDS
)
def test_bits_of_a_matrix_do_not_depend_on_its_neighbours(kinds, size, seed):
    rng = np.random.default_rng(seed)
    matrices = np.stack([KINDS[kind](rng, size) for kind in kinds])
    together = eigh(matrices)
    order = rng.permutation(len(matrices))
    shuffled = eigh(matrices[order])
    for found, expected in zip(shuffled, together, strict=True):
        assert found.tobytes() == expected[order].tobytes()
    for found, expected in zip(eigh(matrices[-1:]), together, strict=True):
        assert found.tobytes() == expected[-1:].tobytes()


def test_a_matrix_that_is_not_finite_leaves_its_neighbours_alone():
    rng = np.random.default_rng(0)
    matrices = np.stack([KINDS["random"](rng, 5) for _ in range(2 * width())])
    alone = eigh(matrices[:1])
    matrices[1:, 2, 1] = np.nan
    with pytest.raises(np.linalg.LinAlgError):
        eigh(matrices)
    packed = aligned(2, 5, 5, 2, width())
    layout.pack(matrices, packed)
    energy, states, converged = aligned(2, 5, width()), aligned(2, 5, 5, 2, width()), aligned(2, width())
    work = *scratch(*eigensolver.work_shapes(5, width())), np.empty(5, dtype=np.int64)
    eigensolver.diagonalize(packed, energy, states, converged, *work)
    assert converged.ravel().tolist() == [1.0] + [0.0] * (2 * width() - 1)
    assert energy[0, :, 0].tobytes() == alone[0].tobytes()


COMPILE = """
import logging, sys
import numpy as np
from spinscreen.kernels.contractions import fermi_functions, rows_of
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
fermi_functions(np.zeros((2, 1)), np.zeros(1), 0.1, 1.0)
rows_of([np.ones((2, 1, 3))])
"""


@pytest.mark.skipif(not fast_path().compiled, reason="nothing is compiled")
def test_compilation_is_told_once_and_loading_is_not(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert told[0].count("compiling kernels for this processor") == 1
    assert told[1] == ""
