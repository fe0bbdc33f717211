"""`load_model`: from whatever the user has to a `WannierModel`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from spinscreen.kernels import InputError, short

from .collinear import join_channels
from .companions import cell_beside, read_cell
from .distances import with_told_distances
from .elements import element_of
from .fermi_level import with_filling
from .files import at_the_door, entries, hashes, is_folder, is_there, printable, reason
from .foreign import is_wannierberri, model_of_library, read_wannierberri
from .matrices import centre_position, checked_centres
from .model import Atom, Provenance, WannierModel
from .observable import SPIN, Observable
from .spin import spin_matrices
from .spin_orbit import read_couplings, with_spin_orbit
from .spinors import SpinOrderingWarning as SpinOrderingWarning
from .spinors import with_spinors
from .structure import Structure
from .symmetry import obeys_crystal
from .wannier90 import (
    Channels,
    Wannier90Files,
    channels_of,
    has_centres,
    is_named_like_one_spin,
    is_of_one_spin,
    read_model,
    said_of_spinors,
    sibling_of,
    with_fermi_level,
    with_level_of_channels,
    with_told_level,
    with_units_told,
)

if TYPE_CHECKING:
    import tbmodels


@dataclass(frozen=True)
class Overrides:
    """Keywords of `load_model`: what the user says goes before what the files say. None: ask the files.

    name, fermi_level (eV) or else electrons (per cell, in the bands of the Wannier functions), lattice
    ((3, 3) angstrom, nine numbers as text, or a file that has a unit cell), centres ((wannier, 3) angstrom),
    periodic (three booleans), spin_ordering ("interlaced", "block" or "none"), spin_degeneracy (electrons in
    each band, 1 or 2), soc (on-site spin-orbit coupling in eV, "Fe:d=0.05,Te:p=0.5" or as `with_spin_orbit`
    takes it), observables (name -> matrix or `Observable`)
    """

    name: str | None = None
    fermi_level: float | None = None
    electrons: float | None = None
    lattice: ArrayLike | str | Path | None = None
    centres: ArrayLike | None = None
    periodic: Sequence[bool] | None = None
    spin_ordering: str | None = None
    spin_degeneracy: int | None = None
    soc: str | Mapping[str, float] | None = None
    observables: Mapping[str, ArrayLike | Observable] | None = None


def load_model(source: str | Path | tbmodels.Model, **overrides: object) -> WannierModel:
    """Read a material.

    source : a seedname, a folder, an archive, a single file of a Wannier90 calculation (packed or not), a
        model saved by `WannierModel.save`, a TBmodels HDF5 file, a folder that WannierBerri saved, or a model
        of TBmodels, PythTB or sisl
    overrides : see `Overrides`
    Spin comes from .chk + .spn where they are; else from the spinor order, which is tested and said in a
    `SpinOrderingWarning`. Raises InputError for anything missing, damaged or contradictory.

    A model that was written as Wannier90 files comes back:

    >>> from tempfile import TemporaryDirectory
    >>> from spinscreen.materials import library, load_model, write_wannier90
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_wannier90(library.load("kane_mele"), folder)
    ...     model = load_model(folder, fermi_level=0.0)
    >>> model.name, model.hamiltonian.shape
    ('kane_mele', (7, 4, 4))
    """
    unknown = set(overrides) - set(Overrides.__dataclass_fields__)
    if unknown:
        raise InputError(
            f"load_model: unknown keyword {sorted(unknown)[0]!r}, expected one of "
            f"{', '.join(Overrides.__dataclass_fields__)}."
        )
    wanted = Overrides(**overrides)  # type: ignore[arg-type]
    for name in ("fermi_level", "electrons"):
        _check_number(name, getattr(wanted, name))
    if wanted.lattice is not None:
        wanted = replace(wanted, lattice=read_cell(wanted.lattice))
    with at_the_door(source if isinstance(source, str | Path) else wanted.name or "tbmodels"):
        model = with_told_distances(_load(source, wanted))
        if wanted.electrons is not None and wanted.fermi_level is None:
            return with_filling(model, wanted.electrons, "as given")
        return model


def _check_number(name: str, value: object) -> None:
    # A level that is no finite number is told by the model.
    if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
        raise InputError(f"{name}: expected a number, found {short(value)}.")


def _load(source: str | Path | tbmodels.Model, wanted: Overrides) -> WannierModel:
    if not isinstance(source, str | os.PathLike):
        found = model_of_library(source, wanted.name or type(source).__name__)
        if found is not None:
            return _with_coupling(_apply(found, wanted), wanted)
        # Imported where it is needed: it takes longer than many a model.
        import tbmodels

        if not isinstance(source, tbmodels.Model):
            raise InputError(
                "load_model: expected a path, or a model of TBmodels, PythTB or sisl, found "
                f"{type(source).__name__}."
            )
        return _from_tbmodels(
            source, wanted, wanted.name or "tbmodels", Provenance(position_source="centres")
        )
    path = Path(source)
    reader = FORMATS.get(path.suffix.lower())
    if reader is not None and is_there(path) and not is_folder(path):
        return reader(path, wanted)
    if is_folder(path) and is_wannierberri(entry.name for entry in entries(path)):
        return _with_coupling(_apply(read_wannierberri(path, printable(path.name)), wanted), wanted)
    pair = channels_of(path)
    if pair is not None:
        return _from_channels(pair, wanted)
    return _from_wannier90(Wannier90Files.of(path), wanted)


def _from_channels(pair: Channels, wanted: Overrides) -> WannierModel:
    """The model of both spins; a spin that the user orders or gives goes before that of the channels."""
    alone = Overrides(
        lattice=wanted.lattice, periodic=wanted.periodic, spin_ordering="none", spin_degeneracy=1
    )
    up, down = (_read(Wannier90Files.of(stem), alone) for stem in (pair.up, pair.down))
    name = wanted.name or printable(pair.seedname)
    model = _with_coupling(join_channels(name, up, down), wanted)
    model = _apply(model, replace(wanted, lattice=None, periodic=None))
    if wanted.electrons is not None or wanted.fermi_level is not None:
        return model
    return with_level_of_channels(model, up.fermi_level, down.fermi_level, pair.both)


def _from_hdf5(path: Path, wanted: Overrides) -> WannierModel:
    # Most materials come from other files, and h5py takes a while.
    from .archive import is_archive, load_archive

    if is_archive(path):
        return _with_coupling(_apply(load_archive(path), wanted), wanted)
    from .through_tbmodels import read_tbmodels

    name = wanted.name or printable(path.stem)
    provenance = Provenance(files=hashes([path]), position_source="centres")
    try:
        return _from_tbmodels(read_tbmodels(path), wanted, name, provenance)
    except InputError:
        raise
    except Exception as problem:  # the library raises whatever it meets
        raise InputError(
            f"{path}: neither a saved spinscreen model nor a TBmodels HDF5 file ({reason(problem)})."
        ) from None


def _apply(model: WannierModel, wanted: Overrides) -> WannierModel:
    """Overrides on a model that is complete already."""
    changes: dict[str, Any] = {}
    if wanted.name is not None:
        changes["name"] = wanted.name
    if wanted.fermi_level is not None:
        changes["fermi_level"] = float(wanted.fermi_level)
    if wanted.lattice is not None:
        changes["lattice"] = wanted.lattice
    if wanted.periodic is not None:
        changes["periodic"] = tuple(wanted.periodic)
    if wanted.spin_degeneracy is not None:
        changes["spin_degeneracy"] = wanted.spin_degeneracy
    provenance = model.provenance
    if wanted.centres is not None:
        changes["position"] = centre_position(model.translations, checked_centres(wanted.centres, model.size))
        provenance = replace(provenance, position_source="centres")
    observables: dict[str, Any] = dict(model.observable_facts)
    if wanted.spin_ordering is not None:
        observables = {k: v for k, v in observables.items() if k not in SPIN}
        if wanted.spin_ordering != "none":
            observables |= spin_matrices(model.size, wanted.spin_ordering)
    observables |= wanted.observables or {}
    if wanted.spin_ordering is not None or wanted.observables is not None:
        changes["observables"] = observables
    if wanted.spin_ordering is not None or set(SPIN) & set(wanted.observables or {}):
        provenance = replace(provenance, spin_source="given")
    if provenance is not model.provenance:
        changes["provenance"] = provenance
    return replace(model, **changes) if changes else model


def _from_tbmodels(
    source: tbmodels.Model, wanted: Overrides, name: str, provenance: Provenance
) -> WannierModel:
    from .through_tbmodels import matrices_of_tbmodels

    if source.dim > 3:
        raise InputError(f"{name}: the TBmodels model has {source.dim} dimensions, expected 1 to 3.")
    lattice = np.eye(3)
    if wanted.lattice is not None:
        lattice = np.asarray(wanted.lattice, dtype=float)
    elif source.uc is not None:
        # Directions that the model does not have get vectors along the remaining axes.
        lattice[: source.dim, : source.dim] = source.uc
    else:
        raise InputError(f"{name}: the TBmodels model has no unit cell, expected one; give lattice=.")
    translations, hamiltonian = matrices_of_tbmodels(source)
    reduced = np.zeros((source.size, 3))
    reduced[:, : source.dim] = source.pos
    model = WannierModel(
        name,
        lattice,
        translations,
        hamiltonian,
        centre_position(translations, reduced @ lattice),
        periodic=(source.dim > 0, source.dim > 1, source.dim > 2),
        provenance=provenance,
    )
    model = with_spinors(_apply(model, replace(wanted, lattice=None)), wanted.spin_ordering, spinors=None)
    return _with_coupling(_with_degeneracy(model, wanted, one_spin=False), wanted)


def _from_wannier90(files: Wannier90Files, wanted: Overrides) -> WannierModel:
    model = _read(files, wanted)
    spinors, told = said_of_spinors(files, model.lattice)
    model = model if told is None else model.noted(told)
    counts = wanted.electrons is not None and wanted.fermi_level is None and wanted.spin_degeneracy is None
    other = sibling_of(files.place)
    asks = counts and not (files.channel or other or is_of_one_spin(files.place))
    model = with_spinors(
        model,
        wanted.spin_ordering,
        spinors,
        told or "spinors = .true.",
        asks,
        model.provenance.position_source != "none" and has_centres(files, model.lattice),
    )
    if files.win and not spinors and wanted.spin_ordering is None:
        model = model.noted(_spin_without_spinors(model, files.win.path.name))
    one_spin = bool(spinors or files.channel or other or is_of_one_spin(files.place))
    if other is not None:
        model = model.noted(f"one spin channel; the other one is {other.name}")
    model = _with_degeneracy(model, wanted, one_spin)
    elements = {element_of(atom.symbol) or atom.symbol for atom in model.atoms}
    asks = wanted.spin_degeneracy is None and model.spin_degeneracy == 2
    if asks and is_named_like_one_spin(files.place, elements, model.lattice):
        raise InputError(
            f"{printable(str(files.hamiltonian_file))}: is named like one spin channel of a collinear "
            "calculation, expected the other one beside it as x_up and x_dn, or 'spin = up' in its .win; "
            "give spin_degeneracy=1 if it is one spin alone, 2 if its bands hold both."
        )
    per_band = model.spin_degeneracy
    model = _with_coupling(model, wanted)
    if wanted.electrons is not None and wanted.fermi_level is None:
        model = with_told_level(model, files)
    # What the user says stands as it is.
    given = wanted.electrons is not None or wanted.fermi_level is not None
    return with_units_told(model if given else with_fermi_level(model, files, per_band), files, given)


def _with_coupling(model: WannierModel, wanted: Overrides) -> WannierModel:
    if wanted.soc is None:
        return model
    return with_spin_orbit(model, read_couplings(wanted.soc) if isinstance(wanted.soc, str) else wanted.soc)


def _with_tested_orbitals(model: WannierModel) -> WannierModel:
    """The model, its trial orbitals unknown unless its Hamiltonian has their symmetry."""
    why = model.provenance.without_trial_orbitals
    if not obeys_crystal(model):
        return replace(model, trial_orbitals=None)
    note = f"trial orbitals: the Wannier functions themselves, as H obeys the crystal if they are; {why}"
    return replace(
        model, provenance=replace(model.provenance.noted(note.rstrip(".")), without_trial_orbitals="")
    )


def _read(files: Wannier90Files, wanted: Overrides) -> WannierModel:
    """The model of the files, with what the user says of it, but for what needs to know of spins."""
    lattice = None if wanted.lattice is None else read_cell(wanted.lattice)
    beside = None
    if lattice is None and not files.cell_kind:
        beside = cell_beside(files.place, files.raw.size, files.check_cell)
    model = read_model(
        files,
        wanted.name or printable(files.label),
        lattice if beside is None else beside[0].lattice,
        wanted.periodic,
        with_spin=wanted.spin_ordering is None,
        lattice_origin="lattice=" if beside is None else beside[1].name,
    )
    if model.trial_orbitals is not None and model.provenance.without_trial_orbitals:
        model = _with_tested_orbitals(model)
    if beside is not None:
        model = _with_structure(model, *beside)
    return _apply(model, replace(wanted, lattice=None))


def _with_structure(model: WannierModel, structure: Structure, file: Path) -> WannierModel:
    """A model whose cell is that of a structure file, with its atoms and where they are from."""
    positions = (structure.reduced @ structure.lattice).tolist()
    atoms = [Atom(symbol, (x, y, z)) for symbol, (x, y, z) in zip(structure.symbols, positions, strict=True)]
    files = (*model.provenance.files, *hashes([file]))
    return replace(
        model,
        atoms=model.atoms or tuple(atoms),
        provenance=replace(model.provenance, files=files),
    ).noted(f"unit cell: from {printable(file.name)}")


def _with_degeneracy(model: WannierModel, wanted: Overrides, one_spin: bool) -> WannierModel:
    """Two electrons in each band of a model from files without spin, unless they are of one spin."""
    if one_spin or wanted.spin_degeneracy is not None or set(SPIN) & set(model.observables):
        return model
    return replace(model, spin_degeneracy=2)


def _spin_without_spinors(model: WannierModel, win: str) -> str:
    if model.provenance.spin_source == "none":
        return f"no spin: {win} does not say spinors = .true.; give spin_ordering if they are"
    return f"{win} does not say spinors = .true., whose default is false; the spin that was found counts"


#: Ending of a file -> its reader, with the overrides; whatever is not here is a calculation of Wannier90.
FORMATS: Mapping[str, Callable[[Path, Overrides], WannierModel]] = {".hdf5": _from_hdf5, ".h5": _from_hdf5}
