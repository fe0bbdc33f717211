"""Named pairings Delta(R): a form factor on lattice vectors times a matrix that pairs spins.

Singlet pairings pair each state with its time-reversed partner, Delta = gap * phi(R) * U with T = U K; the
matrix U is (orbital) x i sigma_y for pure spinors and is fitted to H and the spin matrices of ab initio ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..model import WannierModel
from ..observable import SPIN
from ..spin import ORDERINGS, PAULI, spin_matrices

#: eV: a fitted time reversal may be broken by this, the splitting of Kramers pairs of real models.
TIME_REVERSAL_ERROR = 0.2


@dataclass(frozen=True)
class PairingForm:
    """Angular dependence over the lattice vectors of a shell, and the spin part.

    form : None for on-site, else phi(R) = form(angle of R); triplet : spins paired along d = z
    """

    what: str
    form: Callable[[NDArray], NDArray] | None
    triplet: bool = False


PAIRINGS: Mapping[str, PairingForm] = {
    "s": PairingForm("on-site singlet", None),
    "extended_s": PairingForm("singlet, cos kx + cos ky", lambda t: np.ones_like(t) + 0j),
    "d_x2-y2": PairingForm("singlet, cos kx - cos ky", lambda t: np.cos(2 * t) + 0j),
    "d_xy": PairingForm("singlet, sin kx sin ky", lambda t: np.sin(2 * t) + 0j),
    "d+id": PairingForm("chiral singlet, winding 2", lambda t: np.exp(2j * t)),
    "p+ip": PairingForm(
        "chiral triplet (or spinless), sin kx + i sin ky", lambda t: -1j * np.exp(1j * t), True
    ),
}


def named_pairing(
    model: WannierModel, name: str, gap: float
) -> dict[tuple[int, int, int], NDArray[np.complex128]]:
    """Delta(R) of a named pairing, the amplitude of each cosine or sine being `gap` (eV).

    Raises InputError for an unknown name or a spin structure that does not fit.
    """
    if name not in PAIRINGS:
        near = get_close_matches(name, PAIRINGS, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise InputError(f"pairing: {name!r} is not known, expected one of {', '.join(PAIRINGS)}; {hint}")
    form = PAIRINGS[name]
    spinless = not set(SPIN) <= set(model.observables)
    if spinless and not form.triplet:
        raise InputError(
            f"pairing: {name!r} pairs opposite spins, but model {model.name!r} has no spin; use 'p+ip', or "
            "give it spins."
        )
    matrix = np.eye(model.size, dtype=complex) if spinless else time_reversal(model)
    if form.triplet and not spinless:
        # d along z: (d . sigma) i sigma_y.
        matrix = 2 * model.onsite("spin_z") @ matrix
        matrix = (matrix + matrix.T) / 2
    if form.form is None:
        return {(0, 0, 0): gap * matrix}
    return {vector: gap * weight * matrix for vector, weight in _shell(model, form.form).items()}


def _shell(model: WannierModel, form: Callable[[NDArray], NDArray]) -> dict[tuple[int, int, int], complex]:
    """phi(R)/2 on the shortest in-plane lattice vectors on which the form does not vanish."""
    axes = [axis for axis, repeats in enumerate(model.periodic) if repeats][:2]
    if len(axes) < 2:
        raise InputError(
            f"pairing: a form with angles needs two periodic axes, model {model.name!r} has {len(axes)}; "
            "give Delta(R) yourself."
        )
    steps = np.zeros((25, 3), dtype=int)
    grid = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), indexing="ij"), axis=-1)
    steps[:, axes] = grid.reshape(-1, 2)
    vectors = steps @ model.lattice
    first, second = model.lattice[axes[0]], model.lattice[axes[1]]
    along = first / np.linalg.norm(first)
    across = second - (second @ along) * along
    across /= np.linalg.norm(across)
    length = np.linalg.norm(vectors, axis=1)
    angle = np.arctan2(vectors @ across, vectors @ along)
    for radius in np.unique(np.round(length[length > 0], 6)):
        members = np.abs(length - radius) < 1e-5
        weights = form(angle[members])
        if np.abs(weights).max() > 1e-9:
            rows = steps[members].tolist()
            return {(x, y, z): complex(w) / 2 for (x, y, z), w in zip(rows, weights, strict=True)}
    raise InputError("pairing: the form vanishes on all near lattice vectors.")


def time_reversal(model: WannierModel) -> NDArray[np.complex128]:
    """Unitary U of T = U K in the Wannier basis, U^T = -U.

    Pure spinors: 1 x i sigma_y in their order. Else the U that keeps H and turns spins best,
    U H^*(R) = H(R) U and U S^*(R) = -S(R) U, its phase chosen freely (that of the superconductor is free as
    well). Raises InputError where H breaks it by more than 0.2 eV.
    """
    for ordering in ORDERINGS:
        pure = spin_matrices(model.size, ordering) if model.size % 2 == 0 else {}
        if pure and all(np.array_equal(model.observables[name], pure[name]) for name in SPIN):
            turn = 1j * PAULI[1]
            identity = np.eye(model.size // 2)
            pair = (identity, turn) if ordering == "interlaced" else (turn, identity)
            return np.kron(*pair).astype(complex)
    unitary = _fitted(model)
    home = ~model.translations.any(axis=1)
    onsite = model.hamiltonian[home][0]
    broken = float(np.abs(unitary @ onsite.conj() @ unitary.conj().T - onsite).max())
    if broken > TIME_REVERSAL_ERROR:
        raise InputError(
            f"pairing: model {model.name!r} breaks time reversal by {broken:.3g} eV on site, so the singlet "
            "partner of a state is not known; give Delta(R) yourself."
        )
    return unitary


def _fitted(model: WannierModel) -> NDArray[np.complex128]:
    """Smallest singular vector of U -> (U H^* - H U, U S^* + S U), made antisymmetric and unitary."""
    size = model.size
    identity = np.eye(size)
    # The largest matrices decide; they are few.
    strongest = np.argsort(-np.abs(model.hamiltonian).max(axis=(1, 2)))[:15]
    pairs = [(matrix, 1.0) for matrix in model.hamiltonian[strongest]]
    pairs += [(10 * model.onsite(name), -1.0) for name in SPIN]
    gram = np.zeros((size**2, size**2), dtype=complex)
    for matrix, sign in pairs:
        # vec(U X^*) = (X^dagger (x) 1) vec(U), vec(X U) = (1 (x) X) vec(U), column by column.
        rows = np.kron(matrix.conj().T, identity) - sign * np.kron(identity, matrix)
        gram += rows.conj().T @ rows
    _, vectors = np.linalg.eigh(gram)
    candidate = vectors[:, 0].reshape(size, size).T
    left, _, right = np.linalg.svd((candidate - candidate.T) / 2)
    unitary = left @ right
    return (unitary - unitary.T) / 2
