"""Screening: filter, sort and cut the catalog by expressions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short, whole_number

from ..attributes import mapping_of, portable
from ..place import StoreLike
from ..results import QUALITIES, column_units, hall_units
from .expressions import ELEMENTS, Columns, check_column, column_names_of, elements_in, parsed, value_of
from .reading import damaged_catalog, lazy_catalog, scalar_columns
from .superseded import rows_of_campaign, superseded

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
        table says how many such rows pass `where`, `ranked_apart` in how many rankings the table comes
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
        named = [name for text in (where, sort) if text is not None for name in column_names_of(text)]
        chosen = [c for c in dict.fromkeys((*_SHOWN, *named)) if c in known]
    else:
        # Each once, in the order given.
        chosen = list(known) if list(columns) == ["all"] else list(dict.fromkeys(columns))
    for column in chosen:
        check_column(column, known, "columns")
    found = select(catalog, where, sort, top, quality, campaign, latest, mixed)
    table = found[chosen].to_dataframe()[chosen]
    table.attrs["left_out"] = mapping_of(found.attrs.get("left_out"))
    table.attrs["superseded"] = found.attrs.get("superseded", 0)
    table.attrs["ranked_apart"] = found.attrs.get("ranked_apart", 1)
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
    columns = Columns(catalog)
    rows = np.arange(len(columns)) if campaign is None else rows_of_campaign(catalog, campaign)
    if where is not None:
        keep = value_of(where, columns, "where")
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
        values = pd.Series(np.broadcast_to(value_of(sort, columns, "sort"), len(columns)))
        if not mixed and _depends_on_dimension(sort):
            groups = _by_dimension(rows, columns)
        groups = [
            values.iloc[group].sort_values(ascending=False, kind="stable").index.to_numpy()
            for group in groups
        ]
    selected = catalog.isel(material=np.concatenate([group[:count] for group in groups]))
    if latest:
        selected = selected.assign_attrs(superseded=superseded_count)
    if len(groups) > 1:
        selected = selected.assign_attrs(ranked_apart=len(groups))
    return selected if quality is None else selected.assign_attrs(left_out=portable(left_out))


def _listed(columns: Sequence[str] | None) -> Sequence[str]:
    """Columns that are asked for; all of them has those that are made."""
    if columns is None or isinstance(columns, str):
        return ()
    return (ELEMENTS, _UNIT) if list(columns) == ["all"] else columns


def with_made_columns(catalog: xr.Dataset, named: Iterable[str | None], store: str = "STORE") -> xr.Dataset:
    """The catalog with columns that are made of others, unless it has them: `elements` of the formula,
    `conductivity_unit` of the dimension, which is that of spin Hall conductivities.

    named : expressions and columns; what none of them names is not made
    Raises InputError where the catalog is damaged.
    """
    made, said = {}, " ".join(str(text) for text in named if text is not None)
    try:
        if (ELEMENTS in said or "has" in said) and ELEMENTS not in catalog and "formula" in catalog:
            made[ELEMENTS] = [" ".join(elements_in(str(formula))) for formula in catalog["formula"].values]
        if _UNIT in said and _UNIT not in catalog and "dimension" in catalog:
            units = hall_units("hbar")
            made[_UNIT] = [units.get(dimension, "") for dimension in catalog["dimension"].values.tolist()]
    except Exception as problem:  # whatever Zarr raises about a damaged chunk
        raise damaged_catalog(store, problem) from None
    columns = {name: ("material", np.array(texts, dtype=object)) for name, texts in made.items()}
    return catalog.assign_coords(columns)


def _depends_on_dimension(expression: str) -> bool:
    """Whether an expression has columns whose unit is another for crystals, layers and chains."""
    names = {node.id for node in ast.walk(parsed(expression, "sort")) if isinstance(node, ast.Name)}
    return any(", " in (column_units(name) or "") for name in names)


def _by_dimension(rows: NDArray, columns: Columns) -> list[NDArray]:
    """Rows of each dimension, the highest first; those of which it is not known at the end."""
    dimensions = columns.values("dimension", "sort")[rows].astype(float)
    known = np.unique(dimensions[~np.isnan(dimensions)])[::-1]
    groups = [rows[dimensions == d] for d in known] + [rows[np.isnan(dimensions)]]
    return [group for group in groups if len(group)] or [rows]


def _checked_qualities(quality: Sequence[str]) -> list[str]:
    wanted = [quality] if isinstance(quality, str) else list(quality)
    for name in wanted:
        if name not in QUALITIES:
            raise InputError(f"quality: expected some of {', '.join(QUALITIES)}, found {short(name)}.")
    return wanted
