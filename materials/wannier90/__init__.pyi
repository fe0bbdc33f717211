from .calculation import Wannier90Files
from .channels import Channels, channels_of, is_named_like_one_spin, is_of_one_spin, pairs_among, sibling_of
from .discovery import OUTPUTS, SourceFiles, companions, find_files, hamiltonians_below, seednames_of
from .export import write_wannier90
from .hermitian import HermitianMatrices
from .loading import (
    TrialOrbitalWarning,
    has_centres,
    read_model,
    said_of_spinors,
    with_fermi_level,
    with_level_of_channels,
    with_told_level,
)
from .units import EnergyUnitWarning, with_units_told
from .wannier_tools import read_wannier_tools
from .win import read_win
from .wout import read_wout

__all__ = [
    "OUTPUTS",
    "Channels",
    "EnergyUnitWarning",
    "HermitianMatrices",
    "SourceFiles",
    "TrialOrbitalWarning",
    "Wannier90Files",
    "channels_of",
    "companions",
    "find_files",
    "hamiltonians_below",
    "has_centres",
    "is_named_like_one_spin",
    "is_of_one_spin",
    "pairs_among",
    "read_model",
    "read_wannier_tools",
    "read_win",
    "read_wout",
    "said_of_spinors",
    "seednames_of",
    "sibling_of",
    "with_fermi_level",
    "with_level_of_channels",
    "with_told_level",
    "with_units_told",
    "write_wannier90",
]
