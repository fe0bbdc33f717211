"""One result as plain Python: what JSON, pickle, databases and workflow managers take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from spinscreen.kernels import QUANTITIES

from ..analysis.units import units_of_one
from ..attributes import texts_of, vectors_of
from ..component import AXIS_DIMS, Component
from ..fermi_level import at_level, is_level
from ..results.rows import make_row, quality_of
from ..schema import error_name, is_error
from .plain import plain, units_by_column

#: Raised when an entry of a record changes its meaning or its place; one that is added does not raise it.
RECORD_VERSION = 1

#: Name of the component of a quantity without axes and observables.
_SCALAR = "scalar"


class ComponentRecord(TypedDict):
    """One number. error : None where it is not known."""

    value: float | None
    error: float | None
    units: str


class QuantityRecord(TypedDict):
    """An integral at one Fermi energy.

    converged : None where it is not known; note : what is to be known of it, None without
    per_spin : true where the number is of one of two spins
    net_torque : observables on which a field exerts a net torque at some Fermi energy, so that this quantity
        lacks its premise for them; empty where none is known; None where it was not checked
    independent_components : those from which symmetry gives the others, None where it is not known
    components : by their names, "xy_z" as everywhere, with the part before it where there are parts, "scalar"
        of a quantity without axes and observables
    """

    long_name: str
    theory: str
    converged: bool | None
    note: str | None
    per_spin: bool
    net_torque: list[str] | None
    independent_components: list[str] | None
    components: dict[str, ComponentRecord]


class StructureRecord(TypedDict):
    """The cell of the model. lattice : rows, angstrom; positions : Cartesian, angstrom, of the atoms that it
    knows, which need not be all.
    """

    lattice: list[list[float]]
    symbols: list[str]
    positions: list[list[float]]


class ProvenanceRecord(TypedDict):
    """Where the numbers come from. files : "path sha256:digest"; computed : time or None."""

    spinscreen_version: str
    schema_version: int
    key: str | None
    model_hash: str | None
    files: list[str]
    computed: str | None
    error_method: str | None
    references: str


class MaterialRecord(TypedDict):
    """One result: numbers, texts, truth values, None, and lists and dicts of them.

    fermi_energy : eV, of `quantities`, None where no one energy stands for the material
    columns : as the catalog has them (`screen`); units : of those that have one
    notes : what was assumed, left out or is to be known; warnings : what was warned about while computing
    """

    record_version: int
    id: str
    name: str
    quality: str
    converged: bool | None
    fermi_energy: float | None
    columns: dict[str, float | int | str | None]
    units: dict[str, str]
    quantities: dict[str, QuantityRecord]
    structure: StructureRecord
    notes: list[str]
    warnings: list[str]
    provenance: ProvenanceRecord


def material_record(dataset: xr.Dataset, material_id: str) -> MaterialRecord:
    """A dataset of integrals as a plain record, which JSON and pickle give back as it was.

    material_id : its name in a store
    Numbers stand at the Fermi level, or at the one energy that was computed; what is not finite is None.
    """
    row, attributes = make_row(dataset, material_id), dataset.attrs
    here = _at_one_energy(dataset)
    return {
        "record_version": RECORD_VERSION,
        "id": material_id,
        "name": str(row.columns["name"]),
        "quality": quality_of(attributes),
        "converged": _truth(attributes.get("converged")),
        "fermi_energy": None if here is None else plain(float(here["fermi_energy"])),
        "columns": {name: plain(value) for name, value in row.columns.items()} | _whole(row.columns),
        "units": units_by_column(row),
        "quantities": {} if here is None else _quantities(here),
        "structure": {
            "lattice": vectors_of(attributes["lattice"]).tolist(),
            "symbols": list(texts_of(attributes.get("atom_symbols"))),
            "positions": vectors_of(attributes.get("atom_positions", [])).tolist(),
        },
        "notes": list(_notes(dataset, here)),
        "warnings": list(texts_of(attributes.get("warnings"))),
        "provenance": {
            "spinscreen_version": str(attributes.get("spinscreen_version", "")),
            "schema_version": int(attributes.get("schema_version", 1)),
            "key": attributes.get("key"),
            "model_hash": attributes.get("model_hash"),
            "files": list(texts_of(attributes.get("model_files"))),
            "computed": attributes.get("computed"),
            "error_method": attributes.get("error_method"),
            "references": str(attributes.get("references", "")),
        },
    }


def _whole(columns: Any) -> dict[str, int]:
    """Numbers that count things, or name a group, as whole ones."""
    names = ("dimension", "wannier_functions", "spin_degeneracy", "space_group_number", "evaluations")
    found = {name: columns.get(name) for name in names}
    return {n: int(v) for n, v in found.items() if isinstance(v, int | float) and float(v).is_integer()}


def _at_one_energy(dataset: xr.Dataset) -> xr.Dataset | None:
    here = at_level(dataset)
    if here is None and dataset.sizes["fermi_energy"] == 1:
        return dataset.isel(fermi_energy=0)
    return here


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _notes(dataset: xr.Dataset, here: xr.Dataset | None) -> Iterator[str]:
    attributes = dataset.attrs
    yield from texts_of(attributes.get("model_notes"))
    if "mesh_note" in attributes:
        yield str(attributes["mesh_note"])
    if left_out := texts_of(attributes.get("left_out_at_zero_temperature")):
        yield f"left out at T = 0 on a plain mesh, as all of a Fermi surface: {', '.join(left_out)}"
    level = attributes.get("fermi_level")
    if here is not None and level is not None and not is_level(float(here["fermi_energy"]), float(level)):
        energy = float(here["fermi_energy"])
        yield f"values at {energy:g} eV, the scanned energy next to the Fermi level, {float(level):g} eV"
    if here is None:
        energies = dataset["fermi_energy"].values
        yield (
            f"no values at the Fermi level: {len(energies)} energies from {energies.min():g} to "
            f"{energies.max():g} eV were computed, Fermi level {attributes.get('fermi_level', 'unknown')}"
        )


def _quantities(here: xr.Dataset) -> dict[str, QuantityRecord]:
    names = [str(name) for name in here.data_vars if str(name) in QUANTITIES and not is_error(name)]
    return {name: _quantity(here[name], here.get(error_name(name))) for name in names}


def _quantity(values: xr.DataArray, bars: xr.DataArray | None) -> QuantityRecord:
    attributes = values.attrs
    independent, torque = attributes.get("independent_components"), attributes.get("net_torque")
    return {
        "long_name": str(attributes.get("long_name", values.name)),
        "theory": str(attributes.get("theory", "")),
        "converged": _truth(attributes.get("converged")),
        "note": attributes.get("note"),
        "per_spin": bool(attributes.get("per_spin", False)),
        "net_torque": None if torque == "unchecked" else list(texts_of(torque)),
        "independent_components": None if independent is None else [n for n in independent.split(", ") if n],
        "components": dict(_components(values, bars)),
    }


def _components(values: xr.DataArray, bars: xr.DataArray | None) -> Iterator[tuple[str, ComponentRecord]]:
    dims = [str(dim) for dim in values.dims]
    labels = {dim: [str(label) for label in values[dim].values] for dim in dims}
    units: dict[str | None, str] = {None: units_of_one(values)}
    units |= {n: units_of_one(values.sel(observable=n)) for n in labels.get("observable", ())}
    numbers, errors = values.values, None if bars is None else bars.values
    for place in np.ndindex(numbers.shape):
        at = {dim: labels[dim][i] for dim, i in zip(dims, place, strict=True)}
        value = plain(numbers[place])
        if value is None and "part" in at:
            # Parts of another quantity.
            continue
        error = None if errors is None else plain(errors[place])
        yield _name(at), {"value": value, "error": error, "units": units[at.get("observable")]}


def _name(at: dict[str, str]) -> str:
    observable, axes = at.get("observable"), "".join(at[dim] for dim in AXIS_DIMS if dim in at)
    component = str(Component(observable, axes)) if axes else observable or ""
    return f"{at.get('part', '')} {component}".strip() or _SCALAR
