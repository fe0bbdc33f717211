"""What is computed and how finely: the one declaration that functions, files and options derive from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, Field, StrictInt, ValidationError, model_validator

from spinscreen.kernels import (
    DEFAULT_DEGENERACY_THRESHOLD,
    FermiScan,
    InputError,
    Resolution,
    checked_temperature,
    short,
)
from spinscreen.materials import (
    PAIRINGS,
    WannierModel,
    bcs_gap,
    bogoliubov,
    with_filling,
    with_orbital_momentum,
)
from spinscreen.materials.superconductors import pairing_amplitude
from spinscreen.materials.symmetry import Symmetrize, with_symmetry

from .components import Components, carrying, checked_components
from .plan import DEFAULT_MEMORY_BUDGET, budget_bytes
from .setting_kinds import (
    ComponentNames,
    Energies,
    Names,
    Option,
    OptionalMesh,
    OptionalShift,
    PlainCount,
    Points,
    Share,
    checked_budget,
    checked_kmesh,
    checked_kshift,
    checked_tolerance,
    option_of,
)
from .setting_names import modern_names, positional
from .settings import (
    DEFAULT_BUDGET,
    DEFAULT_SCAN,
    DEFAULT_SHIFT,
    DEFAULT_TOLERANCE,
    Settings,
    as_energies,
    check_observables,
    check_temperature,
    checked_integrals,
    checked_names,
    complete_kmesh,
    complete_kshift,
    default_quantities,
    default_scan,
)
from .text import (
    count_of_text,
    energies_of_text,
    mesh_of_text,
    names_of_text,
    share_of_text,
    shift_of_text,
)
from .validation import (
    AnyNumber,
    NotNegative,
    Positive,
    Table,
    first_error,
    validation_sentence,
)

#: Share of pairing and k_B T that the threshold of a superconductor may have.
THRESHOLD_SHARE = 0.1

#: Settings that values per k and band depend on.
PER_BAND = (
    "degeneracy_threshold",
    "broadening",
    "symmetrize",
    "charge",
    "orbital",
    "fermi_level",
    "electrons",
    "memory_budget",
)


class Calculation(Table):
    """What is computed and how finely; what the fields mean, with units, is in their descriptions.

    Frozen. Raises InputError for a setting that is unknown or makes no sense; numbers may be those of NumPy.
    """

    kmesh: Annotated[
        OptionalMesh,
        Option(
            "Plain mesh: 48, or 48,48,48, or 60,60,1. Default: adaptive integration.",
            mesh_of_text,
            checked_kmesh,
            "48",
        ),
    ] = Field(
        None,
        description="plain k mesh, one number for all periodic axes or three; default: adaptive integration",
    )
    kshift: Annotated[
        OptionalShift,
        Option(
            "Shift of --kmesh in steps: 0.5 is half a step, 0 Gamma-centred. Default: 0.5.",
            shift_of_text,
            checked_kshift,
            "0.5",
        ),
    ] = Field(
        None,
        description="shift of kmesh in steps, one number or one per axis, 0 is Gamma-centred; default: 0.5",
    )
    half_width: NotNegative = Field(
        DEFAULT_SCAN[1], description="scan of Fermi energies about each level, eV"
    )
    scan_points: Annotated[PlainCount, Option(parse=count_of_text)] = Field(
        DEFAULT_SCAN[0], description="points of the scan"
    )
    fermi_energy: Annotated[
        Energies,
        Option(
            "eV: one value 18.4, a list 18.4,18.5, or start:stop:step. Default: 2 eV about the Fermi "
            "level, or all bands where that is unknown.",
            energies_of_text,
            as_energies,
            "[18.4, 18.5]",
        ),
    ] = Field(None, description="Fermi energies instead of the scan, the same for every material, eV")
    fermi_level: Annotated[
        AnyNumber | None, Option("eV, instead of what the files say.", example="18.38")
    ] = Field(None, description="eV, the same for every material, instead of what files and manifest say")
    electrons: Annotated[
        Positive | None,
        Option(
            "Per cell, in the bands of the Wannier functions: the Fermi level is where they hold them.",
            example="18",
        ),
    ] = Field(None, description="electrons per cell in the bands of the Wannier functions, to find the level")
    tolerance: Annotated[
        Share,
        Option(
            "Of the adaptive integration: error bars below this share of each quantity's largest value, "
            "0.01 or 1%. Default: 1%.",
            share_of_text,
            checked_tolerance,
            "0.01",
        ),
    ] = Field(
        None,
        description="of the adaptive integration: error bars of each quantity below this share of its "
        "largest value, 0.01 or '1%'; default: 0.01",
    )
    budget: Annotated[
        Points,
        Option(
            "k points of the adaptive integration, at most (its start mesh is always taken): 200000 or 2e5.",
            count_of_text,
            checked_budget,
            "200000",
        ),
    ] = Field(None, description=f"k points of the adaptive integration, at most; default: {DEFAULT_BUDGET}")
    temperature: Annotated[
        NotNegative,
        Option(
            "K; Nernst quantities need one above 0, on a plain mesh those of a Fermi surface too.",
            check=checked_temperature,
        ),
    ] = Field(
        0.0,
        description="K; above 0 also Nernst conductivities, on a plain mesh also what is of a Fermi surface",
    )
    degeneracy_threshold: Annotated[
        NotNegative,
        Option(
            "Bands closer than this (eV) are one level. Physical: stored with results. Of superconductors a "
            "tenth of the smaller of pairing and k_B T by default.",
            check=lambda value: Resolution(degeneracy_threshold=value),
        ),
    ] = Field(
        DEFAULT_DEGENERACY_THRESHOLD,
        description="bands closer than this are one level, eV; default of superconductors: a tenth of the "
        "smaller of pairing and k_B T",
    )
    broadening: Annotated[
        NotNegative,
        Option(
            "eta (eV) of T4 and the intrinsic T16; the peers' smearing. T6 and T14 have none.",
            check=lambda value: Resolution(broadening=value),
        ),
    ] = Field(0.0, description="eta of T4 and the intrinsic T16, eV; T6 and T14 have none")
    quantities: Annotated[
        Names,
        Option(
            "Names with commas between, see `spinscreen quantities`. Default: all that apply.",
            names_of_text,
            checked_names,
            '["conserved_hall_conductivity"]',
        ),
    ] = Field(None, description="see `spinscreen quantities`; default: all that model and temperature allow")
    components: Annotated[
        ComponentNames,
        Option(
            "Only these, faster: z_xy,z_yx is spin_z of currents along x and y in fields along y and x. "
            "Default: all.",
            names_of_text,
            checked_components,
            '["z_xy"]',
        ),
    ] = Field(
        None,
        description="only these components, such as z_xy (spin_z, current x, field y) or charge_xx; default: "
        "all",
    )
    symmetrize: Annotated[
        Symmetrize,
        Option(
            "Average the model over the group of its crystal: auto (where trial orbitals are known and H "
            "changes by at most 0.1 eV), on or off."
        ),
    ] = Field("auto", description="average models over the group of their crystal: auto, on or off")
    charge: Annotated[
        bool, Option("Add the observable charge = -1: T11 is then the orbital magnetization.")
    ] = Field(
        False, strict=True, description="add the observable charge: orbital magnetization, spin Hall angle"
    )
    orbital: Annotated[
        bool, Option("Add the orbital angular momentum, by the trial orbitals (.amn and projections).")
    ] = Field(False, strict=True, description="add the orbital angular momentum, by the trial orbitals")
    pairing: Annotated[
        str | None,
        Option(
            f"Make it a superconductor: {', '.join(PAIRINGS)}. Charge is then an observable.", example='"s"'
        ),
    ] = Field(None, description=f"make every material a superconductor: {', '.join(PAIRINGS)}")
    gap: Annotated[Positive, Option("Amplitude of the pairing at T = 0 (eV).")] = Field(
        1e-3, description="amplitude of the pairing at T = 0, eV"
    )
    chemical_potential: Annotated[
        AnyNumber | None, Option("eV, of a superconductor. Default: the Fermi level.", example="18.4")
    ] = Field(None, description="of superconductors, eV; default: the Fermi level of each")
    memory_budget: Annotated[StrictInt | str, Option("Per worker.", check=budget_bytes)] = Field(
        DEFAULT_MEMORY_BUDGET, description="of each worker"
    )

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as problem:
            raise InputError(_sentence(type(self), problem)) from None

    # Inside a file this is not called: there the error tells the table and the file as well.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def of(
        cls,
        given: Calculation | None,
        settings: Mapping[str, Any],
        known: Sequence[str] | None = None,
    ) -> Calculation:
        """A calculation with some settings changed. Raises InputError.

        known : names that may be among `settings`; None: all
        """
        unknown = [name for name in settings if known is not None and name not in known]
        if unknown:
            raise InputError(f"{unknown[0]!r} is not a setting here; known: {', '.join(known or ())}.")
        if given is None:
            return cls(**settings)
        return given if not settings else type(given)(**(given.given | modern_names(settings)))

    @property
    def given(self) -> dict[str, Any]:
        """What was set, without defaults."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @model_validator(mode="before")
    @classmethod
    def _modern(cls, content: Any) -> Any:
        return modern_names(content) if isinstance(content, Mapping) else content

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        # Said once here, not once for each material.
        budget_bytes(self.memory_budget)
        checked_temperature(self.temperature)
        if self.kmesh is not None and (self.tolerance is not None or self.budget is not None):
            given = "tolerance" if self.tolerance is not None else "budget"
            raise InputError(
                f"kmesh: is given together with {given}, expected one of them; a plain mesh has no {given}, "
                "the adaptive integration chooses its own points."
            )
        if self.kshift is not None and self.kmesh is None:
            raise InputError(
                f"kshift: {short(self.kshift)} is given without kmesh, expected both or neither; a plain "
                "mesh has a shift, the adaptive integration chooses its own points."
            )
        if self.quantities is not None:
            check_temperature(checked_integrals(self.quantities), self.temperature, self.is_adaptive)
        if self.fermi_level is not None and self.electrons is not None:
            raise ValueError(
                f"electrons: expected electrons or fermi_level, found both, {self.electrons:g} and "
                f"{self.fermi_level:g}"
            )
        if self.pairing is not None and self.pairing not in PAIRINGS:
            raise ValueError(f"pairing: expected one of {', '.join(PAIRINGS)}, found {self.pairing!r}")
        if self.pairing is None:
            self._without_pairing()
        return self

    @property
    def is_adaptive(self) -> bool:
        """Whether k points are chosen until errors are small."""
        return self.kmesh is None

    def _without_pairing(self) -> None:
        """What only a superconductor has would be without effect."""
        for name in ("gap", "chemical_potential"):
            found = getattr(self, name)
            if found != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name}: has no effect without pairing, expected a pairing such as 's' with it, found "
                    f"{name} {found:g}"
                )

    def prepare(self, model: WannierModel) -> WannierModel:
        """The model with the Fermi level, the observables and the pairing that are asked for.

        Of its observables those that `components` need. Raises InputError where it lacks what is needed, or
        cannot hold so many electrons.
        """
        if not isinstance(model, WannierModel):
            raise InputError(
                f"model: expected a WannierModel, found {short(model)}; use load_model() for files, "
                "library.load() for a built-in model."
            )
        model = with_symmetry(model, self.symmetrize)
        if self.fermi_level is not None:
            note = f"Fermi level: {self.fermi_level:.4f} eV as given"
            model = replace(model, fermi_level=self.fermi_level).noted(note)
        if self.electrons is not None:
            model = with_filling(model, self.electrons, "as given")
        if self.orbital:
            model = with_orbital_momentum(model)
        if self.charge:
            model = model.with_charge()
        if self.pairing is not None:
            model = bogoliubov(model, self.pairing, self.chemical_potential, self.reduced_gap)
        return carrying(model, Components.of(self.components, model))

    @property
    def reduced_gap(self) -> float:
        """Amplitude of the pairing at the temperature, eV."""
        return bcs_gap(self.gap, self.temperature)

    def resolution(self, model: WannierModel) -> Resolution:
        """What counts as one level of a prepared model, and eta.

        The threshold that was given; else the default, in a superconductor a tenth of the smaller of pairing
        and k_B T where that is less, since levels of electrons and holes meet at the gap.
        """
        threshold = self.degeneracy_threshold
        if model.is_bogoliubov and "degeneracy_threshold" not in self.model_fields_set:
            scales = (pairing_amplitude(model), FermiScan(np.zeros(1), self.temperature).thermal_energy)
            threshold = min([threshold, *(THRESHOLD_SHARE * scale for scale in scales if scale > 0)])
        return Resolution(threshold, self.broadening)

    def resolve(self, model: WannierModel) -> Settings:
        """What it comes to for one prepared model, with a sensible value for whatever is not set.

        Raises InputError where it does not fit the model.
        """
        adaptive = self.is_adaptive
        mesh = None if adaptive else complete_kmesh(model, self.kmesh)
        shift = DEFAULT_SHIFT if self.kshift is None else self.kshift
        resolution = self.resolution(model)
        energies = self.fermi_energy
        if energies is None:
            energies = tuple(default_scan(model, self.scan_points, self.half_width).tolist())
        temperature = checked_temperature(self.temperature)
        names = self.quantities
        if names is None:
            names = default_quantities(model, temperature, adaptive)
        for name in names:
            check_observables(model, name)
        if model.is_bogoliubov and any(energies):
            raise InputError(
                f"fermi_energy: model {model.name!r} is a superconductor, its quasiparticles are occupied at "
                f"0, found {short([*energies])}; give chemical_potential to bogoliubov() instead."
            )
        return Settings(
            mesh,
            energies,
            temperature,
            resolution.degeneracy_threshold,
            resolution.broadening,
            names,
            (0.0, 0.0, 0.0) if mesh is None else complete_kshift(model, mesh, shift),
            (self.tolerance or DEFAULT_TOLERANCE) if adaptive else None,
            (self.budget or DEFAULT_BUDGET) if adaptive else None,
            Components.of(self.components, model),
        )


def _sentence(model: type[BaseModel], problem: ValidationError) -> str:
    """In Python, the same words wherever a value is checked; for anything else pydantic's."""
    error = first_error(problem)
    name = str(error["loc"][0]) if error["loc"] else ""
    if name in model.model_fields and (check := option_of(model, name).check) is not None:
        value = error["input"]
        try:
            check(value)
        except InputError as known:
            return str(known)
    return validation_sentence(model, problem)


#: Settings of `make_settings` by position.
_POSITIONS = ("kmesh", "fermi_energy", "temperature", "degeneracy_threshold", "broadening", "quantities")


def make_settings(model: WannierModel, *values: Any, **settings: Any) -> Settings:
    """`Calculation(...).resolve(model)`, settings by name or by position. Raises InputError.

    kmesh : three numbers, one for all periodic axes, or None for the adaptive integration
    fermi_energy : eV; None scans 2 eV about the Fermi level, or all bands where that is unknown
    quantities : None takes all that the model's observables and the temperature allow
    """
    return Calculation(**positional(_POSITIONS, values, settings)).resolve(model)
