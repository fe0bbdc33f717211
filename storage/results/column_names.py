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
    found: dict[str, str] = {}
    reserved = {*_RESERVED, *taken}
    for heading in headings:
        # As Python reads names in an expression.
        plain = unicodedata.normalize("NFKC", heading)
        name = re.sub(r"\W+", "_", plain).strip("_") or "column"
        if not name.isidentifier():
            name = "_" + re.sub(r"\W+", "_", name, flags=re.ASCII)
        if name in reserved or keyword.iskeyword(name):
            name = f"{name}_given"
        found[_unused(name, reserved | set(found))] = heading
    return found


def _unused(name: str, taken: Collection[str]) -> str:
    number, wanted = 1, name
    while wanted in taken:
        number += 1
        wanted = f"{name}_{number}"
    return wanted
