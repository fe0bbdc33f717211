"""Whether atoms are as far apart as atoms are: a cell in bohr or nanometre is told."""

from __future__ import annotations

import itertools
import warnings

import numpy as np

from .elements import covalent_radius, element_of
from .model import WannierModel

#: Distance of the nearest atoms over the sum of their covalent radii: 0.8 to 1.3 in crystals (caesium 1.07,
#: iron 0.94), 0.56 under pressure; of a cell in bohr 1.89 times as much, in nanometre a tenth.
_NEAREST, _FARTHEST = 0.5, 1.5

#: angstrom: elements of an alloy that are nearer share one site.
_ONE_SITE = 1e-3

#: More atoms are no unit cell that was mistyped.
_MOST_ATOMS = 1000


class UnitCellWarning(UserWarning):
    """Atoms are nearer to each other, or farther apart, than in any crystal."""


def with_told_distances(model: WannierModel) -> WannierModel:
    """The model, with a note and a `UnitCellWarning` where its atoms cannot be where they are said to be."""
    radii = np.array([covalent_radius(atom.symbol) for atom in model.atoms])
    if not 0 < len(radii) <= _MOST_ATOMS or np.isnan(radii).any():
        return model
    places = np.array([atom.position for atom in model.atoms])
    reduced = places @ np.linalg.inv(model.lattice)
    apart = reduced[:, None] - reduced[None]
    apart -= np.round(apart)
    ratios = np.full(2 * (len(radii),), np.inf)
    symbols = np.array([element_of(atom.symbol) for atom in model.atoms])
    for cell in itertools.product((-1, 0, 1), repeat=3):
        distance = np.linalg.norm((apart + cell) @ model.lattice, axis=2)
        distance[(distance < _ONE_SITE) & (symbols[:, None] != symbols)] = np.inf
        if not any(cell):
            np.fill_diagonal(distance, np.inf)
        ratios = np.minimum(ratios, distance / (radii[:, None] + radii))
    first, second = np.unravel_index(int(ratios.argmin()), ratios.shape)
    # One atom in a box has no neighbours.
    is_alone = len(radii) == 1 and not model.translations.any()
    if _NEAREST < ratios[first, second] < (np.inf if is_alone else _FARTHEST):
        return model
    names = f"{model.atoms[first].symbol} and {model.atoms[second].symbol}"
    distance = ratios[first, second] * (radii[first] + radii[second])
    note = (
        f"unit cell: {names} are {distance:.3g} angstrom apart, no atoms nearer, {ratios[first, second]:.2g} "
        "times the sum of their covalent radii; is the cell in bohr or nanometre, and are all atoms there?"
    )
    warnings.warn(f"model {model.name!r}: {note}", UnitCellWarning, stacklevel=5)
    return model.noted(note)
