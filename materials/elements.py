"""Chemical elements in the labels that people give to atoms, and formulas made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from math import gcd

_ELEMENTS = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
    Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

#: Covalent radii (pm) from H on to Cm, 0 for noble gases, whose atoms nothing holds. Source: Cordero et al.,
#: Dalton Trans. 2008, 2832.
_COVALENT_RADII = """
    31 0 128 96 84 76 71 66 57 0 166 141 121 111 107 105 102 0 203 176 170 160 153 139 139 132 126
    124 132 122 122 120 119 120 120 0 220 195 190 175 164 154 147 146 142 139 145 144 142 139 139
    138 139 0 244 215 207 204 203 201 199 198 198 196 194 192 192 189 190 187 187 175 170 162 151
    144 141 136 136 132 145 146 148 140 150 0 260 221 215 206 200 196 190 187 180 169
"""


def covalent_radius(label: str) -> float:
    """Covalent radius (angstrom) of the element that a label names; NaN without one, and for noble gases."""
    symbol = element_of(label)
    known = dict(zip(_ELEMENTS.split(), map(int, _COVALENT_RADII.split()), strict=False))
    return known.get(symbol or "", 0) / 100 or float("nan")


def element_of(label: str) -> str | None:
    """The element that the leading letters of a label name: "Fe" of Fe1, Fe_up, FE; None without one."""
    letters = re.match("[A-Za-z]*", label)
    symbol = letters[0].capitalize() if letters else ""
    return symbol if symbol in _ELEMENTS.split() else None


def reduced_formula(labels: Iterable[str]) -> str | None:
    """Reduced formula with the elements in alphabetical order, as OPTIMADE writes it: GaAs is AsGa.

    None without atoms, or where a label names no element.
    """
    found = [element_of(label) for label in labels]
    symbols = [symbol for symbol in found if symbol is not None]
    if not symbols or len(symbols) < len(found):
        return None
    counts = Counter(symbols)
    common = reduce(gcd, counts.values())
    return "".join(
        f"{symbol}{counts[symbol] // common if counts[symbol] > common else ''}" for symbol in sorted(counts)
    )
