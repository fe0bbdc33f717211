"""What a run computes and how finely: validated once, part of the key of every result."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import (
    DEFAULT_DEGENERACY_THRESHOLD,
    INTEGRALS,
    FermiScan,
    InputError,
    Integral,
    KMesh,
    Resolution,
    band_energies,
    checked_number,
    find_quantity,
    integrals,
    short,
    whole_number,
)
from spinscreen.materials import WannierModel
from spinscreen.storage import SCHEMA_VERSION, group_name

from .components import Components

#: Points of the Fermi-energy scan where the user names none, and its half width (eV) about the Fermi level.
DEFAULT_SCAN = (201, 2.0)

#: Fermi energies of a scan, beyond which a step is a slip; what memory allows is less for large tensors.
MOST_ENERGIES = 10**6

#: Share of the half width by which the middle of a scan may be off for rounding.
_ROUNDING = 1e-12

#: Distance of mesh points in 1/angstrom where the user names no mesh.
DEFAULT_SPACING = 0.1


#: Settings that a result's key leaves out where they have these values.
_DEFAULTS = {
    "temperature": 0.0,
    "degeneracy_threshold": DEFAULT_DEGENERACY_THRESHOLD,
    "broadening": 0.0,
    # Gamma-centred: what a key without a shift has always meant.
    "kshift": (0.0, 0.0, 0.0),
    # Of a plain mesh, which has neither.
    "tolerance": None,
    "budget": None,
    "components": None,
}

#: Shift in steps of a mesh that the user names: a Gamma-centred one has the points of highest symmetry on it.
DEFAULT_SHIFT = 0.5

#: Share of the largest value of a quantity below which its error must be for it to count as converged.
DEFAULT_TOLERANCE = 0.01

#: K points of an adaptive integration at most.
DEFAULT_BUDGET = 200_000


@dataclass(frozen=True)
class Settings:
    """All that a result depends on beside the model. Raises InputError for values that make no sense.

    kmesh : points along each reciprocal vector of a plain mesh; None: adaptive integration
    fermi_energy : eV; temperature : K; degeneracy_threshold, broadening : eV
    quantities : names of Brillouin-zone integrals
    kshift : of the mesh, in steps, 0 where there is one point
    tolerance, budget : of the adaptive integration, a share of the largest value and k points
    components : what of each tensor is computed, None: all
    """

    kmesh: tuple[int, int, int] | None
    fermi_energy: tuple[float, ...]
    temperature: float
    degeneracy_threshold: float
    broadening: float
    quantities: tuple[str, ...]
    kshift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tolerance: float | None = None
    budget: int | None = None
    components: Components | None = None

    def __post_init__(self) -> None:
        if len(set(self.fermi_energy)) < len(self.fermi_energy):
            twice = next(e for e, count in Counter(self.fermi_energy).items() if count > 1)
            raise InputError(f"fermi_energy: {twice!r} is given twice, expected each energy once.")
        chosen = checked_integrals(self.quantities)
        if self.kmesh is not None:
            _ = self.mesh
        _ = self.resolution, self.scan
        check_temperature(chosen, self.temperature, self.is_adaptive)

    @property
    def is_adaptive(self) -> bool:
        """Whether k points are chosen until errors are small, not given by a mesh."""
        return self.kmesh is None

    @property
    def mesh(self) -> KMesh:
        assert self.kmesh is not None
        return KMesh(self.kmesh, self.kshift)

    @property
    def scan(self) -> FermiScan:
        return FermiScan(np.sort(np.array(self.fermi_energy)), self.temperature)

    @property
    def resolution(self) -> Resolution:
        return Resolution(self.degeneracy_threshold, self.broadening)

    @property
    def integrals(self) -> tuple[Integral, ...]:
        return integrals(self.quantities)

    def key(self, model: WannierModel) -> str:
        """Hash of model, settings and schema version: equal keys hold equal numbers.

        A setting at its default is left out, so that one which is new in some version changes no old key.
        """
        return self.key_of(model.fingerprint)

    def key_of(self, fingerprint: str) -> str:
        """The same by the fingerprint of a model."""
        text = json.dumps([SCHEMA_VERSION, fingerprint, self._deciding], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _deciding(self) -> dict[str, Any]:
        # Not `asdict` of all, which copies each energy of the scan.
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given["components"] = None if self.components is None else asdict(self.components)
        given["quantities"] = sorted(self.quantities)
        return {name: value for name, value in given.items() if value != _DEFAULTS.get(name)}

    def material_id(self, model: WannierModel) -> str:
        """Name of the model's result in a store: changed settings make a new one."""
        return self.id_of(model.name, model.fingerprint)

    def id_of(self, name: str, fingerprint: str) -> str:
        """The same by the name and the fingerprint of a model."""
        return f"{group_name(name)}-{self.key_of(fingerprint)[:10]}"


def check_temperature(chosen: Sequence[Integral], temperature: float, adaptive: bool = False) -> None:
    """Raise InputError where a quantity has no limit of zero temperature, or none on a mesh."""
    for integral in chosen:
        if adaptive and integral.is_thermal and temperature == 0:
            raise InputError(
                f"quantities: {integral.name!r} vanishes at 0 K and is divided by the temperature, expected "
                "one above 0 K; give for example temperature=300."
            )
        if not adaptive and integral.needs_temperature and temperature == 0:
            raise InputError(
                f"quantities: {integral.name!r} is a Fermi-surface quantity and needs a temperature "
                "above 0 K on a plain mesh; give one, for example temperature=300, or a tolerance instead of "
                "kmesh."
            )


def checked_integrals(names: Sequence[str]) -> tuple[Integral, ...]:
    """Records of Brillouin-zone integrals, one at least. Raises InputError."""
    if not names:
        raise InputError("quantities: expected at least one name, found none; leave it out for the default.")
    return integrals(names)


def checked_names(quantities: Sequence[str]) -> tuple[str, ...]:
    """Names of quantities. Raises InputError for one text, or for what is no text."""
    if isinstance(quantities, str):
        raise InputError(f"quantities: expected a list of names, found the text {short(quantities)}.")
    names = tuple(quantities) if isinstance(quantities, Iterable) else (quantities,)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"quantities: expected a list of names, found {short(name)} in it.")
    return names


def check_observables(model: WannierModel, name: str) -> None:
    """Raise InputError where a model lacks the observable a quantity needs, or gives it no meaning."""
    quantity = find_quantity(name)
    if model.is_bogoliubov and isinstance(quantity, Integral) and quantity.refused_superconducting:
        raise InputError(
            f"quantities: {name!r} has no meaning in a superconductor, found model {model.name!r}: "
            f"{quantity.refused_superconducting}; use conserved_hall_conductivity."
        )
    if quantity.needs_observable and not model.observables:
        raise InputError(
            f"quantities: {name!r} needs an observable, but model {model.name!r} has none; put .chk and "
            ".spn beside the Hamiltonian, give spin_ordering=, or use with_observable()."
        )


def default_quantities(model: WannierModel, temperature: float, adaptive: bool = False) -> tuple[str, ...]:
    """All integrals that the model and the temperature allow, but for those only done on demand.

    adaptive : with Fermi-surface terms at T = 0 as well
    """
    return tuple(
        q.name
        for q in INTEGRALS
        if q.by_default
        and (model.observables or not q.needs_observable)
        and (temperature > 0 or not (q.is_thermal if adaptive else q.needs_temperature))
    )


def left_out_at_zero(model: WannierModel, settings: Settings) -> tuple[str, ...]:
    """Fermi-surface quantities that a default calculation of this model would have above 0 K."""
    if settings.is_adaptive or settings.temperature > 0:
        return ()
    if settings.quantities != default_quantities(model, 0.0):
        return ()
    return tuple(name for name in default_quantities(model, 1.0) if name not in settings.quantities)


def complete_kmesh(model: WannierModel, kmesh: int | Sequence[int] | None) -> tuple[int, int, int]:
    """Three mesh numbers, 1 along axes that do not repeat. Raises InputError for anything else."""
    number = whole_number(kmesh)
    if kmesh is None:
        counts: list[Any] = list(KMesh.of_spacing(model.lattice, model.periodic, DEFAULT_SPACING).shape)
    elif number is not None:
        counts = [number if repeats else 1 for repeats in model.periodic]
    else:
        counts = several(kmesh)
        if len(counts) == model.dimension < 3:
            given = iter(counts)
            counts = [next(given) if repeats else 1 for repeats in model.periodic]
    x, y, z = KMesh(tuple(counts)).shape
    for axis, (count, repeats) in enumerate(zip((x, y, z), model.periodic, strict=True)):
        if count > 1 and not repeats:
            raise InputError(
                f"kmesh: axis {axis + 1} of model {model.name!r} does not repeat, expected 1 point along it, "
                f"found {count}."
            )
    return x, y, z


def complete_kshift(
    model: WannierModel, kmesh: tuple[int, int, int], kshift: float | Sequence[float]
) -> tuple[float, float, float]:
    """Three shifts in mesh steps, 0 along axes with one point. Raises InputError for anything else."""
    given = [kshift] if isinstance(kshift, float | int) else list(kshift)
    if len(given) == 1:
        given *= 3
    elif len(given) == model.dimension < 3:
        along = iter(given)
        given = [next(along) if repeats else 0.0 for repeats in model.periodic]
    shift = KMesh(kmesh, tuple(given)).shift  # type: ignore[arg-type]
    x, y, z = (step if count > 1 else 0.0 for step, count in zip(shift, kmesh, strict=True))
    return x, y, z


def several(kmesh: Any) -> list[Any]:
    """Numbers of a mesh given one by one. Raises InputError for what is no list."""
    if isinstance(kmesh, Iterable) and not isinstance(kmesh, str | bytes):
        # A fourth one is enough to see that there are too many.
        return list(islice(kmesh, 4))
    raise InputError(
        f"kmesh: expected a whole number of at least 1, or three of them, found {short(kmesh)}; use for "
        "example 48 or (48, 48, 48)."
    )


def as_energies(fermi_energy: ArrayLike) -> NDArray[np.float64]:
    """Fermi energies (eV) as an array. Raises InputError for anything else, also for NaN."""
    # Lists become arrays of objects first: NumPy would take a truth value among numbers for one of them.
    given = np.atleast_1d(np.asarray(fermi_energy, dtype=getattr(fermi_energy, "dtype", object)))
    if given.size > MOST_ENERGIES:
        raise InputError(f"fermi_energy: expected at most {MOST_ENERGIES:,} energies, found {given.size:,}.")
    try:
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "fiuO":
            raise InputError("fermi_energy: no list of numbers")
        # Added to 0.0, zero has one sign, and equal energies have equal keys.
        return 0.0 + np.array([checked_number("fermi_energy", energy) for energy in given])
    except InputError:
        raise InputError(
            "fermi_energy: expected a number or a list of finite energies in eV, found "
            f"{short(fermi_energy)}."
        ) from None


def default_scan(
    model: WannierModel, count: int = DEFAULT_SCAN[0], half_width: float = DEFAULT_SCAN[1]
) -> NDArray[np.float64]:
    """Fermi energies about the Fermi level, or over all bands (on a coarse mesh) where it is unknown.

    count : points; half_width : eV. The Fermi level is one of them: 1 point is the level alone, and where it
    lies between those of an even number there is one more. Raises InputError for a count that makes no sense.
    """
    if not 1 <= (whole_number(count) or 0) <= MOST_ENERGIES:
        raise InputError(f"scan_points: expected a number from 1 to {MOST_ENERGIES:,}, found {short(count)}.")
    if model.is_bogoliubov:
        return np.zeros(1)
    if model.fermi_level is not None:
        beside = np.linspace(-half_width, half_width, count) if count > 1 else np.zeros(1)
        if np.abs(beside).min() > _ROUNDING * half_width:
            beside = np.sort(np.append(beside, 0.0))
        # No width gives one energy, not many equal ones.
        return np.unique(model.fermi_level + beside)
    energy = band_energies(model.operators, KMesh(complete_kmesh(model, 6)).points())
    return np.unique(np.linspace(energy.min(), energy.max(), count))
