"""The Fermi level where the .win does not say it: from an scf output, or from the electron count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinscreen.kernels import InputError, KMesh, Resolution, band_quantities, band_values, block_size

from .discovery import SourceFiles, companions
from .files import pieces, printable, sha256
from .model import LARGEST, SPIN, WannierModel
from .win import WinFile

#: Distance of the mesh points (1/angstrom) on which electrons are counted.
_SPACING = 0.1

#: Two outputs of one material may differ by so much (eV), they are of different meshes.
_SAME_LEVEL = 0.05

#: Outputs of a self-consistent run: Quantum ESPRESSO's standard output, VASP's OUTCAR.
_NAMES = re.compile(r"(.*scf.*\.out|.*\.scf|pw\.out|scf\.log|OUTCAR)(\.gz)?$", re.IGNORECASE)

#: The most mesh points on which electrons are counted; only cells far below the size of an atom need more.
_MOST_POINTS = 10**6

# Matched at fixed words, in lower case, with bounded repeats: an output may be of gigabytes, or no output.
_NUMBER = rb"\s{0,40}([-+]?\d{1,20}(?:\.\d{0,20})?(?:e[-+]?\d{1,3})?)"
_GAP = b"highest occupied, lowest unoccupied level (ev):"
_LEVELS = {
    _GAP: re.compile(_NUMBER + _NUMBER),
    b"the fermi energy is": re.compile(_NUMBER + rb"\s{0,40}ev"),
    b"e-fermi": re.compile(rb"\s{0,40}:" + _NUMBER),
    b"highest occupied level (ev):": re.compile(_NUMBER),
}

#: Bytes that a level may take from its words to its unit.
_LONGEST_LEVEL = 512


def with_fermi_level(model: WannierModel, found: SourceFiles, win: WinFile | None) -> WannierModel:
    """The model with the level it has (of the .win), else that of the scf output beside it, else that of
    num_valence_bands of the .win; without any of them as it is.

    Raises InputError where scf outputs contradict each other.
    """
    if model.fermi_level is not None:
        return model
    output = level_of_outputs(next(iter(found.files.values())).parent, found.seedname)
    if output is not None:
        level, file = output
        files = (*model.provenance.files, (printable(str(file)), sha256(file)))
        provenance = replace(model.provenance, files=files).noted(f"Fermi level: from {file.name}")
        return replace(model, fermi_level=level, provenance=provenance)
    bands = win.integer("num_valence_bands") if win else None
    if bands is not None:
        electrons = bands * electrons_per_band(model)
        return with_filling(model, electrons, "num_valence_bands of the .win")
    return model


def electrons_per_band(model: WannierModel) -> int:
    """2 for a model without spin, whose bands are those of either spin, else 1."""
    return 1 if set(SPIN) & set(model.observables) else 2


def level_of_outputs(folder: Path, seedname: str) -> tuple[float, Path] | None:
    """Fermi level (eV) that the scf outputs beside a seedname end with, and the file; None without any.

    In an insulator the middle of the gap. Raises InputError where two outputs contradict each other, or one
    cannot be read or says a level that cannot be.
    """
    found = []
    for file in companions(folder, seedname):
        if _NAMES.match(file.name):
            level = _level_in(file)
            if level is not None:
                found.append((level, file))
    # Of scf and nscf, the charge density and its level are those of the scf run.
    found.sort(key=lambda entry: "nscf" in entry[1].name.lower())
    for level, file in found[1:]:
        if abs(level - found[0][0]) > _SAME_LEVEL and "nscf" not in file.name.lower():
            raise InputError(
                f"{file}: its Fermi level is {level} eV, but {found[0][1].name} has {found[0][0]} eV; "
                "expected one scf run in the folder, or give fermi_level."
            )
    return found[0] if found else None


def _level_in(file: Path) -> float | None:
    """The level of the last iteration."""
    last: dict[bytes, tuple[bytes, ...]] = {}
    rest = b""
    for piece in pieces(file):
        text = rest + piece.lower()
        # What may go on in the next piece is looked at with it; a match seen twice is still the last.
        rest = text[-_LONGEST_LEVEL:]
        for words, pattern in _LEVELS.items():
            for place in _places(words, text):
                if match := pattern.match(text, place):
                    last[words] = match.groups()
    for words in _LEVELS:
        if words in last:
            values = [float(number) for number in last[words]]
            level = sum(values) / len(values)
            if not abs(level) < LARGEST:
                raise InputError(
                    f"{file}: its Fermi level is {level:g} eV, expected one below {LARGEST:g}; the file "
                    "looks damaged, take it away or give fermi_level."
                )
            return level
    return None


def _places(words: bytes, text: bytes) -> Iterator[int]:
    """Where the words end, each time they occur."""
    place = text.find(words)
    while place >= 0:
        yield place + len(words)
        place = text.find(words, place + len(words))


def with_filling(model: WannierModel, electrons: float, origin: str) -> WannierModel:
    """The model with the Fermi level (eV) at which its bands hold so many electrons per cell.

    electrons : in the bands of the Wannier functions, two in each where the model has no spin; origin : who
    says so, for the notes
    The level lies in the middle between the highest filled and the lowest empty state of a mesh of
    0.1/angstrom, so in the middle of a gap. Raises InputError where the bands cannot hold them.
    """
    capacity = model.size * electrons_per_band(model)
    if not 0 < electrons < capacity:
        raise InputError(
            f"model {model.name!r}: electrons is {electrons:g}, expected more than 0 and less than the "
            f"{capacity} that its {model.size} Wannier functions hold; count only electrons in their bands."
        )
    energy = np.sort(_energies(model), axis=None)
    filled = round(electrons / capacity * energy.size)
    filled = min(max(filled, 1), energy.size - 1)
    level = float((energy[filled - 1] + energy[filled]) / 2)
    note = f"Fermi level: {level:.4f} eV holds {electrons:g} electrons per cell ({origin})"
    return replace(model, fermi_level=level).noted(note)


def _energies(model: WannierModel) -> np.ndarray:
    mesh = KMesh.of_spacing(model.lattice, model.periodic, _SPACING)
    if mesh.size > _MOST_POINTS:
        raise InputError(
            f"model {model.name!r}: electrons would be counted on {mesh.size} k points, expected at most "
            f"{_MOST_POINTS}; is the unit cell in angstrom? Else give fermi_level."
        )
    points = mesh.points()
    operators = model.operators
    chosen = band_quantities(["energy"])
    return band_values(operators, points, Resolution(), chosen, block_size(operators))["energy"]
