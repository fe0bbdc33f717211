"""The one schema: names, dims, labels, units and attributes of every dataset, derived from the registry."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.indexes import PandasIndex

from spinscreen.kernels import PARTS, QUANTITIES, BandQuantity, Integral

from .attributes import make_portable
from .component import AXIS_DIMS
from .fermi_level import AS_COMPUTED
from .observables import AXES, Observables

#: Raised whenever stored numbers change their meaning; part of every material's key.
SCHEMA_VERSION = 2

#: Of this code; looking for it costs more than the arrays of a small material.
VERSION = version("spinscreen")

#: Values of the attribute `kind`, which says what can be done with a dataset.
INTEGRALS, BANDS, MESH, CATALOG = "integrals", "bands", "mesh", "catalog"

#: Coordinates of k points in a plane.
PLANE = ("plane_1", "plane_2")

#: By kind, the beginning of the attribute `title`.
_TITLES: Mapping[str, str] = {
    INTEGRALS: "Brillouin-zone integrals",
    BANDS: "values per k point and band",
    MESH: "values per k point and band on a mesh",
    CATALOG: "catalog of materials",
}

#: What to cite of whatever is computed here.
REFERENCES = (
    "C. Xiao and Q. Niu, arXiv:2009.12058 (conserved current, packet picture); J. Shi, P. Zhang, D. Xiao and "
    "Q. Niu, Phys. Rev. Lett. 96, 076604 (2006) (full response of the conserved current); "
    "A. Shitade and E. Minamitani, npj Spintronics 3, 29 (2025) (accumulation); spinscreen, see CITATION.cff"
)


#: What is behind the name of an integral in that of its error bar.
_ERROR = "_error"

_ERROR_COMMENT = "Error bar of the value, found as error_method says; quote it with the value."


def error_name(variable: str) -> str:
    """Name of the variable that holds the error bar of an integral."""
    return variable + _ERROR


def is_error(variable: object) -> bool:
    """Whether a variable holds the error bar of another one."""
    return str(variable).removesuffix(_ERROR) in QUANTITIES and str(variable).endswith(_ERROR)


def labels(values: Sequence[str]) -> NDArray[np.object_]:
    """Text that Zarr v3 stores as variable-length strings; fixed widths have no stable data type there."""
    return np.array(list(values), dtype=object)


def units_of(template: str, observables: Observables) -> str:
    """Put the observable's unit into a template; charge over e is no unit at all."""
    unit = observables.common_unit if observables.names else "Theta"
    text = template.replace("({theta}/e) ", "" if unit == "e" else f"({unit}/e) ")
    if unit == "1":
        text = text.replace("({theta}/e)", "(1/e)").removeprefix("{theta} ")
    return text.replace("{theta}", unit)


def band_dataset(
    values: Mapping[str, NDArray],
    chosen: Sequence[BandQuantity],
    observables: Observables,
    kpoints: NDArray,
    attributes: Mapping[str, object],
) -> xr.Dataset:
    """Values per k and band, dims (k, ..., band), with reduced k points as coordinates k1, k2, k3.

    The attribute `kind` is "mesh" where the points are the product of a few values each, else "bands".
    """
    variables = {
        q.name: (
            ("k", *q.dims, "band"),
            values[q.name],
            {
                "long_name": q.long_name,
                "units": units_of(q.units, observables),
                "theory": q.theory,
                "comment": q.comment,
            },
        )
        for q in chosen
    }
    coordinates: dict[Hashable, object] = {
        f"k{i + 1}": ("k", kpoints[:, i], {"long_name": f"reduced k{i + 1}", "units": "1"}) for i in range(3)
    }
    bands = next(iter(values.values())).shape[-1]
    coordinates["band"] = ("band", np.arange(bands), {"long_name": "band, from the lowest"})
    dims = {dim for q in chosen for dim in q.dims}
    kind = MESH if is_mesh(kpoints) else BANDS
    return _described(xr.Dataset(variables, coordinates | _axis_labels(dims, observables)), kind, attributes)


def with_plane(
    dataset: xr.Dataset, place: NDArray, shape: Sequence[int], axes: NDArray, zone: NDArray
) -> xr.Dataset:
    """Values per k of a plane, with the places of the points in it and the outline of the Brillouin zone.

    place : (k, 2) 1/angstrom along `axes`, (2, 3) Cartesian unit vectors, the second fastest; shape : points
    along each; zone : (corner, 2) as `place`
    """
    told = {"units": "1/angstrom", "shape": list(shape), "axes": axes.tolist(), "zone": zone.tolist()}
    found = dataset.assign_coords(
        {
            name: ("k", place[:, i], {"long_name": f"k along direction {i + 1} of the plane", **told})
            for i, name in enumerate(PLANE)
        }
    ).assign_attrs(kind=MESH)
    make_portable(found)
    return found


def is_mesh(kpoints: NDArray) -> bool:
    """Whether reduced k points, (k, 3), are those of a mesh in at least two directions; none are, too."""
    lengths = sorted(len(np.unique(column.round(9))) for column in kpoints.T)
    return math.prod(lengths) == len(kpoints) and lengths[1] != 1


def kind_of(dataset: xr.Dataset) -> str:
    """The attribute `kind`, found out for a dataset of an earlier version."""
    kind = dataset.attrs.get("kind")
    if kind in (INTEGRALS, BANDS, MESH, CATALOG):
        return str(kind)
    if "material" in dataset.dims:
        return CATALOG
    if "k" not in dataset.dims:
        return INTEGRALS
    names = ("k1", "k2", "k3")
    known = set(names) <= set(dataset.coords) and "distance" not in dataset.coords
    return MESH if known and is_mesh(np.stack([dataset[name].values for name in names], 1)) else BANDS


def integral_dataset(
    values: Mapping[str, NDArray],
    chosen: Sequence[Integral],
    observables: Observables,
    fermi_energy: NDArray,
    dimension: int,
    attributes: Mapping[str, object],
    errors: Mapping[str, NDArray] | None = None,
) -> xr.Dataset:
    """Brillouin-zone integrals, dims (..., fermi_energy).

    errors : by name of the integral, as its values; each becomes the variable <name>_error, NaN where the
        error is not known
    Quantities with different labels of `part` share that dim: a part that one does not have is NaN, which
    xarray leaves out of sums.
    """
    parts = list(dict.fromkeys(label for q in chosen for label in PARTS.get(q.name, ())))

    def described(q: Integral, array: NDArray, long_name: str, comment: str) -> tuple[object, ...]:
        units = units_of(q.unit.in_dimension[dimension], observables)
        array = _among_parts(array, PARTS[q.name], parts) if q.name in PARTS else array
        told = {"long_name": long_name, "units": units, "theory": q.theory, "comment": comment}
        return (*q.dims, "fermi_energy"), array, told

    variables = {q.name: described(q, values[q.name], q.long_name, q.comment) for q in chosen}
    for q in chosen:
        if errors is not None and q.name in errors:
            told = f"error bar of the {q.long_name}"
            variables[error_name(q.name)] = described(q, errors[q.name], told, _ERROR_COMMENT)
    dims = frozenset(dim for q in chosen for dim in q.dims)
    known = _indexed_labels(dims, observables, tuple(parts))
    index = PandasIndex(fermi_energy, "fermi_energy")
    energies = {"fermi_energy": xr.Variable("fermi_energy", fermi_energy, _ENERGY)}
    coordinates = xr.Coordinates(
        {
            **index.create_variables(energies),
            **known.variables,
            **{name: xr.as_variable(value) for name, value in _scalars(attributes).items()},
        },
        {"fermi_energy": index, **known.xindexes},
    )
    return _described(xr.Dataset(variables, coordinates), INTEGRALS, attributes)


#: Attributes of the coordinate `fermi_energy`.
_ENERGY = {"long_name": "Fermi energy", "units": "eV"}


@lru_cache(maxsize=32)
def _indexed_labels(dims: frozenset[str], observables: Observables, parts: tuple[str, ...]) -> xr.Coordinates:
    """Labels with the indexes of xarray, which cost more than the arrays of a small material."""
    named = {"part": ("part", labels(parts))} if parts else {}
    return xr.Coordinates(named | _axis_labels(dims, observables))


def _among_parts(values: NDArray, own: Sequence[str], parts: Sequence[str]) -> NDArray:
    spread = np.full((len(parts), *values.shape[1:]), np.nan)
    spread[[parts.index(label) for label in own]] = values
    return spread


def _axis_labels(dims: Collection[str], observables: Observables) -> dict[Hashable, object]:
    coordinates: dict[Hashable, object] = {dim: (dim, labels(AXES)) for dim in AXIS_DIMS if dim in dims}
    return coordinates | (observables.coordinates if "observable" in dims else {})


def _described(dataset: xr.Dataset, kind: str, attributes: Mapping[str, object]) -> xr.Dataset:
    """The dataset with its attributes and the scalar coordinates that they give."""
    made = {"kind": kind, "schema_version": SCHEMA_VERSION, "spinscreen_version": VERSION}
    name = str(attributes.get("model_name", ""))
    dataset.attrs = {**made, **conventions(kind, name), **attributes}
    make_portable(dataset)
    return dataset if "name" in dataset.coords else with_scalars(dataset)


def conventions(kind: str, name: str = "") -> dict[str, str]:
    """Attributes that every netCDF reader knows: Conventions, title, source, references, history."""
    made = f"spinscreen {VERSION}"
    return {
        "Conventions": "CF-1.11",
        "title": f"{name}: {_TITLES[kind]}" if name else _TITLES[kind],
        "source": made,
        "references": REFERENCES,
        "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} computed by {made}",
    }


def with_scalars(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with name, Fermi level (NaN where unknown) and threshold as coordinates.

    So `xarray.concat` keeps those of each material; `xarray.concat(datasets, "name")` labels them.
    """
    found = _scalars(dataset.attrs)
    return dataset.assign_coords({name: value for name, value in found.items() if name not in dataset.coords})


def _scalars(attributes: Mapping[str, Any]) -> dict[str, Any]:
    level: dict[str, Any] = {"long_name": "Fermi level", "units": "eV"}
    threshold = {"long_name": "distance below which levels are one multiplet", "units": "eV"}
    if "fermi_level" in attributes:
        level[AS_COMPUTED] = float(attributes["fermi_level"])
    return {
        "name": ((), str(attributes.get("material", attributes.get("model_name", "")))),
        "fermi_level": ((), float(attributes.get("fermi_level", np.nan)), level),
        "degeneracy_threshold": ((), float(attributes.get("degeneracy_threshold", np.nan)), threshold),
    }


def as_now(dataset: xr.Dataset) -> xr.Dataset:
    """A stored result with the attributes and coordinates of now, whatever version wrote it."""
    make_portable(dataset)
    kind = kind_of(dataset)
    name = str(dataset.attrs.get("model_name", ""))
    told = {key: text for key, text in conventions(kind, name).items() if key not in ("history", "source")}
    dataset.attrs |= {key: text for key, text in told.items() if key not in dataset.attrs}
    for variable, values in dataset.data_vars.items():
        if "cell" in (units := str(values.attrs.get("units", ""))):
            values.attrs["units"] = without_cell(units)
        if str(variable) in QUANTITIES:
            values.attrs.setdefault("comment", QUANTITIES[str(variable)].comment)
    return with_plain_texts(with_scalars(dataset))


def with_plain_texts(dataset: xr.Dataset) -> xr.Dataset:
    """Texts as objects: of the type that Zarr gives, xarray cannot reindex or join any."""
    texts = [name for name, variable in dataset.variables.items() if variable.dtype.kind == "T"]
    plain = {name: dataset.variables[name].astype(object) for name in texts}
    coordinates = {name: values for name, values in plain.items() if name in dataset.coords}
    others = {name: values for name, values in plain.items() if name not in coordinates}
    return dataset.assign_coords(coordinates).assign(others)


def without_cell(units: str) -> str:
    """Units of earlier versions, in which a number per cell said so: no registry of units knows a cell."""
    return {"1/cell": "1", "1/(eV cell)": "1/eV"}.get(units, units.removesuffix("/cell"))
