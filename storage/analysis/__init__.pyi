from .accessor import SpinscreenAccessor
from .components import check_hall, chosen_component, chosen_quantities, largest_component
from .fermi_surface_files import write_bxsf, write_frmsf
from .figures import (
    draw_bands,
    draw_curve,
    draw_fermi_surface,
    draw_map,
    draw_scatter,
    figure_of,
    figure_suffixes,
    plot_bands,
    plot_fermi_surface,
    plot_hall,
    plot_scatter,
)
from .natural_units import in_natural_units, natural_unit, printed_unit
from .symmetry import SymmetryWarning, crystal_frame, rotated, symmetrized
from .units import converted, unit_registry

__all__ = [
    "SpinscreenAccessor",
    "SymmetryWarning",
    "check_hall",
    "chosen_component",
    "chosen_quantities",
    "converted",
    "crystal_frame",
    "draw_bands",
    "draw_curve",
    "draw_fermi_surface",
    "draw_map",
    "draw_scatter",
    "figure_of",
    "figure_suffixes",
    "in_natural_units",
    "largest_component",
    "natural_unit",
    "plot_bands",
    "plot_fermi_surface",
    "plot_hall",
    "plot_scatter",
    "printed_unit",
    "rotated",
    "symmetrized",
    "unit_registry",
    "write_bxsf",
    "write_frmsf",
]
