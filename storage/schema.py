"""The one schema: names, dims, labels, units and attributes of every dataset, derived from the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import PARTS, BandQuantity, Integral

#: Raised whenever stored numbers change their meaning; part of every material's key.
SCHEMA_VERSION = 2

AXES = ("x", "y", "z")

#: Dims whose labels are fixed; `observable` takes its labels from the model.
_AXIS_DIMS = ("axis", "current_axis", "field_axis")


@dataclass(frozen=True)
class Observables:
    """Labels and units of the observable dim."""

    names: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def common_unit(self) -> str:
        """The unit of all of them, or "Theta" where they differ (see the coordinate observable_unit)."""
        return self.units[0] if len(set(self.units)) == 1 else "Theta"


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
    """Values per k and band, dims (k, ..., band), with reduced k points as coordinates k1, k2, k3."""
    variables = {
        q.name: (
            ("k", *q.dims, "band"),
            values[q.name],
            {
                "long_name": q.long_name,
                "units": units_of(q.units, observables),
                "theory": q.theory,
            },
        )
        for q in chosen
    }
    coordinates: dict[str, object] = {
        f"k{i + 1}": ("k", kpoints[:, i], {"long_name": f"reduced k{i + 1}", "units": "1"}) for i in range(3)
    }
    bands = next(iter(values.values())).shape[-1]
    coordinates["band"] = ("band", np.arange(bands), {"long_name": "band, from the lowest"})
    dims = {dim for q in chosen for dim in q.dims}
    return xr.Dataset(variables, coordinates | _axis_labels(dims, observables), _common(attributes))


def integral_dataset(
    values: Mapping[str, NDArray],
    chosen: Sequence[Integral],
    observables: Observables,
    fermi_energy: NDArray,
    dimension: int,
    attributes: Mapping[str, object],
) -> xr.Dataset:
    """Brillouin-zone integrals, dims (..., fermi_energy).

    Quantities with different labels of `part` share that dim: a part that one does not have is NaN, which
    xarray leaves out of sums.
    """
    parts = list(dict.fromkeys(label for q in chosen for label in PARTS.get(q.name, ())))
    variables = {
        q.name: (
            (*q.dims, "fermi_energy"),
            _among_parts(values[q.name], PARTS[q.name], parts) if q.name in PARTS else values[q.name],
            {
                "long_name": q.long_name,
                "units": units_of(q.unit.in_dimension[dimension], observables),
                "theory": q.theory,
            },
        )
        for q in chosen
    }
    coordinates: dict[str, object] = {
        "fermi_energy": (
            "fermi_energy",
            fermi_energy,
            {"long_name": "Fermi energy", "units": "eV"},
        )
    }
    if parts:
        coordinates["part"] = ("part", labels(parts))
    dims = {dim for q in chosen for dim in q.dims}
    return xr.Dataset(variables, coordinates | _axis_labels(dims, observables), _common(attributes))


def _among_parts(values: NDArray, own: Sequence[str], parts: Sequence[str]) -> NDArray:
    spread = np.full((len(parts), *values.shape[1:]), np.nan)
    spread[[parts.index(label) for label in own]] = values
    return spread


def _axis_labels(dims: set[str], observables: Observables) -> dict[str, object]:
    coordinates: dict[str, object] = {dim: (dim, labels(AXES)) for dim in _AXIS_DIMS if dim in dims}
    if "observable" in dims:
        coordinates["observable"] = ("observable", labels(observables.names))
        coordinates["observable_unit"] = ("observable", labels(observables.units))
    return coordinates


def _common(attributes: Mapping[str, object]) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "spinscreen_version": version("spinscreen"),
        **attributes,
    }
