"""The Fermi level of an electron count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinscreen.kernels import InputError, KMesh, band_energies

from .model import WannierModel

#: Distance of the mesh points (1/angstrom) on which electrons are counted.
_SPACING = 0.1

#: eV above the highest state of the mesh: between its points bands reach no higher than this.
_ABOVE_ALL = 0.1

#: The most mesh points on which electrons are counted; only cells far below the size of an atom need more.
_MOST_POINTS = 10**6


def with_filling(model: WannierModel, electrons: float, origin: str) -> WannierModel:
    """The model with the Fermi level (eV) at which its bands hold so many electrons per cell.

    electrons : in the bands of the Wannier functions, `spin_degeneracy` in each; origin : who
    says so, for the notes
    The level lies in the middle between the highest filled and the lowest empty state of a mesh of
    0.1/angstrom, so in the middle of a gap; where they fill all bands, just above the highest. Raises
    InputError where the bands cannot hold them.
    """
    capacity = model.size * model.spin_degeneracy
    if not 0 < electrons <= capacity:
        raise InputError(
            f"{_place(model)}: electrons is {electrons:g}, expected more than 0 and at most the {capacity} "
            f"that its {model.size} Wannier functions hold; count only electrons in their bands."
        )
    energy = np.sort(_energies(model), axis=None)
    if electrons == capacity:
        level = float(energy[-1]) + _ABOVE_ALL
        note = f"Fermi level: {level:.4f} eV, above all bands, which {electrons:g} electrons fill ({origin})"
        return replace(model, fermi_level=level).noted(note)
    filled = round(electrons / capacity * energy.size)
    filled = min(max(filled, 1), energy.size - 1)
    level = float((energy[filled - 1] + energy[filled]) / 2)
    mesh = "x".join(map(str, _mesh(model).shape))
    note = f"Fermi level: {level:.4f} eV holds {electrons:g} electrons per cell on {mesh} k points ({origin})"
    return replace(model, fermi_level=level).noted(note)


def _mesh(model: WannierModel) -> KMesh:
    return KMesh.of_spacing(model.lattice, model.periodic, _SPACING)


def _energies(model: WannierModel) -> np.ndarray:
    mesh = _mesh(model)
    if mesh.size > _MOST_POINTS:
        raise InputError(
            f"model {model.name!r}: electrons would be counted on {mesh.size} k points, expected at most "
            f"{_MOST_POINTS}; is the unit cell in angstrom? Else give fermi_level."
        )
    return band_energies(model.operators, mesh.points())


def _place(model: WannierModel) -> str:
    """The model and the first file that it is from."""
    files = model.provenance.files
    return f"model {model.name!r}" + (f" of {files[0][0]}" if files else "")
