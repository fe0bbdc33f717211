"""Spin from first principles (.chk and .spn), and whether files are of one calculation.

Minimized spinor Wannier functions need not be pairs (i, i+1), nor pure up and down, so this matrix is always
preferred to `spin_matrices` of their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint, read_eigenvalues, read_spin
from .consistency import check_energies, check_spin, check_windows
from .wigner_seitz import WignerSeitz
from .win import WinFile

#: eV: Bloch energies of .eig, taken through .chk, and the eigenvalues of H(k) agree at least this well.
SAME_CALCULATION = 1e-3


def ab_initio_spin(checkpoint: Checkpoint, spn_file: Path) -> NDArray[np.complex128]:
    """V^dagger(k) s(k) V(k) of the k points of the .chk, (k, 3, wannier, wannier) hbar.

    Raises InputError where the .spn has other numbers of bands or k points than the .chk, or is not the
    spin of local functions, see `check_spin`.
    """
    spin = read_spin(spn_file)
    expected = (len(checkpoint.kpoints), checkpoint.band_count)
    found = (spin.shape[0], spin.shape[2])
    if found != expected:
        raise InputError(
            f"{spn_file}: has {found[1]} bands at {found[0]} k points, expected {expected[1]} at "
            f"{expected[0]} as in the .chk; it belongs to another calculation."
        )
    largest = float(np.abs(np.linalg.eigvalsh(spin)).max())
    if largest > 1.01:
        raise InputError(
            f"{spn_file}: a Pauli matrix has the eigenvalue {largest:.3f}, expected at most 1; it is not "
            "the spin matrix of normalized Bloch states."
        )
    gauge = checkpoint.gauge[:, None]
    wannier: NDArray[np.complex128] = gauge.conj().swapaxes(2, 3) @ (spin / 2) @ gauge
    check_spin(spn_file, wannier, checkpoint)
    return wannier


def to_lattice(
    matrices: NDArray[np.complex128], checkpoint: Checkpoint, wigner_seitz: WignerSeitz
) -> NDArray[np.complex128]:
    """X(R) = 1/N sum_k e^{-ik.R} X(k), (R, ..., wannier, wannier), on the R vectors of the Hamiltonian's
    file, degeneracies not divided out.
    """
    phases = np.exp(-2j * np.pi * (wigner_seitz.translations @ checkpoint.kpoints.T))
    lattice_sum: NDArray[np.complex128] = np.tensordot(phases, matrices, axes=1)
    return lattice_sum / len(checkpoint.kpoints)


def hamiltonian_of_bands(
    checkpoint: Checkpoint, eig_file: Path, win: WinFile | None = None
) -> NDArray[np.complex128]:
    """V^dagger(k) E(k) V(k), (k, wannier, wannier) eV. Raises InputError where the .eig does not fit."""
    energies = read_eigenvalues(eig_file, len(checkpoint.kpoints) * checkpoint.band_count)
    if energies.shape != checkpoint.gauge.shape[:2]:
        raise InputError(
            f"{eig_file}: has {energies.shape[1]} bands at {energies.shape[0]} k points, expected "
            f"{checkpoint.band_count} at {len(checkpoint.kpoints)} as in the .chk."
        )
    check_energies(eig_file, energies, checkpoint)
    check_windows(eig_file, energies, checkpoint, win)
    gauge = checkpoint.gauge
    hamiltonian: NDArray[np.complex128] = gauge.conj().swapaxes(1, 2) @ (energies[:, :, None] * gauge)
    return hamiltonian


def check_same_calculation(
    checkpoint: Checkpoint,
    files: Mapping[str, Path],
    raw_hamiltonian: NDArray[np.complex128],
    wigner_seitz: WignerSeitz,
) -> None:
    """Compare H(R) of the _tb.dat or _hr.dat with the one that .chk and .eig give.

    Raises InputError where they differ: the files are of two calculations.
    """
    size = raw_hamiltonian.shape[-1]
    if checkpoint.gauge.shape[2] != size:
        raise InputError(
            f"{files['chk']}: has {checkpoint.gauge.shape[2]} Wannier functions, expected {size} as in "
            "the Hamiltonian; it belongs to another calculation."
        )
    if "eig" not in files:
        return
    in_wannier_gauge = hamiltonian_of_bands(checkpoint, files["eig"])
    difference = to_lattice(in_wannier_gauge, checkpoint, wigner_seitz) - raw_hamiltonian
    largest = float(np.abs(difference).max())
    if largest > SAME_CALCULATION:
        raise InputError(
            f"{files['chk']}: with the .eig it gives a Hamiltonian that differs by {largest:.3g} eV from "
            f"the one in the text file, expected less than {SAME_CALCULATION:g} eV; the files belong to "
            "two calculations."
        )
