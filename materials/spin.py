"""Spin as an observable of the model: ab initio from .chk and .spn, or from the order of the spinors.

Minimized spinor Wannier functions need not be pairs (i, i+1), nor pure up and down, so the ab initio
matrix is always preferred. Without it the order is tested, never assumed in silence: WannierBerri's issue 274
shows how easily the wrong one passes unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint, read_eigenvalues, read_spin
from .model import SPIN
from .wigner_seitz import WignerSeitz

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

#: Wannier function i = 2 orbital + spin, or i = spin n/2 + orbital.
ORDERINGS = ("interlaced", "block")

#: eV: time reversal of a real nonmagnetic Wannier model is broken by less.
TIME_REVERSAL_TOLERANCE = 0.02

#: Share of |H| between up and down that a spin order may show in a magnet; spin-orbit coupling gives
#: a few percent.
SPIN_MIXING_TOLERANCE = 0.15

#: angstrom: spin partners of a magnet share their centre up to this.
PARTNER_DISTANCE = 0.3

#: eV: Bloch energies of .eig, taken through .chk, and the eigenvalues of H(k) agree at least this well.
SAME_CALCULATION = 1e-3


def spin_matrices(size: int, ordering: str) -> dict[str, NDArray[np.complex128]]:
    """sigma/2 (hbar) for pure spinors, on site, in the given order. Raises InputError for an odd size."""
    if ordering not in ORDERINGS:
        raise InputError(
            f"spin_ordering: expected 'interlaced' (up, down, up, down ...), 'block' (all up, then all "
            f"down) or 'none', found {ordering!r}."
        )
    if size % 2:
        raise InputError(
            f"spin_ordering: {size} Wannier functions cannot be spinor pairs, expected an even number; "
            "give spin_ordering='none' for a spinless model."
        )
    identity = np.eye(size // 2)
    spins = {}
    for name, sigma in zip(SPIN, PAULI, strict=True):
        pair = (identity, sigma / 2) if ordering == "interlaced" else (sigma / 2, identity)
        spins[name] = np.kron(*pair).astype(complex)
    return spins


@dataclass(frozen=True)
class OrderingTest:
    """How well an order of spinors fits a model.

    time_reversal : largest element (eV) by which H breaks time reversal in this order
    mixing : share of |H| between opposite spins; distance : largest distance of partner centres (angstrom)
    """

    ordering: str
    time_reversal: float
    mixing: float
    distance: float

    @property
    def symmetric(self) -> bool:
        return self.time_reversal < TIME_REVERSAL_TOLERANCE

    @property
    def magnetic(self) -> bool:
        """True where the order fits a magnet: partners together, up and down hardly mixed."""
        return self.mixing < SPIN_MIXING_TOLERANCE and self.distance < PARTNER_DISTANCE

    def __str__(self) -> str:
        return (
            f"{self.ordering}: time reversal broken by {self.time_reversal:.3g} eV, up-down share "
            f"{100 * self.mixing:.1f} %, partners {self.distance:.2g} angstrom apart"
        )


def check_orderings(
    hamiltonian: NDArray[np.complex128], centres: NDArray[np.float64]
) -> tuple[OrderingTest, ...]:
    """Test both orders on H(R) (R, wannier, wannier) and the Wannier centres (wannier, 3)."""
    return tuple(_check_ordering(hamiltonian, centres, ordering) for ordering in ORDERINGS)


def _check_ordering(
    hamiltonian: NDArray[np.complex128], centres: NDArray[np.float64], ordering: str
) -> OrderingTest:
    count, size = len(hamiltonian), hamiltonian.shape[-1]
    if ordering == "interlaced":
        blocks = hamiltonian.reshape(count, size // 2, 2, size // 2, 2).transpose(0, 2, 4, 1, 3)
        pairs = centres.reshape(size // 2, 2, 3)
    else:
        blocks = hamiltonian.reshape(count, 2, size // 2, 2, size // 2).transpose(0, 1, 3, 2, 4)
        pairs = centres.reshape(2, size // 2, 3).swapaxes(0, 1)
    up, down = blocks[:, 0, 0], blocks[:, 1, 1]
    raising, lowering = blocks[:, 0, 1], blocks[:, 1, 0]
    # T = i sigma_y K turns H_uu into H_dd^* and H_ud into -H_du^*.
    broken = max(np.abs(down - up.conj()).max(), np.abs(lowering + raising.conj()).max())
    mixed = float(np.linalg.norm(raising) ** 2 + np.linalg.norm(lowering) ** 2)
    whole = float(np.linalg.norm(hamiltonian - _mean_energy(hamiltonian)) ** 2)
    distance = float(np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1).max())
    return OrderingTest(ordering, float(broken), float(np.sqrt(mixed / max(whole, 1e-300))), distance)


def _mean_energy(hamiltonian: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The multiple of unity in H(R), to be taken out of R = 0: it says nothing of spin."""
    size = hamiltonian.shape[-1]
    home = np.argmax(np.abs(np.trace(hamiltonian, axis1=1, axis2=2)))
    mean = np.zeros_like(hamiltonian)
    mean[home] = np.trace(hamiltonian[home]) / size * np.eye(size)
    return mean


def find_ordering(tests: tuple[OrderingTest, ...]) -> OrderingTest | None:
    """The order that fits, None where neither does or both do alike.

    Time reversal decides where it holds (a nonmagnetic material); else partners must share their centre and
    hardly mix.
    """
    symmetric = [test for test in tests if test.symmetric]
    magnetic = [test for test in tests if test.magnetic]
    for fitting in (symmetric, magnetic):
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) == 2:
            first, second = sorted(fitting, key=lambda t: t.mixing)
            distinct = second.mixing > 2 * first.mixing + 1e-6
            apart = second.distance > PARTNER_DISTANCE > first.distance
            return first if distinct or apart else None
    return None


@dataclass(frozen=True, eq=False)
class AbInitioSpin:
    """Theta(R) of the three spin components, (R, 3, wannier, wannier) hbar, and what was made Hermitian."""

    translations: NDArray[np.int64]
    matrices: NDArray[np.complex128]


def ab_initio_spin(checkpoint: Checkpoint, spn_file: Path, wigner_seitz: WignerSeitz) -> AbInitioSpin:
    """S(R) = 1/N sum_k e^{-ik.R} V^dagger(k) s(k) V(k), on the Hamiltonian's R set, minimal images applied.

    Raises InputError where the .spn has other numbers of bands or k points than the .chk, or is not a spin.
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
    wannier = gauge.conj().swapaxes(2, 3) @ (spin / 2) @ gauge
    return AbInitioSpin(*wigner_seitz.expand(to_lattice(wannier, checkpoint, wigner_seitz)))


def to_lattice(
    matrices: NDArray[np.complex128], checkpoint: Checkpoint, wigner_seitz: WignerSeitz
) -> NDArray[np.complex128]:
    """X(R) = 1/N sum_k e^{-ik.R} X(k), (R, ..., wannier, wannier), degeneracies not divided out."""
    phases = np.exp(-2j * np.pi * (wigner_seitz.translations @ checkpoint.kpoints.T))
    lattice_sum: NDArray[np.complex128] = np.tensordot(phases, matrices, axes=1)
    return lattice_sum / len(checkpoint.kpoints)


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
    energies = read_eigenvalues(files["eig"], len(checkpoint.kpoints) * checkpoint.band_count)
    if energies.shape != checkpoint.gauge.shape[:2]:
        raise InputError(
            f"{files['eig']}: has {energies.shape[1]} bands at {energies.shape[0]} k points, expected "
            f"{checkpoint.band_count} at {len(checkpoint.kpoints)} as in the .chk."
        )
    gauge = checkpoint.gauge
    in_wannier_gauge = gauge.conj().swapaxes(1, 2) @ (energies[:, :, None] * gauge)
    difference = to_lattice(in_wannier_gauge, checkpoint, wigner_seitz) - raw_hamiltonian
    largest = float(np.abs(difference).max())
    if largest > SAME_CALCULATION:
        raise InputError(
            f"{files['chk']}: with the .eig it gives a Hamiltonian that differs by {largest:.3g} eV from "
            f"the one in the text file, expected less than {SAME_CALCULATION:g} eV; the files belong to "
            "two calculations."
        )
