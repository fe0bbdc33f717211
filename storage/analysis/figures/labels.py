"""What figures write on their axes."""

from __future__ import annotations

import xarray as xr

from ...component import Component
from ...observables import Observables, short_name
from ..natural_units import printed_unit
from .style import in_lines

#: Letters of quantities by a part of their names, the first that fits.
_LETTERS = (
    ("thermal_hall", r"\kappa"),
    ("nernst", r"\alpha"),
    ("drude", "D"),
    ("conductivity", r"\sigma"),
    ("magnetization", "M"),
)


def label_of_observable(dataset: xr.Dataset, component: Component) -> str:
    """What figures call the observable of a component."""
    name = str(component.observable)
    facts = Observables.in_dataset(dataset).facts.get(name)
    return name if facts is None else facts.label


def symbol(quantity: str, upper: str, axes: str) -> str:
    """The letter of a quantity with its indices, as mathematics; "" where it has none.

    upper : name of the observable, "" for none; one of the user's may be no mathematics
    """
    letter = next((letter for part, letter in _LETTERS if part in quantity), "")
    if not letter:
        return ""
    if not (upper + axes).isalnum() and upper + axes:
        # Inside \mathrm{} a tilde is a space.
        words = "".join(c if c.isalnum() else " " for c in upper).split()
        upper, axes = rf"\mathrm{{{'~'.join(words)}}}", "".join(filter(str.isalnum, axes))
    above = f"^{{{upper}}}" if upper else ""
    below = f"_{{{axes}}}" if axes else ""
    return f"${letter}{above}{below}$"


def axis_label(dataset: xr.Dataset, quantity: str, component: Component, units: str) -> str:
    """Symbol or words of one component of a quantity, and its unit."""
    observable = "" if component.observable is None else short_name(label_of_observable(dataset, component))
    letter = symbol(quantity, observable, component.axes)
    unit = "" if units in ("", "1") else f" ({printed_unit(units)})"
    if letter:
        return f"{letter}{unit}"
    words = str(dataset[quantity].attrs.get("long_name", quantity.replace("_", " ")))
    text = " ".join(filter(None, (words, str(component))))
    return in_lines(plain(f"{text}{unit}"))


def plain(text: str) -> str:
    """A text of the user's where Matplotlib looks for mathematics."""
    return text.replace("$", r"\$")


def energy_label(relative: bool, scanned: bool = True) -> str:
    """Of an axis of energies, counted from the Fermi level or not."""
    if relative:
        return "energy - Fermi level (eV)"
    return "Fermi energy (eV)" if scanned else "energy (eV)"
