"""One row of the catalog: what is screened of a published material."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import xarray as xr
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from scipy.constants import femto, hbar, physical_constants

from ..attributes import mapping_of
from ..component import Component
from ..fermi_level import place_of_level
from ..files.sealed import DamagedError
from ..observables import AXES, Facts, Observables, is_spin
from ..schema import error_name
from .column_names import column_names
from .packed_columns import ColumnNames, PackedColumns
from .units import SENSITIVITIES, TENSORS, rounding_of

#: Raised when columns, or what they say, change: rows that were stored with another number are made anew from
#: the arrays.
ROW_VERSION = 7

#: Common grid of energies relative to each Fermi level, eV; also the window of the `_max` columns.
RELATIVE_ENERGY = np.linspace(-1, 1, 201)

#: A conventional component below this share of the largest is noise that no ratio is taken with.
_NEGLIGIBLE = 1e-3

#: tau/hbar in 1/eV for the relaxation time of 10 fs that the spin Hall angle assumes.
_TAU_OVER_HBAR = 10 * femto / (hbar / physical_constants["electron volt"][0])

#: Qualities of results by their attribute `converged`; without it, as earlier versions stored them, unknown.
_QUALITIES: Mapping[Any, str] = {True: "converged", False: "unconverged", None: "unknown"}

QUALITIES = tuple(_QUALITIES.values())

#: Attributes of a result that become columns.
_ATTRIBUTES = (
    "temperature",
    "degeneracy_threshold",
    "broadening",
    "dimension",
    "wannier_functions",
    "spin_degeneracy",
    "spin_source",
    "position_source",
    "minimal_images",
    "symmetry_deviation",
    "symmetry_operations",
    "symmetry_residual",
    "spin_current_types",
    "pair_splitting",
    "evaluations",
    "tolerance",
    "largest_share_of_one_kpoint",
    "elapsed_seconds",
    "spinscreen_version",
    "campaign",
    "computed",
)

#: Those that every material has a column for, NaN where they were not measured: who asks for one gets it.
_MEASURED = ("symmetry_deviation", "pair_splitting")


@dataclass(frozen=True, eq=False)
class CatalogRow:
    """columns : scalars; tensors : variable -> ([observable], current_axis, field_axis, relative_energy);
    headings : what the user called each column that the user gave, by its name
    """

    material: str
    columns: Mapping[str, float | str]
    observables: Observables
    tensors: Mapping[str, NDArray[np.float64]]
    headings: Mapping[str, str]


def make_row(dataset: xr.Dataset, material_id: str) -> CatalogRow:
    """The row of one material. Where the Fermi level is unknown or not scanned, what refers to it is NaN."""
    dataset = _with_all_axes(dataset)
    attributes = dataset.attrs
    # Variables, not DataArrays, which cost more than what is asked of them.
    stored = dataset.variables
    energies = np.asarray(stored["fermi_energy"].values)
    order = np.argsort(energies, kind="stable")
    is_ascending = bool((np.diff(order) == 1).all())
    level = _fermi_level(attributes, energies)
    at = None if np.isnan(level) else place_of_level(energies[order], level)

    def ascending(variable: str) -> NDArray:
        values = np.asarray(stored[variable].values)
        return values if is_ascending else values[..., order]

    def here(values: NDArray) -> NDArray:
        return np.full_like(values[..., 0], np.nan) if at is None else values[..., at]

    known = Observables.in_dataset(dataset)
    observables = known.names
    columns = _run_columns(attributes, energies, level) | {"quality": quality_of(attributes)}
    if "carrier_density" in dataset:
        columns["carrier_density"] = float(here(ascending("carrier_density")))
        if (bar := error_name("carrier_density")) in dataset:
            columns["carrier_density_error"] = float(here(ascending(bar)))
    on_grid, grid = {}, _CommonGrid.of(energies[order], level)
    for short, variable in TENSORS.items():
        if variable in dataset:
            values = ascending(variable)
            on_grid[variable] = grid.interpolated(values)
            has_bars = error_name(variable) in dataset
            bars = ascending(error_name(variable)) if has_bars else None
            on_bars = None if bars is None else grid.interpolated(bars)
            columns |= _tensor_columns(short, here(values), on_grid[variable], on_bars, observables)
            if bars is not None:
                columns |= _columns_beside(short, "error", here(bars), observables)
            if short in SENSITIVITIES:
                name = SENSITIVITIES[short]
                changes = here(ascending(name)) if name in dataset else np.full_like(here(values), np.nan)
                columns |= _columns_beside(short, "sensitivity", changes, observables)
    columns |= _ratio_columns(columns, observables, rounding_of("conventional", attributes.get("dimension")))
    if "drude_weight" in dataset and "charge" in observables:
        drude = here(ascending("drude_weight"))[observables.index("charge")]
        columns |= _angle_columns(columns, drude, observables)
    if "circulation_magnetization" in dataset:
        magnetization = here(ascending("circulation_magnetization"))
        columns |= _magnetization_columns(magnetization, _texts(dataset, "part"), observables)
    given: Mapping[str, float | str] = mapping_of(attributes.get("columns"))
    names = column_names(given, taken=columns)
    columns |= {name: given[heading] for name, heading in names.items()}
    return CatalogRow(material_id, columns, known, on_grid, dict(names))


def _with_all_axes(dataset: xr.Dataset) -> xr.Dataset:
    """A result of some components with NaN for the axes that nobody asked for."""
    few = [dim for dim in ("current_axis", "field_axis") if 0 < dataset.sizes.get(dim, 0) < len(AXES)]
    return dataset.reindex({dim: list(AXES) for dim in few}) if few else dataset


def packed_row(row: CatalogRow) -> bytes:
    """A row as bytes that are kept beside the arrays it was made of.

    A line of JSON with what equal settings make equal, one with texts and whole numbers, then numbers and
    tensors as they are in memory.
    """
    numbers = {name: value for name, value in row.columns.items() if isinstance(value, float)}
    structure = {
        "version": ROW_VERSION,
        "names": list(row.columns),
        "others": [place for place, name in enumerate(row.columns) if name not in numbers],
        "observables": row.observables.facts,
        "headings": dict(row.headings),
        "tensors": {name: list(values.shape) for name, values in row.tensors.items()},
    }
    others = [value for name, value in row.columns.items() if name not in numbers]
    arrays = [np.array(list(numbers.values())), *row.tensors.values()]
    content = b"".join(np.ascontiguousarray(values, dtype="<f8").tobytes() for values in arrays)
    lines = f"{json.dumps(structure)}\n{json.dumps(others)}\n".encode()
    return lines + bytes(Zstd(level=1).encode(content))


@dataclass(frozen=True, eq=False)
class _Structure:
    """What is equal in many rows. shapes : of tensors; ends : behind the columns that are numbers and behind
    each tensor
    """

    columns: ColumnNames
    observables: Observables
    headings: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    ends: tuple[int, ...]


@lru_cache(maxsize=64)
def _structure_of(line: bytes) -> _Structure | None:
    """None for a row of another version, or of a layout before this one."""
    header = json.loads(line)
    if header["version"] != ROW_VERSION or "names" not in header:
        return None
    columns = ColumnNames(tuple(header["names"]), tuple(header["others"]))
    shapes = {str(name): tuple(shape) for name, shape in header["tensors"].items()}
    return _Structure(
        columns,
        Observables.of({name: Facts(*facts) for name, facts in header["observables"].items()}),
        header["headings"],
        shapes,
        _ends(shapes, len(columns.names) - len(columns.others)),
    )


def unpacked_row(content: bytes, material_id: str) -> CatalogRow | None:
    """The row that `packed_row` kept; None where its columns are those of another version.

    Raises DamagedError for bytes that are no row.
    """
    line, _, rest = content.partition(b"\n")
    try:
        structure = _structure_of(line)
        if structure is None:
            return _unpacked_before(line, rest, material_id)
        others, _, packed = rest.partition(b"\n")
        values = np.frombuffer(Zstd().decode(packed), dtype="<f8")
        columns = PackedColumns(structure.columns, values[: structure.ends[0]], json.loads(others))
        if len(columns.others) != len(structure.columns.others) or len(values) != structure.ends[-1]:
            raise ValueError("it is cut")
        tensors = _tensors(values, structure.shapes, structure.ends)
        return CatalogRow(material_id, columns, structure.observables, tensors, structure.headings)
    except (ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise DamagedError(f"its catalog row cannot be read ({problem})") from None


def _ends(shapes: Mapping[str, tuple[int, ...]], first: int = 0) -> tuple[int, ...]:
    """Where tensors end that stand one behind the other, and where the first begins."""
    return tuple(accumulate(map(math.prod, shapes.values()), initial=first))


def _tensors(
    values: NDArray, shapes: Mapping[str, tuple[int, ...]], ends: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    """Tensors that stand one behind the other. Raises ValueError where they are cut."""
    return {
        name: values[start:end].reshape(shape)
        for (name, shape), start, end in zip(shapes.items(), ends[:-1], ends[1:], strict=True)
    }


def _unpacked_before(line: bytes, packed: bytes, material_id: str) -> CatalogRow | None:
    """A row as earlier versions packed it: all columns in one line of JSON, then the tensors."""
    header = json.loads(line)
    if header["version"] != ROW_VERSION:
        return None
    shapes = {str(name): tuple(shape) for name, shape in header["tensors"].items()}
    values = np.frombuffer(Zstd().decode(packed), dtype="<f8") if shapes else np.empty(0)
    names, facts = header["observables"], header.get("observable_facts")
    if facts is None:
        # Of an earlier version, which knew names and units.
        known = Observables(tuple(names), tuple(header["observable_units"]))
    else:
        known = Observables.of({name: Facts(*facts[name]) for name in names})
    return CatalogRow(
        material_id, header["columns"], known, _tensors(values, shapes, _ends(shapes)), header["headings"]
    )


def _fermi_level(attributes: Mapping[str, Any], energies: NDArray) -> float:
    """The level that was stored, the one energy of a superconductor, else NaN."""
    if "fermi_level" in attributes:
        return float(attributes["fermi_level"])
    return float(energies[0]) if len(energies) == 1 else np.nan


def _texts(dataset: xr.Dataset, name: str) -> tuple[str, ...]:
    return tuple(map(str, dataset.variables[name].values)) if name in dataset.variables else ()


def _run_columns(attributes: Mapping[str, Any], energies: NDArray, level: float) -> dict[str, float | str]:
    columns: dict[str, float | str] = {name: attributes[name] for name in _ATTRIBUTES if name in attributes}
    columns |= {name: np.nan for name in _MEASURED if name not in columns}
    # Attributes hold truth values as numbers.
    columns["minimal_images"] = bool(columns["minimal_images"]) if "minimal_images" in columns else np.nan
    columns["fermi_level"] = level
    # Results of earlier versions do not know it, and densities of states that vanish slowly look like gaps.
    columns["gap"] = float(attributes.get("band_gap", np.nan))
    columns["name"] = str(attributes.get("material", attributes["model_name"]))
    columns["k_mesh"] = "x".join(map(str, attributes.get("k_mesh", ("adaptive",))))
    columns["scan_minimum"], columns["scan_maximum"] = float(energies.min()), float(energies.max())
    return columns


@dataclass(frozen=True, eq=False)
class _CommonGrid:
    """Linear interpolation to `RELATIVE_ENERGY`, NaN outside the scan; one energy alone stands at zero.

    right : number of the energy above each, None for one energy; weight : of that one, NaN outside
    """

    right: NDArray[np.int64] | None
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, energies: NDArray, level: float) -> _CommonGrid:
        if len(energies) == 1:
            return cls(None, np.where(np.abs(RELATIVE_ENERGY) < 1e-9, 1.0, np.nan))
        wanted = RELATIVE_ENERGY + level
        right = np.clip(np.searchsorted(energies, wanted), 1, len(energies) - 1)
        weight = (wanted - energies[right - 1]) / (energies[right] - energies[right - 1])
        # The ends of a scan that is as wide as the grid are not lost to rounding.
        outside = (weight < -1e-9) | (weight > 1 + 1e-9)
        return cls(right, np.where(outside, np.nan, weight))

    def interpolated(self, values: NDArray) -> NDArray[np.float64]:
        if self.right is None:
            return values * self.weight
        left, right = values.take(self.right - 1, axis=-1), values.take(self.right, axis=-1)
        return np.asarray(left * (1 - self.weight) + right * self.weight)


def _tensor_columns(
    short: str, here: NDArray, on_grid: NDArray, bars: NDArray | None, observables: tuple[str, ...]
) -> dict[str, float]:
    """kind_ab[_s] at the Fermi level and kind_ab[_s]_max, the largest magnitude in the window, signed, with
    its error kind_ab[_s]_max_error where there are `bars` on the grid.
    """
    unknown = np.isnan(on_grid)
    filled = np.nan_to_num(on_grid)
    place = np.abs(filled).argmax(-1)[..., None]
    at_peak = {"_max": filled} | ({} if bars is None else {"_max_error": bars})
    found = {"": here} | {
        name: np.where(unknown.all(-1), np.nan, np.take_along_axis(values, place, -1)[..., 0])
        for name, values in at_peak.items()
    }
    endings = _endings(observables if here.ndim == 3 else None)
    numbers = zip(*(values.ravel().tolist() for values in found.values()), strict=True)
    return {
        f"{short}_{ending}{name}": number
        for ending, own in zip(endings, numbers, strict=True)
        for name, number in zip(found, own, strict=True)
    }


def _columns_beside(short: str, what: str, here: NDArray, observables: tuple[str, ...]) -> dict[str, float]:
    """kind_ab[_s]_error or kind_ab[_s]_sensitivity, of the component at the Fermi level."""
    endings = _endings(observables if here.ndim == 3 else None)
    return {
        f"{short}_{ending}_{what}": number
        for ending, number in zip(endings, here.ravel().tolist(), strict=True)
    }


def quality_of(attributes: Mapping[str, Any]) -> str:
    """What is known of the errors of a result: "converged", "unconverged" or "unknown"."""
    return _QUALITIES[attributes.get("converged")]


def _endings(observables: tuple[str, ...] | None) -> list[str]:
    """Endings of column names, "xy_z" or "xy", in the order of components."""
    return [ending for ending, _ in _components(observables)]


@lru_cache(maxsize=64)
def _components(observables: tuple[str, ...] | None) -> list[tuple[str, tuple[int, ...]]]:
    """Endings of column names, "xy_z" or "xy", and the index of their component."""
    pairs = [(a + b, (i, j)) for i, a in enumerate(AXES) for j, b in enumerate(AXES)]
    if observables is None:
        return [(str(Component(None, ab)), ij) for ab, ij in pairs]
    return [(str(Component(s, ab)), (n, *ij)) for n, s in enumerate(observables) for ab, ij in pairs]


def _ratio_columns(
    columns: Mapping[str, Any], observables: tuple[str, ...], rounding: float
) -> dict[str, float]:
    """ratio_ab_s, conserved over conventional at the Fermi level; NaN where the latter is no more than
    rounding, than its error, or than a small share of the others.
    """
    found = {}
    for n in range(len(observables)):
        endings = [ending for ending, index in _components(observables) if index[0] == n]
        if f"conventional_{endings[0]}" not in columns or f"conserved_{endings[0]}" not in columns:
            continue
        sizes = [abs(columns[f"conventional_{ending}"]) for ending in endings]
        largest = max(filter(math.isfinite, sizes), default=0.0)
        for ending in endings:
            below, above = columns[f"conventional_{ending}"], columns[f"conserved_{ending}"]
            error = columns.get(f"conventional_{ending}_error", 0.0)
            least = max(_NEGLIGIBLE * largest, rounding, error if math.isfinite(error) else 0.0)
            found[f"ratio_{ending}"] = above / below if abs(below) > least else np.nan
    return found


def _angle_columns(
    columns: Mapping[str, Any], drude: NDArray, observables: tuple[str, ...]
) -> dict[str, float]:
    """spin_hall_angle_ab_s = 2 sigma^cons_ab / (D_bb tau/hbar) at 10 fs, D the Drude weight of the charge."""
    found = {}
    for ending, (n, _, b) in _components(observables):
        name = f"conserved_{ending}"
        if is_spin(observables[n]) and name in columns:
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
            ending = str(Component(observable, axis))
            found[f"magnetization_{ending}"] = float(values[own, n, c].sum())
            found |= {f"magnetization_{parts[i]}_{ending}": float(values[i, n, c]) for i in own}
    return found
