"""Settings under other names than their own: by position, and as they were called before."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spinscreen.kernels import InputError, short

#: Settings that had another name in the last version.
RENAMED = {"energies": "scan_points"}


def modern_names(settings: Mapping[str, Any], category: type[Warning] = DeprecationWarning) -> dict[str, Any]:
    """Settings under the names that they have now; an old one is warned about. Raises InputError for both."""
    found = dict(settings)
    for old, new in RENAMED.items():
        if old in found:
            if new in found:
                raise InputError(f"{old}: is called {new} now, which is given as well; expected one of them.")
            if np.ndim(found[old]):
                raise InputError(
                    f"{old}: was the number of points of the scan, scan_points now, found "
                    f"{short(found[old])}; Fermi energies themselves are fermi_energy."
                )
            told = f"{old}: is called {new} now; the old name goes away."
            warnings.warn(told, category, stacklevel=_level_of_caller())
            found[new] = found.pop(old)
    return found


def _level_of_caller() -> int:
    """How far up, seen from who calls this, somebody else's code is: there a warning is shown by default."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("spinscreen.", "pydantic.")):
        level, frame = level + 1, frame.f_back
    return level


def positional(names: Sequence[str], values: Sequence[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were given by position and by name. Raises TypeError as Python does."""
    if len(values) > len(names):
        raise TypeError(f"expected at most {len(names)} settings by position, found {len(values)}")
    by_position = dict(zip(names, values, strict=False))
    for name in by_position:
        if name in settings:
            raise TypeError(f"got multiple values for argument {name!r}")
    return by_position | dict(settings)
