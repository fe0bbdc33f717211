"""How many doubles a register of this processor holds, and arrays that lie as its loads like them."""

from __future__ import annotations

import math
import threading
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from ..compiled import fast_path

#: Bytes of the widest register.
_BOUNDARY = 64
_STEP = _BOUNDARY // 8

#: Doubles of work arrays that a thread keeps: 16 MiB.
_KEPT = 2**21

#: Sets of shapes whose views of that memory are kept.
_KNOWN = 256


@cache
def width() -> int:
    """Lanes of a vector in this process."""
    return fast_path().lanes


@lru_cache(maxsize=1024)
def _places(shapes: tuple[tuple[int, ...], ...]) -> list[tuple[int, int]]:
    """Where arrays begin and end that lie side by side, each on a cache line."""
    found, end = [], 0
    for shape in shapes:
        found.append((end, end + math.prod(shape)))
        end = -(-found[-1][1] // _STEP) * _STEP
    return found


def side_by_side(*shapes: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Uninitialized arrays in one piece of memory, each on a cache line."""
    places = _places(shapes)
    held = aligned(places[-1][1])
    return [held[a:b].reshape(shape) for (a, b), shape in zip(places, shapes, strict=True)]


class _WorkArrays(threading.local):
    """What `scratch` gives in a thread: views of one piece of memory, which stays in the cache."""

    def __init__(self) -> None:
        self.memory = np.empty(0)
        self.known: dict[tuple[tuple[int, ...], ...], list[NDArray[np.float64]]] = {}


_WORK = _WorkArrays()


def scratch(*shapes: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Work arrays of one call of a loop: the next ones in the thread are the same memory."""
    if shapes in _WORK.known:
        return _WORK.known[shapes]
    places = _places(shapes)
    if places[-1][1] > _KEPT:
        return side_by_side(*shapes)
    grows = places[-1][1] > len(_WORK.memory)
    if grows or len(_WORK.known) >= _KNOWN:
        _WORK.known.clear()
    if grows:
        _WORK.memory = aligned(places[-1][1])
    found = [_WORK.memory[a:b].reshape(shape) for (a, b), shape in zip(places, shapes, strict=True)]
    _WORK.known[shapes] = found
    return found


def aligned(*shape: int) -> NDArray[np.float64]:
    """An uninitialized array of doubles that begins on a cache line."""
    size = math.prod(shape)
    raw = np.empty(size + _STEP)
    first = -raw.__array_interface__["data"][0] % _BOUNDARY // 8
    return raw[first : first + size].reshape(shape)
