"""`compute`: Brillouin-zone integrals; values per k and band are in `evaluating`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from distributed import Client
from numpy.typing import NDArray

from spinscreen.kernels import (
    Integral,
    IrreducibleMesh,
    Sample,
    has_net_torque,
    integrals,
    whole_sums,
)
from spinscreen.kernels.quantities import Term
from spinscreen.materials import WannierModel, band_gap
from spinscreen.storage import KeptSums, error_name, integral_dataset
from spinscreen.storage.attributes import make_portable

from .adaptive import run_adaptive
from .adaptive_plan import make_adaptive_plan
from .alarms import (
    warn_of_equilibrium,
    warn_of_points,
    warn_of_reach,
    warn_of_scan,
    warn_of_threshold,
    warn_of_tolerance,
    warn_of_torque,
)
from .calculation import Calculation
from .dask_engine import engine_of
from .descriptions import model_attributes, observables_of
from .engine import Engine
from .execution import Progress, run_plan
from .finiteness import check_integrals
from .integrated import Integrated, integrated_on_mesh
from .levels import warn_of_levels
from .narrow_gaps import tell_narrow_gap
from .notebook import notebook_progress
from .plan import DEFAULT_MEMORY_BUDGET, CostWarning, costly, make_plan
from .premise import RATE, forbidden_by_crystal, note_unchecked_torque
from .setting_names import positional
from .settings import Settings, left_out_at_zero
from .shapes import add_shapes, mesh_note
from .telling import note_warnings


def silent(kpoints: int) -> None:
    """Progress that nobody looks at."""


#: Settings of `compute` by position, after the mesh.
_POSITIONS = ("fermi_energy", "temperature", "degeneracy_threshold", "quantities", "client")


def compute(
    model: WannierModel,
    calculation: Calculation | int | Sequence[int] | None = None,
    /,
    *values: Any,
    progress: Progress | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Brillouin-zone integrals for a scan of Fermi energies.

    calculation : a `Calculation`, which `settings` may change, or the mesh alone
    values : fermi_energy, temperature, degeneracy_threshold, quantities, client by position
    settings : those of `Calculation` by name, and
    client : a Dask client or an `Engine`; None uses the threads of this process
    Among the settings are
    kmesh : of a plain mesh, three numbers or one for all periodic axes; None: adaptive integration
    kshift : in steps of kmesh, 0.5 by default; 0 is Gamma-centred
    tolerance, budget : of the adaptive integration, 0.01 and 200,000 k points by default: bars of each
        quantity are below that share of its largest value, or the points are spent, which is warned about
    fermi_energy : eV, number or array; None scans about the Fermi level, which is one of the energies
    fermi_level, electrons : eV, or what the bands hold per cell, instead of what the model says
    temperature : K; Nernst quantities need one above 0, on a plain mesh those of a Fermi surface too
    degeneracy_threshold, broadening : eV (theory section 2 and T3)
    quantities : None takes everything that model and temperature allow
    memory_budget : per worker, honoured at any mesh size
    progress : called with numbers of k points that are done; None shows a bar in a notebook, else nothing
    Returns dims (..., fermi_energy). Raises InputError, also where a number is not finite. Warns with
    CostWarning where it will take more than a day.

    The quantum spin Hall effect, less what Rashba coupling takes of it:

    >>> from spinscreen.materials import library
    >>> from spinscreen.workflows import compute
    >>> result = compute(library.load("kane_mele"), kmesh=24, fermi_energy=0.0)
    >>> hall = result["proper_hall_conductivity"].sel(observable="spin_z", current_axis="x", field_axis="y")
    >>> print(f"{hall.item():.2e} {hall.attrs['units']}")
    -3.75e-05 (hbar/e) S
    """
    given = positional(_POSITIONS, values, settings)
    engine = engine_of(given.pop("client", None))
    if not isinstance(calculation, Calculation | None):
        given = positional(("kmesh",), (calculation,), given)
        calculation = None
    calculation = Calculation.of(calculation, given)
    model = calculation.prepare(model)
    resolved = calculation.resolve(model)
    setting, kpoints, most = "budget", resolved.budget, resolved.budget
    if kpoints is None or most is None:
        mesh = IrreducibleMesh.of(resolved.mesh, model.symmetry_group)
        setting, kpoints, most = "kmesh", mesh.full.size // mesh.order, mesh.size
    if cost := costly(model.size, kpoints, engine.threads, setting):
        warnings.warn(f"{cost}; choose a smaller {setting} unless you mean it.", CostWarning, stacklevel=2)
    report = progress or notebook_progress(most) or silent
    return compute_settings(model, resolved, engine, calculation.memory_budget, report)


def compute_settings(
    model: WannierModel,
    settings: Settings,
    client: Client | Engine | None = None,
    memory_budget: str | int = DEFAULT_MEMORY_BUDGET,
    progress: Progress = silent,
    checkpoints: KeptSums | None = None,
) -> xr.Dataset:
    """`compute` with settings that are complete; the dataset carries them and their key.

    checkpoints : where partial sums are kept and found again, worth it for a job of minutes
    """
    started = time.perf_counter()
    told = [*warn_of_threshold(model, settings), *warn_of_levels(model, settings.degeneracy_threshold)]
    sample = sample_of(model, settings.temperature)
    request = _Request(model, settings, sample, engine_of(client), memory_budget, progress, checkpoints)
    dataset = _adaptively(request) if settings.is_adaptive else _on_mesh(request)
    note_warnings(dataset, told)
    dataset.attrs["elapsed_seconds"] = time.perf_counter() - started
    if settings.components is None:
        add_shapes(dataset, model, settings.integrals, sample)
    else:
        # Of some components nobody knows how far a tensor breaks a symmetry.
        dataset = settings.components.select(dataset)
        dataset.attrs["symmetry_operations"] = model.symmetry_group.order
    energies = settings.fermi_energy
    level = dataset.attrs.get("fermi_level", energies[0] if len(energies) == 1 else None)
    if level is not None and np.isfinite(width := band_gap(model, float(level))):
        dataset.attrs["band_gap"] = width
    tell_narrow_gap(dataset, model, settings)
    warn_of_equilibrium(dataset)
    warn_of_scan(dataset)
    make_portable(dataset)
    return dataset


@dataclass(frozen=True)
class _Request:
    """What is computed of a prepared model, and with what."""

    model: WannierModel
    settings: Settings
    sample: Sample
    engine: Engine
    memory_budget: str | int
    progress: Progress
    checkpoints: KeptSums | None

    @property
    def asked(self) -> dict[str, NDArray[np.bool_]]:
        """By name of an integral, where the components are that are asked for; nothing for all of them."""
        components, names = self.settings.components, tuple(self.model.observables)
        if components is None:
            return {}
        return {q.name: components.mask(q.dims, names) for q in self.settings.integrals}


def _on_mesh(request: _Request) -> xr.Dataset:
    model, settings, sample = request.model, request.settings, request.sample
    plan = make_plan(model.operators, settings, request.memory_budget, model.symmetry_group)
    sums = run_plan(model.operators, plan, request.engine, request.progress, request.checkpoints)
    found = integrated_on_mesh(settings.integrals, sums, plan, sample, request.asked)
    dataset = _labelled(model, settings, found)
    assert settings.kmesh is not None
    warn_of_reach(dataset, model, settings.kmesh)
    if note := mesh_note(plan.task.mesh, model.symmetry_group):
        dataset.attrs["mesh_note"] = note
    _check_torque(request, dataset, found, whole_sums(sums), settings.mesh.size)
    warn_of_points(dataset, found.dominances)
    return dataset


def _adaptively(request: _Request) -> xr.Dataset:
    model, settings, sample = request.model, request.settings, request.sample
    assert settings.tolerance is not None
    assert settings.budget is not None
    plan = make_adaptive_plan(
        model.operators,
        settings,
        sample,
        model.periodic,
        model.symmetry_group,
        request.memory_budget,
        request.asked,
    )
    found = run_adaptive(
        model.operators,
        plan,
        settings.tolerance,
        settings.budget,
        request.engine,
        request.progress,
        request.checkpoints,
    )
    dataset = _labelled(model, settings, found.integrated)
    dataset.attrs["budget"] = settings.budget
    _check_torque(request, dataset, found.integrated, found.raw, 1)
    warn_of_tolerance(dataset, found.shortfalls)
    warn_of_points(dataset, found.integrated.dominances)
    return dataset


def _check_torque(
    request: _Request,
    dataset: xr.Dataset,
    found: Integrated,
    sums: Mapping[Term, NDArray[np.float64]],
    kpoint_count: float,
) -> None:
    """The premise of a conserved current, from the sums over so many k points."""
    components = request.settings.components
    note_unchecked_torque(dataset, request.model, None if components is None else components.observables)
    if RATE in dataset:
        bars = found.errors[RATE] / integrals([RATE])[0].unit.factor(request.sample)
        if RATE in request.asked:
            # Of what nobody asked for nothing is said.
            bars = np.where(request.asked[RATE][..., None], bars, np.inf)
        warn_of_torque(dataset, has_net_torque(sums, kpoint_count, bars, forbidden_by_crystal(dataset)))


def sample_of(model: WannierModel, temperature: float) -> Sample:
    """What turns averages over the mesh of a model into its integrals; temperature : K."""
    return Sample(model.dimension, model.cell_measure, temperature, model.band_weight, model.spin_degeneracy)


def _labelled(model: WannierModel, settings: Settings, found: Integrated) -> xr.Dataset:
    """The dataset of integrals and their errors. Raises InputError where a number is not finite."""
    ascending = np.argsort(settings.fermi_energy, kind="stable")
    found = found.reordered(np.argsort(ascending, kind="stable"))
    defined = {q.name: found.values[q.name] for q in settings.integrals if not q.can_be_undefined}
    check_integrals(model.name, model.operators, defined, settings.fermi_energy)
    attributes = model_attributes(model, settings.resolution) | {
        "temperature": settings.temperature,
        "key": settings.key(model),
    }
    if settings.kmesh is not None:
        attributes["k_mesh"], attributes["k_shift"] = list(settings.kmesh), list(settings.kshift)
        attributes["kpoints"] = settings.mesh.size
    dataset = integral_dataset(
        found.values,
        settings.integrals,
        observables_of(model),
        np.array(settings.fermi_energy),
        model.dimension,
        attributes,
        found.errors,
    )
    _add_quality(dataset, found)
    for integral in settings.integrals:
        wannierized = bool(model.provenance.files)
        note = integral.note_of(settings.temperature, model.is_bogoliubov, wannierized, settings.is_adaptive)
        if note:
            dataset.variables[integral.name].attrs["note"] = note
    _say_per_spin(dataset, settings.integrals, model.spin_degeneracy)
    left_out = left_out_at_zero(model, settings)
    if left_out:
        dataset.attrs["left_out_at_zero_temperature"] = list(left_out)
    return dataset


def _say_per_spin(dataset: xr.Dataset, integrals: Sequence[Integral], spin_degeneracy: int) -> None:
    """Attribute `per_spin` of what is of one of two spins; numbers of electrons are of both."""
    if spin_degeneracy == 1:
        return
    for integral in integrals:
        if not integral.unit.counts_electrons:
            dataset.variables[integral.name].attrs["per_spin"] = True


def _add_quality(dataset: xr.Dataset, found: Integrated) -> None:
    """Attributes of variables and dataset that say how far the numbers are to be trusted."""
    for name, verdict in found.converged.items():
        dataset.variables[name].attrs["converged"] = verdict
    for name, dominance in found.dominances.items():
        dataset.variables[name].attrs["largest_share_of_one_kpoint"] = dominance.share
    for name in found.errors:
        dataset.variables[error_name(name)].attrs["error_method"] = found.error_method
    if set(found.converged) == set(found.values):
        dataset.attrs["converged"] = all(found.converged.values())
    shares = [dominance.share for dominance in found.dominances.values()]
    dataset.attrs |= {"evaluations": found.evaluations, "error_method": found.error_method}
    dataset.attrs |= {"largest_share_of_one_kpoint": max(shares)} if shares else {}
    dataset.attrs |= {} if found.tolerance is None else {"tolerance": found.tolerance}
