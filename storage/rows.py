"""One row of the catalog: what is screened of a published material."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy.constants import femto, hbar, physical_constants

from spinscreen.kernels import Integral, find_quantity

from .schema import AXES
from .store import material_group

#: Common grid of energies relative to each Fermi level, eV; also the window of the `_max` columns.
RELATIVE_ENERGY = np.linspace(-1, 1, 201)

#: Short names of tensors in column names.
TENSORS: Mapping[str, str] = {
    "conserved": "conserved_hall_conductivity",
    "conventional": "conventional_hall_conductivity",
    "anomalous": "anomalous_hall_conductivity",
}

#: States per cell by which the carrier density may change inside a gap.
_GAP_STATES = 1e-3

#: A conventional component below this share of the largest is noise that no ratio is taken with.
_NEGLIGIBLE = 1e-3

#: tau/hbar in 1/eV for the relaxation time of 10 fs that the spin Hall angle assumes.
_TAU_OVER_HBAR = 10 * femto / (hbar / physical_constants["electron volt"][0])

#: Attributes of a result that become columns.
_ATTRIBUTES = (
    "temperature",
    "degeneracy_threshold",
    "broadening",
    "dimension",
    "wannier_functions",
    "elapsed_seconds",
    "spinscreen_version",
    "campaign",
)


@dataclass(frozen=True, eq=False)
class CatalogRow:
    """columns : scalars; tensors : variable -> ([observable], current_axis, field_axis, relative_energy)."""

    material: str
    columns: Mapping[str, float | str]
    observables: tuple[str, ...]
    observable_units: tuple[str, ...]
    tensors: Mapping[str, NDArray[np.float64]]


#: Units of columns that are not components of a tensor.
_UNITS = {
    "fermi_level": "eV",
    "gap": "eV",
    "degeneracy_threshold": "eV",
    "broadening": "eV",
    "scan_minimum": "eV",
    "scan_maximum": "eV",
    "temperature": "K",
    "elapsed_seconds": "s",
    "carrier_density": "1/cell",
}


def column_units(name: str) -> str | None:
    """Unit of a scalar column, None for texts and for columns of the user."""
    if name in _UNITS:
        return _UNITS[name]
    kind = name.partition("_")[0]
    if kind in TENSORS:
        return tensor_units(TENSORS[kind])
    if kind == "magnetization":
        return tensor_units("circulation_magnetization")
    return "1" if name.startswith(("ratio_", "spin_hall_angle_")) else None


def tensor_units(variable: str) -> str:
    """Unit by dimension: crystals, layers and chains share a catalog. Theta is the observable's unit."""
    quantity = find_quantity(variable)
    assert isinstance(quantity, Integral)
    by_dimension = quantity.unit.in_dimension
    return ", ".join(f"{by_dimension[d].format(theta='Theta')} in {d}D" for d in (3, 2, 1))


def read_row(store: str | Path, material_id: str) -> CatalogRow:
    """The row of one material; arrays are read without xarray, which would take twice as long.

    Where the Fermi level is unknown, all that refers to it is NaN.
    """
    group = zarr.open_group(Path(store) / material_group(material_id), mode="r", use_consolidated=True)
    attributes = dict(group.attrs)
    energies = _values(group, "fermi_energy")
    order = np.argsort(energies, kind="stable")
    level = _fermi_level(attributes, energies)
    at = int(np.abs(energies[order] - level).argmin())

    def ascending(variable: str) -> NDArray:
        return _values(group, variable)[..., order]

    def here(values: NDArray) -> NDArray:
        return np.full_like(values[..., at], np.nan) if np.isnan(level) else values[..., at]

    observables = tuple(map(str, _values(group, "observable"))) if "observable" in group else ()
    columns = _run_columns(attributes, energies, level)
    if "carrier_density" in group:
        density = ascending("carrier_density")
        columns["carrier_density"] = float(here(density))
        columns["gap"] = np.nan if np.isnan(level) else _gap(energies[order], density, at)
    on_grid = {}
    for short, variable in TENSORS.items():
        if variable in group:
            values = ascending(variable)
            on_grid[variable] = _on_common_grid(energies[order], values, level)
            columns |= _tensor_columns(short, here(values), on_grid[variable], observables)
    columns |= _ratio_columns(columns, observables)
    if "drude_weight" in group and "charge" in observables:
        drude = here(ascending("drude_weight"))[observables.index("charge")]
        columns |= _angle_columns(columns, drude, observables)
    if "circulation_magnetization" in group:
        parts = tuple(map(str, _values(group, "part")))
        columns |= _magnetization_columns(here(ascending("circulation_magnetization")), parts, observables)
    given: Mapping[str, float | str] = attributes.get("columns", {})  # type: ignore[assignment]
    # A column of the user's does not hide what was computed.
    columns |= {f"{name}_given" if name in columns else name: value for name, value in given.items()}
    units = tuple(map(str, _values(group, "observable_unit"))) if observables else ()
    return CatalogRow(material_id, columns, observables, units, on_grid)


def _fermi_level(attributes: Mapping[str, Any], energies: NDArray) -> float:
    """The level that was stored, the one energy of a superconductor, else NaN."""
    if "fermi_level" in attributes:
        return float(attributes["fermi_level"])
    return float(energies[0]) if len(energies) == 1 else np.nan


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def _values(group: zarr.Group, name: str) -> NDArray:
    return np.asarray(_array(group, name)[:])


def _run_columns(attributes: Mapping[str, Any], energies: NDArray, level: float) -> dict[str, float | str]:
    columns: dict[str, float | str] = {name: attributes[name] for name in _ATTRIBUTES if name in attributes}
    columns["fermi_level"] = level
    columns["name"] = str(attributes.get("material", attributes["model_name"]))
    columns["k_mesh"] = "x".join(map(str, attributes["k_mesh"]))
    columns["scan_minimum"], columns["scan_maximum"] = float(energies.min()), float(energies.max())
    return columns


def _gap(energies: NDArray, density: NDArray, at: int) -> float:
    """Width of the plateau of the carrier density about the Fermi level, to the resolution of the scan."""
    inside = np.abs(density - density[at]) < _GAP_STATES
    low = high = at
    while low > 0 and inside[low - 1]:
        low -= 1
    while high < len(energies) - 1 and inside[high + 1]:
        high += 1
    return float(energies[high] - energies[low])


def _on_common_grid(energies: NDArray, values: NDArray, level: float) -> NDArray[np.float64]:
    """Linear interpolation, NaN outside the scan; one energy alone stands at zero."""
    if len(energies) == 1:
        here = np.where(np.abs(RELATIVE_ENERGY) < 1e-9, 1.0, np.nan)
        return values * here
    wanted = RELATIVE_ENERGY + level
    right = np.clip(np.searchsorted(energies, wanted), 1, len(energies) - 1)
    weight = (wanted - energies[right - 1]) / (energies[right] - energies[right - 1])
    found = values[..., right - 1] * (1 - weight) + values[..., right] * weight
    # The ends of a scan that is as wide as the grid are not lost to rounding.
    outside = (weight < -1e-9) | (weight > 1 + 1e-9)
    return np.where(outside, np.nan, found)


def _tensor_columns(
    short: str, here: NDArray, on_grid: NDArray, observables: tuple[str, ...]
) -> dict[str, float]:
    """kind_ab[_s] at the Fermi level and kind_ab[_s]_max, the largest magnitude in the window, signed."""
    filled = np.nan_to_num(on_grid)
    peak = np.take_along_axis(filled, np.abs(filled).argmax(-1)[..., None], -1)[..., 0]
    peak = np.where(np.isnan(on_grid).all(-1), np.nan, peak)
    columns = {}
    for ending, index in _components(observables if here.ndim == 3 else None):
        columns[f"{short}_{ending}"] = float(here[index])
        columns[f"{short}_{ending}_max"] = float(peak[index])
    return columns


def _components(observables: tuple[str, ...] | None) -> list[tuple[str, tuple[int, ...]]]:
    """Endings of column names, "xy_z" or "xy", and the index of their component."""
    pairs: list[tuple[str, tuple[int, ...]]]
    pairs = [(f"{a}{b}", (i, j)) for i, a in enumerate(AXES) for j, b in enumerate(AXES)]
    if observables is None:
        return pairs
    return [(f"{ab}_{_short(s)}", (n, *ij)) for n, s in enumerate(observables) for ab, ij in pairs]


def _short(observable: str) -> str:
    return observable.removeprefix("spin_")


def _ratio_columns(columns: Mapping[str, Any], observables: tuple[str, ...]) -> dict[str, float]:
    """ratio_ab_s, conserved over conventional at the Fermi level, NaN where the latter vanishes."""
    found = {}
    for n in range(len(observables)):
        endings = [ending for ending, index in _components(observables) if index[0] == n]
        if f"conventional_{endings[0]}" not in columns or f"conserved_{endings[0]}" not in columns:
            continue
        largest = max(abs(columns[f"conventional_{ending}"]) for ending in endings)
        for ending in endings:
            below, above = columns[f"conventional_{ending}"], columns[f"conserved_{ending}"]
            found[f"ratio_{ending}"] = above / below if abs(below) > _NEGLIGIBLE * largest else np.nan
    return found


def _angle_columns(
    columns: Mapping[str, Any], drude: NDArray, observables: tuple[str, ...]
) -> dict[str, float]:
    """spin_hall_angle_ab_s = 2 sigma^cons_ab / (D_bb tau/hbar) at 10 fs, D the Drude weight of the charge."""
    found = {}
    for ending, (n, _, b) in _components(observables):
        name = f"conserved_{ending}"
        if observables[n].startswith("spin_") and name in columns:
            along = abs(float(drude[b, b])) * _TAU_OVER_HBAR
            # In a gap the longitudinal conductivity vanishes, and with it the meaning of an angle.
            found[f"spin_hall_angle_{ending}"] = (
                2 * columns[name] / along if along > abs(2 * columns[name]) else np.nan
            )
    return found


def _magnetization_columns(
    values: NDArray, parts: tuple[str, ...], observables: tuple[str, ...]
) -> dict[str, float]:
    """magnetization_c_s and its parts magnetization_part_c_s, at the Fermi level (T11)."""
    own = [i for i in range(len(parts)) if not np.isnan(values[i]).all()]
    found = {}
    for n, observable in enumerate(observables):
        for c, axis in enumerate(AXES):
            ending = f"{axis}_{_short(observable)}"
            found[f"magnetization_{ending}"] = float(values[own, n, c].sum())
            found |= {f"magnetization_{parts[i]}_{ending}": float(values[i, n, c]) for i in own}
    return found
