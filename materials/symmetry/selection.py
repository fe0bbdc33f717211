"""Which operations of the crystal a model was meant to obey: measured, not assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, SymmetryGroup

from ..model import WannierModel
from ..observable import Observable
from .candidates import Candidates, candidates_of
from .group import Observed, whole_mixing
from .operations import closed_group, generators_if
from .orbitals import Action

#: eV: by how much an operation of the atoms may change an element of H. Wannier functions that were minimized
#: without regard to symmetry make 0.1 in Pt on 4 x 4 x 4 and 1e-3 in GaAs; exchange in Fe makes 2.
OPERATION_LIMIT = 0.2

#: eV: the same where no atoms are known, as in models that are built by hand: what they break they mean to
#: break.
SITES_LIMIT = 1e-3

#: eV: by how much an operation may change the mean level and the mean exchange field of a site, in which
#: noise averages out (1e-3 in Pt), so that weak magnets and equal atoms at unequal potentials are known as
#: well.
FIELD_LIMIT = 0.01

#: angstrom: by how much an operation may change an element of the positions. Pt on 4 x 4 x 4 has 0.04, GaAs
#: 0.07.
POSITION_LIMIT = 0.2

#: How many times worse than the operation that is obeyed best one may be obeyed: 36 times in GaAs, whose
#: functions keep three twofold axes by themselves. What is beyond is meant to be broken, not noise.
JUMP = 50.0

#: eV: what digits of printed files leave of an operation that is obeyed.
PRINTED = 1e-5

#: angstrom: how far the functions of a site may lie from it, in their mean: hybrids that point one way make
#: 0.85 in GaAs.
SITE_LIMIT = 1.5

#: Share of the largest element of an observable of known rotation that an operation may change.
OBSERVABLE_LIMIT = 0.1

#: Number of operations, those with time reversed included, that say something of what functions are.
TELLING = 16

#: eV, angstrom: what rounding leaves of an operation, so little that products of some are obeyed as well.
_EXACT = 1e-11

#: Sine of the angle below which an observable is a sum of others.
_DEPENDENT = 1e-6

#: How far from whole numbers an observable of unknown rotation may follow: layers and atoms change places.
_WHOLE = 0.05


@dataclass(frozen=True, eq=False)
class Obeyed:
    """The operations that a model obeys within the limits, as a group.

    mixing : (operation, observable, observable) M, exact: that of a scalar or vector as the observable says,
        else the nearest whole numbers
    unfollowed : no element of an observable differs by more from its mean over the group
    """

    candidates: Candidates
    mixing: NDArray[np.float64]
    unfollowed: float


def obeyed_within_limits(model: WannierModel, candidates: Candidates, believed: bool = True) -> Obeyed:
    """The operations that a model was meant to obey.

    believed : what obeys some operations to 1 meV may break others as it likes.
    Raises InputError where no operation but the identity is left, or functions
    are not at the sites of their orbitals.
    """
    count = candidates.operations.order
    _check_sites(model, candidates)
    if count == 2 < candidates.found:
        raise InputError(
            f"symmetrize: none of the {candidates.found} operations of the crystal of model {model.name!r} "
            "maps its trial orbitals onto one another, expected whole shells on the sites of atoms; the "
            "projections or the atoms are wrong."
        )
    mixing = {0: np.eye(len(model.observables))}
    distances = {0: 0.0}

    def observables_follow(number: int) -> bool:
        expected, lost, distance = _expected_mixing(model, candidates, number)
        if lost <= OBSERVABLE_LIMIT:
            mixing[number], distances[number] = expected, distance
        return lost <= OBSERVABLE_LIMIT

    def obeyed(rows: list[int]) -> Obeyed:
        known = [number for number in mixing if number in rows]
        # Each step of a product adds at most the distance of a generator, as turning lengthens nothing.
        stretch = max(float(np.linalg.norm(mixing[number], 2)) for number in known) if len(mixing[0]) else 0.0
        farthest = max(distances[number] for number in known)
        return Obeyed(
            candidates.only(rows),
            whole_mixing(candidates.products, rows, mixing),
            len(rows) * farthest if stretch <= 1 + _EXACT else np.inf,
        )

    # A model that was symmetrized before obeys all of them, which their generators tell.
    generators = generators_if(candidates.products, lambda number: candidates.change(number) <= _EXACT)
    if generators and all(observables_follow(number) for number in generators):
        return obeyed(list(range(count)))
    found = candidates.deviations
    changes, fields, moves = found.hamiltonian, found.fields, found.position
    limit = OPERATION_LIMIT if model.atoms else SITES_LIMIT
    telling = _telling(model, candidates)
    if telling.any():
        limit = min(limit, max(JUMP * float(changes[telling].min()), PRINTED))
    deviations = np.max([changes / limit, fields / FIELD_LIMIT, moves / POSITION_LIMIT], axis=0)
    rows = closed_group(candidates.products, deviations, 1.0, observables_follow)
    if len(rows) == 1 < count:
        raise InputError(_refusal(model, changes[1:], fields[1:], moves[1:], limit))
    minimized = model.trial_orbitals is not None and model.trial_orbitals.overlap is not None
    if not believed or minimized or changes[rows].max() > SITES_LIMIT:
        _check_refused(model, changes, fields)
    return obeyed(rows)


def obeys_crystal(model: WannierModel) -> bool:
    """Whether H has the symmetry that the atoms give it if the trial orbitals are what they are said to be.

    But for what moments and potentials of sites break; False where less than `TELLING` operations are left,
    as few are obeyed by other orbitals too.
    """
    try:
        found = obeyed_within_limits(model, candidates_of(model), believed=False)
    except InputError:
        return False
    return bool(model.atoms) and found.candidates.operations.order >= TELLING


def meant_group(model: WannierModel) -> SymmetryGroup:
    """The group that a model obeys or, where it obeys hardly any, that of its crystal, which it was meant to.

    The latter as `symmetrize` measures it; where that is not known it stays the former.
    """
    group = model.symmetry_group
    if group.order > 2 or model.trial_orbitals is None:
        return group
    try:
        found = obeyed_within_limits(model, candidates_of(model))
    except InputError:
        return group
    return replace(found.candidates.operations, observables=found.mixing)


def _telling(model: WannierModel, candidates: Candidates) -> NDArray[np.bool_]:
    """Operations whose deviation says how noisy a model is, (operation,).

    All but those that leave every k or turn it over, as functions keep them by being real, or even and odd.
    Spinors keep time reversal no better than anything else.
    """
    operations, repeats = candidates.operations, np.array(model.periodic)
    within = operations.rotations[:, repeats][:, :, repeats]
    still = (within == np.eye(repeats.sum(), dtype=int)).all(axis=(1, 2))
    shifts = operations.translations[:, repeats]
    still &= (np.abs(shifts - np.rint(shifts)) < _WHOLE).all(axis=1)
    if candidates.basis is not None and candidates.basis.functions.shape[2] == 2:
        still &= ~operations.time_reversal
    return ~still


def _check_sites(model: WannierModel, candidates: Candidates) -> None:
    """Raise InputError where functions do not lie about the sites of their orbitals, in their mean."""
    basis, operators = candidates.basis, candidates.operators
    if basis is None:
        raise InputError(
            f"symmetrize: the trial orbitals of model {model.name!r} depend on one another, expected "
            "independent ones on each site; the projections name an orbital twice."
        )
    every = np.arange(model.size)
    centres = operators.position[operators.cells.home][:, every, every].real.T
    away = np.zeros((len(basis.sites), 3))
    np.add.at(away, basis.site_of, centres)
    away /= np.bincount(basis.site_of)[:, None]
    distances = np.linalg.norm(away, axis=1)
    site = int(distances.argmax())
    if distances[site] > SITE_LIMIT:
        place = ", ".join(f"{x:.3f}" for x in basis.sites[site])
        raise InputError(
            f"symmetrize: model {model.name!r}: the functions that are projected on the site at ({place}) "
            f"angstrom lie {distances[site]:.2f} angstrom from it in their mean, expected at most "
            f"{SITE_LIMIT}; the atoms or the projections are not those of the run."
        )


def _check_refused(model: WannierModel, changes: NDArray[np.float64], fields: NDArray[np.float64]) -> None:
    """Raise InputError where operations fail that no moment and no potential breaks.

    Not for what obeys the others as a model that is built by hand does: it is believed, whichever atoms are
    named, unless overlaps with trial orbitals say that it is none.
    """
    refused = (changes > OPERATION_LIMIT) & (fields <= FIELD_LIMIT)
    if model.atoms and refused.any():
        raise InputError(
            f"symmetrize: model {model.name!r}: {refused.sum()} of {len(changes)} operations of its crystal "
            f"change H by up to {changes[refused].max():.2g} eV, expected at most {OPERATION_LIMIT} eV where "
            "no moment and no potential of a site breaks them; the Wannier functions are not made of the "
            "projections, or the atoms are wrong."
        )


def _refusal(
    model: WannierModel,
    changes: NDArray[np.float64],
    fields: NDArray[np.float64],
    moves: NDArray[np.float64],
    limit: float,
) -> str:
    told = (
        f"symmetrize: model {model.name!r} obeys none of the {len(changes) + 1} operations of its crystal, "
    )
    nearest = int(changes.argmin())
    if changes[nearest] > limit:
        return (
            f"{told}time reversal included: the nearest changes H by {changes[nearest]:.2g} eV, expected "
            "at most "
            f"{limit:g} eV; the Wannier functions are not made of the projections, or the atoms are wrong."
        )
    if fields[nearest] > FIELD_LIMIT:
        return (
            f"{told}time reversal included: the nearest changes the mean level or exchange field of a "
            "site by "
            f"{fields[nearest]:.2g} eV, expected at most {FIELD_LIMIT} eV."
        )
    if moves[nearest] > POSITION_LIMIT:
        return (
            f"{told}time reversal included: the nearest changes positions by {moves[nearest]:.2g} angstrom, "
            f"expected at most {POSITION_LIMIT}; the centres or the .chk are those of another run."
        )
    return (
        f"{told}time reversal included, as they turn an observable into none of the others; give "
        "rotation= and axis= "
        "of it in all three components, or leave it out."
    )


def _independent(observables: NDArray[np.complex128]) -> list[int]:
    """Rows of observables (R, observable, ...) that are no sums of those before them."""
    flat = np.moveaxis(observables, 1, 0).reshape(observables.shape[1], -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1), np.finfo(float).tiny)[:, None]
    flat = np.concatenate([flat.real, flat.imag], axis=1)
    kept: list[int] = []
    for row in range(len(flat)):
        if np.linalg.svd(flat[[*kept, row]], compute_uv=False)[-1] > _DEPENDENT:
            kept.append(row)
    return kept


def _expected_mixing(
    model: WannierModel, candidates: Candidates, number: int
) -> tuple[NDArray[np.float64], float, float]:
    """M of an operation as it should be, the largest share of an observable that differs from that, and the
    root of the sum of squares of what differs.
    """
    names = list(model.observables)
    before, after = candidates.operators.observables, candidates.after(number, "observables")
    mixing = known_mixing(model, candidates.actions[number])
    unknown = [row for row in range(len(names)) if not mixing[row].any()]
    if unknown:
        free = [unknown[row] for row in _independent(before[:, unknown])]
        found, _ = Observed.of(before[:, free]).mixing(after[:, free])
        whole = np.rint(found)
        if np.abs(found - whole).max(initial=0.0) > _WHOLE:
            return mixing, np.inf, np.inf
        mixing[np.ix_(free, free)] = whole
        # Sums of others follow as those do.
        bound = [row for row in unknown if row not in free]
        columns = np.moveaxis(before, 1, 0).reshape(len(names), -1).T
        if bound:
            sums = np.linalg.lstsq(columns[:, free], columns[:, bound], rcond=None)[0].real.T
            mixing[np.ix_(bound, free)] = sums @ whole
    expected = np.moveaxis(np.tensordot(mixing, after, axes=(1, 1)), 0, 1)
    scale = np.maximum(np.abs(before).max(axis=(0, 2, 3), initial=0.0), np.finfo(float).tiny)
    apart = np.abs(expected - before)
    lost = apart.max(axis=(0, 2, 3), initial=0.0) / scale
    return mixing, float(lost.max(initial=0.0)), float(np.linalg.norm(apart))


def known_mixing(model: WannierModel, action: Action) -> NDArray[np.float64]:
    """M by what observables say of themselves; rows of zeros where that does not suffice."""
    facts = list(model.observable_facts.items())
    mixing = np.zeros((len(facts), len(facts)))
    turn = {"polar": action.cartesian, "axial": np.linalg.det(action.cartesian) * action.cartesian}
    for row, (name, observable) in enumerate(facts):
        sign = float(observable.time_reversal) if action.conjugates else 1.0
        if observable.rotation == "scalar":
            mixing[row, row] = sign
        elif observable.rotation:
            family = _family(name, observable)
            columns = {
                other.axis: c for c, (label, other) in enumerate(facts) if _family(label, other) == family
            }
            if set(columns) == set("xyz"):
                axes = [columns["x"], columns["y"], columns["z"]]
                mixing[row, axes] = sign * turn[observable.rotation]["xyz".index(str(observable.axis))]
    return mixing


def _family(name: str, observable: Observable) -> tuple[str, str]:
    """The same for the three components of one vector, whose names differ by the letter of the axis."""
    before, _, after = name.rpartition(observable.axis) if observable.axis else (name, "", "")
    return observable.rotation, before + after
