"""Paths along lines of high symmetry, for bands."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from .model import PathSegment, WannierModel
from .structure import SYMMETRY_TOLERANCE, structure_of

#: A labelled reduced k point; None where the path breaks off and goes on elsewhere.
Corner = tuple[str, Sequence[float]] | None


def band_path(model: WannierModel) -> list[Corner]:
    """Special points for `k_path`: those of the .win, else the path of the crystal or layer.

    That of a crystal is by Hinuma et al., Comput. Mater. Sci. 128, 140 (2017), with seekpath, by its atoms
    where they are known, else by its lattice; that of a layer is ASE's for its lattice. Without these
    libraries it runs along the reciprocal axes. Time reversal is assumed: in a magnet without inversion k and
    -k differ.
    """
    if model.kpoint_path:
        return _corners_of(model.kpoint_path)
    found = _of_crystal(model) if model.dimension == 3 else _of_layer(model)
    return found or _along_axes(model)


def _of_crystal(model: WannierModel) -> list[Corner]:
    if find_spec("seekpath") is None:
        return []
    import seekpath

    structure = structure_of(model)
    cell = (model.lattice, np.zeros((1, 3)), [1]) if structure is None else structure.cell
    with warnings.catch_warnings():
        # Of cells at the edge of two lattices either path will do.
        warnings.simplefilter("ignore")
        try:
            found = seekpath.get_path_orig_cell(cell, symprec=SYMMETRY_TOLERANCE)
        except (seekpath.hpkot.SymmetryDetectionError, ValueError):
            return []
    points = {label: _tidied(place) for label, place in found["point_coords"].items()}
    corners: list[Corner] = []
    for before, (start, end) in pairwise([("", ""), *found["path"]]):
        if before[1] != start:
            corners += [*([None] if corners else []), (start, points[start])]
        corners.append((end, points[end]))
    return corners


def _of_layer(model: WannierModel) -> list[Corner]:
    if find_spec("ase") is None or model.dimension != 2:
        return []
    from ase.cell import Cell
    from ase.dft.kpoints import parse_path_string

    try:
        found = Cell(model.lattice).bandpath(pbc=model.periodic, npoints=0)
    except (RuntimeError, ValueError):
        return []
    corners: list[Corner] = []
    for piece in parse_path_string(found.path):
        corners += [None] if corners else []
        corners += [(label, _tidied(found.special_points[label])) for label in piece]
    return corners


def _tidied(place: Sequence[float]) -> tuple[float, ...]:
    """Without what rounding leaves of zero."""
    return tuple(float(x) + 0.0 for x in np.round(place, 12))


def _along_axes(model: WannierModel) -> list[Corner]:
    corners: list[Corner] = [("Γ", (0.0, 0.0, 0.0))]
    for axis, repeats in enumerate(model.periodic):
        if repeats:
            end = np.zeros(3)
            end[axis] = 0.5
            corners += [(f"b{axis + 1}/2", end.tolist()), ("Γ", (0.0, 0.0, 0.0))]
    return corners


def _corners_of(segments: Sequence[PathSegment]) -> list[Corner]:
    corners: list[Corner] = []
    at: Corner = None
    for start_label, start, end_label, end in segments:
        if at is None or not np.allclose(start, at[1], atol=1e-6):
            corners += [*([None] if corners else []), (start_label, start)]
        at = (end_label, end)
        corners.append(at)
    return corners
