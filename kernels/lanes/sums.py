"""What is summed over R at k: tables for points anywhere, and for those on lines of a mesh.

A mesh is a tensor product, so sum_R e^{ik.R} X(R) factorizes: the sum over R along the first axis is done
once per plane of the mesh, the second once per line, and only the last for every k point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from .. import loops
from ..lattice import CYCLIC, Complex, Integer, LatticeOperators, Real, RealSpaceOperator
from ..unlocked import cached_property
from . import eigensolver, fourier, layout
from .width import aligned, scratch, side_by_side, width


@dataclass(frozen=True, eq=False)
class Family:
    """Operators that are sums over the same R of the same matrices, each with weights of its own.

    translations : (R, 3); triangles : (component, R, element) of the lower triangle, row after row
    weights : (operator, component, R)
    """

    translations: Integer
    triangles: Complex
    weights: Complex

    @classmethod
    def of(cls, operator: RealSpaceOperator, weights: Complex) -> Family:
        rows, columns = np.tril_indices(operator.matrices.shape[-1])
        triangles = operator.matrices[:, :, rows, columns].swapaxes(0, 1)
        return cls(operator.translations, np.ascontiguousarray(triangles), weights)

    def selected(self, rows: int, row: Integer, factor: Complex) -> Complex:
        """Sum over R of factor[x, R] times each operator in row[x, R], (operator, row, element).

        row, factor : (x, R), x numbering the ways in which an R contributes
        """
        operators, components, count = self.weights.shape
        some, component = np.nonzero(self.weights.any(axis=2))
        where = (row + rows * some[:, None, None]).ravel()
        column = np.broadcast_to(np.arange(count) + count * component[:, None, None], (len(some), *row.shape))
        values = (factor * self.weights[some, component][:, None]).ravel()
        shape = (operators * rows, components * count)
        selection = csr_array((values, (where, column.ravel())), shape=shape)
        selection.eliminate_zeros()
        # A sparse product adds R after R without a copy of the triangles.
        elements = self.triangles.shape[2]
        found = selection @ self.triangles.reshape(components * count, elements)
        return np.asarray(found).reshape(operators, rows, elements)


def families(operators: LatticeOperators) -> tuple[Family, Family, Family]:
    """H and its slopes; A and, where it is not onsite, its curl; Theta."""
    slopes = 1j * (operators.hamiltonian.translations @ operators.cell).T
    hamiltonian = np.concatenate([np.ones_like(slopes[:1]), slopes])[:, None]
    position, observables = operators.position, operators.observables
    itself = _each(operators.observable_count, len(observables.translations))
    return (
        Family.of(operators.hamiltonian, hamiltonian),
        Family.of(position, _position_weights(position, operators.cell)),
        Family.of(observables, itself),
    )


def observable_slopes(operators: LatticeOperators) -> Family:
    """Slopes of Theta, three for each observable."""
    observables = operators.observables
    slopes = 1j * (observables.translations @ operators.cell).T
    weights = _each(operators.observable_count, len(observables.translations))[:, None] * slopes[:, None]
    return Family.of(observables, weights.reshape(-1, *weights.shape[2:]))


def _each(components: int, count: int) -> Complex:
    return np.broadcast_to(np.eye(components, dtype=complex)[:, :, None], (components, components, count))


def _position_weights(position: RealSpaceOperator, cell: Real) -> Complex:
    """A_a, then curl A_c = i (R_a A_b - R_b A_a)."""
    itself = _each(3, len(position.translations))
    if position.onsite:
        return itself
    slopes = 1j * (position.translations @ cell).T
    curl = np.zeros((3, *itself.shape[1:]), dtype=complex)
    for c, (a, b) in enumerate(CYCLIC):
        curl[c, b], curl[c, a] = slopes[a], -slopes[b]
    return np.concatenate([itself, curl])


@dataclass(frozen=True, eq=False)
class Table:
    """One family of operators as the loops take it, see `fourier`.

    translations : (h, axis); numbers : (line, row, 2 h)
    """

    translations: Integer
    numbers: Real

    def block(self, size: int, elements: Integer) -> Table:
        """Some elements of the triangles of matrices of a size."""
        lines, _, length = self.numbers.shape
        triangles = self.numbers.reshape(lines, -1, size * (size + 1) // 2, 2, length)
        return Table(self.translations, triangles[:, :, elements].reshape(lines, -1, length))


def _as_rows(found: Complex) -> Real:
    """(operator, column, element) complex -> (row, column) real, rows being (operator, element, 2)."""
    operators, columns, elements = found.shape
    parts = found.view(float).reshape(*found.shape, 2).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(parts).reshape(2 * operators * elements, columns)


def table_of_points(family: Family) -> Table:
    """For k anywhere: pairs of R and -R."""
    translations = family.translations
    # The first component that does not vanish decides which of R and -R stands for both.
    leading = np.take_along_axis(translations, (translations != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    sign = np.where(leading < 0, -1, 1)
    halves, number = np.unique(translations * sign[:, None], axis=0, return_inverse=True)
    row = np.stack([2 * number.ravel(), 2 * number.ravel() + 1])
    factor = np.stack([np.ones_like(sign), 1j * sign])
    found = _as_rows(family.selected(2 * len(halves), row, factor))
    return Table(halves, found[None])


@dataclass(frozen=True, eq=False)
class Plane:
    """A family summed over the first axis: numbers : (2 m2, row, 2 m3) for cosine and sine of the others."""

    numbers: Real

    @classmethod
    def of(cls, family: Family, order: Sequence[int], k: float) -> Plane:
        first, second, third = family.translations[:, list(order)].T
        sizes = [2 * (int(np.abs(steps).max()) + 1) for steps in (second, third)]
        phase = np.exp(2j * np.pi * k * first)
        row, factor = [], []
        for s in range(2):
            for t in range(2):
                row.append((2 * np.abs(second) + s) * sizes[1] + 2 * np.abs(third) + t)
                factor.append(phase * (1j * np.sign(second)) ** s * (1j * np.sign(third)) ** t)
        found = family.selected(sizes[0] * sizes[1], np.stack(row), np.stack(factor))
        rows = _as_rows(found)
        table = rows.reshape(len(rows), *sizes)
        return cls(np.ascontiguousarray(table.swapaxes(0, 1)))

    @property
    def steps(self) -> tuple[int, int]:
        """How many m = 0, 1 ... there are along the second and the third axis."""
        return self.numbers.shape[0] // 2, self.numbers.shape[2] // 2

    @property
    def line_bytes(self) -> int:
        """Bytes of the table of one line."""
        return self.numbers[0].nbytes

    @cached_property
    def _translations(self) -> Integer:
        return np.arange(self.steps[1])[:, None]

    def lines(self, powers: Real) -> Table:
        """Tables of lines; powers : (line, m, 2), `powers_of` their coordinates along the second axis."""
        steps, rows, length = self.numbers.shape
        weights = np.ascontiguousarray(powers[:, : steps // 2]).reshape(len(powers), steps)
        numbers = np.empty((len(powers), rows * length))
        loops.weighted(weights, self.numbers.reshape(steps, rows * length), numbers)
        return Table(self._translations, numbers.reshape(len(powers), rows, length))


def powers_of(k: Real, count: int) -> Real:
    """Cosine and sine of 2 pi k m for m = 0 ... count - 1, (..., m, 2)."""
    angle = 2 * np.pi * k[..., None] * np.arange(count)
    found = np.empty((*angle.shape, 2))
    np.cos(angle, out=found[..., 0])
    np.sin(angle, out=found[..., 1])
    return found


def reach(tables: tuple[Table, ...]) -> int:
    """How many m = 0, 1 ... the tables need along an axis."""
    return max(int(np.abs(table.translations).max()) for table in tables) + 1


@dataclass(frozen=True, eq=False)
class Sums:
    """Fourier sums at a batch of k, padded to whole groups by the last one.

    tables : of H with its slopes, of A with its curl, of Theta, and of the slopes of Theta if asked for
    line : (group, lane) of the tables; powers : (group, axis, m, 2, lane)
    """

    size: int
    count: int
    tables: tuple[Table, ...]
    line: Integer
    powers: Real

    @classmethod
    def of(cls, size: int, tables: tuple[Table, ...], line: Integer, powers: Real) -> Sums:
        """At points of lines, (k,) ascending; powers : (k, axis, m, 2) along the axes that are left."""
        groups, lanes = -(-len(line) // width()), width()
        numbers = np.empty((groups, lanes), dtype=np.int64)
        held = aligned(groups, *powers.shape[1:], lanes)
        layout.pack_points(line, powers, numbers, held)
        return cls(size, len(line), tables, numbers, held)

    def at(self, rows: Integer) -> Sums:
        """Some of the k points, (row,) ascending."""
        line = layout.gathered(self.line, rows)
        return Sums(self.size, len(rows), self.tables, line, layout.gathered(self.powers, rows))

    def solved(self) -> tuple[Real, Real, Real]:
        """Levels (group, n, lane), states as rows (group, n, n, 2, lane), and where QL has converged."""
        groups, size, lanes = len(self.line), self.size, width()
        table = self.tables[0]
        levels, states, converged = side_by_side(
            (groups, size, lanes), (groups, size, size, 2, lanes), (groups, lanes)
        )
        work = scratch(*self._shapes(table, 1), *eigensolver.work_shapes(size, lanes))
        source = np.empty(size, dtype=np.int64)
        fourier.solve_sums(*self._of(table), levels, states, converged, *work, source)
        return levels, states, converged

    def rotated(self, states: Real, observables: int) -> Real:
        """dH/dk_a, A_a and Theta between bands, (group, 6 + observable, n, n, 2, lane)."""
        size, lanes = self.size, width()
        rotated = aligned(len(states), 6 + observables, size, size, 2, lanes)
        parts = self.tables[:3]
        tables = [array for table in parts for array in (table.translations, table.numbers)]
        longest = max(parts, key=lambda table: len(table.translations))
        fourier.rotate_sums(self.line, self.powers, *tables, states, rotated, *self._scratch(longest, 2))
        return rotated

    def half_rotated(self, number: int, first: int, count: int, states: Real) -> Real:
        """Some operators of a table times each state, (group, count, n, n, 2, lane) as rows."""
        size, lanes = self.size, width()
        found = aligned(len(states), count, size, size, 2, lanes)
        table = self.tables[number]
        fourier.half_rotate_sums(*self._of(table), first, states, found, *self._scratch(table, 1))
        return found

    def block(self, own: Integer) -> Sums:
        """The same k points of the block of some Wannier functions, ascending."""
        rows, columns = np.tril_indices(len(own))
        elements = own[rows] * (own[rows] + 1) // 2 + own[columns]
        return replace(self, size=len(own), tables=tuple(t.block(self.size, elements) for t in self.tables))

    def matrices(self, parts: Sequence[tuple[int, int, int]]) -> Complex:
        """Some operators, (k, n, operator, n); parts : (table, first operator, how many) of each."""
        total = sum(count for _, _, count in parts)
        found = np.empty((self.count, self.size, total, self.size), dtype=complex)
        target = 0
        for number, first, count in parts:
            table = self.tables[number]
            fourier.unpack_sums(*self._of(table), first, count, found, target, *self._scratch(table, 0))
            target += count
        return found

    def _of(self, table: Table) -> tuple[Integer, Real, Integer, Real]:
        return self.line, self.powers, table.translations, table.numbers

    def _scratch(self, table: Table, matrices: int) -> list[Real]:
        """Weights, masked weights, a triangle, and some matrices."""
        return scratch(*self._shapes(table, matrices))

    def _shapes(self, table: Table, matrices: int) -> tuple[tuple[int, ...], ...]:
        size, lanes = self.size, width()
        weights, triangle = (len(table.translations), 2, lanes), (size * (size + 1) // 2, 2, lanes)
        return weights, weights, triangle, *[(size, size, 2, lanes)] * matrices
