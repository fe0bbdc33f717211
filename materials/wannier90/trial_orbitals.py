"""Trial orbitals of a calculation, from the projections of its .win and the overlaps of its .amn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..spin import check_orderings, find_ordering
from ..trial_orbitals import (
    Order,
    TrialOrbital,
    TrialOrbitals,
    expand_projections,
    has_random,
    parse_projections,
    place_of,
)
from .calculation import Wannier90Files

#: Below it a Wannier function is mostly something else than the trial orbitals of its site: a warning.
SMALL_SINGULAR_VALUE = 0.3

#: Below it nothing is left of a trial orbital, and what W makes of the rest is noise: refused. The .amn of
#: another run gives 0.004 (Pt), its own 0.71; the smallest of GaAs is 0.62.
LOST_SINGULAR_VALUE = 0.1

#: Largest element by which sigma at R = 0 may differ from that of pure spinors: 0.02 (Pt), 0.0005 (Fe), 0.002
#: (GaAs); in another order, or with the .amn of another run, above 1.
SPIN_TOLERANCE = 0.1


#: Share of a lattice vector by which a site may differ from that of the .nnkp.
_SAME_PLACE = 1e-3


@dataclass(frozen=True, eq=False)
class FoundTrialOrbitals:
    """What was found and how, or the sentence that says why nothing was.

    is_doubtful : singular values are small, or an .amn is there and cannot be used
    is_assumed : functions were minimized and no .amn tells what they became: to be tested on the Hamiltonian
    """

    orbitals: TrialOrbitals | None
    told: str
    is_doubtful: bool = False
    is_assumed: bool = False


def find_trial_orbitals(
    files: Wannier90Files, lattice: NDArray[np.float64], spin: NDArray[np.complex128] | None
) -> FoundTrialOrbitals:
    """Trial orbitals of the calculation.

    lattice : (3, 3) angstrom; spin : ab initio sigma/2 at R = 0, (3, wannier, wannier) hbar, where known
    An .amn that is damaged or of another run and projections that cannot be used are told and do not raise:
    only what is made of trial orbitals hangs on them.
    """
    try:
        overlap = files.trial_overlap
        candidates = _candidates(files, lattice)
        unknown = _without_overlap(files, overlap, candidates.count)
        chosen = None if overlap is None else overlap[:, candidates.chosen]
        found = {order: TrialOrbitals(orbitals, chosen) for order, orbitals in candidates.orbitals.items()}
    except InputError as problem:
        return FoundTrialOrbitals(None, str(problem), is_doubtful="amn" in files.files)
    try:
        order, how = _order(found, files, spin)
    except InputError as problem:
        return FoundTrialOrbitals(None, unknown or str(problem), is_doubtful="amn" in files.files)
    if unknown:
        return FoundTrialOrbitals(found[order], unknown, is_assumed=True)
    return _judged(found[order], files, how)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """count : columns of the .amn; chosen : those of the Wannier functions; orbitals : what they may be."""

    count: int
    chosen: NDArray[np.int64]
    orbitals: dict[Order, tuple[TrialOrbital, ...]]


def _candidates(files: Wannier90Files, lattice: NDArray[np.float64]) -> _Candidates:
    """What the columns of the .amn may be, by the order of the spins."""
    win, size = files.win, files.raw.size
    if win is None or not win.projections:
        raise InputError("the .win has no projections block, expected one.")
    if win.logical("auto_projections") or has_random(win.projections):
        raise InputError("the projections were automatic or random, which no file records.")
    projections = parse_projections(win.projections)
    spinors = win.logical("spinors")
    if spinors is None:
        spinless = expand_projections(projections, files.atoms, lattice, spinors=False)
        spinors = 2 * len(spinless) == size
    orders: tuple[Order, ...] = ("interlaced",)
    if spinors and all(len(line.spins) == 2 for line in projections):
        orders = ("interlaced", "block")
    found = {order: expand_projections(projections, files.atoms, lattice, spinors, order) for order in orders}
    count = len(found["interlaced"])
    selected = win.ranges("select_projections")
    chosen = range(1, count + 1) if selected is None else selected
    if len(chosen) != size or not all(1 <= number <= count for number in chosen):
        named = "" if selected is None else f", of which select_projections takes {len(chosen)}"
        raise InputError(
            f"the projections of the .win make {count} functions{named}, expected {size} as in the "
            "Hamiltonian."
        )
    _check_asked(files.asked_projections, found["interlaced"], lattice)
    return _Candidates(
        count,
        np.array(chosen) - 1,
        {order: tuple(orbitals[number - 1] for number in chosen) for order, orbitals in found.items()},
    )


def _check_asked(
    asked: Sequence[tuple[float, ...]], orbitals: Sequence[TrialOrbital], lattice: NDArray[np.float64]
) -> None:
    """Raises InputError where the .nnkp asks for other functions than the projections make."""
    if not asked:
        return
    made = [
        (
            *(np.array(orbital.position) @ np.linalg.inv(lattice)),
            *place_of(orbital.name),
            orbital.radial,
            *(() if orbital.spin is None else (orbital.spin,)),
        )
        for orbital in orbitals
    ]
    if len(asked) == len(made) and len(asked[0]) == len(made[0]):
        apart = np.array(asked) - np.array(made)
        # Sites have five decimals there, and may be of another cell.
        apart[:, :3] -= np.round(apart[:, :3])
        if np.abs(apart).max() < _SAME_PLACE:
            return
    raise InputError(
        "the .nnkp asks for other functions than the projections of the .win make; the .win was changed "
        "after the .amn was made."
    )


def _without_overlap(files: Wannier90Files, overlap: NDArray[np.complex128] | None, count: int) -> str:
    """Why no file says how the Wannier functions hang together with trial orbitals, "" where one does.

    Raises InputError where the .amn cannot be used.
    """
    if overlap is not None:
        if overlap.shape[1] != count:
            raise InputError(
                f"{files.files['amn']}: has {overlap.shape[1]} trial orbitals, expected {count} as the "
                "projections of the .win make; they are of two runs."
            )
        return ""
    if "amn" in files.files:
        raise InputError(f"{files.files['amn']}: expected the .chk beside it, found none.")
    # The .win was there for its projections.
    assert files.win is not None
    if files.win.integer("num_iter") != 0:
        return "there is no .amn, and the .win has no num_iter = 0."
    return ""


def _order(
    found: Mapping[Order, TrialOrbitals], files: Wannier90Files, spin: NDArray[np.complex128] | None
) -> tuple[Order, str]:
    """The order of the spins that the operators show, and how well."""
    if not found["interlaced"].has_spin:
        return "interlaced", ""
    if spin is not None:
        misfits = {
            order: float(np.abs(trial.to_trial(2 * spin) - trial.pauli_matrices()).max())
            for order, trial in found.items()
        }
        order = min(misfits, key=lambda name: misfits[name])
        if misfits[order] > SPIN_TOLERANCE:
            raise InputError(
                f"sigma between the trial orbitals differs by {misfits[order]:.2g} from that of pure "
                f"spinors, expected at most {SPIN_TOLERANCE:g}; the .amn, .chk and .win are not of one run."
            )
        return order, f", spins {order} within {misfits[order]:.2g}"
    if len(found) == 1:
        return "interlaced", ", spins as the projections say"
    trial = found["interlaced"]
    centres = np.diagonal(trial.to_trial(_home(files, files.position.matrices)), axis1=1, axis2=2)
    test = find_ordering(check_orderings(trial.to_trial(files.hamiltonian.matrices), centres.real.T))
    if test is None:
        raise InputError(
            "the order of the spins of the trial orbitals cannot be told from the Hamiltonian; expected .chk "
            "and .spn."
        )
    order = "block" if test.ordering == "block" else "interlaced"
    return order, f", spins {test}"


def _home(files: Wannier90Files, matrices: NDArray[np.complex128]) -> NDArray[np.complex128]:
    home: NDArray[np.complex128] = matrices[int(np.flatnonzero(~files.position.translations.any(axis=1))[0])]
    return home


def _judged(trial: TrialOrbitals, files: Wannier90Files, how: str) -> FoundTrialOrbitals:
    if trial.overlap is None:
        return FoundTrialOrbitals(
            trial, f"trial orbitals: the Wannier functions themselves, num_iter = 0{how}"
        )
    largest, smallest = trial.singular_values[[0, -1]]
    least = float(trial.site_singular_values[-1])
    name = files.files["amn"].name
    told = f"trial orbitals: from {name}, singular values {largest:.2f} to {smallest:.2f}{how}"
    if least < LOST_SINGULAR_VALUE:
        return FoundTrialOrbitals(
            None,
            f"the smallest singular value of the overlap with the trial orbitals of {name} is {least:.2g}, "
            f"expected at least {LOST_SINGULAR_VALUE:g}; it is of another run, or other bands were chosen.",
            is_doubtful=True,
        )
    is_small = least < SMALL_SINGULAR_VALUE
    if is_small:
        told += f"; below {SMALL_SINGULAR_VALUE:g} functions are hardly what the projections say"
    return FoundTrialOrbitals(trial, told, is_doubtful=is_small)
