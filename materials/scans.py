"""Built-in models over ranges of their parameters: `library:MoS2?soc=0:0.2:0.05`."""

from __future__ import annotations

import itertools
import math
from urllib.parse import parse_qsl

from spinscreen.kernels import InputError, short

from . import library
from .sources import LibrarySource

_PREFIX = "library:"

#: Other names of parameters: that of the setting with which files get a coupling.
_ALSO = {"soc": "spin_orbit"}

#: Materials of one scan.
_MOST = 100_000

_EXAMPLE = "library:MoS2?soc=0:0.2:0.05"


def is_library(source: str) -> bool:
    """Whether a source is "library", or a built-in model, and no path."""
    return source == "library" or source.startswith(_PREFIX)


def library_scan(source: str) -> tuple[LibrarySource, ...]:
    """Built-in models with all combinations of their parameters' values, each with its own name.

    source : "library:MoS2", "library:MoS2?soc=0:0.2:0.05" (start:stop:step, the stop included),
        "library:haldane?phi=0.5,1.0&mass=0.2"; parameters are columns of the catalog
    Raises InputError for an unknown model or parameter, and for values that cannot be read.
    """
    name, _, query = source.removeprefix(_PREFIX).partition("?")
    known = library.parameters(name)
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InputError(f"{short(source)}: expected parameter=values, such as {_EXAMPLE}.") from None
    if len({key for key, _ in given}) < len(given):
        raise InputError(f"{short(source)}: expected each parameter once, such as {_EXAMPLE}.")
    names = {key: _parameter(name, key, known) for key, _ in given}
    values = [_values(key, text) for key, text in given]
    if math.prod(map(len, values)) > _MOST:
        raise InputError(f"{short(source)}: expected at most {_MOST:,} combinations, found more.")
    return tuple(
        _source(name, names, dict(zip(names, point, strict=True))) for point in itertools.product(*values)
    )


def _source(name: str, names: dict[str, str], point: dict[str, float]) -> LibrarySource:
    formula = library.formula(name)
    columns: dict[str, str | float] = {} if formula is None else {"formula": formula}
    told = "".join(f"_{key}_{value:g}" for key, value in point.items())
    return LibrarySource(
        f"{name}{told}",
        columns | point,
        name,
        {names[key]: value for key, value in point.items()},
    )


def _parameter(model: str, key: str, known: tuple[str, ...]) -> str:
    found = key if key in known else _ALSO.get(key, key)
    if found not in known:
        raise InputError(
            f"library: {model} has no parameter {short(key)}, expected one of {', '.join(known) or 'none'}."
        )
    return found


def _values(key: str, text: str) -> list[float]:
    """0.1, 0.1,0.2 or start:stop:step, the stop included."""
    try:
        parts = [float(word) for word in text.replace(":", ",").split(",")]
        if not all(map(math.isfinite, parts)):
            raise ValueError
        if ":" not in text:
            return list(dict.fromkeys(parts))
        start, stop, step = parts
        # A little beyond the end keeps it in spite of rounding.
        count = math.floor((stop - start) / step + 1e-9) + 1
        if not 0 < count <= _MOST:
            raise ValueError
        # Without the digits that counting up leaves behind.
        return [float(f"{start + n * step:.12g}") for n in range(count)]
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"library: {key}: expected 0.1, 0.1,0.2 or start:stop:step with at most {_MOST:,} steps, found "
            f"{short(text)}."
        ) from None
