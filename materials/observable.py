"""`Observable`: a matrix between Wannier functions, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError, short

from .matrices import read_only

Rotation = Literal["", "scalar", "polar", "axial"]
Axis = Literal["x", "y", "z"]
Sign = Literal[1, -1]

#: Labels of the spin observables, in the order x, y, z.
SPIN = ("spin_x", "spin_y", "spin_z")

#: Labels of the orbital angular momentum, in the order x, y, z.
ORBITAL = ("orbital_x", "orbital_y", "orbital_z")

#: What a plain matrix under one of these names is; under any other it has no unit and unknown rotation.
KNOWN_FACTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **{
            name: {"unit": "hbar", "rotation": "axial", "axis": name[-1], "time_reversal": -1}
            for name in (*SPIN, *ORBITAL)
        },
        "charge": {"unit": "e", "rotation": "scalar"},
    }
)


@dataclass(frozen=True, eq=False)
class Observable:
    """A quantity Theta that is carried by electrons; its matrix is read-only.

    matrix : (wannier, wannier), on site, or (R, wannier, wannier)
    unit : as figures and datasets print it: hbar, e, 1 ...
    rotation, axis : "scalar", or the component of a "polar" or "axial" vector; "" where that is not known, as
        of a layer, which some rotations exchange with another
    time_reversal : 1 where time reversal keeps it, -1 where it turns it over
    hole_sign : a hole of a Bogoliubov model carries hole_sign * X(-k)^*; None: -1, as theory section 6 says
        for every one-body operator, whatever its time reversal
    label : what figures and tables print, by default its name

    Raises InputError for a value that is none of these.
    """

    matrix: NDArray[np.complex128] = field(repr=False)
    unit: str = "1"
    rotation: Rotation = ""
    axis: Axis | None = None
    time_reversal: Sign = 1
    hole_sign: Sign | None = None
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", read_only(self.matrix, complex))
        expected: dict[str, tuple[object, ...]] = {
            "rotation": get_args(Rotation),
            "axis": (None,) if self.rotation in ("", "scalar") else get_args(Axis),
            "time_reversal": get_args(Sign),
            "hole_sign": (None, *get_args(Sign)),
        }
        for name, values in expected.items():
            if getattr(self, name) not in values:
                raise InputError(
                    f"observable: {name} is {getattr(self, name)!r}, expected "
                    f"{' or '.join(map(repr, values))} where rotation is {self.rotation!r}."
                )
        for name in ("unit", "label"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"observable: {name} is {getattr(self, name)!r}, expected text.")

    @property
    def facts(self) -> dict[str, Any]:
        """Everything but the matrix."""
        return {name: getattr(self, name) for name in FACTS}

    @property
    def sign_of_hole(self) -> int:
        """What a hole carries, see `hole_sign`."""
        return -1 if self.hole_sign is None else self.hole_sign


#: Names of the fields that say what an observable is.
FACTS = tuple(name for name in Observable.__dataclass_fields__ if name != "matrix")


#: Characters of a name: it is part of names of files, of columns, and of components such as spin_z,x,y.
_LONGEST_NAME = 80


def check_name(name: str) -> None:
    """Raise InputError for what can name no observable in components, columns and stores."""
    wrong = next((mark for mark in "/," if mark in name), "")
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or wrong:
        raise InputError(
            f"observable {short(name)}: expected a name of 1 to {_LONGEST_NAME} printable characters without "
            "/ and comma, which is part of the names of columns and files; put anything else into label=."
        )
    if name in get_args(Axis):
        raise InputError(
            f"observable {name!r}: in components and columns x, y and z stand for spin_x, spin_y and spin_z, "
            f"expected another name, such as 'dipole_{name}'."
        )


def named_observable(name: str, value: ArrayLike | Observable, **facts: Any) -> Observable:
    """An observable as it is known by its name; facts that are given go before those of the name.

    Raises InputError for an unknown fact, or what can be no name.
    """
    check_name(name)
    unknown = sorted(set(facts) - set(FACTS))
    if unknown:
        raise InputError(
            f"observable {name!r}: unknown fact {unknown[0]!r}, expected one of {', '.join(FACTS)}."
        )
    if isinstance(value, Observable):
        found = replace(value, **facts) if facts else value
    else:
        found = Observable(value, **(KNOWN_FACTS.get(name, {}) | facts))  # type: ignore[operator, arg-type]
    return found if found.label else replace(found, label=name)


def unusual_facts(name: str, observable: Observable) -> dict[str, Any]:
    """Facts of the observable itself that its name alone would not give."""
    usual = {"unit": "1", "rotation": "", "axis": None, "time_reversal": 1, "label": name}
    usual |= KNOWN_FACTS.get(name, {})
    return {key: value for key, value in observable.facts.items() if usual.get(key, value) != value}
