"""What a material is once every file has been read."""

from ..matrices import (
    HERMITICITY_TOLERANCE,
    LARGEST,
    centre_position,
    hermitian_part,
    opposite_rows,
    within,
)
from ..observable import SPIN
from ..trial_orbitals import Projection, TrialOrbital, TrialOrbitals
from .provenance import Atom, PathSegment, PositionSource, Provenance, SpinSource
from .wannier_model import WannierModel

__all__ = [
    "HERMITICITY_TOLERANCE",
    "LARGEST",
    "SPIN",
    "Atom",
    "PathSegment",
    "PositionSource",
    "Projection",
    "Provenance",
    "SpinSource",
    "TrialOrbital",
    "TrialOrbitals",
    "WannierModel",
    "centre_position",
    "hermitian_part",
    "opposite_rows",
    "within",
]
