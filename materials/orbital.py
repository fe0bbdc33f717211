"""Observables beyond spin: orbital angular momentum, atoms and layers, by the trial orbitals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .model import TrialOrbitals, WannierModel
from .observable import ORBITAL, SPIN
from .trial_orbitals import expand_projections

#: hbar^2: L and S of Wannier functions that are what their projections say commute to a few per cent. By the
#: trial orbitals 0.003 (Pt), 0.0003 (Fe), 0.001 (GaAs); Pt's functions in the order of the projections: 1.
COMMUTATOR_TOLERANCE = 0.1


class OrbitalOrderWarning(UserWarning):
    """The projections of the .win are not what the Wannier functions are."""


def with_orbital_momentum(model: WannierModel) -> WannierModel:
    """The model with the observables orbital_x, orbital_y, orbital_z (hbar, about the site of each function).

    From the trial orbitals, where the model knows them. Else Wannier functions are taken to be the
    projections of the .win in their order, spin up and down in turn where there are spinors, which holds
    where they stayed what they were projected on (num_iter = 0, or nearly): minimization mixes and reorders.
    Functions of one site and l are taken to share their radial part. With spinors this is tested, orbital and
    spin matrices must commute: an OrbitalOrderWarning says if they do not. Raises InputError where there are
    no projections or their number does not fit.
    """
    trial = model.trial_orbitals
    source = "from the trial orbitals"
    if trial is None:
        trial = assumed_orbitals(model)
        source = "Wannier functions are taken to be the projections, in their order"
    matrices = trial.to_wannier(trial.angular_momentum())
    observables = {**model.observable_facts, **dict(zip(ORBITAL, matrices, strict=True))}
    note = f"orbital angular momentum: {source}"
    if set(SPIN) <= set(model.observables):
        mixed = _commutator(model, dict(zip(ORBITAL, matrices, strict=True)))
        note += f"; orbital and spin matrices commute within {mixed:.2g} hbar^2"
        if mixed > COMMUTATOR_TOLERANCE:
            why = model.provenance.without_trial_orbitals.rstrip(".")
            warnings.warn(
                f"model {model.name!r}: orbital and spin matrices should commute, but differ by {mixed:.2g} "
                "hbar^2; the Wannier functions are not their projections in their order, orbital results are "
                f"not to be trusted{f' ({why})' if why else ''}; put the .amn beside the .chk, or give "
                "matrices with with_observable().",
                OrbitalOrderWarning,
                stacklevel=2,
            )
    return replace(model, observables=observables).noted(note)


def assumed_orbitals(
    model: WannierModel,
    wanted_for: str = "orbital",
    hint: str = "give the matrices with with_observable() instead",
    spinors: bool | None = None,
) -> TrialOrbitals:
    """The projections of the .win as trial orbitals, in their order, whatever became of them.

    wanted_for, hint : how the sentence begins and ends that says why there are none
    spinors : whether each is there for both spins; None: where the model has a spin
    Raises InputError where there are none or their number does not fit.
    """
    if not model.projections:
        raise InputError(
            f"{wanted_for}: model {model.name!r} has no projections, expected a projections block in its "
            f".win; {hint}."
        )
    if spinors is None:
        spinors = set(SPIN) <= set(model.observables)
    orbitals = expand_projections(
        model.parsed_projections, model.atoms, model.lattice, spinors, owner=f"model {model.name!r}"
    )
    if len(orbitals) != model.size:
        raise InputError(
            f"{wanted_for}: the projections of model {model.name!r} make {len(orbitals)} functions, expected "
            f"{model.size}; {hint}."
        )
    return TrialOrbitals(orbitals)


def _commutator(model: WannierModel, observables: Mapping[str, NDArray[np.complex128]]) -> float:
    """Largest element of [L_a, S_b] at R = 0: spin and orbital momentum act on different spaces."""
    spins = [model.onsite(name) for name in SPIN]
    orbitals = [observables[name] for name in ORBITAL]
    return max(float(np.abs(o @ s - s @ o).max()) for o in orbitals for s in spins)


def with_atoms(model: WannierModel) -> WannierModel:
    """The model with one projector per atom, named atom_1_Mo ...: on the trial orbitals nearest to it.

    Without trial orbitals on the Wannier functions that are centred nearest. Raises InputError where the
    atoms are unknown.
    """
    if not model.atoms:
        raise InputError(f"atoms: the atoms of model {model.name!r} are unknown, expected them in a .win.")
    positions = np.array([atom.position for atom in model.atoms])
    inverse = np.linalg.inv(model.lattice)
    apart = (_sites(model)[:, None] - positions[None]) @ inverse
    distance = np.linalg.norm((apart - np.round(apart)) @ model.lattice, axis=2)
    nearest = distance.argmin(axis=1)
    observables = dict(model.observables)
    for number, atom in enumerate(model.atoms):
        observables[f"atom_{number + 1}_{atom.symbol}"] = _projector(model, nearest == number)
    return replace(model, observables=observables)


def with_layer(model: WannierModel, height: float | None = None) -> WannierModel:
    """The model with the observable layer: +1 for what sits above `height` (angstrom along z), -1 below.

    By the sites of the trial orbitals, without them by the Wannier centres.
    height : by default the mean of theirs. Raises InputError where all are on one side.
    """
    z = _sites(model)[:, 2]
    sign = np.where(z > (z.mean() if height is None else height), 1.0, -1.0)
    if abs(sign.sum()) == model.size:
        raise InputError(
            f"layer: all Wannier centres of model {model.name!r} lie on one side, between {z.min():.3f} and "
            f"{z.max():.3f} angstrom; give height=."
        )
    return model.with_observable("layer", _projector(model, sign))


def _sites(model: WannierModel) -> NDArray[np.float64]:
    """(wannier, 3) angstrom: where the functions sit that `_projector` counts."""
    trial = model.trial_orbitals
    # Wannier functions that are the orbitals themselves have their own centres.
    return model.centres if trial is None or trial.overlap is None else trial.positions


def _projector(model: WannierModel, values: NDArray) -> NDArray[np.complex128]:
    diagonal = np.diag(values.astype(complex))
    return diagonal if model.trial_orbitals is None else model.trial_orbitals.to_wannier(diagonal)
