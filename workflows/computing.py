"""The two ways to a result: `evaluate` per k and band, `compute` for Brillouin-zone integrals."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from distributed import Client
from distributed.system import MEMORY_LIMIT
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import (
    BandQuantity,
    InputError,
    Integral,
    IrreducibleMesh,
    KMesh,
    KPath,
    KSlice,
    Resolution,
    Sample,
    band_quantities,
    band_values,
    block_size,
    checked_kpoints,
    has_net_torque,
    integrals,
    whole_sums,
)
from spinscreen.kernels.quantities import Term
from spinscreen.materials import WannierModel
from spinscreen.storage import KeptSums, Observables, band_dataset, error_name, integral_dataset
from spinscreen.storage.attributes import make_portable
from spinscreen.storage.schema import with_plane

from .adaptive import run_adaptive
from .adaptive_plan import make_adaptive_plan
from .alarms import (
    warn_of_equilibrium,
    warn_of_points,
    warn_of_scan,
    warn_of_threshold,
    warn_of_tolerance,
    warn_of_torque,
)
from .calculation import PER_BAND, Calculation, positional
from .engine import Engine, engine_of
from .execution import Progress, run_plan
from .finiteness import check_band_values, check_integrals
from .integrated import Integrated, integrated_on_mesh
from .levels import warn_of_levels
from .notebook import notebook_progress
from .plan import DEFAULT_MEMORY_BUDGET, CostWarning, budget_bytes, costly, make_plan
from .premise import RATE, forbidden_by_crystal, note_unchecked_torque
from .settings import Settings, check_observables, checked_names, left_out_at_zero
from .shapes import add_shapes, mesh_note


def silent(kpoints: int) -> None:
    """Progress that nobody looks at."""


def evaluate(
    model: WannierModel,
    kpoints: ArrayLike | KPath | KMesh | KSlice,
    quantities: Sequence[str] = ("energy",),
    *,
    calculation: Calculation | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Quantities at each k and band.

    kpoints : (n, 3) reduced, a `KPath`, a `KMesh` or a `KSlice`
    quantities : names such as energy, velocity, texture, berry_curvature, conserved_curvature,
        conventional_curvature, wave_packet_dipole (see docs/quantities.md)
    calculation, settings : degeneracy_threshold, broadening, fermi_level (eV), electrons, charge, orbital and
        memory_budget, of a `Calculation` or by name
    Returns dims (k, ..., band); a path adds the coordinate `distance`, a slice `plane_1` and `plane_2`
    (1/angstrom). Raises InputError.

    >>> from spinscreen.materials import library
    >>> from spinscreen.workflows import evaluate
    >>> bands = evaluate(library.load("haldane"), [[0.0, 0.0, 0.0]], ["energy", "berry_curvature"])
    >>> dict(bands["berry_curvature"].sizes)
    {'k': 1, 'axis': 3, 'band': 2}
    >>> bands["energy"].values.round(3)
    array([[-3.007,  3.007]])
    """
    started = time.perf_counter()
    calculation = Calculation.of(calculation, settings, PER_BAND)
    model = calculation.prepare(model)
    chosen = checked_band_quantities(model, quantities)
    resolution = calculation.resolution(model)
    block = block_size(model.operators, budget_bytes(calculation.memory_budget))
    if isinstance(kpoints, KMesh):
        _check_memory(model, kpoints, chosen)
    points = checked_kpoints(_points(kpoints))
    values = band_values(model.operators, points, resolution, chosen, block)
    check_band_values(model.name, model.operators, values, points)
    attributes = model_attributes(model, resolution)
    attributes["elapsed_seconds"] = time.perf_counter() - started
    dataset = band_dataset(values, chosen, observables_of(model), points, attributes)
    if isinstance(kpoints, KPath):
        ticks = {
            "long_name": "distance along the path",
            "units": "1/angstrom",
            "tick_positions": [position for position, _ in kpoints.ticks],
            "breaks": list(kpoints.breaks),
            "tick_labels": [label for _, label in kpoints.ticks],
        }
        dataset = dataset.assign_coords(distance=("k", kpoints.distance, ticks))
        make_portable(dataset)
    if isinstance(kpoints, KSlice):
        dataset = with_plane(dataset, kpoints.place, kpoints.shape, kpoints.axes, kpoints.zone)
    return dataset


def checked_band_quantities(model: WannierModel, quantities: Sequence[str]) -> tuple[BandQuantity, ...]:
    """Records of values per k and band that the model has. Raises InputError."""
    names = checked_names(quantities)
    chosen = band_quantities(names)
    if not chosen:
        raise InputError("quantities: expected at least one name, found none.")
    for name in names:
        check_observables(model, name)
    return chosen


def bytes_of_values(model: WannierModel, chosen: Sequence[BandQuantity]) -> int:
    """Size of what `evaluate` returns for one k point."""
    lengths = {"observable": len(model.observables)}
    return 24 + 8 * model.size * sum(math.prod(lengths.get(dim, 3) for dim in q.dims) for q in chosen)


def _check_memory(model: WannierModel, mesh: KMesh, chosen: Sequence[BandQuantity]) -> None:
    needed = mesh.size * bytes_of_values(model, chosen)
    if needed > MEMORY_LIMIT:
        raise InputError(
            f"kpoints: values on {mesh.size:,} k points need {needed / 2**30:,.0f} GiB, expected at most "
            f"the {MEMORY_LIMIT / 2**30:.0f} GiB of memory of this machine; stream_bands() writes them to "
            "a store."
        )


def _points(kpoints: ArrayLike | KPath | KMesh | KSlice) -> ArrayLike:
    if isinstance(kpoints, KPath | KSlice):
        return kpoints.points
    return kpoints.points() if isinstance(kpoints, KMesh) else kpoints


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
    warn_of_threshold(model, settings)
    warn_of_levels(model, settings.degeneracy_threshold)
    sample = sample_of(model, settings.temperature)
    compute_one = _adaptively if settings.is_adaptive else _on_mesh
    dataset = compute_one(model, settings, sample, engine_of(client), memory_budget, progress, checkpoints)
    dataset.attrs["elapsed_seconds"] = time.perf_counter() - started
    add_shapes(dataset, model, settings.integrals, sample)
    make_portable(dataset)
    warn_of_equilibrium(dataset)
    warn_of_scan(dataset)
    return dataset


def _on_mesh(
    model: WannierModel,
    settings: Settings,
    sample: Sample,
    engine: Engine,
    memory_budget: str | int,
    progress: Progress,
    checkpoints: KeptSums | None,
) -> xr.Dataset:
    plan = make_plan(model.operators, settings, memory_budget, model.symmetry_group)
    sums = run_plan(model.operators, plan, engine, progress, checkpoints)
    found = integrated_on_mesh(settings.integrals, sums, plan, sample)
    dataset = _labelled(model, settings, found)
    if note := mesh_note(plan.task.mesh, model.symmetry_group):
        dataset.attrs["mesh_note"] = note
    _check_torque(model, dataset, found, whole_sums(sums), settings.mesh.size, sample)
    warn_of_points(dataset, found.dominances)
    return dataset


def _adaptively(
    model: WannierModel,
    settings: Settings,
    sample: Sample,
    engine: Engine,
    memory_budget: str | int,
    progress: Progress,
    checkpoints: KeptSums | None,
) -> xr.Dataset:
    assert settings.tolerance is not None
    assert settings.budget is not None
    plan = make_adaptive_plan(
        model.operators, settings, sample, model.periodic, model.symmetry_group, memory_budget
    )
    found = run_adaptive(
        model.operators, plan, settings.tolerance, settings.budget, engine, progress, checkpoints
    )
    dataset = _labelled(model, settings, found.integrated)
    dataset.attrs["budget"] = settings.budget
    _check_torque(model, dataset, found.integrated, found.raw, 1, sample)
    warn_of_tolerance(dataset, found.shortfalls)
    warn_of_points(dataset, found.integrated.dominances)
    return dataset


def _check_torque(
    model: WannierModel,
    dataset: xr.Dataset,
    found: Integrated,
    sums: Mapping[Term, NDArray[np.float64]],
    kpoint_count: float,
    sample: Sample,
) -> None:
    """The premise of a conserved current, from the sums over so many k points."""
    note_unchecked_torque(dataset, model)
    if RATE in dataset:
        bars = found.errors[RATE] / integrals([RATE])[0].unit.factor(sample)
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
            dataset[integral.name].attrs["note"] = note
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
            dataset[integral.name].attrs["per_spin"] = True


def _add_quality(dataset: xr.Dataset, found: Integrated) -> None:
    """Attributes of variables and dataset that say how far the numbers are to be trusted."""
    for name, verdict in found.converged.items():
        dataset[name].attrs["converged"] = verdict
    for name, dominance in found.dominances.items():
        dataset[name].attrs["largest_share_of_one_kpoint"] = dominance.share
    for name in found.errors:
        dataset[error_name(name)].attrs["error_method"] = found.error_method
    if set(found.converged) == set(found.values):
        dataset.attrs["converged"] = all(found.converged.values())
    shares = [dominance.share for dominance in found.dominances.values()]
    dataset.attrs |= {"evaluations": found.evaluations, "error_method": found.error_method}
    dataset.attrs |= {"largest_share_of_one_kpoint": max(shares)} if shares else {}
    dataset.attrs |= {} if found.tolerance is None else {"tolerance": found.tolerance}


def observables_of(model: WannierModel) -> Observables:
    facts = model.observable_facts
    return Observables(
        tuple(facts),
        tuple(fact.unit for fact in facts.values()),
        rotations=tuple(fact.rotation for fact in facts.values()),
        axes=tuple(fact.axis or "" for fact in facts.values()),
        time_reversals=tuple(fact.time_reversal for fact in facts.values()),
        labels=tuple(fact.label or name for name, fact in facts.items()),
    )


def model_attributes(model: WannierModel, resolution: Resolution) -> dict[str, object]:
    """Attributes that Zarr can store: text, numbers and lists."""
    attributes: dict[str, object] = {
        "model_name": model.name,
        "model_hash": model.fingerprint,
        "model_files": [f"{path} sha256:{digest}" for path, digest in model.provenance.files],
        "model_notes": list(model.provenance.notes),
        "dimension": model.dimension,
        "periodic": list(model.periodic),
        "wannier_functions": model.size,
        "spin_degeneracy": model.spin_degeneracy,
        "spin_source": model.provenance.spin_source,
        "position_source": model.provenance.position_source,
        "minimal_images": model.provenance.minimal_images,
        "lattice": model.lattice.tolist(),
        "atom_symbols": [atom.symbol for atom in model.atoms],
        "atom_positions": [list(atom.position) for atom in model.atoms],
        "degeneracy_threshold": resolution.degeneracy_threshold,
        "broadening": resolution.broadening,
    }
    used = resolution.floored(model.operators).degeneracy_threshold
    if used > resolution.degeneracy_threshold:
        attributes["degeneracy_threshold_used"] = used
    measured = {
        "fermi_level": model.fermi_level,
        "symmetry_deviation": model.provenance.symmetry_deviation,
        "pair_splitting": model.provenance.pair_splitting,
    }
    attributes |= {name: float(value) for name, value in measured.items() if value is not None}
    return attributes
