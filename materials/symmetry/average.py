"""`symmetrize`: the average of a model over its group, and how far from it the model was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import hermitian_part, opposite_rows
from ..model import Atom, TrialOrbitals, WannierModel
from .candidates import Candidates, candidates_of
from .group import ROUNDING, know_group
from .levels import largest_change, splittings
from .naming import group_name
from .operators import Operators
from .orbitals import invariant_sites
from .selection import Obeyed, obeyed_within_limits

#: eV: largest change of an element of H up to which a model is symmetrized without being asked. Wannier
#: functions that were minimized without regard to symmetry take 0.05 in Pt on 4 x 4 x 4, 1e-3 in GaAs; more
#: says that something else is wrong.
AUTOMATIC_LIMIT = 0.1

#: angstrom: the same of the positions, of which Pt takes 0.02 and GaAs 0.05.
AUTOMATIC_POSITION = 0.1


@dataclass(frozen=True)
class SymmetryDeviation:
    """How far a model is from its average over a group.

    name : of the group; order : number of its operations, those with time reversed included
    candidates : number of operations of the crystal, each with and without time reversed
    hamiltonian, position, observables : largest change of an element, eV, angstrom and unit of the observable
    hamiltonian_rms, position_rms, observables_rms : root mean square over all elements
    lattice : largest change of a lattice vector, angstrom
    splitting, largest_splitting : eV, median and largest distance of levels that the group makes one, 0 where
        it makes none
    band : eV, largest change of a band on a path
    """

    name: str
    order: int
    candidates: int
    hamiltonian: float
    hamiltonian_rms: float
    position: float
    position_rms: float
    observables: float
    observables_rms: float
    lattice: float
    splitting: float
    largest_splitting: float
    band: float

    @property
    def is_automatic(self) -> bool:
        """Whether it is small enough to be averaged away without being asked."""
        return self.hamiltonian <= AUTOMATIC_LIMIT and self.position <= AUTOMATIC_POSITION

    @property
    def is_rounding(self) -> bool:
        """Whether the model obeys its group already."""
        return max(self.hamiltonian, self.position, self.observables, self.lattice) <= ROUNDING

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence."""
        if self.is_rounding:
            return "the model obeys it: nothing to do"
        if self.is_automatic:
            return "averaged away before anything is computed, unless symmetrize is off"
        return (
            f"more than {AUTOMATIC_LIMIT} eV or {AUTOMATIC_POSITION} angstrom: left as it is unless "
            "symmetrize is on; compare projections and "
            "functions, minimize less or wannierize on a denser mesh"
        )


def symmetrize(model: WannierModel) -> WannierModel:
    """The model averaged over the group of its crystal: H(R), A(R) with the centres, and every observable.

    Which operations a magnet has is measured: those count that change H by at most 0.2 eV, the mean exchange
    field of a site by at most 10 meV and no observable of known rotation by more than a tenth. An observable
    of unknown rotation, such as a layer, must follow by whole numbers. Cells R are closed under the group;
    Wannier functions stay those of the model. How far it was from its average is in its provenance.

    Raises InputError where the trial orbitals are unknown or the model obeys none of the operations.
    """
    return symmetrized(model)[0]


def symmetry_deviation(model: WannierModel) -> SymmetryDeviation:
    """How far a model is from its average, see `symmetrize`. Raises InputError as it does."""
    return symmetrized(model)[1]


def symmetrized(model: WannierModel) -> tuple[WannierModel, SymmetryDeviation]:
    """`symmetrize`, and how far the model was from that. Raises InputError."""
    return _symmetrized(model, _Selected.of(model))


def symmetrized_unless_obeyed(model: WannierModel) -> tuple[WannierModel, SymmetryDeviation] | None:
    """`symmetrized`, None where the model obeys its group to rounding already, which takes less to see.

    The model knows its group then. Raises InputError.
    """
    selected = _Selected.of(model)
    if selected.is_obeyed(model):
        know_group(model, selected.obeyed.candidates)
        return None
    return _symmetrized(model, selected)


@dataclass(frozen=True, eq=False)
class _Selected:
    """The operations that a model was meant to obey. found : number of operations of the crystal"""

    obeyed: Obeyed
    found: int

    @classmethod
    def of(cls, model: WannierModel) -> _Selected:
        """Raises InputError where trial orbitals are unknown or nothing is obeyed."""
        _check_orbitals(model)
        every = candidates_of(model)
        return cls(obeyed_within_limits(model, every), every.found)

    def is_obeyed(self, model: WannierModel) -> bool:
        """Whether the average would change nothing but rounding."""
        candidates = self.obeyed.candidates
        lattice = float(np.abs(candidates.lattice - model.lattice).max())
        # The mean changes no element by more than the worst operation does.
        if max(lattice, candidates.largest_change) > ROUNDING:
            return False
        if self.obeyed.unfollowed <= ROUNDING:
            return True
        after = averaged(candidates, self.obeyed.mixing, ("observables",)).observables
        return bool(np.abs(after - candidates.operators.observables).max(initial=0.0) <= ROUNDING)


def _check_orbitals(model: WannierModel) -> None:
    if model.trial_orbitals is None:
        why = (
            model.provenance.without_trial_orbitals.rstrip(".")
            or "nothing says what its functions are made of"
        )
        raise InputError(
            f"symmetrize: the trial orbitals of model {model.name!r} are not known ({why}), expected "
            "those of the "
            ".win and, where functions were minimized, the .amn and .chk of the same run."
        )


def _symmetrized(model: WannierModel, selected: _Selected) -> tuple[WannierModel, SymmetryDeviation]:
    candidates = selected.obeyed.candidates
    average = averaged(candidates, selected.obeyed.mixing)
    result = rebuilt(model, candidates, average)
    split = splittings(model, result)
    deviation = SymmetryDeviation(
        name=group_name(candidates.operations, candidates.lattice),
        order=candidates.operations.order,
        candidates=selected.found,
        **_differences(candidates.operators, average),
        lattice=float(np.abs(candidates.lattice - model.lattice).max()),
        splitting=float(np.median(split)) if len(split) else 0.0,
        largest_splitting=float(split.max(initial=0.0)),
        band=largest_change(model, result),
    )
    noted = _with_note(result, deviation)
    know_group(noted, replace(candidates, operators=average))
    if deviation.is_rounding:
        know_group(model, candidates)
    return noted, deviation


def averaged(
    candidates: Candidates,
    mixing: NDArray[np.float64],
    names: Sequence[str] = ("hamiltonian", "position", "observables"),
) -> Operators:
    """Mean of g X g^-1 over the group, observables with M (operation, observable, observable).

    names : of the operators that are averaged

    Over one subgroup after the other: the mean over a group is the mean over its cosets of that over a
    subgroup.
    """
    current = candidates
    for leaders in candidates.products.cosets(range(candidates.operations.order)):
        mean = {}
        for name in names:
            total = np.zeros_like(getattr(current.operators, name))
            for number in leaders:
                after = current.after(number, name)
                if name == "observables":
                    after = np.moveaxis(np.tensordot(mixing[number], after, axes=(1, 1)), 0, 1)
                total += after
            mean[name] = total / len(leaders)
        current = replace(current, operators=replace(current.operators, **mean))
    return current.operators


def _differences(before: Operators, after: Operators) -> dict[str, float]:
    """Largest and root mean square of what changed, operator by operator."""
    found = {}
    for name in ("hamiltonian", "position", "observables"):
        change = np.abs(getattr(after, name) - getattr(before, name))
        found[name] = float(change.max(initial=0.0))
        found[f"{name}_rms"] = float(np.sqrt(np.mean(change**2))) if change.size else 0.0
    return found


def rebuilt(model: WannierModel, candidates: Candidates, average: Operators) -> WannierModel:
    """The model with other operators, in its own Wannier functions, on its exact lattice and sites."""
    home, rotation = average.cells.home, candidates.rotation
    position = average.position.copy()
    every = np.arange(model.size)
    position[home][:, every, every] += candidates.origins.T
    stacked = np.concatenate([average.hamiltonian, position, average.observables], axis=1)
    occurs = np.asarray(stacked.any(axis=(1, 2, 3)))
    occurs[home] = True
    translations = average.cells.translations[occurs]
    opposite = opposite_rows(translations)
    assert opposite is not None  # a group keeps -R beside R
    matrices, _ = hermitian_part(rotation @ stacked[occurs] @ rotation.conj().T, opposite)
    observables = {}
    for row, (name, observable) in enumerate(model.observable_facts.items(), start=4):
        matrix = matrices[:, row]
        at_home = (translations == 0).all(axis=1)
        if observable.matrix.ndim == 2 and not matrix[~at_home].any():
            matrix = matrix[at_home][0]
        observables[name] = replace(observable, matrix=matrix)
    return replace(
        model,
        lattice=candidates.lattice,
        translations=translations,
        hamiltonian=matrices[:, 0],
        position=matrices[:, 1:4],
        observables=observables,
        observable_facts={},
        atoms=_exact_atoms(model, candidates),
        trial_orbitals=_exact_orbitals(model, candidates),
    )


def _exact_atoms(model: WannierModel, candidates: Candidates) -> tuple[Atom, ...]:
    if not model.atoms:
        return model.atoms
    labels = [atom.symbol for atom in model.atoms]
    reduced = np.array([atom.position for atom in model.atoms]) @ np.linalg.inv(model.lattice)
    operations = candidates.operations
    exact = invariant_sites(
        labels,
        reduced,
        candidates.lattice,
        operations.rotations,
        operations.translations,
        model.periodic,
    )
    places = (exact @ candidates.lattice).tolist()
    return tuple(
        replace(atom, position=tuple(place)) for atom, place in zip(model.atoms, places, strict=True)
    )


def _exact_orbitals(model: WannierModel, candidates: Candidates) -> TrialOrbitals | None:
    trial, places = model.trial_orbitals, candidates.origins.tolist()
    if trial is None:
        return None
    orbitals = [
        replace(orbital, position=tuple(p)) for orbital, p in zip(trial.orbitals, places, strict=True)
    ]
    return replace(trial, orbitals=tuple(orbitals))


def _with_note(model: WannierModel, found: SymmetryDeviation) -> WannierModel:
    note = (
        f"symmetrized: {found.order} operations of {found.name}; H changed by up to "
        f"{found.hamiltonian:.2g} eV, "
        f"positions by {found.position:.2g} angstrom, bands on the path by {found.band:.2g} eV; levels "
        "that belong "
        f"together were split by {found.splitting:.2g} eV (median), up to {found.largest_splitting:.2g} eV"
    )
    if found.order < found.candidates:
        note += f"; the model breaks {found.candidates - found.order} of {found.candidates} of its crystal"
    return model.noted(
        note,
        symmetry_deviation=found.hamiltonian,
        pair_splitting=found.splitting,
        band_change=found.band,
    )
