"""Symmetry of models: the group that one obeys, and the average over that of its crystal."""

from .average import AUTOMATIC_LIMIT, SymmetryDeviation, symmetrize, symmetrized, symmetry_deviation
from .group import symmetry_group
from .naming import group_name

__all__ = [
    "AUTOMATIC_LIMIT",
    "SymmetryDeviation",
    "group_name",
    "symmetrize",
    "symmetrized",
    "symmetry_deviation",
    "symmetry_group",
]
