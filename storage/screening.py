"""Screening: filter, sort and cut the catalog by expressions that are parsed, never evaluated as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .catalog import open_catalog, scalar_columns

_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"abs": np.abs, "sqrt": np.sqrt, "log": np.log}

#: Columns that are shown where none are asked for.
_SHOWN = ("name", "formula", "gap", "conventional_xy_z", "conserved_xy_z", "conserved_xy_z_max")

#: A power beyond this is no screening expression but a way to fill the memory.
_HIGHEST_POWER = 10


def screen(
    store: str | Path,
    where: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Materials of a store's catalog as a table, one row each.

    where : for example "gap < 0.05 and abs(conserved_xy_z) > 100"; numbers, texts in quotes, columns,
        + - * / **, comparisons, and, or, not, abs, sqrt, log
    sort : an expression, the largest first; "-" before it for the smallest first; top : rows to keep
    Raises InputError for an expression that cannot be understood or an unknown column.
    """
    catalog = open_catalog(store)
    known = scalar_columns(catalog)
    if columns is None:
        chosen = [c for c in _SHOWN if c in known]
    else:
        chosen = list(known) if list(columns) == ["all"] else list(columns)
    for column in chosen:
        _check_column(column, known, "columns")
    return select(catalog, where, sort, top)[chosen].to_dataframe()[chosen]


def select(catalog: xr.Dataset, where: str | None, sort: str | None, top: int | None) -> xr.Dataset:
    """Materials of a catalog that pass, in order; only the columns of the expressions are read."""
    columns = _Columns(catalog)
    rows = np.arange(catalog.sizes["material"])
    if where is not None:
        keep = np.asarray(_value(where, columns, "where"))
        if keep.dtype != bool:
            raise InputError(f"where: expected a condition such as 'gap < 0.05', found {where!r}.")
        rows = rows[np.broadcast_to(keep, len(rows))]
    if sort is not None:
        values = pd.Series(np.broadcast_to(_value(sort, columns, "sort"), catalog.sizes["material"]))
        rows = values.iloc[rows].sort_values(ascending=False, kind="stable").index.to_numpy()
    return catalog.isel(material=rows[:top])


class _Columns:
    """Scalar columns of a catalog, read when an expression names them."""

    def __init__(self, catalog: xr.Dataset) -> None:
        self._catalog = catalog
        self._known = scalar_columns(catalog)

    def __len__(self) -> int:
        return int(self._catalog.sizes["material"])

    def values(self, name: str, argument: str) -> NDArray:
        _check_column(name, self._known, argument)
        return np.asarray(self._catalog[name].values)


def _value(expression: str, table: _Columns, argument: str) -> Any:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as problem:
        raise InputError(
            f"{argument}: cannot be read at character {problem.offset}, found {expression!r}; expected for "
            "example 'gap < 0.05 and abs(conserved_xy_z) > 100'."
        ) from None
    try:
        with np.errstate(all="ignore"):
            return _node(tree.body, table, argument)
    except (TypeError, OverflowError) as problem:
        raise InputError(
            f"{argument}: numbers and texts do not go together in {expression!r} ({problem}); expected for "
            "example 'formula == \"MoS2\" and gap < 0.05'."
        ) from None


def _node(node: ast.expr, table: _Columns, argument: str) -> Any:
    def inner(part: ast.expr) -> Any:
        return _node(part, table, argument)

    match node:
        case ast.Constant(value=(bool() | int() | float() | str()) as value):
            return value
        case ast.Name(id=name):
            return table.values(name, argument)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            if isinstance(op, ast.Pow) and not _is_small(right):
                raise InputError(f"{argument}: expected a power of at most {_HIGHEST_POWER}.")
            return _BINARY[type(op)](inner(left), inner(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -inner(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(inner(operand))
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([np.broadcast_to(inner(v), len(table)) for v in values])
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(o) in _COMPARISONS for o in ops):
            sides = [inner(part) for part in (left, *others)]
            pairs = zip(sides, ops, sides[1:], strict=False)
            found = [np.broadcast_to(_COMPARISONS[type(o)](a, b), len(table)) for a, o, b in pairs]
            return np.logical_and.reduce(found)
        case ast.Call(func=ast.Name(id=name), args=[argument_node], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](inner(argument_node))
    raise InputError(
        f"{argument}: {ast.unparse(node)!r} is not allowed, expected numbers, texts, columns, + - * / **, "
        "comparisons, and, or, not, abs, sqrt, log."
    )


def _is_small(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and abs(node.value) <= _HIGHEST_POWER
    )


def _check_column(name: str, known: Sequence[str], argument: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        raise InputError(f"{argument}: {name!r} is not a column of the catalog; {hint}")
