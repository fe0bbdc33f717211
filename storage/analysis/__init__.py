"""What an analysis session does with datasets: components, units, symmetry, figures, `dataset.spinscreen`."""

from .accessor import SpinscreenAccessor
from .fermi_surface import plot_fermi_surface
from .plots import (
    check_hall,
    figure_suffixes,
    in_natural_units,
    largest_component,
    plot_bands,
    plot_hall,
    plot_scatter,
)
from .symmetry import SymmetryWarning, crystal_frame, rotated, symmetrized
from .units import converted, unit_registry

__all__ = [
    "SpinscreenAccessor",
    "SymmetryWarning",
    "check_hall",
    "converted",
    "crystal_frame",
    "figure_suffixes",
    "in_natural_units",
    "largest_component",
    "plot_bands",
    "plot_fermi_surface",
    "plot_hall",
    "plot_scatter",
    "rotated",
    "symmetrized",
    "unit_registry",
]
