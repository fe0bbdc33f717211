"""Whether energies of an .eig can be in eV, where no written Hamiltonian and no window says so."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from spinscreen.kernels import InputError, KMesh, band_energies

from ..model import WannierModel
from ..observable import SPIN
from .calculation import Wannier90Files
from .scf_outputs import LEFT_OUT, told_by_outputs

#: hbar^2/2m in eV angstrom^2.
_KINETIC = 3.80998

#: Width of the bands over that of as many bands of free electrons: 0.85 (Fe, Pt) to 1.3 (GaAs), 0.3 of d
#: shells alone; in rydberg 0.06 to 0.1, in hartree 0.03 to 0.05, in meV 850 and more.
_NARROW, _WIDE = 0.15, 8.0

#: angstrom^3: an atom has as much room where the cell does not say less; the rest of a layer's is vacuum.
_ROOM = 20.0

#: eV: a level may be that far from all bands, or as far as they are wide: one in the gap above them.
_FARTHEST_LEVEL = 5.0

#: Distance (1/angstrom) of the points at which the width is looked at.
_SPACING = 0.4

_WINDOWS = ("dis_win_min", "dis_win_max", "dis_froz_min", "dis_froz_max")


class EnergyUnitWarning(UserWarning):
    """Bands of an .eig are far narrower or wider than those of electrons of their density in eV."""


def with_units_told(model: WannierModel, files: Wannier90Files, level_is_given: bool) -> WannierModel:
    """A model made of .chk and .eig with a note on the unit of its energies, where nothing says it.

    A width that electrons among so many atoms do not have is told by an `EnergyUnitWarning`: some are narrow.
    A Fermi level of another file that is far from all bands is left out. Raises InputError where both are so.
    """
    if files.is_text or _are_in_windows(files):
        return model
    path = files.files["eig"]
    energies = band_energies(
        model.operators, KMesh.of_spacing(model.lattice, model.periodic, _SPACING).points()
    )
    lowest, highest = float(energies.min()), float(energies.max())
    level, width = model.fermi_level, highest - lowest
    has_spinors = bool(files.spinors) or bool(set(SPIN) & set(model.observables))
    volume = abs(float(np.linalg.det(model.lattice)))
    if model.atoms:
        volume = min(volume, _ROOM * len(model.atoms))
    density = model.size / (2 if has_spinors else 1) / volume
    free = _KINETIC * (6 * np.pi**2 * density) ** (2 / 3)
    is_doubtful = not _NARROW * free < width < _WIDE * free
    if level is not None and not level_is_given:
        away = max(lowest - level, level - highest)
        is_far = away > max(width, _FARTHEST_LEVEL)
        if is_far and is_doubtful:
            raise InputError(
                f"{path}: its bands are from {lowest:.4g} to {highest:.4g} eV, {away:.3g} eV away from the "
                f"Fermi level {level:.4g} eV of the files beside it; it is in other units than eV (rydberg "
                "is 13.6057 eV, hartree 27.2114 eV), or the level is of another calculation: mend one, or "
                "give fermi_level."
            )
        if is_far and not _is_beside(files, level, lowest, highest):
            where = f"{away:.3g} eV away from all bands ({lowest:.4g} to {highest:.4g} eV)"
            told = f"Fermi level: {level:.4f} eV of the files lies {where} {LEFT_OUT}"
            model = replace(model.noted(told), fermi_level=None)
    told = f"energies: those of {path.name} taken for eV, which no window of a .win and no _hr.dat confirms"
    if is_doubtful and not (width < free and _are_narrow_shells(model)):
        told += (
            f"; its bands are {width:.3g} eV wide, those of free electrons of that density {free:.3g} eV: "
            "look whether it is in rydberg (13.6057 eV), hartree (27.2114 eV) or another unit"
        )
        warnings.warn(f"model {model.name!r}: {told}", EnergyUnitWarning, stacklevel=5)
    return model.noted(told)


def _are_narrow_shells(model: WannierModel) -> bool:
    """True where all functions were projected on d or f shells, whose bands may be as narrow as one likes."""
    try:
        lines = model.parsed_projections
    except InputError:
        return False
    return bool(lines) and all(orbital[0] in "df" for line in lines for orbital in line.orbitals)


def _is_beside(files: Wannier90Files, level: float, lowest: float, highest: float) -> bool:
    """True where the level is that of an scf output whose gap is at an end of the bands."""
    output = told_by_outputs(files.place.parent, files.seedname)
    return output is not None and output.level == level and output.is_beside(lowest, highest)


def _are_in_windows(files: Wannier90Files) -> bool:
    """True where the energies passed `check_windows`."""
    win, gauge = files.win, files.gauge
    if win is None or gauge is None or gauge.band_count == gauge.gauge.shape[2]:
        return False
    has_windows = any(win.real(name) is not None for name in _WINDOWS)
    return has_windows and not win.integer("dis_spheres_num") and not win.logical("site_symmetry")
