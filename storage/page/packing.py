"""Numbers as the page reads them: deflated, in as many bytes as a figure needs or as the catalog has."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Largest value that a curve is scaled to: half precision then keeps 11 bits of all that is not below 2e-9 of
#: the largest.
_LARGEST = 2.0**15


def json_bytes(content: object) -> bytes:
    """JSON as browsers read it: numbers that are not finite are null."""
    return json.dumps(_finite(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "replace"
    )


def _finite(content: Any) -> Any:
    match content:
        case Mapping():
            return {str(key): _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case np.ndarray():
            return _finite(content.tolist())
        case np.generic():
            return _finite(content.item())
        case float():
            return content if np.isfinite(content) else None
        case None | bool() | int() | str():
            return content
    return str(content)


def packed_column(values: NDArray[np.float64]) -> bytes:
    """A column of numbers, to the last bit: 8 bytes each, first bytes first, deflated."""
    return zlib.compress(_planes(np.ascontiguousarray(values, dtype="<f8")), 9)


def packed_material(header: Mapping[str, Any], curves: Sequence[NDArray[np.float64]]) -> bytes:
    """What the page shows of a material, and its curves: length of the header, header, curves, deflated.

    curves : each (energy,); at least 10 bits of every number are kept, and the header gets the scale of each
    """
    scales = [_scale(curve) for curve in curves]
    head = json_bytes({**header, "scales": scales})
    scaled = [curve / scale for curve, scale in zip(curves, scales, strict=True)]
    halves = np.concatenate([np.empty(0), *scaled]).astype("<f2")
    return zlib.compress(len(head).to_bytes(4, "little") + head + _planes(halves), 9)


def _scale(curve: NDArray) -> float:
    """A power of two, which keeps the last bits of numbers that end in zeros."""
    largest = float(np.abs(curve[np.isfinite(curve)]).max(initial=0.0)) / _LARGEST
    return math.ldexp(1.0, math.frexp(largest)[1]) if largest else 1.0


def known_digits(
    values: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values to an eighth of their errors, errors rounded up to four bits: what is beyond is noise that does
    not deflate.
    """
    known = np.isfinite(errors) & (errors > 0) & np.isfinite(values)
    mantissa, exponent = np.frexp(np.where(known, errors, 1.0))
    step = np.ldexp(0.125, exponent - 1)
    told = np.where(known, np.round(np.where(known, values, 0.0) / step) * step, values)
    return told, np.where(known, np.ldexp(np.ceil(mantissa * 16) / 16, exponent), errors)


def _planes(values: NDArray) -> bytes:
    """First bytes of all numbers, then the second ones ...: so like stands beside like, which deflates."""
    return values.view(np.uint8).reshape(len(values), values.itemsize).T.tobytes()
