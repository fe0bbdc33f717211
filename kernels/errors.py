"""What every room raises where it cannot go on, and checks of single numbers that lead to it."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np


class SpinscreenError(Exception):
    """Why spinscreen cannot go on; the message is one sentence made for the user.

    The command line prints it without a traceback. Each kind is also the built-in error that it would be
    elsewhere: `InputError` a ValueError, `StoreError` of storage an OSError.
    """


class InputError(SpinscreenError, ValueError):
    """Input that cannot be used.

    The message names the file, line or argument, what was expected, what was found, and how to mend it.
    """


def checked_number(name: str, value: Any, expected: str = "a finite number") -> float:
    """A finite number as a float. Raises InputError for NaN, infinity, truth values and whatever else."""
    plain = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
    try:
        number = float(plain) if isinstance(plain, Real) and not isinstance(plain, bool) else np.nan
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise InputError(f"{name}: expected {expected}, found {short(value)}.")
    return number


def whole_number(value: Any) -> int | None:
    """A whole number as an int, also where it comes as 4.0; None for truth values and whatever else."""
    plain = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
    if isinstance(plain, bool):
        return None
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    try:
        return operator.index(plain)
    except TypeError:
        return None


def short(value: Any, longest: int = 80) -> str:
    """What was found, as it would be typed, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write whole numbers of thousands of digits.
        text = "a whole number of thousands of digits"
    # A message is one line, also about arrays and models.
    text = " ".join(text.split("\n"))
    return text if len(text) <= longest else f"{text[:longest]}..."
