"""Names of the user's columns in the catalog: what an expression can say, and nothing that is taken."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping

from ..observables import COORDINATES

#: Names of the catalog that are no columns.
_RESERVED = ("material", "observable", *COORDINATES, "current_axis", "field_axis", "relative_energy")


def column_names(headings: Iterable[str], taken: Collection[str] = ()) -> Mapping[str, str]:
    """Column name -> the heading it stands for, in their order.

    "E_hull (eV/atom)" becomes E_hull_eV_atom; a name that the catalog has itself gets `_given`, a second one
    that comes out the same a number. taken : names of columns that were computed, which are not hidden
    """
    reserved = {*_RESERVED, *taken}
    plain = {heading: _identifier(heading, reserved) for heading in headings}
    # A heading that can stay what it is does, whatever others would come out as.
    found = {name: heading for heading, name in plain.items() if name == heading}
    for heading, name in plain.items():
        if name != heading:
            found[unused(name, reserved | set(found))] = heading
    return {name: heading for heading in plain for name, other in found.items() if other == heading}


def _identifier(heading: str, reserved: Collection[str]) -> str:
    # As Python reads names in an expression.
    plain = unicodedata.normalize("NFKC", heading)
    name = re.sub(r"\W+", "_", plain).strip("_") or "column"
    if not name.isidentifier():
        name = "_" + re.sub(r"\W+", "_", name, flags=re.ASCII)
    return f"{name}_given" if name in reserved or keyword.iskeyword(name) else name


def unused(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind it where it is taken."""
    number, wanted = 1, name
    while wanted in taken:
        number += 1
        wanted = f"{name}_{number}"
    return wanted
