"""Integrals over the Brillouin zone with an error bar: cells that are halved where errors are large.

A cell is looked at by one k point and by one in each of its children. The difference of the two values, what
Richardson's extrapolation changes, and what such points may miss (levels that meet or cross the degeneracy
threshold between them) make the bar; docs/convergence.md tells how.
"""

from .box import Box
from .channels import Channels, channels_of
from .estimate import MOST_OF_ONE_POINT, Estimate, History, Standing, marked, spread
from .reach import reach_of
from .refinement import Cells, Leaves, Refined, add_refined, refine
from .samples import AdaptiveTask, component_shapes
from .weights import RESOLUTION, Weights, cell_weights

__all__ = [
    "MOST_OF_ONE_POINT",
    "RESOLUTION",
    "AdaptiveTask",
    "Box",
    "Cells",
    "Channels",
    "Estimate",
    "History",
    "Leaves",
    "Refined",
    "Standing",
    "Weights",
    "add_refined",
    "cell_weights",
    "channels_of",
    "component_shapes",
    "marked",
    "reach_of",
    "refine",
    "spread",
]
