"""The one style of all figures: width of a journal's column, fonts, colours that everybody can tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any

from spinscreen.kernels import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: Inches: one column of a journal.
COLUMN = 3.4

#: Matplotlib settings of figures that are made here; axes that the user brings keep the user's.
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "axes.linewidth": 0.7,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.fontsize": 7.0,
    "legend.title_fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "savefig.dpi": 300,
    # Texts stay texts, so that an editor can change them.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}

#: Of ticks, which Matplotlib makes when it draws, after the style has gone.
_TICKS: dict[str, Any] = {"direction": "in", "top": True, "right": True, "width": 0.7, "labelsize": 7.0}

#: Okabe and Ito, Color Universal Design (2008): told apart with any colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Letters of a line on an axis; what is longer becomes two.
_LONGEST = 38

#: A space at which no line ends.
_NO_BREAK = "\N{NO-BREAK SPACE}"

#: Of what only guides the eye.
FAINT, GUIDE = "0.85", "0.55"


def figure_class() -> type[Figure]:
    """Matplotlib's class of figures. Raises InputError where it is not installed."""
    try:
        # The class itself, not pyplot: no display and no global list of figures is touched.
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "plot: matplotlib is not installed, expected it for figures; pip install 'spinscreen[plot]'."
        ) from None
    return Figure


def figure_suffixes() -> frozenset[str]:
    """Endings of files that figures can be drawn into. Raises InputError without matplotlib."""
    return frozenset(figure_class()().canvas.get_supported_filetypes())


@contextmanager
def styled_axes(ax: Axes | None, height: float) -> Iterator[Axes]:
    """The axes that the user brings, else those of a new figure, drawn in the style of all.

    height : of the figure, inches. Raises InputError without matplotlib.
    """
    figures = figure_class()
    if ax is not None:
        yield ax
        return
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = figures(figsize=(COLUMN, height), layout="compressed")
        new = figure.subplots()
        yield new
        for one in figure.axes:
            one.tick_params(which="both", **_TICKS if one is new else {**_TICKS, "top": False})
        # Once more when it is written: axes that are laid out anew may have other ticks, with longer labels.
        figure.draw_without_rendering()


def figure_of(ax: Axes) -> Figure:
    """The whole figure of axes."""
    # Of axes in a part of a figure, that of the part.
    whole: Figure = ax.figure.figure
    return whole


def diverging() -> Colormap:
    """Colours of signed values on lines: zero is a grey that is seen on white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blue-grey-vermilion", (COLORS[0], "0.72", COLORS[1]))


def in_lines(label: str) -> str:
    """A label that fits along an axis; its unit, in brackets at the end, stays whole."""
    words, bracket, unit = label.rpartition(" (")
    whole = f"{words}{bracket}{unit.replace(' ', _NO_BREAK)}"
    return fill(whole, _LONGEST).replace(_NO_BREAK, " ")


def decades_of(linear: float, largest: float, most: int = 3) -> tuple[int, ...]:
    """Powers of ten up to `largest` that a scale shows on either side of what is linear, from the highest."""
    lowest, highest = math.ceil(math.log10(linear) + 1e-9), math.floor(math.log10(largest))
    step = max(1, math.ceil((highest - lowest + 1) / most))
    return tuple(range(highest, lowest - 1, -step))


def signed_ticks(decades: Sequence[int]) -> dict[float, str]:
    """Place -> label of zero and of powers of ten with both signs."""
    ticks = {0.0: "0"}
    for power in decades:
        ticks |= {10.0**power: f"$10^{{{power}}}$", -(10.0**power): f"$-10^{{{power}}}$"}
    return ticks


def add_colorbar(
    ax: Axes, drawn: Any, label: str, *, extend: str = "neither", decades: Sequence[int] = ()
) -> None:
    """The scale of the colours, beside the axes; decades : powers of ten that a logarithmic one shows."""
    bar = figure_of(ax).colorbar(drawn, ax=ax, extend=extend, pad=0.02, fraction=0.05, aspect=25)
    bar.set_label(in_lines(label), parse_math=False)
    bar.outline.set_linewidth(0.5)
    if decades:
        ticks = signed_ticks(decades)
        bar.set_ticks(list(ticks), labels=list(ticks.values()), minor=False)
        bar.set_ticks([], minor=True)
