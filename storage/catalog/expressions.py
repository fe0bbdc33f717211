"""Expressions of screening: parsed, never evaluated as Python, over the columns of a catalog."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short

from .reading import damaged_catalog, scalar_columns

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

#: A power beyond this is no screening expression.
_HIGHEST_POWER = 10

#: Characters, parts and levels of an expression: enough for a list of hundreds of names, too few to fill the
#: memory or the stack.
_LONGEST, _MOST_PARTS, _DEEPEST = 20_000, 4_000, 60

#: Column that is made of the formula: symbols of the elements with blanks between.
ELEMENTS = "elements"

_SYMBOL = re.compile("[A-Z][a-z]?")

_EXAMPLE = "gap < 0.05 and abs(conserved_xy_z) > 100"


def elements_in(text: str) -> tuple[str, ...]:
    """Symbols of the elements of a formula, or of a list of them, each once."""
    return tuple(dict.fromkeys(_SYMBOL.findall(text)))


def column_names_of(expression: str) -> list[str]:
    """Columns that an expression names; none where it cannot be read, which whoever evaluates it says."""
    try:
        body = parsed(expression, "where")
    except InputError:
        return []
    called = {id(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
    return [n.id for n in ast.walk(body) if isinstance(n, ast.Name) and id(n) not in called]


class Columns:
    """Scalar columns of a catalog, each read once, when an expression names it."""

    def __init__(self, catalog: xr.Dataset) -> None:
        self._catalog = catalog
        self._known = scalar_columns(catalog)
        self._read: dict[str, NDArray] = {}

    def __len__(self) -> int:
        return int(self._catalog.sizes["material"])

    def material(self, row: int) -> str:
        """What the store calls a row."""
        return str(self._catalog["material"].values[row])

    def values(self, name: str, argument: str) -> NDArray:
        """Numbers, truth values, or texts as an array of objects."""
        check_column(name, self._known, argument)
        if name not in self._read:
            try:
                found = np.asarray(self._catalog[name].values)
            except Exception as problem:  # whatever Zarr raises about a damaged chunk
                raise damaged_catalog("STORE", problem) from None
            if found.dtype.kind not in "fiub":
                found = np.array([str(value) for value in found], dtype=object)
            self._read[name] = found
        return self._read[name]


def value_of(expression: str, table: Columns, argument: str) -> NDArray:
    """The value of an expression for every material, or one for all. Raises InputError, nothing else."""
    body = parsed(expression, argument)
    with np.errstate(all="ignore"):
        return _Evaluation(table, argument)(body)


def parsed(expression: str, argument: str) -> ast.expr:
    if not isinstance(expression, str):
        raise InputError(f"{argument}: expected a text such as {_EXAMPLE!r}, found {short(expression)}.")
    if len(expression) > _LONGEST:
        raise InputError(
            f"{argument}: expected at most {_LONGEST:,} characters, found {len(expression):,}; put what is "
            "to be compared into a column of the manifest."
        )
    try:
        with warnings.catch_warnings():
            # Python has opinions on 1and or "a" is 1, which are refused below or mean what they say.
            warnings.simplefilter("ignore")
            body = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        place = getattr(problem, "offset", None)
        where = f" at character {place}" if place else ""
        raise InputError(
            f"{argument}: cannot be read{where}, found {short(expression)}; expected for example "
            f"{_EXAMPLE!r}."
        ) from None
    _check_size(body, expression, argument)
    return body


def _check_size(body: ast.expr, expression: str, argument: str) -> None:
    # Level by level, not by recursion, which is what it guards.
    waiting, parts = deque([(body, 1)]), 0
    while waiting:
        node, depth = waiting.popleft()
        parts += 1
        if depth > _DEEPEST or parts > _MOST_PARTS:
            raise InputError(
                f"{argument}: expected at most {_MOST_PARTS:,} parts, {_DEEPEST} deep in each other, found "
                f"more in {short(expression)}; put what is to be compared into a column of the manifest."
            )
        waiting += [(part, depth + 1) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]


class _Evaluation:
    """Values of the nodes of one expression: arrays of numbers, of texts (objects), or of truth values."""

    def __init__(self, table: Columns, argument: str) -> None:
        self._table = table
        self._argument = argument

    def __call__(self, node: ast.expr) -> NDArray:
        match node:
            case ast.Constant(value=bool() as value):
                return np.asarray(value)
            case ast.Constant(value=(int() | float()) as value):
                return self._constant(value)
            case ast.Constant(value=str() as value):
                return np.asarray(value, dtype=object)
            case ast.Name(id=name):
                return self._table.values(name, self._argument)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                if isinstance(op, ast.Pow):
                    self._check_power(right)
                return np.asarray(_BINARY[type(op)](self._number(left), self._number(right)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return np.asarray(-self._number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.asarray(~self._truth(operand))
            case ast.BoolOp(op=op, values=values):
                combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
                found = self._truth(values[0])
                for part in values[1:]:
                    found = np.asarray(combine(found, self._truth(part)))
                return found
            case ast.Compare(left=left, ops=ops, comparators=others) if {*map(type, ops)} <= set(
                _COMPARISONS
            ):
                return self._compared([left, *others], ops)
            case ast.Compare(left=part, ops=[ast.In() | ast.NotIn() as op], comparators=[whole]):
                found = self._contained(part, whole)
                return found if isinstance(op, ast.In) else np.asarray(~found)
            case ast.Call(func=ast.Name(id="has"), args=[ast.Constant(value=str()) as symbol], keywords=[]):
                return self._contained(symbol, ast.Name(ELEMENTS))
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return np.asarray(_FUNCTIONS[name](self._number(inner)))
        raise InputError(
            f"{self._argument}: {_source(node)} is not allowed, expected numbers, texts, columns, + - * / "
            "**, comparisons, in, and, or, not, abs, sqrt, log, has."
        )

    def _contained(self, part: ast.expr, whole: ast.expr) -> NDArray:
        """One of several values, an element among those of a material, or a text within a text."""
        if isinstance(whole, ast.Tuple | ast.List | ast.Set):
            found = np.asarray(False)
            for one in whole.elts:
                found = np.asarray(np.logical_or(found, self._compared([part, one], [ast.Eq()])))
            return found
        wanted, texts = self._text(part), self._text(whole)
        if isinstance(whole, ast.Name) and whole.id == ELEMENTS:
            if not isinstance(part, ast.Constant) or not _SYMBOL.fullmatch(str(part.value)):
                raise InputError(
                    f"{self._argument}: expected the symbol of an element such as 'Pt', found "
                    f"{_source(part)}; a part of a text is looked for by 'Se2' in formula."
                )
            return np.array([part.value in elements_in(text) for text in texts], dtype=bool)
        return np.array([a in b for a, b in np.broadcast(wanted, texts)], dtype=bool).reshape(
            np.broadcast_shapes(wanted.shape, texts.shape)
        )

    def _text(self, node: ast.expr) -> NDArray:
        value = self(node)
        if value.dtype != object:
            raise InputError(
                f"{self._argument}: {_source(node)} is a number, expected a text on either side of `in`, for "
                "example 'Se2' in formula, or a list after it, for example dimension in (2, 3)."
            )
        return value

    def _constant(self, value: float) -> NDArray:
        # NumPy's numbers: dividing by zero gives infinity, and whole numbers cannot grow without bound.
        try:
            number = np.asarray(float(value))
        except OverflowError:
            number = np.asarray(np.inf)
        if not np.isfinite(number):
            raise InputError(
                f"{self._argument}: expected numbers of at most {np.finfo(float).max:.2g}, found "
                f"{short(value)}."
            )
        return number

    def _number(self, node: ast.expr) -> NDArray:
        return self._as_number(node, self(node))

    def _as_number(self, node: ast.expr, value: NDArray) -> NDArray:
        if value.dtype == object:
            raise InputError(
                f"{self._argument}: {_source(node)} is a text{self._why_text(node)}, expected a number "
                "there; numbers and texts do not go together, texts are only compared, for example "
                "formula == 'MoS2'."
            )
        return value.astype(float)

    def _why_text(self, node: ast.expr) -> str:
        """The cell that makes texts of a column of numbers."""
        cells = self(node).tolist() if isinstance(node, ast.Name) else []
        numbers = [bool(cell) and _is_number(cell) for cell in cells]
        if not any(numbers):
            return ""
        row = next(
            n for n, (cell, number) in enumerate(zip(cells, numbers, strict=True)) if cell and not number
        )
        return f" ({short(cells[row])} of {self._table.material(row)} is no number)"

    def _truth(self, node: ast.expr) -> NDArray:
        value = self(node)
        # A number, as of a column with 0 and 1, holds where it is known and not 0.
        return value if value.dtype == bool else np.nan_to_num(self._as_number(node, value)) != 0

    def _check_power(self, node: ast.expr) -> None:
        operand = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
        known = isinstance(operand, ast.Constant) and isinstance(operand.value, int | float)
        if not known or operand.value > _HIGHEST_POWER:  # type: ignore[attr-defined]
            raise InputError(
                f"{self._argument}: expected a power of at most {_HIGHEST_POWER}, a number, found "
                f"{_source(node)}."
            )

    def _compared(self, nodes: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> NDArray:
        # Each once: a part that is evaluated twice at each level is evaluated without end.
        sides = [self(node) for node in nodes]
        texts = sides[0].dtype == object
        for i, (node, side) in enumerate(zip(nodes, sides, strict=True)):
            if not texts:
                sides[i] = self._as_number(node, side)
            elif side.dtype != object:
                raise InputError(
                    f"{self._argument}: {_source(node)} is a number, expected a text, as "
                    f"{_source(nodes[0])} is one{self._why_text(nodes[0])}; numbers and texts do "
                    "not go together, for example formula == 'MoS2' and gap < 0.05."
                )
        found = np.asarray(True)
        for first, op, second in zip(sides, ops, sides[1:], strict=False):
            found = np.asarray(np.logical_and(found, _COMPARISONS[type(op)](first, second).astype(bool)))
        return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _source(node: ast.expr) -> str:
    try:
        return short(ast.unparse(node))
    except (ValueError, RecursionError):
        # Python does not write numbers of thousands of digits.
        return "a part"


def check_column(name: str, known: Sequence[str], argument: str) -> None:
    if name not in known:
        near = get_close_matches(str(name), known, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        raise InputError(f"{argument}: {short(name)} is not a column of the catalog; {hint}")
