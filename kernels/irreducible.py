"""Meshes of which only points that no symmetry relates are computed, each with the number it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .lattice import Integer, Real
from .mesh import KMesh, LineSpan, MeshPoints
from .symmetry import SymmetryGroup

#: Points of a mesh whose images are held at a time.
_POINTS_HELD = 1 << 20

#: Share of a mesh step within which an image is on the mesh: far above rounding, far below 1e-10 in a result.
_ON_MESH = 1e-12


@dataclass(frozen=True, eq=False)
class IrreducibleMesh:
    """A mesh with operations that map it to itself: the points of which no image comes before.

    Points are compared in the order of `KMesh.points`, so that those that are left fill few lines.

    full : all points; group : operations, all of which keep the mesh, see `of`
    """

    full: KMesh
    group: SymmetryGroup

    @classmethod
    def of(cls, mesh: KMesh, group: SymmetryGroup) -> IrreducibleMesh:
        """The mesh with those operations of a group that keep it."""
        return cls(mesh, group.subgroup(kept_by(mesh, group)))

    @classmethod
    def whole(cls, mesh: KMesh) -> IrreducibleMesh:
        """The mesh with no operation: all points, each for itself."""
        return cls(mesh, SymmetryGroup.identity(0))

    @cached_property
    def _actions(self) -> tuple[Integer, Integer]:
        """What the group does to mesh indices, i' = A i + o modulo the shape, each action once.

        In the order of `KMesh.axis_order`, the identity left out: (action, 3, 3) and (action, 3).
        """
        matrices, offsets = _on_indices(self.full, self.group)
        order = list(self.full.axis_order)
        counts = np.array(self.full.shape)[order]
        matrices = matrices[:, order][:, :, order] % counts[:, None]
        offsets = offsets[:, order] % counts
        # An axis with one point has one index.
        matrices[:, :, counts == 1] = 0
        unique = np.unique(np.concatenate([matrices.reshape(-1, 9), offsets], axis=1), axis=0)
        identity = np.concatenate([np.diag((counts > 1) * 1).ravel(), np.zeros(3, int)])
        unique = unique[(unique != identity).any(axis=1)]
        return unique[:, :9].reshape(-1, 3, 3), unique[:, 9:]

    @property
    def order(self) -> int:
        """Number of k points that a general one stands for."""
        return len(self._actions[0]) + 1

    def points(self, span: LineSpan) -> MeshPoints:
        """Those of a span that are computed."""
        actions, offsets = self._actions
        length = self.full.line_length
        lines = np.arange(span.start, span.stop)
        along = np.arange(length)
        if not len(actions):
            return self.full.every_point(span)
        for depth in (1, 2):
            # Where an operation takes whole planes or lines to others, points need not be looked at.
            closed = ~actions[:, :depth, depth:].any(axis=(1, 2))
            place = np.stack(self.full.line_coordinates(lines), axis=-1)[:, :depth]
            lines = lines[self._is_first(place, actions[closed, :depth, :depth], offsets[closed, :depth])]
        first, second = self.full.line_coordinates(np.repeat(lines, length))
        place = np.stack([first, second, np.tile(along, len(lines))], axis=-1)
        place = place[self._is_first(place, actions, offsets)]
        index = self._number(place)
        fixed = np.ones(len(place), dtype=np.int64)
        for action, offset in zip(actions, offsets, strict=True):
            fixed += self._number(self._image(place, action, offset)) == index
        return MeshPoints(index // length, place[:, 2], self.order / fixed)

    def _is_first(self, place: Integer, actions: Integer, offsets: Integer) -> NDArray[np.bool_]:
        """Whether no action takes a place to one that comes before."""
        left = np.arange(len(place))
        number = self._number(place)
        for action, offset in zip(actions, offsets, strict=True):
            image = self._number(self._image(place[left], action, offset))
            left = left[image >= number[left]]
        found = np.zeros(len(place), dtype=bool)
        found[left] = True
        return found

    def _image(self, place: Integer, action: Integer, offset: Integer) -> Integer:
        return (place @ action.T + offset) % self._counts[: place.shape[1]]

    def _number(self, place: Integer) -> Integer:
        number = place[:, 0]
        for axis in range(1, place.shape[1]):
            number = number * self._counts[axis] + place[:, axis]
        return number

    @cached_property
    def _counts(self) -> Integer:
        return np.array([self.full.shape[axis] for axis in self.full.axis_order])

    def images(self, strides: tuple[int, int, int]) -> Integer | None:
        """(operation, residue) number of the residue to which an operation takes mesh indices modulo strides.

        Residues are numbered row after row. None where an operation makes several of one.
        """
        matrices, offsets = _on_indices(self.full, self.group)
        modulus = np.array(strides)
        if ((matrices * modulus) % modulus[:, None]).any():
            return None
        residues = np.indices(strides).reshape(3, -1)
        images = (matrices @ residues + offsets[:, :, None]) % modulus[:, None]
        return np.ravel_multi_index(tuple(images.swapaxes(0, 1)), strides)

    def line_counts(self) -> Iterator[tuple[Integer, Integer]]:
        """Lines on which points are computed and how many on each, some lines at a time, in their order."""
        for span in self.full.spans(max(1, _POINTS_HELD // self.full.line_length)):
            yield np.unique(self.points(span).line, return_counts=True)

    @cached_property
    def size(self) -> int:
        """Number of points that are computed."""
        if self.order == 1:
            return self.full.size
        return sum(int(counts.sum()) for _, counts in self.line_counts())


def kept_by(mesh: KMesh, group: SymmetryGroup) -> NDArray[np.bool_]:
    """Which operations of a group take every point of a mesh to one of it, (operation,)."""
    matrices, offsets = _real_action(mesh, group)
    whole = [np.abs(part - np.rint(part)) < _ON_MESH * max(mesh.shape) for part in (matrices, offsets)]
    return np.asarray(whole[0].all(axis=(1, 2)) & whole[1].all(axis=1))


def _on_indices(mesh: KMesh, group: SymmetryGroup) -> tuple[Integer, Integer]:
    matrices, offsets = _real_action(mesh, group)
    return np.rint(matrices).astype(np.int64), np.rint(offsets).astype(np.int64)


def _real_action(mesh: KMesh, group: SymmetryGroup) -> tuple[Real, Real]:
    """K' = K k of the points k = (i + s)/N as i' = A i + o, real numbers where K leads off the mesh."""
    counts, shift = np.array(mesh.shape, float), np.array(mesh.shift)
    matrices = group.on_kpoints * counts[:, None] / counts
    return matrices, matrices @ shift - shift
