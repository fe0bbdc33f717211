"""Which rows of a catalog are of one campaign, and which a newer result of the same material supersedes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short

from ..names import label_of


def rows_of_campaign(catalog: xr.Dataset, campaign: str) -> NDArray[np.int64]:
    """Rows that a campaign computed, by its id or the beginning of it.

    Raises InputError where there is none, and where several campaigns begin so.
    """
    ids = _texts(catalog, "campaign")
    known = sorted(set(ids) - {""})
    found = [name for name in known if campaign and name.startswith(campaign)]
    if len(found) != 1:
        told = f"{len(found)} begin so, " if found else ""
        raise InputError(
            f"campaign: expected one of {', '.join(known) or 'none, as there are no results of campaigns'}, "
            f"or the beginning of one; {told}found {short(campaign)}."
        )
    return np.flatnonzero(ids == found[0])


def superseded(catalog: xr.Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of some rows that are older than another of them of the same material, whatever their settings.

    What has no time is of an earlier version, hence older than what has; of two such rows neither is newer.
    """
    table = pd.DataFrame(
        {
            "label": [label_of(str(name)) for name in catalog["material"].values[rows]],
            "name": _texts(catalog, "name")[rows],
            "time": _texts(catalog, "computed")[rows],
        }
    )
    newest = table.groupby(["label", "name"])["time"].transform("max")
    return rows[(table["time"] < newest).to_numpy(dtype=bool)]


def _texts(catalog: xr.Dataset, column: str) -> NDArray:
    values = catalog[column].values if column in catalog else [""] * catalog.sizes["material"]
    return np.array([str(value) for value in values], dtype=object)
