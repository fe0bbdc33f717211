"""All results of a store as one table, also where its catalog is behind or missing; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from spinscreen.kernels import InputError

from ..catalog import open_catalog, scalar_columns
from ..catalog.reading import columns_of_headings, renamed
from ..catalog.scalars import plain_values
from ..observables import Facts, Observables
from ..place import Place
from ..results import ROW_VERSION, CatalogRow, published, read_rows
from ..results.column_names import unused
from ..schema import CATALOG, labels


@dataclass(eq=False)
class ResultTable:
    """The results of a store as the catalog would have them, one row each.

    read : reads rows of results that the catalog lacks; each is read once
    """

    place: Place
    read: Callable[[Place, Sequence[str]], Iterable[CatalogRow | str]] = read_rows
    _rows: dict[str, CatalogRow] = field(default_factory=dict)

    def now(self) -> xr.Dataset:
        """Scalar columns over `material`, as in the catalog; the attribute `damaged` has the sentences of
        what cannot be read.
        """
        names = published(self.place)
        catalog = self._catalog()
        known = set() if catalog is None else {str(name) for name in catalog["material"].values}
        missing = [name for name in names if name not in known]
        if catalog is not None and not missing:
            present = catalog["material"].isin(names).values
            return catalog if present.all() else catalog.isel(material=np.flatnonzero(present))
        fresh = self._fresh(missing)
        rows = [row for row in fresh if not isinstance(row, str)]
        damaged = [row for row in fresh if isinstance(row, str)]
        return _joined(catalog, rows, names).assign_attrs(damaged=damaged)

    def _catalog(self) -> xr.Dataset | None:
        try:
            found = open_catalog(self.place)
        except InputError:
            # None yet, or damaged: its rows are in the results.
            return None
        if found.attrs.get("row_version") != ROW_VERSION:
            return None
        columns = scalar_columns(found)
        return found.drop_vars([name for name in found.data_vars if name not in columns])

    def _fresh(self, missing: Sequence[str]) -> list[CatalogRow | str]:
        unread = [name for name in missing if name not in self._rows]
        found = dict(zip(unread, self.read(self.place, unread), strict=True))
        # One that is damaged may be computed anew.
        self._rows |= {name: row for name, row in found.items() if not isinstance(row, str)}
        return [self._rows[name] if name in self._rows else found[name] for name in missing]


def _joined(catalog: xr.Dataset | None, rows: Sequence[CatalogRow], names: Sequence[str]) -> xr.Dataset:
    """Rows behind those of a catalog; of the latter those that are still there."""
    headings = {} if catalog is None else columns_of_headings(catalog)
    facts: dict[str, Facts] = {} if catalog is None else dict(Observables.in_dataset(catalog).facts)
    own = []
    for row in rows:
        for name, heading in row.headings.items():
            if heading not in headings:
                headings[heading] = unused(name, set(headings.values()))
        own.append(renamed(row, headings))
        facts |= row.observables.facts
    table = pd.DataFrame([dict(row.columns) for row in own], index=[row.material for row in own])
    if catalog is not None:
        known = list(scalar_columns(catalog))
        old = catalog[known].to_dataframe()[known]
        table = pd.concat([old.loc[old.index.isin(names)], table])
    columns = {str(name): ("material", plain_values(column)) for name, column in table.items()}
    coordinates = Observables.of(facts).coordinates if facts else {}
    found = xr.Dataset(columns, {"material": labels(list(map(str, table.index))), **coordinates})
    for heading, name in headings.items():
        if name in found:
            found[name].attrs["heading"] = heading
    texts = [name for name in found.data_vars if found[name].dtype == object]
    return found.set_coords(texts).assign_attrs(kind=CATALOG, row_version=ROW_VERSION)
