"""One k point in each lane of a vector: what is done for every k, on arrays whose last axis is the lane."""

from .bands import LaneBands, solved
from .bloch import (
    SummedOperators,
    families_of,
    lane_bytes,
    operators_at,
    operators_on_lines,
    planes,
    tables_of_lines,
)
from .eigensolver import eigh
from .energies import energies_at
from .occupied import meeting_levels
from .sums import powers_of, reach
from .vertex import LaneVertex

#: Wannier functions beyond which matrices are too large for a group of them to stay in cache.
LARGEST = 128

__all__ = [
    "LARGEST",
    "LaneBands",
    "LaneVertex",
    "SummedOperators",
    "eigh",
    "energies_at",
    "families_of",
    "lane_bytes",
    "meeting_levels",
    "operators_at",
    "operators_on_lines",
    "planes",
    "powers_of",
    "reach",
    "solved",
    "tables_of_lines",
]
