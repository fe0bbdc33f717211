"""The projections block of a .win, read: which functions Wannier90 started from, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinscreen.kernels import InputError

from ..files import quoted
from ..matrices import BOHR, LARGEST
from .harmonics import FUNCTIONS, HYBRIDS

Vector = tuple[float, float, float]

_STATES: dict[str, tuple[tuple[int, int], ...]] = {
    **{name: ((shell, m),) for shell, names in FUNCTIONS.items() for m, name in enumerate(names, start=1)},
    **{
        name: tuple((shell, m) for m in range(1, len(FUNCTIONS[shell]) + 1))
        for shell, name in [*enumerate("spdf"), *((-n, name) for n, name in enumerate(HYBRIDS, start=1))]
    },
    # Wannier90 takes these two names for each other: what it then computes counts.
    "fxyz": ((3, 4),),
    "fz(x2-y2)": ((3, 5),),
}
_SPIN = re.compile(r"(?:\(([ud,]+)\))?(?:\[([^\[\]]*)\])?$")
_UNITS = {"ang": 1.0, "bohr": BOHR}
_RANDOM = "random"
_SHORTEST_AXIS = 1e-6


@dataclass(frozen=True)
class Projection:
    """One line of a projections block.

    text : the line as it stands
    site : label of the atoms, or "f=..." or "c=..." for a point
    orbitals : names of its functions in Wannier90's order, not that of the line: "sp3-1", "s", "pz" ...
    point : reduced ("f=") or Cartesian ("c=", angstrom) coordinates, None for atoms
    z_axis, x_axis : Cartesian directions of the functions' own axes, as they stand
    radial, zona : number of the radial part, and its decay (1/angstrom)
    spins : +1 and -1 along `spin_axis`, or one of them; spinors alone have it
    """

    text: str
    site: str
    orbitals: tuple[str, ...]
    point: Vector | None = None
    z_axis: Vector = (0.0, 0.0, 1.0)
    x_axis: Vector = (1.0, 0.0, 0.0)
    radial: int = 1
    zona: float = 1.0
    spins: tuple[int, ...] = (1, -1)
    spin_axis: Vector = (0.0, 0.0, 1.0)

    @property
    def is_reduced(self) -> bool:
        """True for a point in reduced coordinates."""
        return self.site.lower().startswith("f=")


def has_random(lines: tuple[str, ...]) -> bool:
    """True where Wannier90 fills up with random projections, which no file records."""
    return any(line.strip().lower() == _RANDOM for line in lines)


def parse_projections(lines: tuple[str, ...]) -> tuple[Projection, ...]:
    """Read the lines of a projections block. Raises InputError for what Wannier90 does not know."""
    words = [line.strip().lower() for line in lines]
    factor = next((_UNITS[word] for word in words if word in _UNITS), 1.0)
    return tuple(
        _parse(line, factor)
        for line, word in zip(lines, words, strict=True)
        if word and word != _RANDOM and word not in _UNITS
    )


def _parse(line: str, factor: float) -> Projection:
    text = re.sub(r"\s", "", line)
    site, colon, rest = text.partition(":")
    if not colon or not site:
        raise InputError(f"orbital: projection {quoted(line)}: expected a site and functions, as in 'Pt:d'.")
    spin = _SPIN.search(rest.lower())
    assert spin is not None  # it matches the empty end as well
    states, *options = rest.lower()[: spin.start()].split(":")
    facts: dict[str, Any] = dict(_option(option, line) for option in options if option)
    if spin[2] is not None:
        facts["spin_axis"] = _direction(spin[2], line, "spin axis")
    if spin[1]:
        facts["spins"] = tuple(sign for sign, letter in ((1, "u"), (-1, "d")) if letter in spin[1])
    if site[:2].lower() in ("f=", "c="):
        x, y, z = _vector(site[2:], line)
        scale = factor if site[0].lower() == "c" else 1.0
        facts["point"] = (scale * x, scale * y, scale * z)
    found = {state for group in states.split(";") if group for state in _states(group, line)}
    if not found:
        raise InputError(f"orbital: projection {quoted(line)} has no functions, expected some as in 'Pt:d'.")
    names = tuple(FUNCTIONS[shell][m - 1] for shell, m in sorted(found))
    return Projection(line, site, names, **facts)


def _option(option: str, line: str) -> tuple[str, object]:
    key, _, value = option.partition("=")
    if key in ("z", "x"):
        return f"{key}_axis", _direction(value, line, f"{key} axis")
    try:
        if key == "r" and int(value) in (1, 2, 3):
            return "radial", int(value)
        if key == "zona" and 0 < float(value.replace("d", "e")) < LARGEST:
            return "zona", float(value.replace("d", "e"))
    except ValueError:
        pass
    raise InputError(
        f"orbital: projection {quoted(line)}: expected z=, x=, zona= or r= with its value, found "
        f"{quoted(option)}."
    )


def _direction(text: str, line: str, what: str) -> Vector:
    vector = _vector(text, line)
    if np.linalg.norm(vector) < _SHORTEST_AXIS:
        raise InputError(f"orbital: projection {quoted(line)}: the {what} {quoted(text)} has no direction.")
    return vector


def _vector(text: str, line: str) -> Vector:
    try:
        x, y, z = (float(number.replace("d", "e")) for number in text.split(","))
    except ValueError:
        x = np.nan
    if not np.isfinite(x) or max(abs(x), abs(y), abs(z)) >= LARGEST or not np.isfinite(y + z):
        raise InputError(f"orbital: projection {quoted(line)}: expected three numbers, found {quoted(text)}.")
    return x, y, z


def _states(group: str, line: str) -> list[tuple[int, int]]:
    by_number = re.fullmatch(r"l=(-?\d+)(?:,mr=(\d+(?:,\d+)*))?", group)
    if by_number is None:
        names = group.split(",")
        wrong = [name for name in names if name not in _STATES]
        states = [state for name in names for state in _STATES.get(name, ())]
    else:
        number = int(by_number[1])
        count = len(FUNCTIONS.get(number, ()))
        chosen = map(int, by_number[2].split(",")) if by_number[2] else range(1, count + 1)
        states = [(number, m) for m in chosen]
        wrong = [] if count and all(1 <= m <= count for _, m in states) else [group]
    if wrong:
        raise InputError(
            f"orbital: {quoted(wrong[0])} in projection {quoted(line)} is not a function of Wannier90."
        )
    return states
