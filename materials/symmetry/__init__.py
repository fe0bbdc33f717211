"""Symmetry of models: the group that one obeys, and the average over that of its crystal."""

from .average import AUTOMATIC_LIMIT, SymmetryDeviation, symmetrize, symmetrized, symmetry_deviation
from .group import symmetry_group
from .naming import group_name
from .selection import meant_group, obeys_crystal
from .setting import Symmetrize, with_symmetry

__all__ = [
    "AUTOMATIC_LIMIT",
    "Symmetrize",
    "SymmetryDeviation",
    "group_name",
    "meant_group",
    "obeys_crystal",
    "symmetrize",
    "symmetrized",
    "symmetry_deviation",
    "symmetry_group",
    "with_symmetry",
]
