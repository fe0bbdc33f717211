"""One component of a tensor by its name, the same in Python, columns, figures and on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import xarray as xr

from spinscreen.kernels import InputError

from .observables import AXES, short_name

#: Dims that are Cartesian, in the order in which a component names them.
AXIS_DIMS = ("current_axis", "field_axis", "axis")

_HALL_DIMS = ("observable", "current_axis", "field_axis")


@dataclass(frozen=True)
class Component:
    """Labels of an observable and of axes: of current and field, or of one vector.

    observable : its name in the dataset, None for a tensor without; axes : "xy", "z", or "" for none
    Unpacks as its labels, in the order of the dims: `observable, current, field = component`.
    """

    observable: str | None
    axes: str

    @classmethod
    def read(cls, text: str, dims: Sequence[str], observables: Sequence[str]) -> Component:
        """A component of a variable with these dims, of a model or dataset with these observables.

        text : "xy_z" or "z_xy", the current of spin_z along x in a field along y; "spin_z,x,y" the same
            label by label; "charge_xy" and any other observable in full; "xy" without an observable, "z" of a
            vector, "spin_z" of a scalar
        Raises InputError for what names no component, and for an observable that is not there.
        """
        found = list(_candidates(text, sum(dim in dims for dim in AXIS_DIMS), "observable" in dims))
        for name, axes in found:
            if name is None:
                return cls(None, axes)
            for known in observables:
                if name in (known, short_name(known)):
                    return cls(known, axes)
        if not found:
            raise InputError(_expected(text, dims))
        raise InputError(
            f"component: {text!r} names the observable {found[0][0]!r}, expected one of "
            f"{', '.join(observables)}."
        )

    @classmethod
    def parse(cls, text: str) -> Component:
        """A component of a Hall tensor, whatever its observables: "xy_z", "z_xy", "spin_z,x,y", "xy".

        Raises InputError for another text.
        """
        names = [str(name) for name, _ in _candidates(text, 2, has_observable=True)]
        if names:
            return cls.read(text, _HALL_DIMS, [*(f"spin_{axis}" for axis in AXES), *names])
        for _, axes in _candidates(text, 2, has_observable=False):
            return cls(None, axes)
        raise InputError(_expected(text, _HALL_DIMS))

    @classmethod
    def of(cls, values: xr.DataArray, text: str) -> Component:
        """A component of a variable. Raises InputError as `read`."""
        names = values["observable"].values if "observable" in values.dims else ()
        return cls.read(text, tuple(map(str, values.dims)), [str(name) for name in names])

    def labels(self, dims: Sequence[str]) -> dict[str, str]:
        """Dim -> label, for those of the dims that the component is about; for `sel` of any variable."""
        found = {} if self.observable is None or "observable" not in dims else {"observable": self.observable}
        along = [dim for dim in AXIS_DIMS if dim in dims]
        return found | dict(zip(along, self.axes, strict=False))

    def select(self, values: xr.DataArray) -> xr.DataArray:
        """The component of a variable."""
        return values.sel(self.labels(tuple(map(str, values.dims))))

    def __iter__(self) -> Iterator[str]:
        yield from () if self.observable is None else (self.observable,)
        yield from self.axes

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __str__(self) -> str:
        parts = (self.axes, "" if self.observable is None else short_name(self.observable))
        return "_".join(part for part in parts if part)


def _candidates(text: str, axes: int, has_observable: bool) -> Iterator[tuple[str | None, str]]:
    """Observable and axes that a text may mean; an observable may be called like axes itself."""
    if "," in text:
        words = [word.strip() for word in text.split(",")]
        name = words.pop(0) if has_observable else None
        if len(words) == axes and set(words) <= set(AXES) and name != "":
            yield name, "".join(words)
        return
    along = f"[xyz]{{{axes}}}"
    if not has_observable:
        if axes and re.fullmatch(along, text):
            yield None, text
    elif not axes:
        yield text, ""
    else:
        if match := re.fullmatch(rf"({along})_(.+)", text):
            yield match[2], match[1]
        if match := re.fullmatch(rf"(.+)_({along})", text):
            yield match[1], match[2]


def _expected(text: str, dims: Sequence[str]) -> str:
    count = sum(dim in dims for dim in AXIS_DIMS)
    examples = {
        (True, 2): "'z_xy' or 'xy_z' of a tensor",
        (True, 1): "'z_spin_z' or 'spin_z,z' of a vector of each observable",
        (False, 2): "'xy' of a tensor",
        (False, 1): "'z' of a vector",
    }
    # A quantity without axes has no component to be named.
    example = examples.get(("observable" in dims, count), "'z_xy' or 'xy_z' of a tensor")
    return f"component: expected a name such as {example}, found {text!r}."
