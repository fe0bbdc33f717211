"""Screening: filter, sort and cut the catalog by expressions that are parsed, never evaluated as Python."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short, whole_number

from ..attributes import mapping_of, portable
from ..place import StoreLike
from ..results import QUALITIES, column_units, hall_units
from .reading import damaged_catalog, lazy_catalog, scalar_columns
from .superseded import rows_of_campaign, superseded

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
_SHOWN = (
    "name",
    "formula",
    "gap",
    "conventional_xy_z",
    "conventional_xy_z_error",
    "conserved_xy_z",
    "conserved_xy_z_error",
    "proper_xy_z",
    "proper_xy_z_error",
    "conserved_xy_z_max",
    "quality",
)

#: Column that is made of the dimension.
_UNIT = "conductivity_unit"

#: What is behind the name of a column in that of its error.
_ERROR = "_error"

#: A power beyond this is no screening expression.
_HIGHEST_POWER = 10

#: Characters, parts and levels of an expression: enough for a list of hundreds of names, too few to fill the
#: memory or the stack.
_LONGEST, _MOST_PARTS, _DEEPEST = 20_000, 4_000, 60

#: Column that is made of the formula: symbols of the elements with blanks between.
_ELEMENTS = "elements"

_SYMBOL = re.compile("[A-Z][a-z]?")

_EXAMPLE = "gap < 0.05 and abs(conserved_xy_z) > 100"


def screen(
    store: StoreLike,
    where: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    columns: Sequence[str] | None = None,
    quality: Sequence[str] | None = None,
    campaign: str | None = None,
    latest: bool = False,
    mixed: bool = False,
) -> pd.DataFrame:
    """Materials of a store's catalog as a table, one row each.

    where : for example "gap < 0.05 and abs(conserved_xy_z) > 100"; numbers, texts in quotes, columns,
        + - * / **, comparisons, and, or, not, abs, sqrt, log; has("Pt") or "Pt" in elements for what has that
        element, "Se2" in formula for a part of a text, name in ("WSe2", "MoS2") for one of several
    sort : an expression, the largest first; "-" before it for the smallest first; top : rows to keep
    mixed : rank crystals, layers and chains together also where `sort` has different units for them; by
        default each is ranked by itself, crystals first, and `top` rows of each are kept
    quality : which to keep of "converged", "unconverged" and "unknown"; the attribute `left_out` of the table
        says how many rows of each other one pass `where`
    columns : names, ["all"] for all; None: some, and those that `where` and `sort` name
    campaign : id of a campaign, or its beginning: only what it computed
    latest : leave out what a newer result of the same material supersedes; the attribute `superseded` of the
        table says how many such rows pass `where`
    Raises InputError for an expression that cannot be understood or an unknown column.

    >>> from tempfile import TemporaryDirectory
    >>> from spinscreen.materials import find_materials
    >>> from spinscreen.storage import screen
    >>> from spinscreen.workflows import Campaign, run_campaign
    >>> campaign = Campaign(find_materials("library")[:2], kmesh=4, scan_points=3)
    >>> with TemporaryDirectory() as folder:
    ...     _ = run_campaign(campaign, f"{folder}/results.zarr")
    ...     table = screen(f"{folder}/results.zarr", sort="abs(conserved_xy_z)", top=1)
    >>> len(table), "gap" in table
    (1, True)
    """
    catalog = with_made_columns(lazy_catalog(store), (where, sort, *_listed(columns)), str(store))
    known = scalar_columns(catalog)
    if isinstance(columns, str):
        raise InputError(f"columns: expected a list of names, found the text {short(columns)}.")
    if columns is None:
        named = [name for text in (where, sort) if text is not None for name in _names(text)]
        chosen = [c for c in dict.fromkeys((*_SHOWN, *named)) if c in known]
    else:
        # Each once, in the order given.
        chosen = list(known) if list(columns) == ["all"] else list(dict.fromkeys(columns))
    for column in chosen:
        _check_column(column, known, "columns")
    found = select(catalog, where, sort, top, quality, campaign, latest, mixed)
    table = found[chosen].to_dataframe()[chosen]
    table.attrs["left_out"] = mapping_of(found.attrs.get("left_out"))
    table.attrs["superseded"] = found.attrs.get("superseded", 0)
    return table


def errors_of(store: StoreLike, columns: Sequence[str]) -> list[str]:
    """Those columns of a store's catalog that are the errors of some of its columns."""
    known = set(scalar_columns(lazy_catalog(store)))
    return [column + _ERROR for column in columns if column + _ERROR in known]


def select(
    catalog: xr.Dataset,
    where: str | None,
    sort: str | None,
    top: int | None,
    quality: Sequence[str] | None = None,
    campaign: str | None = None,
    latest: bool = False,
    mixed: bool = False,
) -> xr.Dataset:
    """Materials of a catalog that pass, in order; only the columns of the expressions are read.

    Where qualities are asked for, the attribute `left_out` (JSON) counts the rows that were left out by
    quality.
    """
    catalog = with_made_columns(catalog, (where, sort))
    count = whole_number(top)
    if top is not None and (count is None or count < 1):
        raise InputError(f"top: expected a number of rows of at least 1, found {short(top)}.")
    columns = _Columns(catalog)
    rows = np.arange(len(columns)) if campaign is None else rows_of_campaign(catalog, campaign)
    if where is not None:
        keep = _value(where, columns, "where")
        if keep.dtype != bool:
            raise InputError(f"where: expected a condition such as 'gap < 0.05', found {short(where)}.")
        keep = np.broadcast_to(keep, len(columns))
    else:
        keep = np.ones(len(columns), dtype=bool)
    # Before the condition: an old number must not pass where the new one does not.
    old = superseded(catalog, rows) if latest else rows[:0]
    superseded_count = int(keep[old].sum())
    rows = rows[keep[rows] & ~np.isin(rows, old)]
    left_out: dict[str, int] = {}
    if quality is not None:
        found = columns.values("quality", "quality")[rows]
        good = np.isin(found, _checked_qualities(quality))
        left_out = {name: int((found[~good] == name).sum()) for name in QUALITIES if name in found[~good]}
        rows = rows[good]
    groups = [rows]
    if sort is not None:
        values = pd.Series(np.broadcast_to(_value(sort, columns, "sort"), len(columns)))
        if not mixed and _depends_on_dimension(sort):
            groups = _by_dimension(rows, columns)
        groups = [
            values.iloc[group].sort_values(ascending=False, kind="stable").index.to_numpy()
            for group in groups
        ]
    selected = catalog.isel(material=np.concatenate([group[:count] for group in groups]))
    if latest:
        selected = selected.assign_attrs(superseded=superseded_count)
    return selected if quality is None else selected.assign_attrs(left_out=portable(left_out))


def _listed(columns: Sequence[str] | None) -> Sequence[str]:
    """Columns that are asked for; all of them has those that are made."""
    if columns is None or isinstance(columns, str):
        return ()
    return (_ELEMENTS, _UNIT) if list(columns) == ["all"] else columns


def with_made_columns(catalog: xr.Dataset, named: Iterable[str | None], store: str = "STORE") -> xr.Dataset:
    """The catalog with columns that are made of others, unless it has them: `elements` of the formula,
    `conductivity_unit` of the dimension, which is that of spin Hall conductivities.

    named : expressions and columns; what none of them names is not made
    Raises InputError where the catalog is damaged.
    """
    made, said = {}, " ".join(str(text) for text in named if text is not None)
    try:
        if (_ELEMENTS in said or "has" in said) and _ELEMENTS not in catalog and "formula" in catalog:
            made[_ELEMENTS] = [" ".join(_elements_in(str(formula))) for formula in catalog["formula"].values]
        if _UNIT in said and _UNIT not in catalog and "dimension" in catalog:
            units = hall_units("hbar")
            made[_UNIT] = [units.get(dimension, "") for dimension in catalog["dimension"].values.tolist()]
    except Exception as problem:  # whatever Zarr raises about a damaged chunk
        raise damaged_catalog(store, problem) from None
    columns = {name: ("material", np.array(texts, dtype=object)) for name, texts in made.items()}
    return catalog.assign_coords(columns)


def _elements_in(text: str) -> tuple[str, ...]:
    """Symbols of the elements of a formula, or of a list of them, each once."""
    return tuple(dict.fromkeys(_SYMBOL.findall(text)))


def _depends_on_dimension(expression: str) -> bool:
    """Whether an expression has columns whose unit is another for crystals, layers and chains."""
    names = {node.id for node in ast.walk(_parsed(expression, "sort")) if isinstance(node, ast.Name)}
    return any(", " in (column_units(name) or "") for name in names)


def _by_dimension(rows: NDArray, columns: _Columns) -> list[NDArray]:
    """Rows of each dimension, the highest first."""
    dimensions = columns.values("dimension", "sort")[rows]
    return [rows[dimensions == d] for d in sorted(set(dimensions.tolist()), reverse=True)] or [rows]


def _names(expression: str) -> list[str]:
    """Columns that an expression names; none where it cannot be read, which whoever evaluates it says."""
    try:
        body = _parsed(expression, "where")
    except InputError:
        return []
    called = {id(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
    return [n.id for n in ast.walk(body) if isinstance(n, ast.Name) and id(n) not in called]


def _checked_qualities(quality: Sequence[str]) -> list[str]:
    wanted = [quality] if isinstance(quality, str) else list(quality)
    for name in wanted:
        if name not in QUALITIES:
            raise InputError(f"quality: expected some of {', '.join(QUALITIES)}, found {short(name)}.")
    return wanted


class _Columns:
    """Scalar columns of a catalog, each read once, when an expression names it."""

    def __init__(self, catalog: xr.Dataset) -> None:
        self._catalog = catalog
        self._known = scalar_columns(catalog)
        self._read: dict[str, NDArray] = {}

    def __len__(self) -> int:
        return int(self._catalog.sizes["material"])

    def values(self, name: str, argument: str) -> NDArray:
        """Numbers, truth values, or texts as an array of objects."""
        _check_column(name, self._known, argument)
        if name not in self._read:
            try:
                found = np.asarray(self._catalog[name].values)
            except Exception as problem:  # whatever Zarr raises about a damaged chunk
                raise damaged_catalog("STORE", problem) from None
            if found.dtype.kind not in "fiub":
                found = np.array([str(value) for value in found], dtype=object)
            self._read[name] = found
        return self._read[name]


def _value(expression: str, table: _Columns, argument: str) -> NDArray:
    """The value of an expression for every material, or one for all. Raises InputError, nothing else."""
    body = _parsed(expression, argument)
    with np.errstate(all="ignore"):
        return _Evaluation(table, argument)(body)


def _parsed(expression: str, argument: str) -> ast.expr:
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

    def __init__(self, table: _Columns, argument: str) -> None:
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
                return self._contained(symbol, ast.Name(_ELEMENTS))
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
        if isinstance(whole, ast.Name) and whole.id == _ELEMENTS:
            if not isinstance(part, ast.Constant) or not _SYMBOL.fullmatch(str(part.value)):
                raise InputError(
                    f"{self._argument}: expected the symbol of an element such as 'Pt', found "
                    f"{_source(part)}; a part of a text is looked for by 'Se2' in formula."
                )
            return np.array([part.value in _elements_in(text) for text in texts], dtype=bool)
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
                f"{self._argument}: {_source(node)} is a text, expected a number there; numbers and texts do "
                "not go together, texts are only compared, for example formula == 'MoS2'."
            )
        return value.astype(float)

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
                    f"{self._argument}: {_source(node)} is a number, expected a text; numbers and texts do "
                    "not go together, for example formula == 'MoS2' and gap < 0.05."
                )
        found = np.asarray(True)
        for first, op, second in zip(sides, ops, sides[1:], strict=False):
            found = np.asarray(np.logical_and(found, _COMPARISONS[type(op)](first, second).astype(bool)))
        return found


def _source(node: ast.expr) -> str:
    try:
        return short(ast.unparse(node))
    except (ValueError, RecursionError):
        # Python does not write numbers of thousands of digits.
        return "a part"


def _check_column(name: str, known: Sequence[str], argument: str) -> None:
    if name not in known:
        near = get_close_matches(str(name), known, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        raise InputError(f"{argument}: {short(name)} is not a column of the catalog; {hint}")
