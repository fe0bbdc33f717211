"""What Wannier functions are made of: projections, trial orbitals, and W, which turns one into the other."""

from .archive import read_trial_orbitals, write_trial_orbitals
from .expansion import Order, expand_projections
from .harmonics import HARMONICS, angular_momentum, place_of, rotation_of_harmonics
from .orbitals import TrialOrbital, TrialOrbitals, exact_orbitals
from .projections import Projection, has_random, parse_projections

__all__ = [
    "HARMONICS",
    "Order",
    "Projection",
    "TrialOrbital",
    "TrialOrbitals",
    "angular_momentum",
    "exact_orbitals",
    "expand_projections",
    "has_random",
    "parse_projections",
    "place_of",
    "read_trial_orbitals",
    "rotation_of_harmonics",
    "write_trial_orbitals",
]
