"""Square-lattice models: lattice Dirac, Rashba ferromagnet, and the HgTe/CdTe quantum well."""

from __future__ import annotations

import numpy as np

from ..model import Provenance, WannierModel
from ..spin import PAULI, spin_matrices
from ..trial_orbitals import exact_orbitals
from .honeycomb import VACUUM

_X, _Y, _HOME = (1, 0, 0), (0, 1, 0), (0, 0, 0)


def _square(constant: float) -> np.ndarray:
    return np.diag([constant, constant, VACUUM])


def lattice_dirac(*, m: float = -1.0, lattice_constant: float = 1.0) -> WannierModel:
    """Qi, Wu, Zhang, Phys. Rev. B 74, 085308 (2006): sin kx s_x + sin ky s_y + (m + 2 - cos kx - cos ky) s_z.

    m (eV): Chern number of the lower band is 0 for m > 0 and m < -4, and changes sign at m = -2.
    """
    sx, sy, sz = PAULI
    hoppings = {
        _HOME: (m + 2) * sz,
        _X: sx / 2j - sz / 2,
        _Y: sy / 2j - sz / 2,
    }
    return WannierModel.from_hoppings(
        "lattice_dirac",
        _square(lattice_constant),
        hoppings,
        np.zeros((2, 3)),
        observables=spin_matrices(2, "interlaced"),
        periodic=(True, True, False),
        fermi_level=0.0,
        trial_orbitals=exact_orbitals(np.zeros((1, 3)), ["X"], ["s"]),
        provenance=Provenance(notes=("Qi, Wu, Zhang, Phys. Rev. B 74, 085308 (2006)",)),
    )


def rashba_ferromagnet(
    *, t: float = 1.0, rashba: float = 0.3, exchange: float = 0.2, lattice_constant: float = 1.0
) -> WannierModel:
    """Rashba bands with an exchange field: Nagaosa et al., Rev. Mod. Phys. 82, 1539 (2010), section IV.

    H = 2 t (2 - cos kx - cos ky) + rashba (sin ky s_x - sin kx s_y) - exchange s_z, all in eV.
    """
    sx, sy, sz = PAULI
    identity = np.eye(2)
    hoppings = {
        _HOME: 4 * t * identity - exchange * sz,
        _X: -t * identity - rashba * sy / 2j,
        _Y: -t * identity + rashba * sx / 2j,
    }
    return WannierModel.from_hoppings(
        "rashba_ferromagnet",
        _square(lattice_constant),
        hoppings,
        np.zeros((2, 3)),
        observables=spin_matrices(2, "interlaced"),
        periodic=(True, True, False),
        fermi_level=1.0,
        trial_orbitals=exact_orbitals(np.zeros((1, 3)), ["X"], ["s"]),
        provenance=Provenance(notes=("Rashba model on a square lattice, Rev. Mod. Phys. 82, 1539 (2010)",)),
    )


def bhz_quantum_well(
    *,
    A: float = 3.65,
    B: float = -68.6,
    D: float = -51.2,
    M: float = -0.010,
    inversion_asymmetry: float = 0.0016,
    lattice_constant: float = 20.0,
) -> WannierModel:
    """HgTe/CdTe well of 70 A: Bernevig, Hughes, Zhang, Science 314, 1757 (2006).

    Parameters of Qi and Zhang, Rev. Mod. Phys. 83, 1057 (2011), table I: A (eV A), B, D (eV A^2), M (eV),
    inversion_asymmetry (eV). Discretized with k -> sin(k a)/a, k^2 -> 2 (1 - cos k a)/a^2. Basis (E1+, E1-,
    H1+, H1-); the observable `spin` is the pseudospin of the Kramers partners.
    """
    a = lattice_constant
    electron, hole = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    sz, identity = PAULI[2], np.eye(2)
    curvature = np.kron((-D - B) * electron + (-D + B) * hole, identity) / a**2
    # A (kx s - i ...): E+ couples to H+ by k_x + i k_y, E- to H- by -(k_x - i k_y).
    along_x = A / a * np.kron(PAULI[0], sz)
    along_y = -A / a * np.kron(PAULI[1], identity)
    # Bulk inversion asymmetry couples E+ with H- and E- with H+.
    asymmetry = np.zeros((4, 4))
    asymmetry[[0, 3], [3, 0]] = -inversion_asymmetry
    asymmetry[[1, 2], [2, 1]] = inversion_asymmetry
    hoppings = {
        _HOME: np.kron(M * (electron - hole), identity) + 4 * curvature + asymmetry,
        _X: -curvature + along_x / 2j,
        _Y: -curvature + along_y / 2j,
    }
    return WannierModel.from_hoppings(
        "bhz_hgte",
        _square(a),
        hoppings,
        np.zeros((4, 3)),
        observables=spin_matrices(4, "interlaced"),
        periodic=(True, True, False),
        fermi_level=0.0,
        provenance=Provenance(
            notes=("Bernevig, Hughes, Zhang, Science 314, 1757 (2006); Rev. Mod. Phys. 83, 1057",),
            without_trial_orbitals="the basis E1+, E1-, H1+, H1- is of pseudospins, not of real orbitals.",
        ),
    )
