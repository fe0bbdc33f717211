"""Pieces of a catalog: what some materials add to it, read and written by whatever computes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.encoding import encoded
from ..files.whole import make_folder
from ..observables import Facts
from ..place import Place
from ..results import RELATIVE_ENERGY, CatalogRow, read_rows
from ..results.column_names import unused
from ..results.packed_columns import together
from .reading import renamed

#: Materials in a chunk of a tensor, and rows that are held in memory at a time.
CHUNK = 64

#: Shape of what one material has of a tensor, of one observable.
COMPONENTS = (3, 3, len(RELATIVE_ENERGY))


@dataclass(frozen=True)
class Asked:
    """One chunk of the tensors of a catalog.

    folder : of the catalog; materials : at most as many as fit
    """

    store: Place
    folder: Path
    number: int
    materials: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """What is left of some rows when their tensors are on the disk.

    columns : scalars by name, see `columns_of`; headings : what the user called a column -> its name here
    observables : facts by name, in the order in which they were written
    tensors : variables that there are -> whether by observable; damaged : sentence for each that has no row
    """

    materials: tuple[str, ...]
    columns: Mapping[str, NDArray]
    headings: Mapping[str, str]
    observables: Mapping[str, Facts]
    tensors: Mapping[str, bool]
    damaged: Mapping[str, str]


def asked(store: Place, folder: Path, materials: Sequence[str], first: int = 0) -> list[Asked]:
    """The chunks of some materials, numbered from `first`."""
    pieces = (tuple(materials[at : at + CHUNK]) for at in range(0, len(materials), CHUNK))
    return [Asked(store, folder, number, names) for number, names in enumerate(pieces, first)]


def write_piece(piece: Asked) -> Piece:
    """Read the rows of some materials and write their tensors, a file for each variable and observable.

    Raises OSError.
    """
    found = dict(zip(piece.materials, read_rows(piece.store, piece.materials), strict=True))
    headings: dict[str, str] = {}
    rows = [with_names(row, headings) for row in found.values() if not isinstance(row, str)]
    every = {id(row.observables): row.observables for row in rows}
    observables = {name: fact for known in every.values() for name, fact in known.facts.items()}
    tensors = {v: t.ndim == 4 for row in rows for v, t in row.tensors.items()}
    for variable, by_observable in tensors.items():
        array = piece.folder / variable
        if not by_observable:
            _write(array / "c" / str(piece.number), {n: r.tensors.get(variable) for n, r in enumerate(rows)})
            continue
        for number, name in enumerate(observables):
            having = {
                n: r for n, r in enumerate(rows) if variable in r.tensors and name in r.observables.names
            }
            values = {n: r.tensors[variable][r.observables.names.index(name)] for n, r in having.items()}
            _write(array / "c" / str(piece.number) / str(number), values)
    return Piece(
        tuple(row.material for row in rows),
        columns_of([row.columns for row in rows]),
        headings,
        observables,
        tensors,
        {name: row for name, row in found.items() if isinstance(row, str)},
    )


def columns_of(rows: Sequence[Mapping[str, float | str]]) -> dict[str, NDArray]:
    """Column by column what rows say: numbers, or objects where one is something else; None where one says
    nothing.
    """
    packed = together(rows)
    if packed is not None:
        return {name: v if isinstance(v, np.ndarray) else _column(v) for name, v in packed.items()}
    names = list(dict.fromkeys(name for row in rows for name in row))
    if all(list(row) == names for row in rows):
        columns: Iterable[Sequence[Any]] = zip(*(row.values() for row in rows), strict=True)
    else:
        columns = ([row.get(name) for row in rows] for name in names)
    return {name: _column(values) for name, values in zip(names, columns, strict=True)}


def _column(values: Sequence[Any]) -> NDArray:
    if set(map(type, values)) == {float}:
        return np.array(values)
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    found = np.empty(len(plain), dtype=object)
    found[:] = plain
    return found


def with_names(row: CatalogRow, headings: MutableMapping[str, str]) -> CatalogRow:
    """The row with columns of the user named as others are: one heading, one column, also where the headings
    of two manifests would come out the same.

    headings : what the user called a column -> its name; gets those that are new
    """
    for name, heading in row.headings.items():
        if heading not in headings:
            headings[heading] = unused(name, set(headings.values()))
    return renamed(row, headings)


def _write(place: Path, values: Mapping[int, np.ndarray | None]) -> None:
    """A chunk of what some materials have, by their numbers in it; NaN for the others."""
    block = np.full((CHUNK, *COMPONENTS), np.nan)
    for number, components in values.items():
        if components is not None:
            block[number] = components
    target = place.joinpath(*"000")
    make_folder(target.parent)
    # Who is taken for dead may write the same again: the file is whole at any moment.
    partial = target.with_name(f"{uuid.uuid4().hex}.new")
    partial.write_bytes(encoded(block))
    partial.replace(target)
