"""The page of a store in one file, to be opened without a network, mailed and archived."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError

from ..catalog import select
from ..place import Place, StoreLike
from ..targets import check_file, written_whole
from .columns import column_values, told_columns
from .document import page_html
from .material import MaterialPage, material_page
from .packing import json_bytes, packed_column
from .summary import name_of, summary, with_elements
from .table import ResultTable

#: Bytes of a file for a thousand materials; for more, as much more.
_MOST = 15_000_000

#: Bytes of base64 for three.
_BASE64 = 4 / 3


class Report(NamedTuple):
    """path : of the file; materials : results in it; size : bytes; left_out : curves of small components that
    had no room; damaged : sentences of what could not be read
    """

    path: Path
    materials: int
    size: int
    left_out: int
    damaged: tuple[str, ...]


def write_report(
    store: StoreLike,
    path: str | Path,
    where: str | None = None,
    quality: Sequence[str] | None = None,
    campaign: str | None = None,
    latest: bool = True,
    tracked: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Report:
    """Write the page of a store: one file of HTML with everything in it, at most 15 MB for 1,000 materials.

    where, quality, campaign, latest : which results, as of `screen`; all materials by default, the newest
        result of each
    tracked : goes through the ids, for a bar of progress
    Curves are kept to 11 bits, values at the Fermi level and columns of the table as they are stored. Raises
    InputError where there is no store, for a condition that cannot be understood, and where the file cannot
    be written. Nothing is written into the store.
    """
    check_file(path, "report")
    place = Place.at(store)
    if not place.exists:
        raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
    shown_as = name_of(store)
    table = with_elements(ResultTable(place).now())
    damaged = list(table.attrs.get("damaged", ()))
    if table.sizes["material"]:
        table = select(table, where, None, None, quality, campaign, latest)
    pages: list[MaterialPage] = []
    readable: list[int] = []
    for row, name in enumerate(tracked([str(name) for name in table["material"].values])):
        try:
            pages.append(material_page(place, shown_as, name))
            readable.append(row)
        except InputError as problem:
            damaged.append(str(problem))
    table = table.isel(material=readable).assign_attrs(damaged=damaged)
    content, left_out = _content(place, shown_as, table, pages)
    html = page_html(content, f"{Path(shown_as).name} - spinscreen", live=False)
    with written_whole(path) as file:
        file.write_bytes(html)
    return Report(Path(path), len(pages), len(html), left_out, tuple(damaged))


def _content(
    place: Place, shown_as: str, table: xr.Dataset, pages: Sequence[MaterialPage]
) -> tuple[bytes, int]:
    """The data of the page, and how many curves had no room."""
    columns = told_columns(table)
    values = {name: column_values(table, name) for name in columns}
    data: dict[str, Any] = {
        "live": False,
        **summary(place, shown_as, table, columns),
        "values": {n: v if isinstance(v, list) else _text(packed_column(v)) for n, v in values.items()},
        "materials": [],
    }
    before = len(page_html(json_bytes(data), "", live=False))
    room = (_MOST * max(1.0, len(pages) / 1000) - before) / _BASE64
    packed = [page.packed() for page in pages]
    most = _fair_share([len(one) for one in packed], room)
    fitted = [
        (one, 0) if len(one) <= most else page.fitted(most) for one, page in zip(packed, pages, strict=True)
    ]
    data["materials"] = [_text(one) for one, _ in fitted]
    return json_bytes(data), sum(left_out for _, left_out in fitted)


def _fair_share(sizes: Sequence[int], room: float) -> float:
    """The most that each may take so that all have room: what small ones leave goes to the others."""
    if sum(sizes) <= room:
        return float("inf")
    ascending = np.sort(np.asarray(sizes, dtype=float))
    below = np.concatenate([[0.0], np.cumsum(ascending)[:-1]])
    shares = (room - below) / np.arange(len(ascending), 0, -1)
    return max(float(shares.max()), 0.0)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
