"""Formulas that NumPy can only do in many passes over memory, as loops; compiled by `compiled.loop`."""

from .curvature import curvature_traces, occupied_increments
from .flows import flow_traces, moment_traces, texture_flow
from .matrices import conventional, interband
from .proper import proper
from .sums import scatter, spread

__all__ = [
    "conventional",
    "curvature_traces",
    "flow_traces",
    "interband",
    "moment_traces",
    "occupied_increments",
    "proper",
    "scatter",
    "spread",
    "texture_flow",
]
