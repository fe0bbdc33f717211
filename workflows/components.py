"""Components that are asked for: what of a model, of its sums and of its dataset they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short
from spinscreen.materials import WannierModel
from spinscreen.storage import Component
from spinscreen.storage.observables import AXES, short_name

#: Elements of the mixing of observables that are no rounding.
_MIXES = 1e-9

_HALL = ("observable", "current_axis", "field_axis")


@dataclass(frozen=True)
class Components:
    """The smallest product of observables, current and field axes that contains what is asked for.

    observables : names, in the order of the model; current, field : axes, such as "x" or "xy"
    """

    observables: tuple[str, ...]
    current: str
    field: str

    @classmethod
    def of(cls, names: Sequence[str] | None, model: WannierModel) -> Components | None:
        """By names such as "z_xy", or "xy" of every observable that another name has; None: all there are.

        Raises InputError for a component that the model does not have.
        """
        if names is None:
            return None
        known = tuple(model.observables)
        found = [_read(text, model.name, known) for text in names]
        named = {component.observable for component in found} - {None}
        chosen = cls(
            tuple(name for name in known if name in named or not named),
            "".join(axis for axis in AXES if any(axis == one.axes[0] for one in found)),
            "".join(axis for axis in AXES if any(axis == one.axes[1] for one in found)),
        )
        whole = "".join(AXES)
        return None if chosen == cls(known, whole, whole) else chosen

    def mask(self, dims: Sequence[str], observables: Sequence[str]) -> NDArray[np.bool_]:
        """Where a tensor with these dims has what is asked for; of length 1 along all other dims.

        observables : of the model that is computed
        """
        along = {
            "observable": [name in self.observables for name in observables],
            "current_axis": [axis in self.current for axis in AXES],
            "field_axis": [axis in self.field for axis in AXES],
        }
        mask = np.ones((), dtype=bool)
        for dim in dims:
            mask = mask[..., None] & np.array(along.get(dim, [True]), dtype=bool)
        return mask

    def select(self, dataset: xr.Dataset) -> xr.Dataset:
        """What is asked for of a dataset that has more."""
        labels = dict(zip(_HALL, (self.observables, [*self.current], [*self.field]), strict=True))
        found = dataset.isel(
            {
                dim: np.flatnonzero(np.isin(dataset[dim].values.astype(str), chosen))
                for dim, chosen in labels.items()
                if dim in dataset.dims
            }
        )
        found.attrs["components"] = list(self.names)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Of each component, observable after observable."""
        pairs = [a + b for a in self.current for b in self.field]
        if not self.observables:
            return tuple(pairs)
        return tuple(str(Component(name, ab)) for name in self.observables for ab in pairs)


def checked_components(names: Sequence[str]) -> None:
    """Raise InputError for what names no component of any model."""
    given = [] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
    if not given or not all(isinstance(text, str) for text in given):
        raise InputError(
            f"components: expected a list of names such as ['z_xy'], found {short(names)}; leave it out for "
            "all."
        )
    for text in given:
        _parsed(text)


def _parsed(text: str) -> Component:
    try:
        return Component.parse(text)
    except InputError:
        raise InputError(
            f"components: expected names such as 'z_xy', spin_z of the current along x in a field along y, "
            f"or 'charge_xx', found {text!r}."
        ) from None


def _read(text: str, model: str, known: Sequence[str]) -> Component:
    parsed = _parsed(text)
    if parsed.observable is None:
        return parsed
    try:
        return Component.read(text, _HALL, known)
    except InputError:
        names = ", ".join(map(short_name, known)) or "none"
        raise InputError(
            f"components: model {model!r} does not have the observable of {text!r}, expected one of {names}; "
            "charge=True and orbital=True add observables."
        ) from None


def carrying(model: WannierModel, components: Components | None) -> WannierModel:
    """The model with those observables alone that the components need: named ones, and what the operations
    that the model obeys turn these into, as points that symmetry relates are computed once.
    """
    if components is None:
        return model
    mixes: NDArray[np.bool_] = np.any(np.abs(model.symmetry_group.observables) > _MIXES, axis=0)
    kept: NDArray[np.bool_] = np.isin(list(model.observables), components.observables)
    for _ in model.observables:
        kept = kept | mixes[kept].any(axis=0)
    if kept.all():
        return model
    facts = model.observable_facts.items()
    return replace(
        model, observables={name: one for (name, one), is_kept in zip(facts, kept, strict=True) if is_kept}
    )
