"""What symmetry says of the tensors of a result: components, what it forbids, kinds of spin current."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import xarray as xr

from spinscreen.kernels import (
    Integral,
    IrreducibleMesh,
    KMesh,
    Sample,
    SymmetryGroup,
    TensorShape,
    symmetry_residual,
    tensor_shape,
)
from spinscreen.kernels.irreducible import kept_by
from spinscreen.materials import WannierModel
from spinscreen.storage import Component
from spinscreen.storage.observables import is_spin

#: The answers to "what spin current", of which the kinds are told and the residual decides.
_KINDS_OF = ("conserved_hall_conductivity", "conventional_hall_conductivity", "proper_hall_conductivity")


#: Share of the largest component up to which what a group forbids is left out of tables.
_SMALL = 1e-3


def add_shapes(
    dataset: xr.Dataset, model: WannierModel, chosen: tuple[Integral, ...], sample: Sample
) -> None:
    """Attributes of each variable: its independent and its forbidden components, and how far it breaks the
    crystal's symmetry.

    By the group that the model obeys or, where it has less symmetry than its crystal, was meant to obey.
    """
    group = model.meant_group
    no_group = SymmetryGroup.identity(len(model.observables))
    labels = {
        str(dim): dataset.variables[dim].values.tolist() for dim in dataset.dims if dim in dataset.coords
    }
    residuals: dict[str, float] = {}
    for integral in chosen:
        # Not its DataArray, which costs more than what is asked of it.
        values = dataset.variables[integral.name]
        if not integral.transformation.indices:
            continue
        plain = values.values if not integral.parts else np.moveaxis(values.values, 0, -1)
        smallest = integral.absolute_tolerance(sample)
        residual = symmetry_residual(plain, integral.transformation, group, smallest)
        shape = tensor_shape(integral.transformation, group)
        if integral.name in _KINDS_OF:
            dataset.attrs["spin_current_types"] = spin_current_types(labels["observable"], shape)
        if residual > _SMALL:
            # What the group forbids is there nevertheless: every component is shown.
            shape = tensor_shape(integral.transformation, no_group)
        # One text each, as some formats hold no empty list.
        axes = [str(dim) for dim in values.dims if dim not in ("part", "fermi_energy")]
        words = tuple((axis == "observable", tuple(labels[axis])) for axis in axes)
        values.attrs["independent_components"] = _named(words, shape.independent)
        values.attrs["forbidden_components"] = _named(words, shape.forbidden)
        values.attrs["symmetry_residual"] = residual
        residuals[integral.name] = residual
    dataset.attrs["symmetry_operations"] = group.order
    # Differences and derivatives are small and noisy: they say nothing of the answers.
    answers = [residuals[name] for name in _KINDS_OF if name in residuals] or [*residuals.values()]
    dataset.attrs["symmetry_residual"] = max(answers, default=0.0)


def mesh_note(mesh: IrreducibleMesh, group: SymmetryGroup) -> str | None:
    """One sentence where a mesh breaks the symmetry of the model, and which shift keeps more of it."""
    kept = mesh.group.order
    if kept == group.order:
        return None
    shifts = [
        KMesh(mesh.full.shape, (x, y, z))
        for x, y, z in product(*([0.0, 0.5] if n > 1 else [0.0] for n in mesh.full.shape))
    ]
    counts = [int(kept_by(other, group).sum()) for other in shifts]
    most = max(counts)
    best = shifts[counts.index(most)]
    told = f"the mesh keeps {kept} of the {group.order} operations of the model"
    if most == kept:
        return told
    steps = ",".join(f"{step:g}" for step in best.shift) if any(best.shift) else "0"
    return f"{told}: tensors have less symmetry than the crystal; kshift {steps} keeps {most}"


@lru_cache(maxsize=256)
def _named(axes: tuple[tuple[bool, tuple[str, ...]], ...], places: tuple[tuple[int, ...], ...]) -> str:
    """Names of components. axes : whether each is that of the observables, and its labels"""
    found = []
    for place in places:
        words = [(is_observable, labels[i]) for (is_observable, labels), i in zip(axes, place, strict=True)]
        observable = next((word for is_observable, word in words if is_observable), None)
        found.append(str(Component(observable, "".join(word for other, word in words if not other))))
    return ", ".join(found)


def spin_current_types(names: Sequence[str], shape: TensorShape) -> str:
    """Types of the spin Hall database that symmetry allows in Cartesian axes (s41524-021-00635-0).

    I : spin, current and field along three axes; II : spin along the current, across the field; III : current
    along the field; IV : spin along the field, across the current. "" where no spin current is allowed.
    """
    found = set()
    for s, a, b in np.argwhere(shape.allowed).tolist():
        if is_spin(names[s]):
            spin, current, field = names[s][-1], "xyz"[a], "xyz"[b]
            kinds = {spin == current: "II", spin == field: "IV", current == field: "III"}
            found.add(kinds.get(True, "I"))
    return ", ".join(kind for kind in ("I", "II", "III", "IV") if kind in found)
