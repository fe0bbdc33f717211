"""From the files of a Wannier90 calculation to a `WannierModel`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

from ..fermi_level import with_filling
from ..files import hashes, printable
from ..gaps import distance_from_bands, with_settled_level
from ..matrices import centre_position
from ..model import PositionSource, Provenance, WannierModel
from ..observable import SPIN
from .calculation import Wannier90Files
from .consistency import SAME_CELL
from .hermitian import HermitianMatrices
from .mesh_consistency import written_by_wannier90
from .mesh_images import TOLERANCE
from .scf_outputs import (
    LEFT_OUT,
    SAME_LEVEL,
    ToldLevel,
    level_of_inputs,
    level_of_outputs,
    told_by_outputs,
    wannier_tools_beside,
)
from .trial_orbitals import FoundTrialOrbitals, find_trial_orbitals
from .wannier_tools import WannierToolsInput
from .win import WinFile

_T = TypeVar("_T")

#: eV: bands reach no farther between the points of a mesh.
_NEAR_BANDS = 0.5

#: eV: a level may be that far from all bands, or as far as they are wide: one in a gap beside them.
_FARTHEST_LEVEL = 5.0


class TrialOrbitalWarning(UserWarning):
    """The Wannier functions are hardly what the projections say, or the .amn cannot be used."""


def read_model(
    files: Wannier90Files,
    name: str,
    lattice: ArrayLike | None = None,
    periodic: Sequence[bool] | None = None,
    with_spin: bool = True,
    lattice_origin: str = "lattice=",
) -> WannierModel:
    """The model that the files say; what is given goes before them. Raises InputError as `Wannier90Files`.

    lattice : (3, 3) angstrom; lattice_origin : who says it
    with_spin : take the spin of .chk and .spn, where they are
    """
    win = files.win
    given = None if lattice is None else np.asarray(lattice, dtype=float)
    files.check(given, lattice_origin)
    cell = files.lattice if given is None else given
    hamiltonian, position = files.hamiltonian, files.position
    spin = files.spin if with_spin else None
    operators = {"hamiltonian": hamiltonian, "position": position} | ({"spin": spin} if spin else {})
    path, path_notes = _optional("k path", lambda w: w.kpoint_path, win)
    projections, projection_notes = _optional("projections", lambda w: w.projections, win)
    home = ~hamiltonian.translations.any(axis=1)
    trial = find_trial_orbitals(files, cell, spin.matrices[home][0] if spin else None)
    position_source = files.position_source
    if position_source == "none" and trial.orbitals is not None:
        position_source = "centres"
        sites = np.array([orbital.position for orbital in trial.orbitals.orbitals])
        translations = hamiltonian.translations
        position = HermitianMatrices(translations, centre_position(translations, sites), None)
    tools = _wannier_tools(files, cell) if files.position_source == "none" else None
    if tools is not None and tools.centres is not None and len(tools.centres) == files.raw.size:
        position_source, translations = "centres", hamiltonian.translations
        position = HermitianMatrices(translations, centre_position(translations, tools.centres), None)
        position_notes = ["position: Wannier centres of wt.in only"]
    else:
        position_notes = _position_notes(files, position_source)
    notes = (
        *_notes(files, spin is not None, lattice),
        *position_notes,
        *path_notes,
        *projection_notes,
        *_trial_notes(trial, name),
    )
    return WannierModel(
        name,
        cell,
        hamiltonian.translations,
        hamiltonian.matrices,
        position.matrices,
        observables={label: spin.matrices[:, s] for s, label in enumerate(SPIN)} if spin else {},
        periodic=_periodic(periodic, win, hamiltonian.translations),
        atoms=files.atoms,
        fermi_level=win.real("fermi_energy") if win else None,
        projections=projections,
        kpoint_path=path,
        provenance=Provenance(
            hashes(files.used, files.known_hashes),
            tuple(printable(note) for note in notes),
            {label: found.removed for label, found in operators.items() if found.removed is not None},
            position_source=position_source,
            spin_source="ab_initio" if spin else "none",
            minimal_images=files.wigner_seitz.images is not None,
            without_trial_orbitals="" if trial.orbitals and not trial.is_assumed else printable(trial.told),
        ),
        trial_orbitals=trial.orbitals,
    )


def _notes(files: Wannier90Files, has_spin: bool, lattice: ArrayLike | None) -> list[str]:
    notes = [
        f"{files.files[kind].name}: read, the only {files.files[kind].suffix} beside {files.seedname}"
        for kind in sorted(files.found.borrowed)
        if files.files[kind] in files.used
    ]
    notes += [f"left out: {told}" for told in files.left_out]
    if lattice is not None and files.cell_kind:
        apart = float(np.abs(np.asarray(lattice) - files.lattice).max())
        if apart > SAME_CELL * float(np.linalg.norm(files.lattice, axis=1).max()):
            file = files.files[files.cell_kind].name
            notes.append(f"unit cell: as given, that of {file} differs by {apart:.3g} angstrom")
    if lattice is None and files.cell_kind in ("wout", "nnkp"):
        notes.append(f"unit cell: from {files.files[files.cell_kind].name}")
    if not files.is_text:
        notes.append(f"Hamiltonian: made of {files.files['chk'].name} and {files.files['eig'].name}")
        notes += _images_assumed(files.win)
    elif files.wigner_seitz.images is None:
        notes.append(f"no _wsvec.dat: R vectors as they stand in the file{_images_missed(files)}")
    elif "wsvec" not in files.files:
        notes.append("no _wsvec.dat: minimal images made of mesh, unit cell and Wannier centres")
    if has_spin:
        unconfirmed = "" if files.has_told_axes() else "; that its components are x, y, z no symmetry shows"
        spin = f"spin: ab initio, from {files.files['chk'].name} and {files.files['spn'].name}"
        notes.append(f"{spin}{unconfirmed}")
    return notes


def _position_notes(files: Wannier90Files, source: PositionSource) -> list[str]:
    """What the positions are made of, where that is not the whole matrix."""
    if source == "matrix":
        return []
    if files.centres_file is not None:
        return [f"position: Wannier centres of {files.centres_file.name} only"]
    missing = "position: no _tb.dat, .chk, _centres.xyz or .wout, "
    if source == "centres":
        return [missing + "sites of the projections of the .win taken for the Wannier centres"]
    return [
        missing + "all Wannier functions put at the origin; Berry curvatures lack the position matrix",
    ]


def _images_missed(files: Wannier90Files) -> str:
    """What to do about minimal images that Wannier90 most likely used, as it does by default."""
    said = files.win.logical("use_ws_distance") if files.win else None
    if said is not None or not written_by_wannier90(files.raw.comment):
        return ""
    return (
        "; Wannier90 moves elements to their nearest images unless use_ws_distance = .false., so bands "
        f"between the k points of its mesh may differ: put {files.seedname}_wsvec.dat there, or that line in "
        "the .win"
    )


def _images_assumed(win: WinFile | None) -> list[str]:
    """What a Hamiltonian made of .chk and .eig takes for granted where no .win says it."""
    used = win.logical("use_ws_distance") if win else None
    known = win is not None and win.real("ws_distance_tol") is not None
    if used is False or (used and known):
        return []
    if used is None:
        assumed = ["use_ws_distance = .true."] + ([] if known else [f"ws_distance_tol = {TOLERANCE:g}"])
    else:
        assumed = [f"ws_distance_tol = {TOLERANCE:g}"]
    return [f"minimal images: assumed {' and '.join(assumed)}, the defaults, which no .win says otherwise"]


def _trial_notes(trial: FoundTrialOrbitals, name: str) -> list[str]:
    if trial.is_assumed or (trial.orbitals is None and not trial.is_doubtful):
        return []
    told = f"trial orbitals unknown: {trial.told}" if trial.orbitals is None else trial.told
    if trial.is_doubtful:
        warnings.warn(f"model {name!r}: {told}", TrialOrbitalWarning, stacklevel=6)
    return [told]


def _optional(
    what: str, read: Callable[[WinFile], tuple[_T, ...]], win: WinFile | None
) -> tuple[tuple[_T, ...], list[str]]:
    """What the .win says of something that a model can do without; where it cannot be read, a note."""
    if win is None:
        return (), []
    try:
        return read(win), []
    except InputError as problem:
        return (), [f"{what}: {problem}"]


def _periodic(
    given: Sequence[bool] | None, win: WinFile | None, translations: NDArray[np.int64]
) -> tuple[bool, bool, bool]:
    if given is not None:
        x, y, z = (bool(p) for p in given)
        return x, y, z
    mesh = win.integers("mp_grid", 3) if win else None
    repeats = [n > 1 for n in mesh] if mesh else [bool(column.any()) for column in translations.T]
    x, y, z = repeats if any(repeats) else (True, True, True)
    return x, y, z


def _wannier_tools(files: Wannier90Files, lattice: NDArray[np.float64]) -> WannierToolsInput | None:
    return wannier_tools_beside(
        files.place.parent, files.seedname, files.raw.size, lattice, files.hamiltonian_file.name
    )


def has_centres(files: Wannier90Files, lattice: NDArray[np.float64]) -> bool:
    """True where a file says where the Wannier functions are, or they were left at their projections.

    lattice : (3, 3) angstrom, of the model
    """
    if files.position_source != "none" or (files.win is not None and files.win.integer("num_iter") == 0):
        return True
    tools = _wannier_tools(files, lattice)
    return tools is not None and tools.centres is not None and len(tools.centres) == files.raw.size


def said_of_spinors(files: Wannier90Files, lattice: NDArray[np.float64]) -> tuple[bool | None, str | None]:
    """Whether the functions are spinors, by the .win, else SOC of a wt.in, None where neither says it; a note
    where the latter counts or contradicts the former.

    lattice : (3, 3) angstrom, of the model
    """
    tools = _wannier_tools(files, lattice)
    soc = tools.spinors if tools else None
    win, switch = files.win, f"spinors: wt.in says SOC = {int(bool(soc))}"
    if soc is None or soc == files.spinors:
        return files.spinors, None
    if win is None:
        return soc, switch
    said = win.logical("spinors")
    if said is None:
        # SOC of the wt.in is on; the .win leaves the default.
        return True, f"{switch}, which counts; {win.path.name} does not say spinors = .true."
    return said, f"{switch}, {win.path.name} spinors = .{str(said).lower()}., which counts"


def with_fermi_level(model: WannierModel, files: Wannier90Files, per_band: int | None = None) -> WannierModel:
    """The model with the level of the .win, else that of the scf output beside it, of a wt.in or the .json of
    a database, of num_valence_bands of the .win; without any of them as it is.

    per_band : electrons in each of the num_valence_bands, where the model has been given other bands since
    A level at the edge of a gap becomes its middle, what contradicts it is noted, and one that cannot be that
    of the bands is left out. Raises InputError where
    scf outputs contradict each other.
    """
    told = told_by_outputs(files.place.parent, files.seedname)
    output = (told.level, told.file) if told else None
    for note in told.notes if told else ():
        model = model.noted(note)
    bands = files.win.integer("num_valence_bands") if files.win else None
    electrons = (per_band or model.spin_degeneracy) * (bands or 0)
    if model.fermi_level is not None and files.win is not None:
        origin = files.win.path.name
        if output is not None and abs(output[0] - model.fermi_level) > SAME_LEVEL:
            model = model.noted(
                f"Fermi level: {origin} says {model.fermi_level:.4f} eV, which counts, {output[1].name} says "
                f"{output[0]:.4f} eV"
            )
    else:
        output = output or level_of_inputs(
            files.place.parent, files.seedname, files.raw.size, model.lattice, files.hamiltonian_file.name
        )
        if output is None:
            if bands is None:
                return model
            return with_filling(model, electrons, "num_valence_bands of the .win")
        level, file = output
        origin = file.name
        provenance = replace(model.provenance, files=(*model.provenance.files, *hashes([file])))
        provenance = provenance.noted(f"Fermi level: from {origin}")
        model = replace(model, fermi_level=level, provenance=provenance)
    if files.is_text:
        model = _with_distance(model, origin, told if told and told.file.name == origin else None)
    if model.fermi_level is None and bands is not None:
        return with_filling(model, electrons, "num_valence_bands of the .win")
    return with_settled_level(model, origin, electrons // model.spin_degeneracy or None)


def _with_distance(model: WannierModel, origin: str, output: ToldLevel | None) -> WannierModel:
    """The model, with a note where the level of a file is outside of all bands.

    It is left out where it is that far away that it cannot be theirs. output : that says it, if it is one
    """
    # Whoever asks has given it a level.
    assert model.fermi_level is not None
    beyond, lowest, highest = distance_from_bands(model, model.fermi_level)
    if abs(beyond) <= _NEAR_BANDS:
        return model
    where = "above" if beyond > 0 else "below"
    told = (
        f"Fermi level: {model.fermi_level:.4f} eV of {origin} lies {abs(beyond):.3g} eV {where} all bands "
        f"({lowest:.4g} to {highest:.4g} eV)"
    )
    is_far = abs(beyond) > max(highest - lowest, _FARTHEST_LEVEL)
    if is_far and not (output and output.is_beside(lowest, highest)):
        return replace(model.noted(f"{told} {LEFT_OUT}"), fermi_level=None)
    return model.noted(told)


def with_told_level(model: WannierModel, files: Wannier90Files) -> WannierModel:
    """The model, whose electrons the user counts, with a note of the level that the files say."""
    level, origin = model.fermi_level, files.win.path.name if files.win else ""
    if level is None:
        try:
            told = told_by_outputs(files.place.parent, files.seedname)
        except InputError:
            # The user has decided.
            return model
        if told is None:
            return model
        level, origin = told.level, told.file.name
    return model.noted(f"Fermi level: {origin} says {level:.4f} eV; the electrons that are given count")


def with_level_of_channels(
    model: WannierModel, up: float | None, down: float | None, both: Path
) -> WannierModel:
    """The joined model of two channels with the level that they share, of their .win or of the scf output.

    up, down : levels of their .win (eV); both : folder and shared seedname. Raises InputError where they
    differ.
    """
    known = [level for level in (up, down) if level is not None]
    if known:
        if max(known) - min(known) > SAME_LEVEL:
            raise InputError(
                f"{both}: the .win of spin up has the Fermi level {up} eV, that of spin down {down} eV, "
                "expected the one that they share; mend one, or give fermi_level."
            )
        return with_settled_level(replace(model, fermi_level=known[0]), "the .win of both spins")
    output = level_of_outputs(both.parent, both.name)
    if output is None:
        return model
    level, file = output
    provenance = replace(model.provenance, files=(*model.provenance.files, *hashes([file])))
    provenance = provenance.noted(f"Fermi level: from {file.name}")
    return with_settled_level(replace(model, fermi_level=level, provenance=provenance), file.name)
