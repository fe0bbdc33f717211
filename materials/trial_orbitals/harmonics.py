"""Real harmonics and hybrids as Wannier90 numbers them, their angular momentum, and how they turn."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

#: Names of single functions in Wannier90's order (its mr), by l.
SHELLS = {
    0: ("s",),
    1: ("pz", "px", "py"),
    2: ("dz2", "dxz", "dyz", "dx2-y2", "dxy"),
    3: ("fz3", "fxz2", "fyz2", "fz(x2-y2)", "fxyz", "fx(x2-3y2)", "fy(3x2-y2)"),
}

#: All functions up to f: the basis in which trial orbitals are written down.
HARMONICS = tuple(name for names in SHELLS.values() for name in names)

_ROOT = {n: 1 / np.sqrt(n) for n in (2, 3, 6, 12)}
_SP2 = (
    {"s": _ROOT[3], "px": -_ROOT[6], "py": _ROOT[2]},
    {"s": _ROOT[3], "px": -_ROOT[6], "py": -_ROOT[2]},
    {"s": _ROOT[3], "px": 2 * _ROOT[6]},
)
#: Hybrids of the Wannier90 user guide, table 3.2; l = -1, -2 ... in this order.
HYBRIDS: dict[str, tuple[dict[str, float], ...]] = {
    "sp": ({"s": _ROOT[2], "px": _ROOT[2]}, {"s": _ROOT[2], "px": -_ROOT[2]}),
    "sp2": _SP2,
    "sp3": tuple(
        {"s": 0.5, "px": 0.5 * x, "py": 0.5 * y, "pz": 0.5 * z}
        for x, y, z in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    ),
    "sp3d": (*_SP2, {"pz": _ROOT[2], "dz2": _ROOT[2]}, {"pz": -_ROOT[2], "dz2": _ROOT[2]}),
    "sp3d2": (
        {"s": _ROOT[6], "px": -_ROOT[2], "dz2": -_ROOT[12], "dx2-y2": 0.5},
        {"s": _ROOT[6], "px": _ROOT[2], "dz2": -_ROOT[12], "dx2-y2": 0.5},
        {"s": _ROOT[6], "py": -_ROOT[2], "dz2": -_ROOT[12], "dx2-y2": -0.5},
        {"s": _ROOT[6], "py": _ROOT[2], "dz2": -_ROOT[12], "dx2-y2": -0.5},
        {"s": _ROOT[6], "pz": -_ROOT[2], "dz2": _ROOT[3]},
        {"s": _ROOT[6], "pz": _ROOT[2], "dz2": _ROOT[3]},
    ),
}


#: Names of all functions by Wannier90's l and, in order, its mr; l below zero are hybrids.
FUNCTIONS = SHELLS | {
    -number: tuple(f"{name}-{place}" for place in range(1, len(functions) + 1))
    for number, (name, functions) in enumerate(HYBRIDS.items(), start=1)
}


def coefficients_of(name: str) -> NDArray[np.float64]:
    """Real harmonic ("dxy") or hybrid ("sp3-1") over `HARMONICS`, (16,). Raises InputError for others."""
    hybrid, _, one = name.rpartition("-")
    if name in HARMONICS:
        shares = {name: 1.0}
    elif hybrid in HYBRIDS and one.isdecimal() and 1 <= int(one) <= len(HYBRIDS[hybrid]):
        shares = HYBRIDS[hybrid][int(one) - 1]
    else:
        raise InputError(f"orbital: {name!r} is not a function of Wannier90, expected a name such as 'dxy'.")
    return np.array([shares.get(harmonic, 0.0) for harmonic in HARMONICS])


def place_of(name: str) -> tuple[int, int]:
    """Wannier90's l and mr of a name. Raises InputError for another."""
    found = [(shell, names.index(name) + 1) for shell, names in FUNCTIONS.items() if name in names]
    if not found:
        raise InputError(f"orbital: {name!r} is not a function of Wannier90, expected a name such as 'dxy'.")
    return found[0]


def angular_momentum(l_number: int) -> NDArray[np.complex128]:
    """L_x, L_y, L_z (hbar) between real harmonics of one l in Wannier90's order, (3, 2 l + 1, 2 l + 1)."""
    m = np.arange(-l_number, l_number + 1)
    raising = np.diag(np.sqrt(l_number * (l_number + 1) - m[:-1] * (m[:-1] + 1)), -1).astype(complex)
    lx, ly = (raising + raising.T) / 2, (raising - raising.T) / 2j
    lz = np.diag(m).astype(complex)
    # Columns: m = 0, then cosine and sine combinations of m = 1, 2, 3.
    real = np.zeros((2 * l_number + 1, 2 * l_number + 1), dtype=complex)
    real[l_number, 0] = 1
    for n in range(1, l_number + 1):
        sign = (-1) ** n
        real[l_number + n, 2 * n - 1], real[l_number - n, 2 * n - 1] = sign * _ROOT[2], _ROOT[2]
        real[l_number + n, 2 * n], real[l_number - n, 2 * n] = -1j * sign * _ROOT[2], 1j * _ROOT[2]
    return np.stack([real.conj().T @ operator @ real for operator in (lx, ly, lz)])


@cache
def angular_momenta() -> NDArray[np.complex128]:
    """L_x, L_y, L_z (hbar) between all `HARMONICS`, (3, 16, 16)."""
    from scipy.linalg import block_diag

    shells = [angular_momentum(l_number) for l_number in SHELLS]
    full: NDArray[np.complex128] = np.stack([block_diag(*(shell[a] for shell in shells)) for a in range(3)])
    full.flags.writeable = False
    return full


def rotation_of_harmonics(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """D with f_j(O^-1 r) = sum_i f_i(r) D_ij for the `HARMONICS`, (..., 16, 16).

    rotation : orthogonal O (..., 3, 3) on Cartesian vectors as columns, proper or not
    """
    rotation = np.asarray(rotation, dtype=float)
    return _rotation_of_harmonics(rotation.tobytes(), rotation.shape)


@lru_cache(maxsize=256)
def _rotation_of_harmonics(content: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Kept, as the materials of a campaign have few point groups, and those of a scan one."""
    from scipy.linalg import expm
    from scipy.spatial.transform import Rotation

    rotation = np.frombuffer(content).reshape(shape)
    sign = np.rint(np.linalg.det(rotation))
    proper = np.reshape(sign[..., None, None] * rotation, (-1, 3, 3))
    # With the inversion, rotations come twice.
    once, which = np.unique(proper, axis=0, return_inverse=True)
    vectors = Rotation.from_matrix(once).as_rotvec()
    turned = expm(-1j * np.tensordot(vectors, angular_momenta(), axes=1)).real
    turned = turned[which.ravel()].reshape(*rotation.shape[:-2], *turned.shape[1:])
    odd = np.array([l_number % 2 == 1 for l_number, names in SHELLS.items() for _ in names])
    found: NDArray[np.float64] = turned * np.where(odd, sign[..., None], 1.0)[..., None, :]
    found.flags.writeable = False
    return found
