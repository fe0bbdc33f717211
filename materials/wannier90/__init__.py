"""Files of Wannier90: which belong together, what each says, and the model that they make."""

from .calculation import HermitianMatrices, Wannier90Files
from .discovery import OUTPUTS, SourceFiles, companions, find_files, hamiltonians_below
from .export import write_wannier90
from .loading import TrialOrbitalWarning, read_model, with_fermi_level
from .wannier_tools import read_wannier_tools
from .win import read_win
from .wout import read_wout

__all__ = [
    "OUTPUTS",
    "HermitianMatrices",
    "SourceFiles",
    "TrialOrbitalWarning",
    "Wannier90Files",
    "companions",
    "find_files",
    "hamiltonians_below",
    "read_model",
    "read_wannier_tools",
    "read_win",
    "read_wout",
    "with_fermi_level",
    "write_wannier90",
]
