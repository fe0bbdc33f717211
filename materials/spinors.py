"""The spin of a model of spinors: by what the projections say of their order, else by the order that fits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .model import TrialOrbitals, WannierModel
from .observable import SPIN
from .orbital import assumed_orbitals
from .spin import PARTNER_DISTANCE, OrderingTest, check_orderings, find_ordering, spin_matrices
from .trial_orbitals import Projection

#: eV: Wannier functions without spin-orbit coupling are real, and so is their Hamiltonian.
_REAL = 1e-3

#: Two trial orbitals are one in space, and two spins opposite, to this.
_SAME = 1e-6


class SpinOrderingWarning(UserWarning):
    """Spin was taken from an order of spinors that was found by a test, not from files."""


def with_spinors(
    model: WannierModel,
    given: str | None,
    spinors: bool | None,
    announced: str = "spinors = .true.",
    asked_electrons: bool = False,
    has_centres: bool = True,
) -> WannierModel:
    """Add sigma/2 in the order of the spinors where nothing better gave a spin.

    given : the order that the user says; spinors : what a file says, None where none does; announced : in its
    words
    asked_electrons : electrons are to be counted, one or two in each band
    has_centres : False where centres of the model are only assumed, so that all partners are in one place
    Raises InputError where it cannot be told which electrons, and where spinors that a file announces fit no
    order, or only one whose partners nothing places.
    """
    if spinors is False or given is not None or set(SPIN) & set(model.observables):
        if given not in (None, "none"):
            unlike = spinors is not False and _has_own_order(model)
            told = ", though the projections of the .win have another order or axis" if unlike else ""
            return model.noted(f"spin: pure spinors, {given} as given{told}")
        return model
    if model.size % 2:
        if spinors:
            raise InputError(
                f"model {model.name!r}: {announced} but {model.size} Wannier functions, expected an even "
                "number; check the .win."
            )
        return model
    if spinors and _has_own_order(model):
        return _in_order_of_projections(model, has_centres)
    tests = check_orderings(model.hamiltonian, model.centres)
    measured = "; ".join(str(test) for test in tests)
    # Of two functions there is one order: that they are spinors is all to know.
    found = tests[0] if model.size == 2 and spinors else find_ordering(tests)
    if found is None and model.trial_orbitals is not None and model.trial_orbitals.has_spin:
        # Whatever became of the order of the functions, that of the trial orbitals is known.
        return _of_trial_orbitals(model, model.trial_orbitals, "whose order was found by test")
    if found is None and spinors:
        raise InputError(
            f"model {model.name!r}: {announced}, but neither spinor order fits ({measured}); put .chk and "
            ".spn beside the Hamiltonian, or give spin_ordering: 'interlaced', 'block' or 'none'."
        )
    if found is not None and spinors and model.size > 2 and not (found.symmetric or has_centres):
        # Minimized functions are mostly up or down too, and what is mixed are the phases between them.
        raise InputError(
            f"model {model.name!r}: {announced}, but without Wannier centres nothing shows which functions "
            f"are partners ({measured}); put _centres.xyz or .wout, better .chk and .spn, beside the "
            "Hamiltonian, or give spin_ordering: 'interlaced', 'block' or 'none'."
        )
    if found is not None and found.symmetric and found.distance > PARTNER_DISTANCE:
        # What time reversal exchanges sits in one place.
        if spinors:
            raise InputError(
                f"model {model.name!r}: centres of functions that time reversal exchanges are "
                f"{found.distance:.3g} angstrom apart, expected the same ({found}); the Wannier centres are "
                "damaged, in another order or of another run: mend their file or take it away."
            )
        found = None
    if found is not None and (spinors or found.symmetric):
        return _tested(model, spin_matrices(model.size, found.ordering), found.ordering, measured)
    return _without_spin(model, found, measured, asked_electrons)


def _without_spin(
    model: WannierModel, found: OrderingTest | None, measured: str, asked_electrons: bool
) -> WannierModel:
    """A model of which no file says whether its functions are spinors, and time reversal does not either."""
    is_unclear = found is not None or float(np.abs(model.hamiltonian.imag).max()) > _REAL
    if is_unclear and asked_electrons:
        raise InputError(
            f"model {model.name!r}: electrons: no file says whether its {model.size} functions are spinors, "
            "which hold one electron each, or without spin, which hold two, and neither does time reversal; "
            "give spin_degeneracy=1 or 2, or spin_ordering= of the spinors."
        )
    counted = (
        "; counted as without spin, two electrons in each band: give spin_degeneracy=1 if they are spinors"
    )
    if found is None:
        return model.noted(f"no spin: neither spinor order fits ({measured}){counted if is_unclear else ''}")
    # Two layers, or two groups of orbitals, that hardly mix look like the spins of a magnet.
    note = (
        "no spin: no file says spinors = .true., and without time reversal in either order "
        f"({measured}) there need not be any; give spin_ordering={found.ordering!r} if there is{counted}"
    )
    warnings.warn(f"model {model.name!r}: {note}", SpinOrderingWarning, stacklevel=6)
    return model.noted(note)


def _tested(
    model: WannierModel, spins: dict[str, NDArray[np.complex128]], order: str, measured: str
) -> WannierModel:
    note = f"spin: pure spinors, {order}, found by test ({measured})"
    warnings.warn(f"model {model.name!r}: {note}", SpinOrderingWarning, stacklevel=6)
    return replace(model, observables={**model.observable_facts, **spins}).noted(note, spin_source="tested")


def _of_trial_orbitals(model: WannierModel, trial: TrialOrbitals, how: str) -> WannierModel:
    note = f"spin: pure spinors, those of the trial orbitals, {how}"
    warnings.warn(f"model {model.name!r}: {note}", SpinOrderingWarning, stacklevel=6)
    spins = dict(zip(SPIN, trial.to_wannier(trial.pauli_matrices() / 2), strict=True))
    return replace(model, observables={**model.observable_facts, **spins}).noted(note, spin_source="tested")


def _has_own_order(model: WannierModel) -> bool:
    """True where the projections have spins otherwise than up and down along z of each function in turn."""
    try:
        lines = model.parsed_projections
    except InputError:
        return False
    if all(line.spins == (1, -1) and _is_along_z(line) for line in lines):
        return False
    try:
        orbitals = assumed_orbitals(model, spinors=True)
        pairs = _partners(orbitals)
    except InputError:
        # Whoever wants the order is told.
        return True
    usual = np.tile(np.eye(2), (len(pairs), 1))
    in_turn = np.array_equal(np.ravel(pairs), np.arange(model.size))
    return not in_turn or not np.array_equal(_spinors(orbitals), usual)


def _is_along_z(line: Projection) -> bool:
    x, y, z = line.spin_axis
    return bool(z > 0 and np.hypot(x, y) < _SAME * z)


def _in_order_of_projections(model: WannierModel, has_centres: bool) -> WannierModel:
    """The spins that the projections say, where the Hamiltonian is that of spinors in this order.

    has_centres : as in `with_spinors`
    """
    told = "as the projections say"
    if model.trial_orbitals is not None and model.trial_orbitals.has_spin:
        return _of_trial_orbitals(model, model.trial_orbitals, told)
    try:
        orbitals = assumed_orbitals(model, hint="mend the .win", spinors=True)
    except InputError as problem:
        raise InputError(
            f"model {model.name!r}: the projections have spins of their own, but {str(problem).rstrip('.')}; "
            "put .chk and .spn beside it, or give spin_ordering: 'interlaced', 'block' or 'none'."
        ) from None
    pairs = _partners(orbitals)
    spinors = _spinors(orbitals)
    # From up and down of each function in turn to the functions as they are.
    basis = np.zeros((model.size, model.size), dtype=complex)
    for place, pair in enumerate(pairs):
        basis[pair, 2 * place : 2 * place + 2] = spinors[pair].conj()
    turned = basis.conj().T @ model.hamiltonian @ basis
    test = check_orderings(turned, model.centres[np.ravel(pairs)])[0]
    if not test.symmetric and not (test.magnetic and has_centres):
        unplaced = "" if has_centres or not test.magnetic else ", as far as shows without Wannier centres"
        raise InputError(
            f"model {model.name!r}: the Hamiltonian is not that of the spinors of the projections in their "
            f"order{unplaced} ({test}); put .chk and .spn beside it, or give spin_ordering: 'interlaced', "
            "'block' or 'none'."
        )
    plain = spin_matrices(model.size, "interlaced")
    spins = {name: basis @ matrix @ basis.conj().T for name, matrix in plain.items()}
    return _tested(model, spins, told, str(test))


def _spinors(trial: TrialOrbitals) -> NDArray[np.complex128]:
    return np.array([orbital.spinor for orbital in trial.orbitals])


def _partners(trial: TrialOrbitals) -> Sequence[list[int]]:
    """Pairs of functions that differ in their spin alone. Raises InputError where one has no partner."""
    shapes = trial.cartesian_coefficients
    spinors = _spinors(trial)
    opposite = np.abs(spinors.conj() @ spinors.T) < _SAME
    alike = (trial.shells[:, None] == trial.shells) & (
        np.abs(shapes[:, None] - shapes[None]).max(axis=2) < _SAME
    )
    left = set(range(len(trial)))
    pairs = []
    while left:
        first = min(left)
        partner = next((n for n in sorted(left) if alike[first, n] and opposite[first, n]), None)
        if partner is None:
            raise InputError(
                f"spin_ordering: the projections have {trial.orbitals[first].label} without its other spin; "
                "put .chk and .spn beside the Hamiltonian, or give spin_ordering=."
            )
        left -= {first, partner}
        pairs.append([first, partner])
    return pairs
