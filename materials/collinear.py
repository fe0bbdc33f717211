"""Two spin channels of a collinear calculation as one model of spinors that do not mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .matrices import opposite_rows
from .model import Provenance, TrialOrbitals, WannierModel
from .observable import SPIN
from .spin import PARTNER_DISTANCE, spin_matrices

#: angstrom: cells of the two channels agree to this.
_SAME_CELL = 1e-4

#: Correlation of the hoppings of both channels, signs of functions taken out; those of iron 0.99, of unlike
#: functions about 0.
_ALIKE = 0.5

#: Share of the largest product of hoppings below which there is none.
_NO_HOPPING = 1e-6


def join_channels(name: str, up: WannierModel, down: WannierModel) -> WannierModel:
    """One model, all functions of spin up before all of spin down, H and A block-diagonal.

    spin_z is exact. spin_x and spin_y are there where both channels have as many functions, which are then
    taken to be alike in space, pair by pair, with the signs of those of spin down for which hoppings are; a
    note says how far the centres are apart. Raises InputError where the channels have two cells, or other
    axes repeat.
    """
    if np.abs(up.lattice - down.lattice).max() > _SAME_CELL or up.periodic != down.periodic:
        raise InputError(
            f"model {name!r}: {up.name} and {down.name} have other unit cells or meshes, expected the two "
            "spins of one calculation; name one of them to read it alone."
        )
    equal = all(np.array_equal(getattr(up, n), getattr(down, n)) for n in ("translations", "hamiltonian"))
    note = "; both are the same to the last digit: no magnet, or one file twice" if equal else ""
    down, alike = _aligned(up, down)
    translations = np.unique(np.concatenate([up.translations, down.translations]), axis=0)
    assert opposite_rows(translations) is not None  # either is closed under R -> -R
    provenance, spins = _provenance(up, down), _spins(up, down)
    apart = np.linalg.norm(up.centres - down.centres, axis=1).max() if up.size == down.size else np.inf
    if apart > PARTNER_DISTANCE or alike < _ALIKE:
        spins = {"spin_z": spins["spin_z"]}
        note = f"spin_z is exact, spin_x and spin_y are not known: the functions of the channels differ{note}"
    else:
        note = (
            "spin_z is exact, for spin_x and spin_y functions of both are taken to be alike (centres within "
            f"{apart:.2g} angstrom, hoppings correlated by {alike:.2g}){note}"
        )
    return WannierModel(
        name,
        up.lattice,
        translations,
        _block(up, down, "hamiltonian", translations),
        _block(up, down, "position", translations),
        observables=spins,
        periodic=up.periodic,
        atoms=up.atoms or down.atoms,
        kpoint_path=up.kpoint_path or down.kpoint_path,
        provenance=provenance,
        projections=projections_of_both(up.projections) if up.projections == down.projections else (),
        trial_orbitals=_trial_orbitals(up, down),
    ).noted(f"spin: channels {up.name} and {down.name}; {note}", spin_source="given")


def _aligned(up: WannierModel, down: WannierModel) -> tuple[WannierModel, float]:
    """The functions of spin down with the signs that make its hoppings most like those of spin up, and how
    much these are correlated then; minimization leaves the sign of each function open.
    """
    if up.size != down.size:
        return down, 0.0
    rows = {tuple(vector): row for row, vector in enumerate(down.translations.tolist())}
    pairs = [(n, rows[v]) for n, v in enumerate(map(tuple, up.translations.tolist())) if v in rows]
    of_up, of_down = np.array(pairs).T
    here, there = up.hamiltonian[of_up], down.hamiltonian[of_down]
    product = np.einsum("rij,rij->ij", here.conj(), there).real
    np.fill_diagonal(product, 0)
    signs = _signs(product)
    norms = (np.linalg.norm(model.hamiltonian, axis=0) for model in (up, down))
    largest = np.multiply(*norms)
    np.fill_diagonal(largest, 0)
    total = float(largest.sum())
    alike = float(signs @ product @ signs) / total if total > 0 else 1.0
    if (signs > 0).all():
        return down, alike
    both = signs[:, None] * signs
    trial = down.trial_orbitals
    if trial is not None:
        # Functions that were the orbitals themselves are so but for their sign.
        trial = TrialOrbitals(trial.orbitals, signs[:, None] * _overlap(trial))
    turned = replace(
        down, hamiltonian=both * down.hamiltonian, position=both * down.position, trial_orbitals=trial
    )
    return turned.noted(f"signs of {int((signs < 0).sum())} functions turned to those of {up.name}"), alike


def _signs(product: NDArray[np.float64]) -> NDArray[np.float64]:
    """+-1 for each function, (n,), by sums of products of hoppings (n, n), the largest first; most are +1."""
    size = len(product)
    signs = np.zeros(size)
    least = _NO_HOPPING * np.abs(product).max(initial=0.0)
    while not signs.all():
        chosen = np.zeros(size, dtype=bool)
        chosen[int(np.flatnonzero(signs == 0)[0])] = True
        signs[chosen] = 1.0
        while True:
            reach = np.where(chosen[:, None] & (signs == 0), np.abs(product), 0.0)
            first, second = np.unravel_index(int(reach.argmax()), reach.shape)
            if reach[first, second] <= least:
                break
            signs[second] = signs[first] * np.sign(product[first, second])
            chosen[second] = True
        if signs[chosen].sum() < 0:
            signs[chosen] *= -1
    return signs


def projections_of_both(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a projections block without spins that make all functions up, then all down."""
    if any("(" in line for line in lines):
        return ()
    units = [line for line in lines if line.strip().lower() in ("ang", "bohr")]
    plain = [line for line in lines if line not in units]
    return (*units, *(f"{line}{spin}" for spin in ("(u)", "(d)") for line in plain))


def _block(up: WannierModel, down: WannierModel, name: str, translations: NDArray[np.int64]) -> NDArray:
    size = up.size + down.size
    shape = getattr(up, name).shape[1:-2]
    joined = np.zeros((len(translations), *shape, size, size), dtype=complex)
    rows = {tuple(vector): row for row, vector in enumerate(translations.tolist())}
    for model, place in ((up, slice(up.size)), (down, slice(up.size, size))):
        at = [rows[tuple(vector)] for vector in model.translations.tolist()]
        joined[at, ..., place, place] = getattr(model, name)
    return joined


def _spins(up: WannierModel, down: WannierModel) -> dict[str, NDArray[np.complex128]]:
    if up.size == down.size:
        return spin_matrices(2 * up.size, "block")
    return {SPIN[2]: np.diag(np.repeat([0.5, -0.5], [up.size, down.size])).astype(complex)}


def _provenance(up: WannierModel, down: WannierModel) -> Provenance:
    first, second = up.provenance, down.provenance
    own = [note for note in first.notes if note not in second.notes]
    others = [note for note in second.notes if note not in first.notes]
    shared = [note for note in first.notes if note in second.notes]
    notes = [f"{up.name}: {n}" for n in own] + [f"{down.name}: {n}" for n in others] + shared
    order = ("none", "centres", "matrix")
    return replace(
        first,
        files=tuple(dict.fromkeys((*first.files, *second.files))),
        notes=tuple(notes),
        removed={
            name: max(first.removed.get(name, 0.0), second.removed.get(name, 0.0))
            for name in {**first.removed, **second.removed}
        },
        position_source=min(first.position_source, second.position_source, key=order.index),
        minimal_images=first.minimal_images and second.minimal_images,
    )


def _overlap(trial: TrialOrbitals) -> NDArray[np.complex128]:
    return np.eye(len(trial), dtype=complex) if trial.overlap is None else trial.overlap


def _trial_orbitals(up: WannierModel, down: WannierModel) -> TrialOrbitals | None:
    first, second = up.trial_orbitals, down.trial_orbitals
    if first is None or second is None or first.has_spin or second.has_spin:
        return None
    orbitals = [replace(orbital, spin=1) for orbital in first.orbitals]
    orbitals += [replace(orbital, spin=-1) for orbital in second.orbitals]
    overlap = np.zeros((len(orbitals), len(orbitals)), dtype=complex)
    for trial, start in ((first, 0), (second, len(first))):
        place = slice(start, start + len(trial))
        overlap[place, place] = _overlap(trial)
    both = first.overlap is None and second.overlap is None
    return TrialOrbitals(tuple(orbitals), None if both else overlap)
