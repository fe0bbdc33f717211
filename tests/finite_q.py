"""Linear response at a finite wave vector q, a second way to T14: it knows no Berry curvature and no kernel.

The conserved current J of Theta obeys d<Theta>/dt + div J = 0, so a field along b that varies as e^{iqa}
drives J_a through the density alone: sigma_ab = -i d/dq chi_{Theta, v_b}(q), the static limit taken after
q -> 0 (Shi, Zhang, Xiao, Niu, PRL 96, 076604).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from spinscreen.materials import WannierModel

#: 1/angstrom; the error of the central difference is of order q^2.
STEP = 1e-3


def proper_response(model: WannierModel, observable: str, a: int, b: int, kmesh: int, mu: float, kt: float):
    """int_k of T14_ab of a 2D model whose position matrix holds centres only, e^2/hbar removed."""
    points = np.stack(np.meshgrid(*2 * [(np.arange(kmesh) + 0.37) / kmesh], indexing="ij"), axis=-1)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    k = points.reshape(-1, 2) @ reciprocal[:2]
    step = np.zeros(3)
    step[a] = STEP
    forward, backward = (_susceptibility(model, observable, b, k, sign * step, mu, kt) for sign in (1, -1))
    return (-1j * (forward - backward) / (2 * STEP)).real / model.cell_measure


def _susceptibility(model, observable, b, k, q, mu, kt):
    """Mean over k of Theta_nm (v_b)_mn (f_n - f_m)/(eps_n - eps_m), n at k - q/2 and m at k + q/2."""
    left, right = (np.linalg.eigh(_hamiltonian(model, k + sign * q / 2)[0]) for sign in (-1, 1))
    velocity = _hamiltonian(model, k)[1][:, b]
    theta = left[1].conj().swapaxes(1, 2) @ model.onsite(observable) @ right[1]
    current = right[1].conj().swapaxes(1, 2) @ velocity @ left[1]
    difference = left[0][:, :, None] - right[0][:, None, :]
    occupied = [expit(-(energy - mu) / kt) if kt else (energy <= mu) * 1.0 for energy, _ in (left, right)]
    weight = occupied[0][:, :, None] - occupied[1][:, None, :]
    # Within one band the response vanishes: q -> 0 comes before omega -> 0.
    other = ~np.eye(model.size, dtype=bool)
    ratio = np.divide(weight, difference, out=np.zeros_like(weight), where=other)
    return np.einsum("knm,knm,kmn->", ratio, theta, current) / len(k)


def _hamiltonian(model, k):
    """H(k) with the phases of the true positions, and its gradient: (k, n, m), (k, axis, n, m)."""
    centres = model.centres.T
    hamiltonian = np.zeros((len(k), model.size, model.size), dtype=complex)
    gradient = np.zeros((len(k), 3, model.size, model.size), dtype=complex)
    for vector, hopping in zip(model.translations @ model.lattice, model.hamiltonian, strict=True):
        bond = vector[:, None, None] + centres[:, None, :] - centres[:, :, None]
        term = np.exp(1j * np.einsum("kc,cij->kij", k, bond)) * hopping
        hamiltonian += term
        gradient += 1j * term[:, None] * bond
    return hamiltonian, gradient
