"""Which components of a tensor a group allows, and how those that it allows are related."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from .lattice import Real
from .symmetry import SymmetryGroup
from .transformation import Transformation

#: Coefficients below this are rounding: the smallest true ones of point groups are 1/48.
_ROUNDING = 1e-6

#: Decimals to which coefficients are taken.
_DIGITS = 9


@dataclass(frozen=True, eq=False)
class TensorShape:
    """A tensor that every operation of a group leaves as it is.

    independent : index of each component that all others follow from
    relations : (components ..., independent) each component as a sum of those; a row of zeros is forbidden
    """

    independent: tuple[tuple[int, ...], ...]
    relations: Real

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(components ...) True where the group does not make it zero."""
        return np.asarray(np.abs(self.relations).max(axis=-1, initial=0.0) > _ROUNDING)

    @cached_property
    def forbidden(self) -> tuple[tuple[int, ...], ...]:
        """Index of each component that the group makes zero."""
        return tuple(map(tuple, np.argwhere(~self.allowed).tolist()))


def tensor_shape(transformation: Transformation, group: SymmetryGroup) -> TensorShape:
    """The components that a group allows of values that turn in some way.

    Of several that are related the one with the last observable and the first axes is the independent one:
    the spin along z in a current along x and a field along y.
    """
    lengths = {"observable": group.observables.shape[-1]}
    shape = tuple(lengths.get(index, 3) for index in transformation.indices)
    # The same for all materials of a point group, whatever rounding does to their axes.
    mean = transformation.mean(group).round(_DIGITS) + 0.0
    return _tensor_shape(transformation, shape, mean.tobytes())


@lru_cache(maxsize=512)
def _tensor_shape(transformation: Transformation, shape: tuple[int, ...], mean: bytes) -> TensorShape:
    count = prod(shape)
    left, sizes, _ = np.linalg.svd(np.frombuffer(mean).reshape(count, count))
    basis = left[:, sizes > 0.5]
    preferred = _by_preference(transformation, shape)
    chosen: list[int] = preferred if basis.shape[1] == count else []
    for component in preferred:
        if len(chosen) == basis.shape[1]:
            break
        rows = basis[[*chosen, component]]
        if np.linalg.svd(rows, compute_uv=False)[-1] > _ROUNDING:
            chosen.append(component)
    relations = basis @ np.linalg.inv(basis[chosen]) if chosen else np.zeros((count, 0))
    relations[np.abs(relations) < _ROUNDING] = 0.0
    independent = tuple(tuple(map(int, np.unravel_index(component, shape))) for component in chosen)
    return TensorShape(independent, relations.reshape(*shape, len(chosen)))


def _by_preference(transformation: Transformation, shape: tuple[int, ...]) -> list[int]:
    places = np.indices(shape).reshape(len(shape), -1)
    kinds = transformation.indices
    keys = [-places[n] if kind == "observable" else places[n] for n, kind in enumerate(kinds)]
    return np.lexsort(keys[::-1]).tolist() if keys else [0]


def symmetry_residual(
    values: Real, transformation: Transformation, group: SymmetryGroup, smallest: float
) -> float:
    """The largest that a group forbids in values, (indices ..., anything), as a share of their largest.

    smallest : what is as good as zero; where all values are below it there is nothing to be a share of
    """
    kept = transformation.averaged(values, group)
    known = np.isfinite(values) & np.isfinite(kept)
    lost = np.abs(values - kept).max(initial=0.0, where=known)
    return float(lost / max(np.abs(values).max(initial=0.0, where=known), smallest))
