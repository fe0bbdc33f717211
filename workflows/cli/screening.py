"""`spinscreen screen`: the table of materials as a terminal, a pipe or a file takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.measure import Measurement
from rich.table import Table

from spinscreen.kernels import InputError
from spinscreen.storage import TABLES, ShownUnit, errors_of, screen, shown_units

from ..text import names_of_text
from .numbers import counted, with_error
from .terminal import one_line, out

if TYPE_CHECKING:
    import pandas as pd

#: Column that says in which units a row is.
_DIMENSION = "dimension"

#: What materials are called by it; 0 where that is not known.
_NOUNS: Mapping[int, str] = {3: "crystal", 2: "layer", 1: "chain", 0: "other material"}

#: What is behind the name of a column in that of its largest value in the scan.
_PEAK = "_max"

#: Materials side by side where there are more columns than a terminal is wide.
_MOST_BESIDE = 8


def screen_store(
    store: Annotated[str, typer.Argument(help="Zarr store, or the address of a copy: s3://bucket/x.zarr.")],
    where: Annotated[
        str | None, typer.Option(help="For example 'gap < 0.05 and abs(conserved_xy_z) > 100'.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Expression, the largest first: 'abs(conserved_xy_z_max)'.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Rows to keep.")] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to show, with commas between; 'all'.")] = None,
    quality: Annotated[
        str | None,
        typer.Option(help="Rows to keep, with commas between: converged, unconverged, unknown."),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            help="Only what this campaign computed: its id in `spinscreen status`, or its beginning."
        ),
    ] = None,
    latest: Annotated[
        bool,
        typer.Option("--latest/--all", help="Of each material its newest result alone, or all of them."),
    ] = True,
    mixed: Annotated[
        bool, typer.Option(help="Rank crystals, layers and chains together, whose units differ.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the table as JSON records.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the table as Parquet (needs pyarrow).")] = None,
) -> None:
    """Filter and sort the materials of a store."""
    files = {"--csv": csv, "--json": json, "--parquet": parquet}
    for option, path in files.items():
        if path is not None:
            TABLES[option].check(path)
    kept = None if quality is None else names_of_text(quality)
    asked = None if columns is None else names_of_text(columns)
    found = screen(store, where, sort, top, asked, kept, campaign, latest, mixed)
    for option, path in files.items():
        if path is not None:
            TABLES[option].write(found, path)
    errors = errors_of(store, list(found.columns))
    try:
        beside = screen(store, where, sort, top, [*errors, _DIMENSION], kept, campaign, latest, mixed)
    except InputError:
        # Results of the first versions do not say how many dimensions they have.
        beside = screen(store, where, sort, top, errors, kept, campaign, latest, mixed)
    shown = _Shown(found, beside, shown_units(store, list(found.columns)), asked == ["all"])
    for part in [shown] if mixed else shown.kinds():
        for table in part.tables():
            out.print(table)
    _tell(found, shown)


def _tell(found: pd.DataFrame, shown: _Shown) -> None:
    """What is not in the table, and what its numbers are."""
    if count := found.attrs["superseded"]:
        out.say(f"{count} left out, superseded by a newer result of the same material; --all shows them")
    if (rankings := found.attrs["ranked_apart"]) > 1:
        out.say(f"{rankings} rankings, as crystals and layers have no common unit; --mixed makes one of them")
    if left_out := found.attrs["left_out"]:
        told = ", ".join(f"{number} {name}" for name, number in left_out.items())
        total = sum(left_out.values())
        out.say(f"{total} left out for {'its' if total == 1 else 'their'} quality: {told}")
    if shown.zero:
        out.say(f"{counted(len(shown.zero), 'column')} left out, 0 for all of these; in a pipe all are shown")
    if shown.converts:
        out.say("layers are shown in e/2π; --where, --sort and written tables have (ħ/e) S, "
                f"1 e/2π = {1 / shown.converts:.6g} (ħ/e) S")  # fmt: skip


class _Shown:
    """Cells of a table: a value with its error, whether or not that was asked for, in the unit of its row.

    everything : no column was asked for by its name, so those that are 0 for all are left out on a terminal
    """

    def __init__(
        self,
        found: pd.DataFrame,
        beside: pd.DataFrame,
        units: Mapping[str, Mapping[int, ShownUnit]],
        everything: bool = False,
    ) -> None:
        merged = {f"{name}_error" for name in found.columns} & set(beside.columns)
        self.columns = [str(name) for name in found.columns if name not in merged]
        self._found, self._beside, self._units = found, beside, units
        known = beside[_DIMENSION] if _DIMENSION in beside else [0] * len(found)
        self._dimensions = [int(d) if d in (1, 2, 3) else 0 for d in known]
        self._noun = "material"
        self.zero: Sequence[str] = ()
        if everything and out.is_terminal and len(found):
            self.zero = [c for c in self.columns if self._is_zero(c)]
            self.columns = [c for c in self.columns if c not in self.zero]

    @property
    def converts(self) -> float:
        """What numbers of layers were multiplied by, 0 where there are none in the table."""
        factors = [self._unit(c, d).factor for c in self.columns for d in set(self._dimensions)]
        return next((factor for factor in factors if factor != 1), 0.0)

    def kinds(self) -> Iterator[_Shown]:
        """Crystals, layers and chains by themselves where a column has another unit for each of them."""
        dimensions = set(self._dimensions)
        if all(len({self._unit(column, d).unit for d in dimensions}) < 2 for column in self.columns):
            yield self
            return
        for dimension in sorted(dimensions, reverse=True):
            rows = [n for n, d in enumerate(self._dimensions) if d == dimension]
            part = copy(self)
            part._found, part._beside = self._found.iloc[rows], self._beside.iloc[rows]
            part._dimensions, part._noun = [dimension] * len(rows), _NOUNS[dimension]
            yield part

    def tables(self) -> Iterator[Table]:
        """One row a material where the terminal is wide enough, else materials side by side."""
        title = counted(len(self._found), self._noun)
        table = Table(title=title, title_justify="left")
        table.add_column("material", no_wrap=True)
        for column in self.columns:
            table.add_column(self._heading(column), no_wrap=True)
        for name, row in zip(self._names, self._rows(), strict=True):
            table.add_row(name, *row)
        if Measurement.get(out, out.options, table).minimum < out.width or not len(self._found):
            yield table
        else:
            yield from self._turned(title)

    def _turned(self, title: str) -> Iterator[Table]:
        rows, names = list(self._rows()), self._names
        start = 0
        while start < len(rows):
            beside = _MOST_BESIDE
            while beside > 1 and _width(self._block("", names[start:][:beside], rows[start:][:beside])) > (
                out.width
            ):
                beside -= 1
            yield self._block(title if not start else "", names[start:][:beside], rows[start:][:beside])
            start += beside

    def _block(self, title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
        table = Table(title=title or None, title_justify="left")
        table.add_column("column", overflow="fold")
        table.add_column("unit", overflow="fold")
        for name in names:
            table.add_column(name, overflow="fold")
        for n, column in enumerate(self.columns):
            table.add_row(one_line(column), self._common_unit(column), *(row[n] for row in rows))
        return table

    @property
    def _names(self) -> list[str]:
        return [one_line(name) for name in self._found.index]

    def _rows(self) -> Iterator[list[str]]:
        for n in range(len(self._found)):
            yield [self._cell(column, n) for column in self.columns]

    def _is_zero(self, column: str) -> bool:
        """Whether a component of a tensor is 0 for all materials."""
        return column in self._units and all(self._cell(column, n) == "0" for n in range(len(self._found)))

    def _cell(self, column: str, row: int) -> str:
        value = self._found[column].iloc[row]
        if not isinstance(value, float):
            return one_line(value)
        factor, unit, rounding = self._unit(column, self._dimensions[row])
        bars = self._beside.get(f"{column}_error")
        error = None if bars is None else float(bars.iloc[row]) * factor
        if abs(value * factor) <= rounding and (error is None or abs(error) <= rounding):
            told = "0"
        elif column.endswith(_PEAK) and not (error is not None and np.isfinite(error)):
            # Without an error it is not told more precisely than a calculation is by default.
            told = f"{float(f'{value * factor:.3g}'):.6g}"
        else:
            told = with_error(value * factor, error)
        return told if not unit or self._common_unit(column) else f"{told} {unit}"

    def _heading(self, column: str) -> str:
        unit = self._common_unit(column)
        return one_line(column) + (f"\n({unit})" if unit else "")

    def _unit(self, column: str, dimension: int) -> ShownUnit:
        return self._units.get(column, {}).get(dimension, ShownUnit(1.0, ""))

    def _common_unit(self, column: str) -> str:
        """The unit of all rows, "" where there is none: cells then have their own."""
        units = {self._unit(column, d).unit for d in self._dimensions}
        return units.pop() if len(units) == 1 else ""


def _width(table: Table) -> int:
    return Measurement.get(out, out.options.update(width=100_000), table).maximum
