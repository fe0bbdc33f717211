"""Bloch operators that are summed where they are used, and bands of which every lane holds one k point."""

from __future__ import annotations

import numpy as np

from ..lattice import BlochOperators, Complex, Integer, LatticeOperators, Real
from ..unlocked import cached_property
from .sums import Family, Plane, Sums, Table, families, observable_slopes, powers_of, reach, table_of_points


class SummedOperators(BlochOperators):
    """`BlochOperators` whose matrices are made when somebody asks for them: loops over lanes do without."""

    def __init__(self, sums: Sums, observable_count: int, with_curl: bool, field_charge: Real | None) -> None:
        # The fields of a frozen class, but for matrices, which are made later.
        vars(self).update(
            sums=sums, observable_count=observable_count, _with_curl=with_curl, field_charge=field_charge
        )

    sums: Sums
    _with_curl: bool

    @classmethod
    def of(cls, sums: Sums, operators: LatticeOperators) -> SummedOperators:
        return cls(sums, operators.observable_count, not operators.position.onsite, operators.field_charge)

    @property
    def size(self) -> int:
        return self.sums.size

    @cached_property
    def hamiltonian(self) -> Complex:
        return self.sums.matrices([(0, 0, 1)])[:, :, 0]

    @cached_property
    def stacked(self) -> Complex:
        parts = [(0, 1, 3), (1, 0, 3), (2, 0, self.observable_count)]
        return self.sums.matrices([*parts, (1, 3, 3)] if self._with_curl else parts)

    @cached_property
    def observable_slopes(self) -> Complex | None:
        wanted = [(3, 0, 3 * self.observable_count)]
        return self.sums.matrices(wanted) if self.has_observable_slopes else None

    @property
    def has_observable_slopes(self) -> bool:
        return len(self.sums.tables) > 3

    @property
    def has_curl(self) -> bool:
        return self._with_curl

    def electrons(self) -> SummedOperators:
        assert self.field_charge is not None
        own = self.sums.block(np.flatnonzero(self.field_charge > 0))
        return SummedOperators(own, self.observable_count, self._with_curl, None)

    def at(self, rows: Integer) -> SummedOperators:
        return SummedOperators(self.sums.at(rows), self.observable_count, self._with_curl, self.field_charge)


def operators_at(
    operators: LatticeOperators, kpoints: Real, with_observable_slopes: bool = False
) -> SummedOperators:
    """Bloch operators at any list of reduced k, (k, 3)."""
    tables = operators.once(tables_of_points)
    if with_observable_slopes:
        tables = (*tables, operators.once(_table_of_observable_slopes))
    line, powers = np.zeros(len(kpoints), dtype=np.int64), powers_of(kpoints, reach(tables))
    return SummedOperators.of(Sums.of(operators.size, tables, line, powers), operators)


def families_of(operators: LatticeOperators) -> tuple[Family, ...]:
    """`families`, made once in a process."""
    return operators.once(families)


def lane_bytes(operators: LatticeOperators) -> int:
    """Bytes that sums over R hold beside the matrices: triangles, and the tables of points or of a plane."""
    triangle = 8 * operators.size * (operators.size + 1)
    parts = (operators.hamiltonian, operators.position, operators.observables)
    counts = (4, 3 if operators.position.onsite else 6, operators.observable_count)
    points, planes = [], []
    for part, count in zip(parts, counts, strict=True):
        steps = np.sort(2 * np.abs(part.translations).max(axis=0) + 2)
        points.append(count * triangle * (len(part.translations) + 1))
        planes.append(count * triangle * int(steps[1] * steps[2]))
    # Of what is being made there are copies, of one kind of operators at a time.
    return operators.nbytes // 2 + max(sum(sizes) + max(sizes) for sizes in (points, planes))


def tables_of_points(operators: LatticeOperators) -> tuple[Table, ...]:
    """Of H with its slopes, of A and of Theta, for k anywhere."""
    return tuple(table_of_points(family) for family in families_of(operators))


def _table_of_observable_slopes(operators: LatticeOperators) -> Table:
    return table_of_points(observable_slopes(operators))


class _LastPlane:
    """The plane of a mesh that was made last: spans of a few lines of a large model lie in one."""

    def __init__(self, operators: LatticeOperators) -> None:
        self.known: tuple[object, tuple[Plane, ...]] = (None, ())


def planes(
    operators: LatticeOperators, order: list[int], k: float, with_observable_slopes: bool
) -> tuple[Plane, ...]:
    """All operators summed over the first axis at one mesh index."""
    last, key = operators.once(_LastPlane), (tuple(order), k, with_observable_slopes)
    found, made = last.known
    if found != key:
        kinds = families_of(operators)
        if with_observable_slopes:
            kinds = (*kinds, operators.once(observable_slopes))
        made = tuple(Plane.of(family, order, k) for family in kinds)
        last.known = (key, made)
    return made


def tables_of_lines(plane: tuple[Plane, ...], k: Real) -> tuple[Table, ...]:
    """Tables of the lines at these coordinates along the second axis of a plane."""
    powers = powers_of(k, max(part.steps[0] for part in plane))
    return tuple(part.lines(powers) for part in plane)


def operators_on_lines(
    operators: LatticeOperators, tables: tuple[Table, ...], row: Integer, powers: Real
) -> SummedOperators:
    """Bloch operators at points of lines.

    row : (k,) of the tables, ascending; powers : (k, m, 2), `powers_of` the coordinates along the lines
    """
    return SummedOperators.of(Sums.of(operators.size, tables, row, powers[:, None]), operators)
