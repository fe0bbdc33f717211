"""Superconductors: Bogoliubov-de Gennes models, named pairings, gap and nodes."""

from .bogoliubov import Pairing, bcs_gap, bogoliubov
from .pairing import PAIRINGS, PairingForm
from .superconducting_state import SuperconductingState, pairing_amplitude, superconducting_state

__all__ = [
    "PAIRINGS",
    "Pairing",
    "PairingForm",
    "SuperconductingState",
    "bcs_gap",
    "bogoliubov",
    "pairing_amplitude",
    "superconducting_state",
]
