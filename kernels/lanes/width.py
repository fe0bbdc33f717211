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


def aligned(*shape: int) -> NDArray[np.float64]:
    """An uninitialized array of doubles that begins on a cache line."""
    size, skipped = math.prod(shape), _BOUNDARY // 8
    raw = np.empty(size + skipped)
    first = -raw.ctypes.data % _BOUNDARY // 8
    return raw[first : first + size].reshape(shape)
