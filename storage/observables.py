"""What is known of the observables of a dataset: coordinates along its dim `observable`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError

AXES = ("x", "y", "z")


class Facts(NamedTuple):
    """Of one observable.

    unit : "Theta" where it is not known; rotation : "scalar", "polar", "axial", "" where it is not known
    axis : "x", "y", "z" of a vector, else ""; time_reversal : 1, -1, 0 where it is not known
    label : what figures and tables print
    """

    unit: str
    rotation: str
    axis: str
    time_reversal: int
    label: str


#: Observables whose facts follow from their names: stores of before the coordinates hold no others.
_KNOWN: Mapping[str, Facts] = {
    f"{stem}_{axis}": Facts("hbar", "axial", axis, -1, f"{stem}_{axis}")
    for stem in ("spin", "orbital")
    for axis in AXES
} | {"charge": Facts("e", "scalar", "", 1, "charge")}

#: In column names and components these stand for the spin, which most are about.
_SHORT: Mapping[str, str] = {f"spin_{a}": a for a in AXES}


def short_name(name: str) -> str:
    """How an observable is called in columns and components: "z" for spin_z, any other in full."""
    return _SHORT.get(name, name)


def is_spin(name: str) -> bool:
    """True for the components of the electron's spin."""
    return name in _SHORT


def facts_of(name: str) -> Facts:
    """Facts of an observable of which nothing is stored but its name."""
    return _KNOWN.get(name, Facts("Theta", "", "", 0, name))


@dataclass(frozen=True)
class Observables:
    """Labels of the dim `observable`, and what is known of each; by default what its name tells.

    units : hbar, e, 1 ...; rotations : "scalar", "polar", "axial", "" (unknown); axes : "x", "y", "z", "";
    time_reversals : 1, -1, 0 (unknown); labels : what figures and tables print
    Raises InputError for tuples of different lengths or a rotation of another name.
    """

    names: tuple[str, ...]
    units: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    time_reversals: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        by_name = [facts_of(name) for name in self.names]
        for given, fact in zip(fields(self)[1:], Facts._fields, strict=True):
            values = tuple(getattr(self, given.name)) or tuple(getattr(one, fact) for one in by_name)
            if len(values) != len(self.names):
                raise InputError(
                    f"observables: expected {len(self.names)} {given.name}, one for each name, found "
                    f"{len(values)}."
                )
            object.__setattr__(self, given.name, values)
        unknown = set(self.rotations) - {"", "scalar", "polar", "axial"}
        if unknown:
            raise InputError(
                f"observables: expected scalar, polar or axial for a rotation, found {min(unknown)!r}."
            )

    @classmethod
    def in_dataset(cls, dataset: xr.Dataset | xr.DataArray) -> Observables:
        """Those of a dataset, or of one variable; also where one of them was selected, or there is none."""
        if "observable" not in dataset.coords:
            return cls(())
        return cls(
            *(
                tuple(np.atleast_1d(dataset[name].values).tolist()) if name in dataset.coords else ()
                for name in ("observable", *COORDINATES)
            )
        )

    @classmethod
    def of(cls, facts: Mapping[str, Facts]) -> Observables:
        """Those of a mapping from names to facts, in its order."""
        return cls(tuple(facts), *zip(*facts.values(), strict=True)) if facts else cls(())

    @property
    def facts(self) -> Mapping[str, Facts]:
        """Name -> facts."""
        rows = zip(self.units, self.rotations, self.axes, self.time_reversals, self.labels, strict=True)
        return {name: Facts(*row) for name, row in zip(self.names, rows, strict=True)}

    @property
    def common_unit(self) -> str:
        """The unit of all of them, or "Theta" where they differ (see the coordinate observable_unit)."""
        return self.units[0] if len(set(self.units)) == 1 else "Theta"

    @property
    def coordinates(self) -> dict[Hashable, object]:
        """Coordinates of a dataset with the dim `observable`."""
        columns: Iterable[tuple] = (
            self.units,
            self.rotations,
            self.axes,
            self.time_reversals,
            self.labels,
        )
        found: dict[Hashable, object] = {"observable": ("observable", np.array(self.names, dtype=object))}
        for name, values in zip(COORDINATES, columns, strict=True):
            kind = np.int64 if name == "observable_time_reversal" else object
            found[name] = ("observable", np.array(values, dtype=kind))
        return found


#: Coordinates along `observable`, in the order of `Facts`.
COORDINATES = tuple(f"observable_{fact}" for fact in Facts._fields)
