"""Spin of pure spinors, by their order, which is tested and never assumed in silence.

WannierBerri's issue 274 shows how easily the wrong one passes unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .observable import SPIN

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
    whole = _norm_without_mean(hamiltonian) ** 2
    distance = float(np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1).max())
    return OrderingTest(ordering, float(broken), float(np.sqrt(mixed / max(whole, 1e-300))), distance)


def _norm_without_mean(hamiltonian: NDArray[np.complex128]) -> float:
    """Norm of H(R) without the multiple of unity at R = 0, which says nothing of spin."""
    size = hamiltonian.shape[-1]
    home = int(np.argmax(np.abs(np.trace(hamiltonian, axis1=1, axis2=2))))
    onsite = hamiltonian[home] - np.trace(hamiltonian[home]) / size * np.eye(size)
    around = (np.linalg.norm(part) for part in (hamiltonian[:home], hamiltonian[home + 1 :], onsite))
    return float(np.linalg.norm(list(around)))


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
