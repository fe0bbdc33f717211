"""Spin-orbit coupling added on the sites of a model that has none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .collinear import projections_of_both
from .elements import element_of
from .matrices import LARGEST
from .model import TrialOrbitals, WannierModel
from .observable import SPIN
from .orbital import assumed_orbitals
from .spin import PAULI, spin_matrices

#: eV: lambda of 6p in bismuth is 1.3, of 7p in the heaviest elements below this.
_STRONGEST = 10.0

_SHELL = re.compile(r"\s*(?P<site>[^:=,]+?)\s*:\s*(?P<shell>[pdf])\s*=\s*(?P<value>[^,]+?)\s*$")


def read_couplings(text: str) -> dict[str, float]:
    """Couplings in eV by "site:shell", from a text such as "Fe:d=0.05, Te:p=0.5".

    Raises InputError for anything else.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        match = _SHELL.match(part)
        try:
            value = float(match["value"]) if match else np.nan
        except ValueError:
            value = np.nan
        if match is None or not abs(value) < LARGEST:
            raise InputError(f"soc: expected for example 'Fe:d=0.05,Te:p=0.5' in eV, found {part.strip()!r}.")
        name = f"{match['site']}:{match['shell']}"
        if name in found:
            raise InputError(
                f"soc: expected each shell once, found {name} as {found[name]:g} and {value:g} eV."
            )
        found[name] = value
    return found


def with_spin_orbit(model: WannierModel, couplings: Mapping[str, float]) -> WannierModel:
    """The model with lambda L.S (L and S in hbar) added to H on the sites and shells that are named.

    couplings : "element or label:shell" -> lambda, eV; shells are p, d, f
    A model without spin, two electrons in each band, becomes one of spinors, all up before all down; the
    channels of a collinear pair stay where they are. By the trial orbitals, without them by the projections
    in their order. Raises InputError for a model whose Hamiltonian has its spin-orbit coupling, for one
    channel of a pair, and where no orbital has the name.
    """
    where = f"soc: model {model.name!r}"
    if not couplings:
        return model
    joined = _is_pair(model)
    if not joined and model.spin_degeneracy != 2:
        raise InputError(
            f"{where} has spinors, is one spin channel or built in, expected one without spin, or a "
            "collinear pair; its Hamiltonian has what coupling it was made with."
        )
    hint = "put the .win of the run with its projections, or the .amn and .chk, beside the Hamiltonian"
    trial = model.trial_orbitals or assumed_orbitals(model, "soc", hint)
    plain = trial if not trial.has_spin else _without_spins(trial)
    coupling = _coupling(plain, couplings, where)
    assumed = "" if model.trial_orbitals is not None else "; functions taken to be the projections, in order"
    told = ", ".join(f"{name} {value:g} eV" for name, value in couplings.items())
    note = f"spin-orbit coupling added on site: lambda L.S with {told}{assumed}"
    if joined:
        spinors = np.repeat(np.eye(2), len(plain) // 2, axis=0)
        local = (coupling * np.einsum("is,xst,jt->xij", spinors, PAULI / 2, spinors)).sum(axis=0)
        return _with_onsite(model, trial.to_wannier(local)).noted(note)
    orbital, size = trial.to_wannier(coupling), model.size
    local = np.einsum("xst,xij->sitj", PAULI / 2, orbital).reshape(2 * size, 2 * size)
    return _with_onsite(_doubled(model, trial), local).noted(note, spin_source="given")


def _is_pair(model: WannierModel) -> bool:
    return "spin_z" in model.observables and any(
        note.startswith("spin: channels ") for note in model.provenance.notes
    )


def _without_spins(trial: TrialOrbitals) -> TrialOrbitals:
    return TrialOrbitals(tuple(replace(orbital, spin=None) for orbital in trial.orbitals), trial.overlap)


def _coupling(trial: TrialOrbitals, couplings: Mapping[str, float], where: str) -> NDArray[np.complex128]:
    """Lambda L between trial orbitals without spin, (3, trial, trial) eV."""
    momentum = trial.angular_momentum()
    strength = np.zeros(len(trial))
    named: dict[int, str] = {}
    for name, value in couplings.items():
        if abs(value) > _STRONGEST:
            raise InputError(
                f"{where}: {name} is {value:g} eV, expected at most {_STRONGEST:g}, which no valence shell "
                "exceeds; is it in meV?"
            )
        site, _, shell = name.partition(":")
        chosen = [
            orbital.l_number == "spdf".index(shell) and site in (orbital.site, element_of(orbital.site))
            for orbital in trial.orbitals
        ]
        if not any(chosen):
            raise InputError(f"{where} has no {name} among its orbitals, expected some of {trial.summary}.")
        for place in np.flatnonzero(chosen).tolist():
            if named.setdefault(place, name) != name:
                raise InputError(f"{where}: {named[place]} and {name} are one shell, expected it once.")
        strength[chosen] = value
    # Shells of one site and l are all that L connects, and have one strength.
    return momentum * strength[:, None]


def _doubled(model: WannierModel, trial: TrialOrbitals) -> WannierModel:
    """Both spins of a model without, all up before all down."""

    def both(matrices: NDArray) -> NDArray:
        return np.kron(np.eye(2), matrices)

    orbitals = [replace(orbital, spin=sign) for sign in (1, -1) for orbital in trial.orbitals]
    overlap = None if trial.overlap is None else both(trial.overlap)
    observables = {name: both(matrix) for name, matrix in model.observables.items()}
    known = model.trial_orbitals is not None
    return WannierModel(
        model.name,
        model.lattice,
        model.translations,
        both(model.hamiltonian),
        both(model.position),
        observables=observables | spin_matrices(2 * model.size, "block"),
        periodic=model.periodic,
        atoms=model.atoms,
        fermi_level=model.fermi_level,
        provenance=replace(model.provenance, spin_source="given"),
        projections=projections_of_both(model.projections),
        kpoint_path=model.kpoint_path,
        trial_orbitals=TrialOrbitals(tuple(orbitals), overlap) if known else None,
    )


def _with_onsite(model: WannierModel, matrix: NDArray[np.complex128]) -> WannierModel:
    if set(SPIN) - set(model.observables):
        raise InputError(
            f"soc: model {model.name!r} knows spin_z alone, expected channels with functions that are alike."
        )
    hamiltonian = model.hamiltonian.copy()
    hamiltonian[~model.translations.any(axis=1)] += matrix
    return replace(model, hamiltonian=hamiltonian)
