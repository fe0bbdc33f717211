"""Units in the code that OPTIMADE asks for, the Unified Code for Units of Measure."""

from __future__ import annotations

from functools import cache

from ..analysis.units import unit_registry

#: By the names of pint; only these occur in what is stored.
_CODES = {
    "ampere": "A",
    "angstrom": "Ao",
    "centimeter": "cm",
    "electron_volt": "eV",
    "elementary_charge": "[e]",
    "kelvin": "K",
    "meter": "m",
    "second": "s",
    "siemens": "S",
    "volt": "V",
    "watt": "W",
}

#: UCUM knows h alone: hbar is h over 2 pi.
_HBAR = "dirac_constant"


@cache
def ucum_of(units: str) -> str | None:
    """The code of a unit of a stored number; None where UCUM has none, as for the unit of any observable."""
    powers = {name: int(power) for name, power in unit_registry().parse_units(units)._units.items()}
    hbar = powers.pop(_HBAR, 0)
    if not powers.keys() <= _CODES.keys():
        return None
    terms = ["2"] * max(-hbar, 0)
    terms += [_term("[h]", hbar), _term("[pi]", -hbar)] if hbar else []
    terms += [_term(_CODES[name], power) for name, power in powers.items()]
    return (".".join(terms) or "1") + "/2" * max(hbar, 0)


def _term(code: str, power: int) -> str:
    return code if power == 1 else f"{code}{power}"
