from . import library
from .checks import MaterialCheck, check_material, check_new_manifest, checked_model, write_manifest
from .collection import SameIdWarning, find_materials
from .fermi_level import with_filling
from .gaps import NarrowGap, band_gap, narrow_gap
from .loading import Overrides, SpinOrderingWarning, load_model
from .manifest_entries import ManifestEntry
from .model import Atom, PathSegment, Projection, Provenance, TrialOrbital, TrialOrbitals, WannierModel
from .observable import Observable
from .orbital import with_atoms, with_layer, with_orbital_momentum
from .paths import band_path
from .scans import is_library, library_scan
from .sources import FileSource, LibrarySource, MaterialSource, ModelSource, Source, composition, sources_of
from .spin_orbit import with_spin_orbit
from .structure import Structure, read_structure, structure_of
from .superconductors import (
    PAIRINGS,
    SuperconductingState,
    bcs_gap,
    bogoliubov,
    pairing_amplitude,
    superconducting_state,
)
from .symmetry import SymmetryDeviation, symmetrize, symmetry_deviation, symmetry_group
from .wannier90 import EnergyUnitWarning, TrialOrbitalWarning, Wannier90Files, write_wannier90

__all__ = [
    "PAIRINGS",
    "Atom",
    "EnergyUnitWarning",
    "FileSource",
    "LibrarySource",
    "ManifestEntry",
    "MaterialCheck",
    "MaterialSource",
    "ModelSource",
    "NarrowGap",
    "Observable",
    "Overrides",
    "PathSegment",
    "Projection",
    "Provenance",
    "SameIdWarning",
    "Source",
    "SpinOrderingWarning",
    "Structure",
    "SuperconductingState",
    "SymmetryDeviation",
    "TrialOrbital",
    "TrialOrbitalWarning",
    "TrialOrbitals",
    "Wannier90Files",
    "WannierModel",
    "band_gap",
    "band_path",
    "bcs_gap",
    "bogoliubov",
    "check_material",
    "check_new_manifest",
    "checked_model",
    "composition",
    "find_materials",
    "is_library",
    "library",
    "library_scan",
    "load_model",
    "narrow_gap",
    "pairing_amplitude",
    "read_structure",
    "sources_of",
    "structure_of",
    "superconducting_state",
    "symmetrize",
    "symmetry_deviation",
    "symmetry_group",
    "with_atoms",
    "with_filling",
    "with_layer",
    "with_orbital_momentum",
    "with_spin_orbit",
    "write_manifest",
    "write_wannier90",
]
