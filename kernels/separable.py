"""Fourier interpolation on a regular mesh as partial sums over one lattice axis after the other.

A mesh is a tensor product, so sum_R e^{ik.R} X(R) factorizes: the sum over R along the first axis is
done once per plane of the mesh, the second once per line, and only the last, a matrix product with the
few R of one line, for every k point. Derivatives i R_a X are formed on the way, at no further R sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

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
from .mesh import KMesh, LineSpan


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


def mesh_blocks(
    operators: LatticeOperators, mesh: KMesh, span: LineSpan, block_size: int
) -> Iterator[tuple[Real, BlochOperators]]:
    """Yield (kpoints, Bloch operators) along the lines of a span, about `block_size` k points at a time.

    A block is several whole lines of one plane or a piece of one line, cut at places that depend on the
    mesh alone. The values of a k point are the same bits whatever the span.
    """
    length = mesh.line_length
    pieces = -(-length // block_size)
    edges = np.linspace(0, length, pieces + 1).astype(int)
    lines = np.arange(span.start, span.stop)
    first, second = mesh.line_coordinates(lines)
    order = list(mesh.axis_order)
    counts = [mesh.shape[axis] for axis in order]
    for plane_index in np.unique(first):
        planes = _planes(operators, order, plane_index / counts[0])
        members = second[first == plane_index]
        group = max(1, block_size // length)
        for start in range(0, len(members), group):
            chosen = members[start : start + group]
            tables = _sum_second_axis(operators, order, planes, chosen / counts[1])
            origin = int(plane_index * counts[1] + chosen[0])
            points = mesh.points(LineSpan(origin, origin + len(chosen)))
            points = points.reshape(len(chosen), length, 3)
            for begin, end in itertools.pairwise(edges):
                along = np.arange(begin, end) / counts[2]
                yield (
                    points[:, begin:end].reshape(-1, 3),
                    _sum_last_axis(tables, along, operators.observable_count),
                )


def _planes(operators: LatticeOperators, order: list[int], k: float) -> tuple[_Plane, ...]:
    position = operators.position
    return (
        _sum_first_axis(operators.hamiltonian, order, k, with_slope=True),
        _sum_first_axis(position, order, k, with_slope=not position.onsite),
        _sum_first_axis(operators.observables, order, k, with_slope=False),
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
    size = operators.size
    stacked = np.zeros((len(k), len(steps), size, stacked_count(operators), size), dtype=complex)

    def at(plane: _Plane) -> slice:
        start = int(plane.second_steps[0] - steps[0])
        return slice(start, start + len(plane.second_steps))

    value = _over_second_axis(hamiltonian, hamiltonian.value, k)
    for i, slope in enumerate(_reduced_slopes(hamiltonian, value, k)):
        for a in range(3):
            if cell[i, a] != 0:
                stacked[:, at(hamiltonian), :, a] += cell[i, a] * slope[:, :, 0]
    energy = np.zeros((len(k), len(steps), size, size), dtype=complex)
    energy[:, at(hamiltonian)] = value[:, :, 0]

    value = _over_second_axis(position, position.value, k)
    stacked[:, at(position), :, 3:6] = np.swapaxes(value, 2, 3)
    if position.slope is not None:
        curl = stacked[:, at(position), :, 6 + operators.observable_count :]
        for i, slope in enumerate(_reduced_slopes(position, value, k)):
            for c, (a, b) in enumerate(CYCLIC):
                curl[:, :, :, c] += cell[i, a] * slope[:, :, b] - cell[i, b] * slope[:, :, a]

    value = _over_second_axis(observables, observables.value, k)
    last = 6 + operators.observable_count
    stacked[:, at(observables), :, 6:last] = np.swapaxes(value, 2, 3)
    return _Lines(energy, stacked, steps)


def _over_second_axis(plane: _Plane, table: Complex, k: Real, slope: bool = False) -> Complex:
    weights = np.exp(2j * np.pi * np.outer(k, plane.first_steps))
    if slope:
        weights = weights * (1j * plane.first_steps)
    return (weights @ table.reshape(len(table), -1)).reshape(len(k), *table.shape[1:])


def _reduced_slopes(plane: _Plane, value: Complex, k: Real) -> Iterator[Complex]:
    """Sums with weights i R0, i R1 and i R2 in turn."""
    assert plane.slope is not None
    yield _over_second_axis(plane, plane.slope, k)
    yield _over_second_axis(plane, plane.value, k, slope=True)
    yield value * (1j * plane.second_steps)[:, None, None, None]


def _sum_last_axis(tables: _Lines, k: Real, observable_count: int) -> BlochOperators:
    weights = np.exp(2j * np.pi * np.outer(k, tables.steps))
    lines, steps, size, count, _ = tables.stacked.shape

    def summed(table: Complex) -> Complex:
        return np.matmul(weights, table.reshape(lines, steps, -1))

    return BlochOperators(
        summed(tables.hamiltonian).reshape(-1, size, size),
        summed(tables.stacked).reshape(-1, size, count, size),
        observable_count,
    )
