"""The projections block of a .win, read: which functions Wannier90 started from, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinscreen.kernels import InputError

#: Names of single functions in Wannier90's order, by l.
SHELLS = {
    0: ("s",),
    1: ("pz", "px", "py"),
    2: ("dz2", "dxz", "dyz", "dx2-y2", "dxy"),
    3: ("fz3", "fxz2", "fyz2", "fz(x2-y2)", "fxyz", "fx(x2-3y2)", "fy(3x2-y2)"),
}

#: Hybrids and their number of functions; l = -1, -2 ... in this order.
HYBRIDS = {"sp": 2, "sp2": 3, "sp3": 4, "sp3d": 5, "sp3d2": 6}

_SETS = {letter: SHELLS[l_number] for l_number, letter in enumerate("spdf")} | {
    name: tuple(f"{name}-{number}" for number in range(1, count + 1)) for name, count in HYBRIDS.items()
}
_BY_NUMBER = SHELLS | {-number: _SETS[name] for number, name in enumerate(HYBRIDS, start=1)}
_SINGLE = {name for names in SHELLS.values() for name in names}
_SPIN = re.compile(r"\(([ud](?:,[ud])*)\)(\[.*\])?$")


@dataclass(frozen=True)
class Projection:
    """One line of a projections block.

    text : the line as it stands
    site : symbol of the atoms, or "f=..." or "c=...", a point in reduced or Cartesian coordinates
    orbitals : names of its functions in Wannier90's order: "s", "pz", "dx2-y2", "sp3-1" ...
    options : axes, radial parts and spins as they stand ("z=1,1,0", "r=2", "(u)"); empty for plain functions
    """

    text: str
    site: str
    orbitals: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """True where neither axes nor spins of its own are given."""
        return not any(option.startswith(("z=", "x=", "(")) for option in self.options)

    @property
    def is_point(self) -> bool:
        """True where the site is a point, not the atoms of an element."""
        return self.site[:2] in ("f=", "c=")


def parse_projections(lines: tuple[str, ...]) -> tuple[Projection, ...]:
    """Read the lines of a projections block. Raises InputError for a function that Wannier90 lacks."""
    return tuple(_parse(line) for line in lines if line.strip().lower() not in ("ang", "bohr"))


def _parse(line: str) -> Projection:
    text = line.replace(" ", "")
    spin = _SPIN.search(text)
    options = [] if spin is None else [spin[0]]
    site, _, rest = (text if spin is None else text[: spin.start()]).partition(":")
    states, *further = rest.split(":")
    names = [name for state in states.split(";") if state for name in _names(state, line)]
    return Projection(line, site, tuple(names), (*filter(None, further), *options))


def _names(state: str, line: str) -> tuple[str, ...]:
    by_number = re.fullmatch(r"l=(-?\d+)(?:,mr=(\d+(?:,\d+)*))?", state)
    chosen: list[int] | None = None
    if by_number:
        names = _BY_NUMBER.get(int(by_number[1]), ())
        chosen = [int(number) for number in by_number[2].split(",")] if by_number[2] else None
    elif state in _SINGLE:
        names = (state,)
    else:
        shell, _, one = state.partition("-")
        names = _SETS.get(shell, ())
        chosen = [int(one)] if one.isdigit() else None
    places = range(1, len(names) + 1) if chosen is None else chosen
    if not names or not all(1 <= place <= len(names) for place in places):
        raise InputError(f"orbital: {state!r} in projection {line!r} is not a function of Wannier90.")
    return tuple(names[place - 1] for place in places)
