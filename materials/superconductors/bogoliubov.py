"""Superconductors: a normal-state model and a pairing become a Bogoliubov-de Gennes model (section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import constants

from spinscreen.kernels import InputError

from ..matrices import opposite_rows
from ..model import Provenance, WannierModel
from ..observable import Observable, named_observable
from .pairing import named_pairing

#: eV: largest |Delta(R) + Delta(-R)^T| that counts as rounding.
ANTISYMMETRY_TOLERANCE = 1e-10

#: Tc = gap / (BCS_RATIO k_B) in weak-coupling BCS theory.
BCS_RATIO = 1.764

#: R -> (wannier, wannier) matrix in eV.
Pairing = Mapping[tuple[int, int, int], ArrayLike]


def bogoliubov(
    model: WannierModel,
    pairing: str | Pairing,
    chemical_potential: float | None = None,
    gap: float = 1e-3,
) -> WannierModel:
    """Bogoliubov-de Gennes model of a superconductor on (c_k, c^dagger_-k).

    pairing : a name of `PAIRINGS`, scaled by `gap` (eV), or Delta(R) in eV as a mapping, used as it stands
    chemical_potential : eV, by default the model's Fermi level
    The result has the observable charge = -tau_z (in e) and the normal model's other observables X as X on
    electrons and -X(-k)^* on holes (or what their hole_sign says); everything that works on a model works on
    it. Each band counts one half, half of the filled electrons is added, and an electric field acts on
    electrons and holes oppositely, so that without a gap every quantity has its normal value (theory
    section 6). Raises InputError for a Delta that breaks Delta(k) = -Delta(-k)^T or does not fit the model.

    >>> from spinscreen.materials import bogoliubov, library
    >>> normal = library.load("rashba_ferromagnet")
    >>> superconductor = bogoliubov(normal, "s", gap=0.01)
    >>> normal.hamiltonian.shape[1:], superconductor.hamiltonian.shape[1:]
    ((2, 2), (4, 4))
    >>> "charge" in superconductor.observables
    True
    """
    if model.is_bogoliubov:
        raise InputError(f"bogoliubov: model {model.name!r} is a superconductor already.")
    level = model.fermi_level if chemical_potential is None else chemical_potential
    if level is None or not np.isfinite(level):
        raise InputError(
            f"bogoliubov: the Fermi level of model {model.name!r} is unknown, expected a finite "
            "chemical_potential in eV."
        )
    if not np.isfinite(gap):
        raise InputError(f"bogoliubov: expected a finite gap in eV, found {gap}.")
    name = pairing if isinstance(pairing, str) else "given"
    given = named_pairing(model, pairing, gap) if isinstance(pairing, str) else pairing
    translations, delta = _on_common_rows(model, _checked_pairing(model, given))
    rows = _Rows(model, translations)
    return WannierModel(
        f"{model.name}+{name}",
        model.lattice,
        translations,
        rows.hamiltonian(float(level), delta),
        rows.doubled(model.position, hole_sign=1),
        observables=rows.observables(),
        periodic=model.periodic,
        atoms=model.atoms,
        fermi_level=0.0,
        provenance=_noted(model.provenance, name, gap, float(level)),
        kpoint_path=model.kpoint_path,
        is_bogoliubov=True,
        spin_degeneracy=model.spin_degeneracy,
    )


def bcs_gap(gap: float, temperature: float, critical_temperature: float | None = None) -> float:
    """Delta(T) = Delta_0 tanh(1.74 sqrt(Tc/T - 1)) in eV, 0 above Tc.

    gap : Delta_0 in eV; temperatures in K; Tc by default from Delta_0 = 1.764 k_B Tc.
    """
    critical = critical_temperature or gap / (BCS_RATIO * constants.k / constants.e)
    if temperature <= 0:
        return gap
    if temperature >= critical:
        return 0.0
    return float(gap * np.tanh(1.74 * np.sqrt(critical / temperature - 1)))


def _noted(provenance: Provenance, name: str, gap: float, level: float) -> Provenance:
    note = f"superconductor: pairing {name}, gap {gap:g} eV, chemical potential {level:g} eV"
    why = "the model is a superconductor, of electrons and holes."
    return replace(provenance.noted(note), without_trial_orbitals=why)


def _checked_pairing(model: WannierModel, pairing: Pairing) -> dict[tuple[int, ...], NDArray[np.complex128]]:
    delta = {tuple(int(x) for x in r): np.asarray(m, dtype=complex) for r, m in pairing.items()}
    shape = (model.size, model.size)
    for vector, matrix in delta.items():
        if len(vector) != 3 or matrix.shape != shape or not np.isfinite(matrix).all():
            raise InputError(
                f"pairing: expected finite {shape} matrices for R vectors of three integers, found shape "
                f"{matrix.shape} at R = {vector}."
            )
        opposite = delta.get(tuple(-x for x in vector), np.zeros(shape))
        broken = float(np.abs(matrix + np.asarray(opposite).T).max())
        if broken > ANTISYMMETRY_TOLERANCE:
            raise InputError(
                f"pairing: Fermi statistics demand Delta(R) = -Delta(-R)^T, found a difference of "
                f"{broken:.3g} eV at R = {vector}; antisymmetrize the matrix, or check its spin part."
            )
    return delta


def _on_common_rows(
    model: WannierModel, delta: Mapping[tuple[int, ...], NDArray[np.complex128]]
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    vectors = {tuple(v) for v in model.translations.tolist()}
    vectors |= set(delta) | {tuple(-x for x in v) for v in delta}
    translations = np.array(sorted(vectors), dtype=np.int64)
    empty = np.zeros((model.size, model.size), dtype=complex)
    return translations, np.stack([delta.get(tuple(v), empty) for v in translations.tolist()])


class _Rows:
    """Matrices of a normal model spread over the rows of a larger set of R, and doubled."""

    def __init__(self, model: WannierModel, translations: NDArray[np.int64]) -> None:
        self._model = model
        self._count = len(translations)
        rows = {tuple(vector): row for row, vector in enumerate(translations.tolist())}
        self._at = [rows[tuple(vector)] for vector in model.translations.tolist()]
        self._home = rows[0, 0, 0]
        opposite = opposite_rows(translations)
        assert opposite is not None
        self._opposite = opposite

    def _spread(self, matrices: NDArray[np.complex128]) -> NDArray[np.complex128]:
        if matrices.ndim == 2:
            matrices = matrices[None]
            at: Any = [self._home]
        else:
            at = self._at
        full = np.zeros((self._count, *matrices.shape[1:]), dtype=complex)
        full[at] = matrices
        return full

    def doubled(self, matrices: NDArray[np.complex128], hole_sign: int) -> NDArray[np.complex128]:
        """X(k) on electrons, hole_sign * X(-k)^* on holes: X(R)^* in R space."""
        full, size = self._spread(matrices), matrices.shape[-1]
        double = np.zeros((*full.shape[:-2], 2 * size, 2 * size), dtype=complex)
        double[..., :size, :size] = full
        double[..., size:, size:] = hole_sign * full.conj()
        return double

    def hamiltonian(self, level: float, delta: NDArray[np.complex128]) -> NDArray[np.complex128]:
        size = self._model.size
        double = self.doubled(self._model.hamiltonian, hole_sign=-1)
        shift = np.repeat([-level, level], size)
        double[self._home] += np.diag(shift)
        double[:, :size, size:] = delta
        double[:, size:, :size] = delta[self._opposite].conj().swapaxes(1, 2)
        return double

    def observables(self) -> dict[str, Observable]:
        found: dict[str, Observable] = {}
        for name, observable in self._model.observable_facts.items():
            if name == "charge":
                continue
            double = self.doubled(observable.matrix, observable.sign_of_hole)
            on_site = observable.matrix.ndim == 2
            found[name] = replace(observable, matrix=double[self._home] if on_site else double)
        charge = np.diag(np.repeat([-1.0 + 0j, 1.0 + 0j], self._model.size))
        return found | {"charge": named_observable("charge", charge)}
