"""Fourier interpolation on a regular mesh as partial sums over one lattice axis after the other.

A mesh is a tensor product, so sum_R e^{ik.R} X(R) factorizes: the sum over R along the first axis is
done once per plane of the mesh, the second once per line, and only the last, a matrix product with the
few R of one line, for every k point. Derivatives i R_a X are formed on the way, at no further R sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from . import lanes
from .lattice import (
    CYCLIC,
    BlochOperators,
    Complex,
    Integer,
    LatticeOperators,
    Real,
    RealSpaceOperator,
    stacked_count,
)
from .mesh import KMesh, MeshPoints

#: Cost of an element of the table of a line, and of a plane, in those of one that is summed at a k point.
_LINE, _PLANE = 1.5, 300.0


@dataclass(frozen=True, eq=False)
class _Plane:
    """One operator summed over the first axis at one mesh index.

    value, slope : (R1, R2, component, wannier, wannier), slope being the sum with weights i R0
    """

    value: Complex
    slope: Complex | None
    first_steps: Integer
    second_steps: Integer


@dataclass(frozen=True, eq=False)
class _Lines:
    """Operators summed over the first two axes: all that is left is the sum over `steps`.

    hamiltonian : (line, R2, wannier, wannier); stacked : (line, R2, wannier, operator, wannier)
    """

    hamiltonian: Complex
    stacked: Complex
    steps: Integer
    observable_slopes: Complex | None


def mesh_blocks(
    operators: LatticeOperators,
    mesh: KMesh,
    points: MeshPoints,
    block_size: int,
    with_observable_slopes: bool = False,
    order_of_symmetry: int = 1,
) -> Iterator[BlochOperators]:
    """Yield Bloch operators at points of a mesh in their order, at most `block_size` k points at a time.

    A block is of several whole lines of one plane or a piece of one line. The values of a k point are the
    same bits in whatever span its line is. order_of_symmetry : of the points of the mesh one of so many is
    computed; where they are too few for sums along axes to pay, they are summed one by one
    """
    if operators.size <= lanes.LARGEST and _one_by_one(operators, mesh, order_of_symmetry):
        kpoints = mesh.reduced(mesh.indices(points))
        slopes = with_observable_slopes and not operators.observables.onsite
        for here in range(0, len(kpoints), block_size):
            yield lanes.operators_at(operators, kpoints[here : here + block_size], slopes)
        return
    order = list(mesh.axis_order)
    first, second = mesh.line_coordinates(points.line)
    coordinates = mesh.coordinate(order[2], np.arange(mesh.line_length))
    for plane_index in np.unique(first):
        k = float(mesh.coordinate(order[0], plane_index))
        at_points, line_bytes = _points_of_plane(operators, order, k, coordinates, with_observable_slopes)
        start, stop = np.searchsorted(first, [plane_index, plane_index + 1])
        at_a_time = block_size * max(1, mesh.line_length * (_TABLES // line_bytes) // block_size)
        for begin, end in _whole_lines(points.line[start:stop], at_a_time):
            part = slice(start + begin, start + end)
            begins = np.diff(second[part], prepend=-1) != 0
            row = np.cumsum(begins) - 1
            on_lines = at_points(mesh.coordinate(order[1], second[part][begins]))
            for here in range(0, end - begin, block_size):
                piece = slice(here, min(here + block_size, end - begin))
                yield on_lines(row[piece], points.along[part][piece])


#: Bytes of tables of lines that are made at a time: they stay in the cache while the lines are treated.
_TABLES = 2**20

#: From points of some lines, (k,) numbers of their lines and of places on them, to operators.
_OnLines = Callable[[Integer, Integer], BlochOperators]


def _points_of_plane(
    operators: LatticeOperators,
    order: list[int],
    k: float,
    coordinates: Real,
    with_observable_slopes: bool,
) -> tuple[Callable[[Real], _OnLines], int]:
    """What gives `_OnLines` for coordinates along the second axis, on one plane of the mesh; bytes of a line.

    coordinates : of the places along a line
    """
    with_observable_slopes = with_observable_slopes and not operators.observables.onsite
    if operators.size <= lanes.LARGEST:
        plane = lanes.planes(operators, order, k, with_observable_slopes)
        powers = lanes.powers_of(coordinates, max(part.steps[1] for part in plane))

        def by_lanes(across: Real) -> _OnLines:
            tables = lanes.tables_of_lines(plane, across)
            return lambda row, along: lanes.operators_on_lines(operators, tables, row, powers[along])

        return by_lanes, sum(part.line_bytes for part in plane)
    planes = _planes(operators, order, k, with_observable_slopes)

    def by_products(across: Real) -> _OnLines:
        tables = _sum_second_axis(operators, order, planes, across)
        return lambda row, along: _sum_last_axis(tables, row, coordinates[along], operators)

    # Tables of matrices that are so large are made for a block at a time.
    return by_products, _TABLES + 1


def _one_by_one(operators: LatticeOperators, mesh: KMesh, order_of_symmetry: int) -> bool:
    """Whether direct sums cost less than those along one axis after the other, on the whole mesh."""
    points = mesh.size / order_of_symmetry
    first, second, third = (mesh.shape[axis] for axis in mesh.axis_order)
    planes = min(first, points)
    # Symmetry leaves whole planes, and on them lines of a few points each.
    lines_with_points = min(first * second, max(planes, 4 * points / third))
    direct = separable = 0.0
    for family in lanes.families_of(operators):
        translations = family.translations[:, list(mesh.axis_order)]
        _, q2, q3 = (2 * int(reach) + 2 for reach in np.abs(translations).max(axis=0))
        rows = len(family.weights)
        direct += rows * points * (len(translations) + 1)
        separable += rows * (points * q3 + q2 * q3 * (_LINE * lines_with_points + _PLANE * planes))
    return direct < separable


def _whole_lines(line: Integer, block_size: int) -> Iterator[tuple[int, int]]:
    """Cut points into whole lines, as many as have together at most `block_size` points, at least one."""
    edges = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    begin = 0
    for here, there in pairwise(edges.tolist()):
        if there - begin > block_size and here > begin:
            yield begin, here
            begin = here
    yield begin, len(line)


def _planes(
    operators: LatticeOperators, order: list[int], k: float, with_observable_slopes: bool
) -> tuple[_Plane, ...]:
    position = operators.position
    return (
        _sum_first_axis(operators.hamiltonian, order, k, with_slope=True),
        _sum_first_axis(position, order, k, with_slope=not position.onsite),
        _sum_first_axis(operators.observables, order, k, with_slope=with_observable_slopes),
    )


def _sum_first_axis(operator: RealSpaceOperator, order: list[int], k: float, with_slope: bool) -> _Plane:
    translations = operator.translations[:, order]
    low, high = translations.min(axis=0), translations.max(axis=0)
    steps = [np.arange(low[axis], high[axis] + 1) for axis in range(3)]
    box = (len(steps[1]), len(steps[2]))
    row = (translations[:, 1] - low[1]) * box[1] + translations[:, 2] - low[2]
    table = operator.matrices.reshape(len(translations), -1)
    shape = (*box, *operator.matrices.shape[1:])

    def summed(weights: Complex) -> Complex:
        # A sparse product adds R after R into the box without a copy of the whole table.
        selection = csr_array((weights, (row, np.arange(len(row)))), shape=(box[0] * box[1], len(row)))
        return np.asarray(selection @ table).reshape(shape)

    phases = np.exp(2j * np.pi * k * translations[:, 0])
    slope = summed(phases * 1j * translations[:, 0]) if with_slope else None
    return _Plane(summed(phases), slope, steps[1], steps[2])


def _sum_second_axis(
    operators: LatticeOperators, order: list[int], planes: tuple[_Plane, ...], k: Real
) -> _Lines:
    cell = operators.cell[order]
    hamiltonian, position, observables = planes
    steps = np.arange(
        min(plane.second_steps[0] for plane in planes),
        max(plane.second_steps[-1] for plane in planes) + 1,
    )
    size, last = operators.size, 6 + operators.observable_count
    energy = np.zeros((len(k), len(steps), size, size), dtype=complex)
    stacked = np.zeros((len(k), len(steps), size, stacked_count(operators), size), dtype=complex)

    def at(plane: _Plane) -> slice:
        start = int(plane.second_steps[0] - steps[0])
        return slice(start, start + len(plane.second_steps))

    value, gradient = _value_and_gradient(hamiltonian, cell, k)
    energy[:, at(hamiltonian)] = value[:, :, 0]
    stacked[:, at(hamiltonian), :, :3] = gradient[:, :, :, 0].transpose(1, 2, 3, 0, 4)
    value, gradient = _value_and_gradient(position, cell, k)
    stacked[:, at(position), :, 3:6] = value.swapaxes(2, 3)
    if position.slope is not None:
        for c, (a, b) in enumerate(CYCLIC):
            np.subtract(gradient[a, :, :, b], gradient[b, :, :, a], out=stacked[:, at(position), :, last + c])
    value, gradient = _value_and_gradient(observables, cell, k)
    stacked[:, at(observables), :, 6:last] = value.swapaxes(2, 3)
    slopes = None
    if observables.slope is not None:
        shape = (len(k), len(steps), size, operators.observable_count, 3, size)
        slopes = np.zeros(shape, dtype=complex)
        slopes[:, at(observables)] = gradient.transpose(1, 2, 4, 3, 0, 5)
        slopes = slopes.reshape(*shape[:3], -1, size)
    return _Lines(energy, stacked, steps, slopes)


def _value_and_gradient(plane: _Plane, cell: Real, k: Real) -> tuple[Complex, Complex]:
    """Sum over the second axis, (line, R2, component, n, m), and its gradient with Cartesian axis first.

    The gradient is empty for an operator whose slope is not asked for.
    """
    phases = np.exp(2j * np.pi * np.outer(k, plane.first_steps))
    shape = (len(k), *plane.value.shape[1:])

    def summed(weights: Complex, table: Complex) -> Complex:
        return weights @ table.reshape(len(table), -1)

    value = summed(phases, plane.value)
    if plane.slope is None:
        return value.reshape(shape), np.empty((3, 0), dtype=complex)
    reduced = np.empty((3, value.size), dtype=complex)
    reduced[0] = summed(phases, plane.slope).ravel()
    reduced[1] = summed(phases * (1j * plane.first_steps), plane.value).ravel()
    along = (1j * plane.second_steps)[:, None]
    np.multiply(value.reshape(len(k), len(along), -1), along, out=reduced[2].reshape(len(k), len(along), -1))
    gradient = (cell.T @ reduced.view(float)).view(complex)
    return value.reshape(shape), gradient.reshape(3, *shape)


def _sum_last_axis(tables: _Lines, row: Integer, k: Real, operators: LatticeOperators) -> BlochOperators:
    """The points k of the lines `row`, which ascends: a product for each line with the points on it."""
    weights = np.exp(2j * np.pi * np.outer(k, tables.steps))
    edges = np.flatnonzero(np.diff(row, prepend=-1, append=-1)).tolist()
    _, steps, size, count, _ = tables.stacked.shape

    def summed(table: Complex) -> Complex:
        columns = table.reshape(len(table), steps, -1)
        found = np.empty((len(k), columns.shape[2]), dtype=complex)
        for here, there in pairwise(edges):
            np.matmul(weights[here:there], columns[row[here]], out=found[here:there])
        return found

    return BlochOperators(
        summed(tables.hamiltonian).reshape(-1, size, size),
        summed(tables.stacked).reshape(-1, size, count, size),
        operators.observable_count,
        None
        if tables.observable_slopes is None
        else summed(tables.observable_slopes).reshape(-1, size, 3 * operators.observable_count, size),
        operators.field_charge,
    )
