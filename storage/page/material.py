"""One material as the page shows it: values at the Fermi level, curves, structure, provenance."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..analysis import largest_component
from ..analysis.natural_units import natural_unit
from ..analysis.units import units_of_one
from ..attributes import mapping_of, texts_of, vectors_of
from ..component import AXIS_DIMS, Component
from ..fermi_level import level_of, place_of_level, rounded
from ..observables import Observables
from ..place import MATERIALS, Place
from ..results import is_old_group, read_material
from ..results.rows import quality_of
from ..schema import error_name, is_error
from .packing import known_digits, packed_material

#: Variables whose curves come first where there is no room for all of them.
_FIRST = (
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "proper_hall_conductivity",
    "accumulation_coefficient",
    "anomalous_hall_conductivity",
    "carrier_density",
    "density_of_states",
)

#: Of these the first are the answers to "what spin current".
_ANSWERS = 4

#: Share of the largest of a variable up to which the curve of a component is not drawn, where nothing is
#: known of the symmetry.
_SMALL = 1e-6

#: Digits of values at the Fermi level: more than any of them is known to.
_DIGITS, _DIGITS_OF_ERRORS = 7, 3

#: Attributes that tell where a result comes from, with their units.
_TOLD: Mapping[str, str] = {
    "computed": "",
    "spinscreen_version": "",
    "campaign": "",
    "elapsed_seconds": "s",
    "wannier_functions": "",
    "dimension": "",
    "k_mesh": "",
    "k_shift": "",
    "kpoints": "",
    "evaluations": "",
    "tolerance": "",
    "error_method": "",
    "largest_share_of_one_kpoint": "",
    "mesh_note": "",
    "temperature": "K",
    "degeneracy_threshold": "eV",
    "broadening": "eV",
    "spin_degeneracy": "",
    "spin_source": "",
    "position_source": "",
    "symmetry_operations": "",
    "symmetry_residual": "",
    "spin_current_types": "",
    "left_out_at_zero_temperature": "",
    "model_hash": "",
    "key": "",
}


@dataclass(eq=False)
class MaterialPage:
    """header : all but the curves, for JSON; curves : (energy,) each, values and errors in turn as the
    entries of `header["curves"]` say, the most wanted first
    """

    header: dict[str, Any]
    curves: list[NDArray[np.float64]] = field(default_factory=list)

    def packed(self) -> bytes:
        """The bytes that the page reads."""
        return self.fitted(math.inf)[0]

    def fitted(self, most: float) -> tuple[bytes, int]:
        """The same in at most so many bytes, and how many curves were left out for it, the last first."""
        told, count = self.header["curves"], len(self.header["curves"])
        while True:
            kept = told[:count]
            numbers = sum(1 + entry["error"] for entry in kept)
            header = self.header | {"curves": kept, "left_out": len(told) - count}
            found = packed_material(header, self.curves[:numbers])
            if len(found) <= most or not count:
                return found, len(told) - count
            count = min(count - 1, int(count * 0.97 * most / len(found)))


def material_page(place: Place, store: str, material_id: str) -> MaterialPage:
    """A published result for the page; store : how the user calls it.

    Raises InputError where it is damaged or not there.
    """
    page = page_of(read_material(place, material_id).load(), material_id)
    page.header["open"] = opening_line(store, place, material_id)
    return page


def opening_line(store: str, place: Place, material_id: str) -> str:
    """The line of Python that opens a result; store : how the user calls it."""
    inside = f"{store}/{MATERIALS}/{material_id}"
    path = inside if is_old_group(place, material_id) else f"zip::{inside}.zip"
    return f"xr.open_zarr({json.dumps(path, ensure_ascii=False)})"


def page_of(dataset: xr.Dataset, material_id: str) -> MaterialPage:
    """A dataset of integrals for the page."""
    attributes = dataset.attrs
    header: dict[str, Any] = {
        "id": material_id,
        "name": str(attributes.get("material", attributes.get("model_name", material_id))),
        "level": level_of(dataset),
        "quality": quality_of(attributes),
        "structure": _structure(attributes),
        "columns": mapping_of(attributes.get("columns")),
        "files": texts_of(attributes.get("model_files")),
        "notes": texts_of(attributes.get("model_notes")),
        "warnings": texts_of(attributes.get("warnings")),
        "references": attributes.get("references", ""),
        "provenance": [
            [name, _told(attributes[name]), unit] for name, unit in _TOLD.items() if name in attributes
        ],
        "curves": [],
        "tensors": [],
    }
    found = MaterialPage(header)
    if "fermi_energy" not in dataset.dims:
        return found
    energies = dataset["fermi_energy"].values.astype(float)
    order = np.argsort(energies, kind="stable")
    header["energies"] = _steps(energies[order])
    at = None if header["level"] is None else place_of_level(energies[order], header["level"])
    if at is None and len(energies) == 1:
        at = 0
    header["at"] = None if at is None else float(energies[order][at])
    with_component = any(name in dataset for name in _FIRST[:3])
    header["component"] = str(largest_component(dataset)) if with_component else None
    names = [str(n) for n in dataset.data_vars if not is_error(n) and "fermi_energy" in dataset[n].dims]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    variables = [_Variable(dataset, name, order) for name in names]
    header["tensors"] = [variable.told(at) for variable in variables]
    _add_curves(found, variables)
    return found


def _add_curves(page: MaterialPage, variables: list[_Variable]) -> None:
    curves = [curve for variable in variables for curve in variable.curves()]
    for curve in sorted(curves, key=lambda curve: curve.rank):
        page.header["curves"].append({**curve.told, "error": curve.errors is not None})
        page.curves += [curve.values] if curve.errors is None else [*known_digits(curve.values, curve.errors)]


def _told(value: Any) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return " x ".join(f"{number:g}" for number in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _steps(energies: NDArray) -> dict[str, Any]:
    """First, step and number of equal steps, else all energies."""
    count = len(energies)
    step = (energies[-1] - energies[0]) / (count - 1) if count > 1 else 0.0
    even = energies[0] + step * np.arange(count)
    if np.allclose(even, energies, rtol=0, atol=1e-9):
        return {"first": energies[0], "step": step, "count": count}
    return {"all": rounded(energies)}


def _structure(attributes: Mapping[str, Any]) -> dict[str, Any]:
    told = {n: str(attributes[n]) for n in ("formula", "space_group") if n in attributes}
    columns = mapping_of(attributes.get("columns"))
    told |= {n: str(columns[n]) for n in ("formula", "space_group") if n in columns and n not in told}
    found: dict[str, Any] = {**told, "lattice": None, "symbols": [], "positions": []}
    if "lattice" in attributes:
        found["lattice"] = vectors_of(attributes["lattice"])
    if texts_of(attributes.get("atom_symbols")):
        found["symbols"] = texts_of(attributes["atom_symbols"])
        found["positions"] = vectors_of(attributes["atom_positions"])
    return found


class _Curve(NamedTuple):
    """rank : the least first; told : its entry in the header; values, errors : (energy,)"""

    rank: tuple[int, float, int]
    told: dict[str, Any]
    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None


class _Variable:
    """One integral of a dataset with its errors, energies ascending, in the units that figures show."""

    def __init__(self, dataset: xr.Dataset, name: str, order: NDArray[np.int64]) -> None:
        array = dataset[name].transpose(..., "fermi_energy")
        self.name, self._array = name, array
        self.dims = tuple(str(dim) for dim in array.dims[:-1])
        self._labels = [[str(label) for label in dataset[dim].values] for dim in self.dims]
        factor, self._units = self._factors()
        self.values = array.values[..., order] * factor
        bars = dataset.get(error_name(name))
        self.errors = None if bars is None else bars.transpose(*array.dims).values[..., order] * factor
        self._independent = self._places("independent_components")
        self._forbidden = self._places("forbidden_components")

    def _factors(self) -> tuple[NDArray[np.float64] | float, list[str]]:
        """What makes stored numbers those that are shown, and the unit of each observable, or of all."""
        units, axis = units_of_one(self._array), "observable"
        if axis not in self.dims or "Theta" not in units:
            factor, shown = natural_unit(units)
            return factor, [shown]
        ones = (self._array.isel({axis: n}) for n in range(self._array.sizes[axis]))
        each = [natural_unit(units_of_one(one)) for one in ones]
        along = np.array([factor for factor, _ in each]).reshape(
            -1, *[1] * (len(self.dims) - self.dims.index(axis))
        )
        return along, [shown for _, shown in each]

    def _places(self, attribute: str) -> set[tuple[int, ...]] | None:
        """Where the components stand that an attribute names, of every part; None where that is not known."""
        told = self._array.attrs.get(attribute)
        if told is None:
            return None
        found = set()
        names = self._labels[self.dims.index("observable")] if "observable" in self.dims else []
        try:
            for name in filter(None, str(told).split(", ")):
                labels = Component.read(name, self.dims, names).labels(self.dims)
                found |= set(self._everywhere(labels))
        except InputError:
            # Of observables that somebody named anew nothing is known.
            return None
        return found

    def _everywhere(self, labels: Mapping[str, str]) -> Iterator[tuple[int, ...]]:
        places = [
            [self._labels[n].index(labels[dim])] if dim in labels else list(range(len(self._labels[n])))
            for n, dim in enumerate(self.dims)
        ]
        yield from itertools.product(*places)

    def told(self, at: int | None) -> dict[str, Any]:
        """What the page says of it: labels of its dims, values at one energy, what symmetry says."""
        attributes = self._array.attrs
        independent = "" if self._independent is None else attributes["independent_components"]
        here, bars = (None, None) if at is None else self._at(at)
        allowed_none = self._independent is not None and not self._independent and bool(self.dims)
        return {
            "name": self.name,
            "title": str(attributes.get("long_name", self.name)),
            "dims": list(self.dims),
            "labels": self._labels,
            "observables": list(Observables.in_dataset(self._array).labels),
            "units": self._units,
            "values": here,
            "errors": bars,
            "independent": None if self._independent is None else sorted(self._independent),
            "forbidden": "all" if allowed_none else sorted(self._forbidden or ()),
            "converged": attributes.get("converged"),
            "residual": attributes.get("symmetry_residual"),
            "note": str(attributes.get("note", "")),
            "known_symmetry": bool(independent) or allowed_none,
        }

    def _at(self, at: int) -> tuple[list[Any], list[Any] | None]:
        """Values and errors at one energy. What symmetry forbids is 0 where it is no more than its error, or
        rounding: its digits are noise, of which a report for many materials has no room.
        """
        values = self.values[..., at].copy()
        errors = None if self.errors is None else self.errors[..., at].copy()
        with np.errstate(invalid="ignore"):
            largest = np.nanmax(np.abs(values), initial=0.0)
        for place in self._forbidden or ():
            noise = _SMALL * largest if errors is None else max(_SMALL * largest, float(errors[place]))
            if abs(values[place]) <= noise:
                values[place] = 0.0
                if errors is not None:
                    errors[place] = 0.0
        return _short(values, _DIGITS), None if errors is None else _short(errors, _DIGITS_OF_ERRORS)

    def curves(self) -> Iterator[_Curve]:
        """Those of components that others do not follow from."""
        with np.errstate(all="ignore"):
            sizes = np.nanmax(np.abs(self.values), axis=-1, initial=0.0)
        largest = float(sizes.max(initial=0.0)) or 1.0
        places = [place for place in self._drawn(sizes) if not np.isnan(self.values[place]).all()]
        for n, place in enumerate(sorted(places, key=lambda place: -float(sizes[place]))):
            labels = {dim: self._labels[d][place[d]] for d, dim in enumerate(self.dims)}
            axes = "".join(labels[dim] for dim in AXIS_DIMS if dim in labels)
            told = {
                "variable": self.name,
                "component": str(Component(labels.get("observable"), axes)),
                "part": labels.get("part", ""),
                "unit": self._unit_at(place),
            }
            # The first of each that is always looked at, then answers before details, the largest first.
            of_first = _FIRST.index(self.name) if self.name in _FIRST else len(_FIRST)
            group = 0 if n == 0 and self.name in _FIRST else 1 if of_first < _ANSWERS else 2
            rank = (group, -float(sizes[place]) / largest, of_first)
            yield _Curve(rank, told, self.values[place], None if self.errors is None else self.errors[place])

    def _unit_at(self, place: tuple[int, ...]) -> str:
        return self._units[place[self.dims.index("observable")] if len(self._units) > 1 else 0]

    def _drawn(self, sizes: NDArray) -> list[tuple[int, ...]]:
        if not self.dims:
            return [()]
        if self._independent is not None:
            return sorted(self._independent)
        return [place for place in np.ndindex(sizes.shape) if sizes[place] > _SMALL * sizes.max()]


def _short(values: NDArray, digits: int) -> list[Any]:
    """Nested lists of numbers to the digits that are worth their bytes."""
    shortened = np.vectorize(lambda number: float(f"{number:.{digits}g}"), otypes=[float])
    return shortened(values).tolist()
