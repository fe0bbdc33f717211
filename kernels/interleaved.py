"""Interleaved sub-meshes: every mesh holds coarser ones, whose spread tells how far it is from converged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.special import stdtrit

from .irreducible import IrreducibleMesh
from .lattice import Integer, Real

#: Points between those of a sub-mesh along an axis, by preference: the densest ones say most.
_STRIDES = (2, 3, 4, 5)

#: Standard deviations of the mean that a bar is wide; share of errors in one that has no neighbours.
_BAR_WIDTH, _CONFIDENCE = 2.0, 0.95

#: Fermi energies (eV) within which sub-meshes that agree by accident do not lower a bar.
_REACH = 0.2


@dataclass(frozen=True, eq=False)
class Submeshes:
    """Sub-meshes of every p-th point along each axis; those that mirrors make alike are one.

    strides : p along each axis
    number : (p, p, p) of the sub-mesh of the points whose mesh indices are these modulo p
    """

    strides: tuple[int, int, int]
    number: Integer

    @property
    def count(self) -> int:
        return int(self.number.max()) + 1

    @property
    def weights(self) -> Real:
        """(sub-mesh,) share of the points of the mesh."""
        return np.bincount(self.number.ravel()) / self.number.size

    def of_points(self, indices: Integer) -> Integer:
        """(k,) number of the sub-mesh of points given by their mesh indices, (k, 3)."""
        first, second, third = (indices % self.strides).T
        return self.number[first, second, third]

    def error(self, values: Real, energies: Real) -> Real:
        """Bars of a mesh's values, from those of its sub-meshes, (sub-mesh, ..., fermi_energy).

        energies : eV, ascending
        Twice the standard error of a mean of samples that differ in size: each sub-mesh samples the same
        integral, and what one point carries alone is in one of them. Where sub-meshes cross they agree by
        accident, so the largest within 0.2 eV counts; an energy that has no other there has the width that
        Student's distribution gives so few samples. NaN where there is but one sub-mesh.
        """
        if self.count == 1:
            return np.full(values.shape[1:], np.nan)
        weights = self.weights.reshape(-1, *[1] * (values.ndim - 1))
        deviations = values - (weights * values).sum(axis=0)
        free = self.count - 1
        deviation = np.sqrt((weights * deviations**2).sum(axis=0) / free)
        first, last = nearby(energies, _REACH)
        width = np.where(last - first == 1, stdtrit(free, (1 + _CONFIDENCE) / 2), _BAR_WIDTH)
        return largest_of(width * deviation, first, last)


#: No sub-mesh beside the mesh itself.
WHOLE = Submeshes((1, 1, 1), np.zeros((1, 1, 1), dtype=np.int64))


def submeshes(mesh: IrreducibleMesh) -> Submeshes:
    """The sub-meshes of a mesh, itself alone where it has none along some axis.

    In a crystal with mirrors sub-meshes that are mirror images agree however coarse they are: they count as
    one, so that halves of a mesh that is shifted by half a step say nothing, and its thirds or quarters do.
    So do those that an operation of the mesh turns into each other.
    """
    from scipy.sparse.csgraph import connected_components

    full = mesh.full
    chosen = [_stride(count, shift) for count, shift in zip(full.shape, full.shift, strict=True)]
    if None in chosen:
        return WHOLE
    x, y, z = (stride or 1 for stride in chosen)
    images = mesh.images((x, y, z))
    if images is None:
        return WHOLE
    every = np.indices((x, y, z))
    numbers = np.arange(x * y * z)
    for axis, (stride, shift) in enumerate(zip((x, y, z), full.shift, strict=True)):
        mirrored = every.copy()
        mirrored[axis] = _mirror(stride, shift)[every[axis]]
        images = np.vstack([images, np.ravel_multi_index(tuple(mirrored.reshape(3, -1)), (x, y, z))])
    links = coo_array((np.ones(images.size), (np.tile(numbers, len(images)), images.ravel())))
    _, number = connected_components(links, directed=False)
    return Submeshes((x, y, z), number.astype(np.int64).reshape(x, y, z))


def _stride(points: int, shift: float) -> int | None:
    """None where no number of points between those of a sub-mesh makes them differ."""
    if points == 1:
        return 1
    return next((p for p in _STRIDES if points % p == 0 and _differ(p, shift)), None)


def _differ(stride: int, shift: float) -> bool:
    """Whether the residues of the mesh index are more than two that are mirror images of each other."""
    mirror = _mirror(stride, shift)
    return stride > 2 or bool((mirror == np.arange(stride)).all())


def _mirror(stride: int, shift: float) -> Integer:
    """Residue of the mesh index of k -> -k for each residue of that of k; itself where it is off the mesh."""
    residues = np.arange(stride)
    twice = 2 * shift
    return (-residues - int(twice)) % stride if twice.is_integer() else residues


def nearby(energies: Real, reach: float) -> tuple[Integer, Integer]:
    """Numbers of the first energy within `reach` of each, these ascending, and of the first beyond it."""
    return np.searchsorted(energies, energies - reach), np.searchsorted(
        energies, energies + reach, side="right"
    )


def largest_of(values: Real, first: Integer, last: Integer) -> Real:
    """Largest of (..., energy) from `first` to before `last` of each energy; NaN only among NaN."""
    doublings = np.log2(last - first).astype(np.int64)
    found, table = np.empty_like(values), values
    # The largest of a window is that of two which overlap, each a power of two wide.
    for doubling in range(int(doublings.max()) + 1):
        here, width = doublings == doubling, 2**doubling
        found[..., here] = np.fmax(table[..., first[here]], table[..., last[here] - width])
        table = np.fmax(table[..., :-width], table[..., width:])
    return found
