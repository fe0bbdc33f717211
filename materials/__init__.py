"""How a material gets in: the frozen `WannierModel`, readers of real files, and the built-in library."""

from . import library
from .bogoliubov import PAIRINGS, bcs_gap, bogoliubov
from .collection import ManifestEntry, MaterialCheck, MaterialSource, check_material, find_materials
from .loading import Overrides, SpinOrderingWarning, load_model
from .model import Atom, Provenance, WannierModel
from .orbital import with_atoms, with_layer, with_orbital_momentum
from .structure import Structure, composition, read_structure, structure_of
from .superconducting_state import SuperconductingState, superconducting_state
from .wannier90_export import write_wannier90

__all__ = [
    "PAIRINGS",
    "Atom",
    "ManifestEntry",
    "MaterialCheck",
    "MaterialSource",
    "Overrides",
    "Provenance",
    "SpinOrderingWarning",
    "Structure",
    "SuperconductingState",
    "WannierModel",
    "bcs_gap",
    "bogoliubov",
    "check_material",
    "composition",
    "find_materials",
    "library",
    "load_model",
    "read_structure",
    "structure_of",
    "superconducting_state",
    "with_atoms",
    "with_layer",
    "with_orbital_momentum",
    "write_wannier90",
]
