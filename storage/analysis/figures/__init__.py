"""Figures a journal would print: curves, bands, planes of the Brillouin zone, materials against each other.

`draw_...` draws into axes and returns them, `plot_...` makes a figure of its own.
"""

from .bands import draw_bands, plot_bands
from .curves import draw_curve, plot_hall
from .fermi_surface import draw_fermi_surface, draw_map, plot_fermi_surface
from .scatter import draw_scatter, plot_scatter
from .style import STYLE, figure_of, figure_suffixes

__all__ = [
    "STYLE",
    "draw_bands",
    "draw_curve",
    "draw_fermi_surface",
    "draw_map",
    "draw_scatter",
    "figure_of",
    "figure_suffixes",
    "plot_bands",
    "plot_fermi_surface",
    "plot_hall",
    "plot_scatter",
]
