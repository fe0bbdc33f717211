"""The catalog: what is screened across materials, as dense arrays over `material`."""

from __future__ import annotations

import contextlib
import errno
import shutil
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .schema import labels
from .store import CATALOG, material_group, partial_folder, published, remove_if_empty

#: Common grid of energies relative to each Fermi level, eV.
RELATIVE_ENERGY = np.linspace(-1, 1, 201)

#: Short names of tensors in column names; dims before the energy: ([observable], current, field).
_TENSORS = {
    "conserved": "conserved_hall_conductivity",
    "conventional": "conventional_hall_conductivity",
    "anomalous": "anomalous_hall_conductivity",
}

#: States per cell by which the carrier density may change inside a gap.
_GAP_STATES = 1e-3


def build_catalog(store: str | Path) -> xr.Dataset:
    """Bring /catalog up to date with the published materials and return it.

    Materials that the catalog has already are not read again. It is written beside and renamed into place.
    Raises InputError where the store is empty or cannot be written.
    """
    names = published(store)
    if not names:
        raise InputError(f"{store}: holds no material yet, expected at least one for a catalog.")
    old = _existing(store)
    known = set() if old is None else set(old["material"].values.tolist())
    fresh = [_row(store, name) for name in names if name not in known]
    rows = [] if old is None else [old.sel(material=[n for n in old["material"].values if n in set(names)])]
    if old is not None and not fresh and len(known) == len(names):
        return old
    with warnings.catch_warnings():
        # Materials may have different observables: what one does not have is NaN.
        warnings.simplefilter("ignore", FutureWarning)
        catalog = xr.concat(
            [*rows, *fresh], "material", join="outer", data_vars="all", coords="minimal", compat="override"
        )
    catalog = _writable(catalog.load())
    _replace(catalog, Path(store))
    return catalog


def open_catalog(store: str | Path) -> xr.Dataset:
    """The catalog as it is, lazily. Raises InputError where there is none."""
    catalog = _existing(store, load=False)
    if catalog is None:
        raise InputError(f"{store}: has no catalog, make one with `spinscreen catalog {store}`.")
    return catalog


def _existing(store: str | Path, load: bool = True) -> xr.Dataset | None:
    path = Path(store) / CATALOG
    if not (path / "zarr.json").is_file():
        return None
    if not load:
        return xr.open_zarr(path, consolidated=True)
    try:
        return xr.open_zarr(path, consolidated=True).load()
    except (OSError, KeyError, ValueError):
        # Another driver is exchanging it at this moment: it is rebuilt from the materials.
        return None


def _row(store: str | Path, name: str) -> xr.Dataset:
    """One material: scalar columns, and its tensors on the common grid of energies."""
    dataset = xr.open_zarr(Path(store) / material_group(name), consolidated=True, chunks=None).load()
    energies = dataset["fermi_energy"].values
    level = float(dataset.attrs.get("fermi_level", np.median(energies)))
    columns: dict[str, object] = {
        "fermi_level": level,
        "degeneracy_threshold": dataset.attrs["degeneracy_threshold"],
        "temperature": dataset.attrs["temperature"],
        "elapsed_seconds": dataset.attrs["elapsed_seconds"],
        "dimension": dataset.attrs["dimension"],
        "name": dataset.attrs.get("material", dataset.attrs["model_name"]),
        **dataset.attrs.get("columns", {}),
    }
    at = int(np.abs(energies - level).argmin())
    if "carrier_density" in dataset:
        density = dataset["carrier_density"].values
        columns["carrier_density"] = float(density[at])
        columns["gap"] = _gap(energies, density, at)
    arrays = {}
    for short, variable in _TENSORS.items():
        if variable in dataset:
            columns |= _tensor_columns(short, dataset[variable], at)
            arrays[variable] = _on_common_grid(dataset[variable], level)
    row = xr.Dataset(arrays, attrs={"relative_to": "Fermi level of each material"})
    row = row.expand_dims(material=labels([name]))
    for column, value in columns.items():
        text = isinstance(value, str)
        row[column] = ("material", labels([value]) if text else np.array([float(value)]))  # type: ignore[arg-type, list-item]
    return row


def _gap(energies: NDArray, density: NDArray, at: int) -> float:
    """Width of the plateau of the carrier density about the Fermi level, to the resolution of the scan."""
    inside = np.abs(density - density[at]) < _GAP_STATES
    low = high = at
    while low > 0 and inside[low - 1]:
        low -= 1
    while high < len(energies) - 1 and inside[high + 1]:
        high += 1
    return float(energies[high] - energies[low])


def _tensor_columns(short: str, tensor: xr.DataArray, at: int) -> dict[str, float]:
    """kind_ab[_s] at the Fermi level and kind_ab[_s]_max, the largest magnitude in the scan, signed."""
    columns = {}
    values = tensor.transpose(..., "current_axis", "field_axis", "fermi_energy").values
    axes = tensor["current_axis"].values
    names = tensor["observable"].values if "observable" in tensor.dims else [""]
    for s, observable in enumerate(names):
        block = values[s] if "observable" in tensor.dims else values
        ending = f"_{str(observable).removeprefix('spin_')}" if observable else ""
        for i, a in enumerate(axes):
            for j, b in enumerate(axes):
                line = block[i, j]
                columns[f"{short}_{a}{b}{ending}"] = float(line[at])
                columns[f"{short}_{a}{b}{ending}_max"] = float(line[np.abs(line).argmax()])
    return columns


def _on_common_grid(tensor: xr.DataArray, level: float) -> xr.DataArray:
    if tensor.sizes["fermi_energy"] < 2:
        only = tensor.isel(fermi_energy=0, drop=True)
        here = xr.DataArray(
            np.where(np.abs(RELATIVE_ENERGY) < 1e-9, 1.0, np.nan),
            {"relative_energy": RELATIVE_ENERGY},
            "relative_energy",
        )
        return (only * here).assign_attrs(tensor.attrs)
    ordered = tensor.sortby("fermi_energy").assign_coords(
        fermi_energy=np.sort(tensor["fermi_energy"].values) - level
    )
    found = ordered.rename(fermi_energy="relative_energy").interp(relative_energy=RELATIVE_ENERGY)
    return found.assign_attrs(tensor.attrs)


def _writable(catalog: xr.Dataset) -> xr.Dataset:
    for name in catalog.variables:
        if catalog[name].dtype.kind in "OTU":
            texts = ["" if value != value else str(value) for value in catalog[name].values.ravel()]
            catalog[name] = (catalog[name].dims, labels(texts).reshape(catalog[name].shape))
        catalog[name].encoding.clear()
    catalog["relative_energy"].attrs.update(long_name="energy above the Fermi level", units="eV")
    return catalog


def _replace(catalog: xr.Dataset, store: Path) -> None:
    beside = partial_folder(store) / f"catalog-{uuid.uuid4().hex}"
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
            catalog.to_zarr(beside, mode="w", zarr_format=3, consolidated=True)
        _exchange(beside, store / CATALOG)
    except OSError as problem:
        raise InputError(f"{store}: the catalog cannot be written ({problem.strerror or problem}).") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        remove_if_empty(beside.parent)


def _exchange(fresh: Path, target: Path) -> None:
    """Put a folder in the place of another, which a second driver may be doing at the same time.

    The catalog can always be rebuilt: a crash between the two renames loses nothing.
    """
    while True:
        old = fresh.with_name(f"{fresh.name}-old-{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
        try:
            fresh.rename(target)
        except OSError as problem:
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def scalar_columns(catalog: xr.Dataset) -> Sequence[str]:
    """Names of the columns that have one value per material."""
    return [str(name) for name in catalog.data_vars if catalog[name].dims == ("material",)]
