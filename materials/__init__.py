"""How a material gets in: the frozen `WannierModel`, readers of real files, and the built-in library."""

from . import library
from .loading import Overrides, SpinOrderingWarning, load_model
from .model import Atom, Provenance, WannierModel
from .wannier90_export import write_wannier90

__all__ = [
    "Atom",
    "Overrides",
    "Provenance",
    "SpinOrderingWarning",
    "WannierModel",
    "library",
    "load_model",
    "write_wannier90",
]
