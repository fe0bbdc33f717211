"""What must be said of a result beside its numbers: each in one sentence, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spinscreen.kernels import Dominance
from spinscreen.kernels.adaptive import MOST_OF_ONE_POINT, reach_of
from spinscreen.materials import WannierModel
from spinscreen.materials.superconductors import pairing_amplitude
from spinscreen.storage.analysis import natural_unit
from spinscreen.storage.analysis.units import units_of_one
from spinscreen.storage.fermi_level import place_of_level, why_missing

from .adaptive import Shortfall
from .calculation import THRESHOLD_SHARE
from .premise import CONSERVED, RATE
from .settings import Settings
from .telling import say, say_of


class ThresholdWarning(UserWarning):
    """The degeneracy threshold joins electrons and holes of a superconductor."""


def warn_of_threshold(model: WannierModel, settings: Settings) -> list[str]:
    """Where the threshold is larger than a tenth of the pairing; what was said."""
    amplitude = pairing_amplitude(model) if model.is_bogoliubov else 0.0
    if not amplitude > 0 or settings.degeneracy_threshold <= THRESHOLD_SHARE * amplitude:
        return []
    told = (
        f"{model.name}: degeneracy_threshold {settings.degeneracy_threshold:g} eV joins levels on both "
        f"sides of the gap, expected at most a tenth of the pairing, {amplitude:g} eV; lower it."
    )
    return [say(told, ThresholdWarning, 3)]


class NetTorqueWarning(UserWarning):
    """A field exerts a net torque on an observable: it has no conserved current (T16)."""


def warn_of_torque(dataset: xr.Dataset, torque: NDArray[np.bool_] | None) -> None:
    """The premise of a conserved current, where T16 was summed: torque says which observables break it."""
    if torque is None or not torque.any():
        return
    names = [str(name) for name, found in zip(dataset["observable"].values, torque, strict=True) if found]
    for variable in (*CONSERVED, RATE):
        if variable in dataset:
            dataset[variable].attrs["net_torque"] = names
    say_of(
        dataset,
        f"{dataset.attrs['model_name']}: a field exerts a net torque on {', '.join(names)} at some Fermi "
        f"energy ({RATE}, T16), so no conserved current of it exists there; T6, T14 and what is built on "
        "them are formulas without their premise.",
        NetTorqueWarning,
        3,
    )


class EquilibriumCurrentWarning(UserWarning):
    """The uniform equilibrium current (T12) does not vanish: the mesh is too coarse."""


#: Share of its parts that the equilibrium current may have before it is warned about.
_EQUILIBRIUM_TOLERANCE = 0.1


def warn_of_equilibrium(dataset: xr.Dataset) -> None:
    """T12 is exact in the limit of a dense mesh: what is left of it is the error of the mesh."""
    if "equilibrium_current" not in dataset:
        return
    current = dataset["equilibrium_current"]
    rest = float(abs(current.sum("part")).max())
    scale = float(abs(current).max())
    if rest > _EQUILIBRIUM_TOLERANCE * scale and rest > 1e-6:
        say_of(
            dataset,
            f"{dataset.attrs['model_name']}: the uniform equilibrium current (T12) is {rest:.3g} where its "
            f"parts are up to {scale:.3g} and cancel on a dense mesh; refine kmesh or raise temperature.",
            EquilibriumCurrentWarning,
            3,
        )


class DominantPointWarning(UserWarning):
    """One k point carries a large share of an integral, which the mesh does not resolve."""


#: Quantities whose shares are told first: others may vanish by symmetry, or be about few points by nature.
_ANSWERS = ("conserved_hall_conductivity", "conventional_hall_conductivity", "proper_hall_conductivity")


def warn_of_points(dataset: xr.Dataset, dominances: Mapping[str, Dominance]) -> None:
    """Where one k point carries too much of an answer to "what spin current", or else of any quantity."""
    names = [name for name in _ANSWERS if name in dominances] or list(dominances)
    if not names:
        return
    name = max(names, key=lambda name: dominances[name].share)
    found = dominances[name]
    if found.share >= MOST_OF_ONE_POINT:
        place = " ".join(f"{x:.4g}" for x in found.kpoint)
        adaptive = "tolerance" in dataset.attrs
        what = "the cell of one k point" if adaptive else "one k point"
        cure = "give a larger budget" if adaptive else "use a denser kmesh, or tolerance instead of kmesh"
        if found.finest:
            cure = "cells do not get smaller: give a higher temperature or a larger degeneracy_threshold"
        say_of(
            dataset,
            f"{dataset.attrs['model_name']}: {what}, {place}, carries {found.share:.0%} of {name}, expected "
            f"less than {MOST_OF_ONE_POINT:.0%} where the integrand is resolved; {cure}.",
            DominantPointWarning,
            4,
        )


class CoarseMeshWarning(UserWarning):
    """A plain mesh whose points cannot tell far hoppings from near ones."""


#: Matrix elements that reach farther than this ask for more than any usual mesh has.
_FAR = 4


def warn_of_reach(dataset: xr.Dataset, model: WannierModel, kmesh: Sequence[int]) -> None:
    """Where exp(i k R) is the same on all points of a sub-mesh, so that no bar knows what is missed."""
    reach = reach_of(model.operators, np.eye(3, dtype=np.int64))
    needed = [int(count) if r < _FAR else 4 * int(r) for count, r in zip(kmesh, reach, strict=True)]
    if all(count >= least for count, least in zip(kmesh, needed, strict=True)):
        return
    for attributes in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values())):
        if "converged" in attributes:
            attributes["converged"] = False
    found, wanted = ("x".join(map(str, mesh)) for mesh in (kmesh, needed))
    say_of(
        dataset,
        f"{model.name}: kmesh {found} is too coarse for matrix elements that reach {reach.max()} cells far, "
        f"which no error bar tells; expected at least {wanted}, or tolerance instead of kmesh.",
        CoarseMeshWarning,
        4,
    )


class ScanWarning(UserWarning):
    """The scan of Fermi energies does not contain the Fermi level."""


def warn_of_scan(dataset: xr.Dataset) -> None:
    """Where several energies were asked for, none of which is the Fermi level."""
    energies, level = dataset["fermi_energy"].values, dataset.attrs.get("fermi_level")
    if len(energies) > 1 and level is not None and place_of_level(energies, level) is None:
        say_of(
            dataset,
            f"{dataset.attrs['model_name']}: {why_missing(energies, level)}: values at the level will be "
            "missing from tables and catalogs; include it in fermi_energy.",
            ScanWarning,
            4,
        )


class ToleranceWarning(UserWarning):
    """The adaptive integration has spent its budget before all error bars were small."""


def warn_of_tolerance(dataset: xr.Dataset, shortfalls: Sequence[Shortfall]) -> None:
    """Where the quantity that is farthest from its goal is not within the tolerance."""
    if not shortfalls:
        return
    worst = shortfalls[0]
    values = dataset[worst.name]
    place = dict(zip(values.dims, worst.component, strict=False))
    labels = [str(values[dim].values[i]) for dim, i in place.items()]
    points = ", ".join("(" + " ".join(f"{x:.4g}" for x in point) + ")" for point in worst.kpoints)
    count = len(shortfalls) - 1
    more = (
        f" ({count} more {'quantity is' if count == 1 else 'quantities are'} not within the tolerance)"
        if count
        else ""
    )
    where = f" {'_'.join(labels)}" if labels else ""
    # As the table of the run shows it.
    factor, shown = natural_unit(units_of_one(values.isel(place)))
    unit = "" if shown == "1" else f" {shown}"
    places = f", its largest errors being at k = {points}" if points else ""
    evaluations, budget = dataset.attrs["evaluations"], dataset.attrs["budget"]
    start = f" of the start mesh, which is always taken (budget {budget:,})" if evaluations > budget else ""
    cure = (
        "the cells there are as small as they get: give a larger tolerance"
        if worst.finest
        else "give a larger budget or tolerance"
    )
    say_of(
        dataset,
        f"{dataset.attrs['model_name']}: the error of {worst.name}{where} at {worst.energy:.4f} eV is "
        f"{factor * worst.bar:.3g}{unit}, expected at most {factor * worst.goal:.3g}, after "
        f"{evaluations:,} k points{start}{places}{more}; {cure}, or a "
        "higher temperature.",
        ToleranceWarning,
        4,
    )
