"""Which quantities and which component are shown where nobody says so: in figures, tables and pages alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from spinscreen.kernels import QUANTITIES, InputError, Integral, short

from ..component import Component
from ..fermi_level import at_level
from ..results import TENSORS
from ..schema import is_error

#: Share of the largest value below which all components at the Fermi level are rounding.
_ROUNDING = 1e-6

#: The three answers to one question (T4, T6, T14), and what each is called beside the others.
HALL = {
    "conventional_hall_conductivity": "conventional",
    "conserved_hall_conductivity": "conserved, packet picture",
    "proper_hall_conductivity": "full response",
}

#: The same of a temperature gradient (T10).
NERNST = {name.replace("hall", "nernst"): text for name, text in HALL.items()}

#: What is drawn together by one word.
GROUPS = {"hall": tuple(HALL), "nernst": tuple(NERNST)}

#: Other names of one quantity; those of columns are known as well.
_SHORT = {
    "dos": "density_of_states",
    "magnetization": "circulation_magnetization",
    "drude": "drude_weight",
    "thermal": "thermal_hall_conductivity",
    **TENSORS,
}


def check_hall(names: Iterable[str]) -> None:
    """Raise InputError where none of the names is a Hall conductivity of an observable."""
    given, drawn = list(names), list(HALL)
    if not set(drawn) & set(given):
        raise InputError(
            f"plot: expected {', '.join(drawn[:-1])} or {drawn[-1]} in the dataset, found "
            f"{', '.join(given) or 'nothing'}."
        )


def hall_variable(dataset: xr.Dataset) -> xr.DataArray:
    """The first of the Hall conductivities of an observable. Raises InputError where there is none."""
    check_hall(map(str, dataset.data_vars))
    return dataset[next(name for name in HALL if name in dataset)]


def _how_to_get(names: Sequence[str]) -> str:
    """What to compute for quantities that are known and were not."""
    found = [quantity for name in names if isinstance(quantity := QUANTITIES.get(name), Integral)]
    if not found:
        return ""
    warm = ", at a temperature such as 300" if any(quantity.needs_temperature for quantity in found) else ""
    return f"; for it compute quantities={','.join(quantity.name for quantity in found)}{warm}"


def chosen_quantities(dataset: xr.Dataset, wanted: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the integrals that a word means, or those that are shown first.

    wanted : names in full; as in columns ("conserved", "anomalous"); "dos", "magnetization"; "hall" or
        "nernst" for what there is of the three answers; by default those of "hall", else the first integral
    Raises InputError for what the dataset lacks.
    """
    known = [
        str(name)
        for name, values in dataset.data_vars.items()
        if "fermi_energy" in values.dims and not is_error(name)
    ]
    if wanted is None:
        found = tuple(name for name in HALL if name in known) or tuple(known[:1])
        if not found:
            raise InputError("plot: expected Brillouin-zone integrals in the dataset, found none.")
        return found
    chosen: dict[str, None] = {}
    for word in [wanted] if isinstance(wanted, str) else wanted:
        meant = GROUPS.get(word, (_SHORT.get(word, word),))
        members = [name for name in meant if name in known]
        if not members:
            raise InputError(
                f"quantity: {short(word)} is not in the dataset, expected one of {', '.join(known)}"
                f"{_how_to_get(meant)}."
            )
        chosen |= dict.fromkeys(members)
    return tuple(chosen)


def largest_component(dataset: xr.Dataset, quantity: str | None = None) -> Component:
    """The component that is largest at the Fermi level: of `quantity`, by default of T4, else T6, else T14.

    Of those from which the others follow by symmetry, where the dataset names them (attribute
    `independent_components`). In the whole scan where that does not contain the level, or all components
    vanish at it. Raises InputError where the dataset lacks the quantity.
    """
    variable = (
        hall_variable(dataset) if quantity is None else dataset[chosen_quantities(dataset, quantity)[0]]
    )
    scan = _of_independent(_total(variable))
    here, largest = at_level(dataset), abs(scan).max("fermi_energy")
    at = None if here is None else abs(_of_independent(_total(here[variable.name])))
    # What is left of a component by rounding is no answer.
    vanishes = at is None or not float(at.max()) > _ROUNDING * float(largest.max())
    values = (largest if at is None or vanishes else at).fillna(0.0)
    place = np.unravel_index(int(np.argmax(values.values)), values.shape)
    labels = {str(dim): str(values[dim].values[i]) for dim, i in zip(values.dims, place, strict=True)}
    observable = labels.pop("observable", None)
    return Component(observable, "".join(labels.values()))


def chosen_component(
    dataset: xr.Dataset, component: Component | Sequence[str] | str | None, quantity: str | None = None
) -> Component:
    """A component as the user named it, by default the largest. Raises InputError."""
    if component is None:
        return largest_component(dataset, quantity)
    if isinstance(component, Component):
        return component
    if isinstance(component, str):
        values = hall_variable(dataset) if quantity is None else dataset[quantity]
        return Component.of(values, component)
    observable, *axes = component
    return Component(observable, "".join(axes))


def _total(values: xr.DataArray) -> xr.DataArray:
    """Summed over the dim `part`, with the attributes."""
    return values.sum("part", keep_attrs=True) if "part" in values.dims else values


def _of_independent(values: xr.DataArray) -> xr.DataArray:
    """The values with 0 in the place of components that symmetry forbids or that follow from others."""
    named = str(values.attrs.get("independent_components", ""))
    if not named:
        return values
    # Labels once and no selection by xarray: tensors have dozens of components, stores thousands of them.
    dims = tuple(map(str, values.dims))
    names = [str(name) for name in values["observable"].values] if "observable" in dims else []
    kept = np.zeros(values.shape, dtype=bool)
    try:
        for name in named.split(", "):
            labels = Component.read(name, dims, names).labels(dims)
            kept[
                tuple(values.indexes[d].get_loc(labels[d]) if d in labels else slice(None) for d in dims)
            ] = True
    except InputError:
        # Of observables that somebody named anew, nothing is known.
        return values
    return values.where(kept, 0.0)
