"""How many doubles a register of this processor holds, and arrays that lie as its loads like them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..compiled import fast_path

#: Bytes of the widest register.
_BOUNDARY = 64


@cache
def width() -> int:
    """Lanes of a vector in this process."""
    return fast_path().lanes


def scratch(*shapes: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Uninitialized arrays side by side, each on a cache line."""
    step = _BOUNDARY // 8
    ends = np.cumsum([0, *(-(-math.prod(shape) // step) * step for shape in shapes)]).tolist()
    held = aligned(ends[-1])
    return [held[a : a + math.prod(shape)].reshape(shape) for a, shape in zip(ends, shapes, strict=False)]


def aligned(*shape: int) -> NDArray[np.float64]:
    """An uninitialized array of doubles that begins on a cache line."""
    size = math.prod(shape)
    raw = np.empty(size + _BOUNDARY // 8)
    first = -raw.__array_interface__["data"][0] % _BOUNDARY // 8
    return raw[first : first + size].reshape(shape)
