"""Formulas that NumPy can only do in many passes over memory, as loops; compiled by `compiled.loop`."""

from .approach import closest_approach
from .cells import cell_weights, cell_windows, meeting_levels
from .curvature import curvature_traces, occupied_increments
from .flows import flow_traces, moment_traces, texture_flow
from .leaves import add_leaves, add_levels, add_meetings, add_sizes, mark_steps, mix, number_steps
from .matrices import conventional, interband
from .multiplets import number_multiplets
from .proper import proper
from .sums import fermi_functions, first_not_below, partly_occupied, weighted

__all__ = [
    "add_leaves",
    "add_levels",
    "add_meetings",
    "add_sizes",
    "cell_weights",
    "cell_windows",
    "closest_approach",
    "conventional",
    "curvature_traces",
    "fermi_functions",
    "first_not_below",
    "flow_traces",
    "interband",
    "mark_steps",
    "meeting_levels",
    "mix",
    "moment_traces",
    "number_multiplets",
    "number_steps",
    "occupied_increments",
    "partly_occupied",
    "proper",
    "texture_flow",
    "weighted",
]
