"""What symmetry says of the tensors of a result: components, what it forbids, kinds of spin current."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
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
    shape_of = cache(partial(tensor_shape, group=group))
    every_shape = cache(partial(tensor_shape, group=SymmetryGroup.identity(len(model.observables))))
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
        shape = shape_of(integral.transformation)
        if integral.name in _KINDS_OF:
            dataset.attrs["spin_current_types"] = spin_current_types(labels["observable"], shape)
        if residual > _SMALL:
            # What the group forbids is there nevertheless: every component is shown.
            shape = every_shape(integral.transformation)
        # One text each, as some formats hold no empty list.
        independent = _named(values.dims, labels, shape.independent)
        values.attrs["independent_components"] = ", ".join(independent)
        forbidden = map(tuple, np.argwhere(~shape.allowed).tolist())
        values.attrs["forbidden_components"] = ", ".join(_named(values.dims, labels, forbidden))
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
    best = max(shifts, key=lambda other: int(kept_by(other, group).sum()))
    most = int(kept_by(best, group).sum())
    told = f"the mesh keeps {kept} of the {group.order} operations of the model"
    if most == kept:
        return told
    steps = ",".join(f"{step:g}" for step in best.shift) if any(best.shift) else "0"
    return f"{told}: tensors have less symmetry than the crystal; kshift {steps} keeps {most}"


def _named(
    dims: Sequence[Hashable], labels: Mapping[str, Sequence[str]], places: Iterable[tuple[int, ...]]
) -> Iterator[str]:
    axes = [str(dim) for dim in dims if dim not in ("part", "fermi_energy")]
    for place in places:
        words = [labels[axis][i] for axis, i in zip(axes, place, strict=True)]
        observable = words.pop(0) if "observable" in axes else None
        yield str(Component(observable, "".join(words)))


def spin_current_types(names: Sequence[str], shape: TensorShape) -> str:
    """Types of the spin Hall database that symmetry allows in Cartesian axes (s41524-021-00635-0).

    I : spin, current and field along three axes; II : spin along the current, across the field; III : current
    along the field; IV : spin along the field, across the current. "" where no spin current is allowed.
    """
    found = set()
    for s, a, b in np.argwhere(shape.allowed):
        if is_spin(names[s]):
            spin, current, field = names[s][-1], "xyz"[a], "xyz"[b]
            kinds = {spin == current: "II", spin == field: "IV", current == field: "III"}
            found.add(kinds.get(True, "I"))
    return ", ".join(kind for kind in ("I", "II", "III", "IV") if kind in found)
