"""The compiled layer: loops over bands become machine code (numba) when they are first called.

A loop is written once, in plain Python over arrays, in `loops`. NUMBA_DISABLE_JIT=1 runs the same source
uncompiled, for a debugger or for coverage; so does an installation where numba cannot be imported.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter, itemgetter
from pickle import UnpicklingError
from typing import Any

import numpy as np

_DTYPES = {"real": np.float64, "complex": np.complex128, "integer": np.int64, "byte": np.uint8}

_SHAPE = attrgetter("shape")

log = logging.getLogger("spinscreen.kernels")

#: Sums may be reordered and products fused, as vectors need; NaN and infinity keep their meaning.
_FLOATING_POINT = {"contract", "reassoc", "nsz"}


#: In loops over lanes sums stay in order: what a lane gives must not depend on how code was vectorized.
_LANES = {"contract"}

#: Lanes of plain NumPy: results do not depend on it, what a call costs is shared by them.
_PLAIN_LANES = 32

#: Functions that loops call, and those that loops over lanes call.
_HELPERS: list[Callable[..., Any]] = []
_LANE_HELPERS: list[Callable[..., Any]] = []


class SlowPathWarning(RuntimeWarning):
    """Loops run as plain Python, some hundred times slower."""


@dataclass(frozen=True)
class FastPath:
    """compiled : loops run as machine code; reason : why not, else where the code is kept"""

    compiled: bool
    reason: str

    @property
    def lanes(self) -> int:
        """K points that are treated side by side: doubles in a register of this processor."""
        if not self.compiled:
            return _PLAIN_LANES
        from llvmlite import binding
        from numba import config

        named = config.CPU_FEATURES
        features = binding.get_host_cpu_features().flatten() if named is None else str(named)
        if "+avx512f" in features and "+avx512dq" in features:
            return 8
        return 4 if "+avx2" in features and "+fma" in features else 2


@cache
def fast_path() -> FastPath:
    """Whether loops run as machine code in this process, and whether the next one finds it ready."""
    try:
        from numba import config, njit
    except ImportError as problem:
        return FastPath(False, f"numba cannot be imported ({problem}); install a version that fits NumPy")
    if config.DISABLE_JIT:
        return FastPath(False, "NUMBA_DISABLE_JIT is set")
    from . import loops

    try:
        folder = njit(cache=True)(loops.interband.function).stats.cache_path
    except RuntimeError:
        return FastPath(True, "no folder for it is writable (set NUMBA_CACHE_DIR): compiled in each process")
    return FastPath(True, f"kept in {folder}")


@dataclass(frozen=True)
class _Array:
    """What a loop expects of an argument, from a text such as "complex k n 3 n", outputs with "out "."""

    name: str
    dtype: type
    shape: tuple[str, ...]
    is_output: bool

    @classmethod
    def of(cls, name: str, text: str) -> _Array:
        words = text.removeprefix("out ").split()
        return cls(name, _DTYPES[words[0]], tuple(words[1:]), text.startswith("out "))

    def check(self, found: Any, sizes: dict[str, int]) -> None:
        """Refuse what machine code would read as something else. A letter has one size in all arrays."""
        if not self.shape:
            return
        fits = isinstance(found, np.ndarray) and found.ndim == len(self.shape)
        if not fits or found.dtype != self.dtype or not found.flags.c_contiguous:
            kind = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise TypeError(
                f"{self.name}: expected a C-contiguous {self.dtype.__name__} array "
                f"({', '.join(self.shape)}), found {kind}."
            )
        for letter, size in zip(self.shape, found.shape, strict=True):
            expected = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
            if size != expected:
                raise ValueError(
                    f"{self.name}: expected the shape ({', '.join(self.shape)}) with {letter} = {expected}, "
                    f"found {found.shape}."
                )


class Loop:
    """A function of arrays that is compiled for exactly the types it declares.

    Raises TypeError for another dtype or layout and ValueError for shapes that do not fit: neither reaches
    machine code.
    """

    def __init__(self, function: Callable[..., None], arrays: Mapping[str, str], lanes: bool = False) -> None:
        self.function = function
        self.lanes = lanes
        self.__doc__ = function.__doc__
        names = inspect.signature(function).parameters
        self._arrays = [_Array.of(name, arrays[name]) for name in names]
        # A loop has two arrays at least: one that is read and one that is written.
        self._pick = itemgetter(*(place for place, array in enumerate(self._arrays) if array.shape))
        self._accepted: set[tuple[tuple[int, ...], ...]] = set()

    def __call__(self, *arguments: Any) -> None:
        """Check and run."""
        machine = self._machine
        try:
            shapes = tuple(map(_SHAPE, self._pick(arguments)))
        except (AttributeError, IndexError):
            shapes = ()
        # Blocks of a mesh have few shapes: what was accepted once is known by them. For types and layouts
        # other than those of the declaration there is no machine code.
        if shapes not in self._accepted or machine is self.function:
            self._check(arguments)
            self._accepted.add(shapes)
        try:
            machine(*arguments)
        except TypeError:
            self._check(arguments)
            raise

    def _check(self, arguments: tuple[Any, ...]) -> None:
        sizes: dict[str, int] = {}
        for array, found in zip(self._arrays, arguments, strict=True):
            array.check(found, sizes)

    @cached_property
    def _machine(self) -> Callable[..., None]:
        path = fast_path()
        if not path.compiled:
            warnings.warn(
                f"spinscreen computes without its compiled loops: {path.reason}.",
                SlowPathWarning,
                stacklevel=3,
            )
            return self.function
        import numba

        if self.lanes:
            _register_lane_helpers()
        else:
            _register_helpers()
        # numba notices a change in the file of a loop; in its helpers, by the name it keeps the code under.
        digest = _digest_of_lanes() if self.lanes else _digest_of_helpers()
        self.function.__qualname__ = f"{self.function.__name__}_{digest}"
        _announce_compilation()
        arguments = tuple(_numba_type(array, numba.types) for array in self._arrays)
        fastmath = _LANES if self.lanes else _FLOATING_POINT
        options: dict[str, Any] = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
        try:
            return numba.njit([arguments], cache=True, **options)(self.function)
        except (RuntimeError, OSError, EOFError, UnpicklingError):
            # No folder for the cache, a full disk, a damaged file: all that is lost is the compile time.
            return numba.njit([arguments], **options)(self.function)


@cache
def _announce_compilation() -> None:
    """Let the log say once for a process that machine code is made: it takes seconds."""
    from numba.core import event

    class Announcement(event.Listener):
        def on_start(self, event: Any) -> None:
            if not told:
                told.append(True)
                log.info("compiling kernels for this processor, once for each version: some ten seconds")

        def on_end(self, event: Any) -> None:
            pass

    told: list[bool] = []
    event.register("numba:compile", Announcement())


def _numba_type(array: _Array, types: Any) -> Any:
    scalar = getattr(types, np.dtype(array.dtype).name)
    if not array.shape:
        return scalar
    # A signature of read-only inputs takes writable arrays as well.
    return types.Array(scalar, len(array.shape), "C", readonly=not array.is_output)


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a function that loops call: it becomes part of their machine code."""
    _HELPERS.append(function)
    return function


@cache
def _register_helpers() -> None:
    # Not at import: who computes nothing does not wait for numba.
    from numba.extending import register_jitable

    for function in _HELPERS:
        register_jitable(fastmath=_FLOATING_POINT, error_model="numpy", forceinline=True)(function)


@cache
def _digest_of_helpers() -> str:
    sources = "".join(inspect.getsource(function) for function in _HELPERS)
    return hashlib.sha256(sources.encode()).hexdigest()[:12]


def lane_helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a function that loops over lanes call."""
    _LANE_HELPERS.append(function)
    return function


@cache
def _register_lane_helpers() -> None:
    from numba.extending import register_jitable

    from .lanes import machine  # noqa: F401 : numba learns from it what a vector is

    for function in _LANE_HELPERS:
        register_jitable(fastmath=_LANES, error_model="numpy")(function)


@cache
def _digest_of_lanes() -> str:
    from .lanes import machine

    sources = inspect.getsource(machine) + "".join(inspect.getsource(part) for part in _LANE_HELPERS)
    return hashlib.sha256(f"{machine.WIDTH} {sources}".encode()).hexdigest()[:12]


def loop(**arrays: str) -> Callable[[Callable[..., None]], Loop]:
    """Declare a loop: of each parameter dtype (real, complex, integer, byte) and dims, outputs with `out`.

    A dim is a number or a name that stands for one size in all arrays; no dims mean a scalar.
    """
    return lambda function: Loop(function, arrays)


def lane_loop(**arrays: str) -> Callable[[Callable[..., None]], Loop]:
    """Declare a loop over lanes: as `loop`, in the words of `lanes.vectors`."""
    return lambda function: Loop(function, arrays, lanes=True)
