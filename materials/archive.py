"""A whole model in one HDF5 file, and back without loss."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from spinscreen.kernels import InputError

from .files import justified_size, open_regular, quoted, reason
from .model import Atom, PathSegment, PositionSource, Provenance, SpinSource, WannierModel
from .observable import SPIN, Axis, Observable, Rotation, Sign
from .trial_orbitals import TrialOrbitals, read_trial_orbitals, write_trial_orbitals

_FORMAT = "spinscreen-model"
_VERSION = 2

#: What h5py raises for damaged files.
_PROBLEMS = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, SystemError)


def save_model(model: WannierModel, path: str | Path) -> None:
    """Write a model; an existing file is replaced once the new one is complete.

    Raises InputError where the folder cannot be written or the name does not end in .hdf5 or .h5.
    """
    target = Path(path)
    if target.suffix not in (".hdf5", ".h5"):
        raise InputError(f"{target}: expected a file name that ends in .hdf5 or .h5.")
    partial = target.with_name(target.name + ".partial")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["format"] = _FORMAT
            file.attrs["version"] = _VERSION
            file.attrs["header"] = json.dumps(_header(model))
            for name in ("lattice", "translations", "hamiltonian", "position"):
                file[name] = getattr(model, name)
            group = file.create_group("observables", track_order=True)
            for name, matrix in model.observables.items():
                group[name] = matrix
            if model.trial_orbitals is not None:
                write_trial_orbitals(model.trial_orbitals, file.create_group("trial_orbitals"))
            file.attrs["digest"] = _digest(file)
        partial.replace(target)
    except OSError as problem:
        raise InputError(f"{target}: cannot be written ({problem}).") from None


def _digest(file: h5py.File) -> str:
    """sha256 over the header and all arrays."""
    digest = hashlib.sha256(_text(file.attrs["header"]).encode())
    for name, entry in sorted(_entries(file), key=lambda found: str(found[1].name)):
        if isinstance(entry, h5py.Dataset):
            digest.update(f"{name}{entry.dtype.str}{entry.shape}".encode())
            digest.update(np.ascontiguousarray(entry).tobytes())
    return digest.hexdigest()


def _header(model: WannierModel) -> dict[str, object]:
    return {
        "name": model.name,
        "periodic": list(model.periodic),
        "atoms": [asdict(atom) for atom in model.atoms],
        "fermi_level": model.fermi_level,
        "is_bogoliubov": model.is_bogoliubov,
        "spin_degeneracy": model.spin_degeneracy,
        "projections": list(model.projections),
        "files": [list(entry) for entry in model.provenance.files],
        "notes": list(model.provenance.notes),
        "removed": dict(model.provenance.removed),
        "position_source": model.provenance.position_source,
        "spin_source": model.provenance.spin_source,
        "minimal_images": model.provenance.minimal_images,
        "without_trial_orbitals": model.provenance.without_trial_orbitals,
        "symmetry_deviation": model.provenance.symmetry_deviation,
        "pair_splitting": model.provenance.pair_splitting,
        "band_change": model.provenance.band_change,
        "kpoint_path": [list(segment) for segment in model.kpoint_path],
        "observables": {name: observable.facts for name, observable in model.observable_facts.items()},
    }


class _SavedAtom(BaseModel):
    symbol: str
    position: tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class _SavedFacts(BaseModel):
    unit: str
    rotation: Rotation
    axis: Axis | None
    time_reversal: Sign
    hole_sign: Sign | None
    label: str


_Point = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class _Header(BaseModel):
    """What `_header` writes; what version 1 did not has a default."""

    model_config = ConfigDict(extra="ignore")

    name: str
    periodic: tuple[bool, bool, bool]
    atoms: tuple[_SavedAtom, ...]
    fermi_level: FiniteFloat | None
    is_bogoliubov: bool
    spin_degeneracy: Literal[1, 2] | None = None
    projections: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    removed: dict[str, float]
    position_source: PositionSource | None = None
    spin_source: SpinSource | None = None
    minimal_images: bool | None = None
    without_trial_orbitals: str = ""
    symmetry_deviation: FiniteFloat | None = None
    pair_splitting: FiniteFloat | None = None
    band_change: FiniteFloat | None = None
    kpoint_path: tuple[tuple[str, _Point, str, _Point], ...] = ()
    observables: dict[str, _SavedFacts] = {}

    def degeneracy(self, observables: Iterable[str]) -> int:
        """Where an older version did not say it: models of files without spin had two in each band."""
        if self.spin_degeneracy is not None:
            return self.spin_degeneracy
        return 1 if set(SPIN) & set(observables) or not self.files or self.is_bogoliubov else 2

    @property
    def provenance(self) -> Provenance:
        # Version 1 said in its notes alone where position and spin are from.
        position: PositionSource = "matrix"
        if any(note.startswith("position: ") for note in self.notes):
            position = "none" if any(note.startswith("position: no ") for note in self.notes) else "centres"
        spin: SpinSource = "none"
        for note in self.notes:
            if note.startswith("spin: "):
                spin = "ab_initio" if "ab initio" in note else "tested" if "by test" in note else "given"
        images = not any(note.startswith("no _wsvec.dat") for note in self.notes)
        return Provenance(
            self.files,
            self.notes,
            self.removed,
            self.position_source or position,
            self.spin_source or spin,
            images if self.minimal_images is None else self.minimal_images,
            self.without_trial_orbitals,
            self.symmetry_deviation,
            self.pair_splitting,
            self.band_change,
        )


def is_archive(path: Path) -> bool:
    """True for a file that `save_model` wrote. Raises InputError where it is no HDF5 file."""
    check_contents(path)
    with h5py.File(path, "r") as file:
        return isinstance(found := file.attrs.get("format"), str) and found == _FORMAT


def check_contents(path: Path) -> None:
    """Look through an HDF5 file before anything of it is read.

    Raises InputError where it is damaged, leads to other files, holds anything but numbers and text, or
    announces arrays that its size on disk cannot justify (a chunk that was never written takes no place).
    """
    with open_regular(path) as stream:
        limit = justified_size(stream.seek(0, 2))
    try:
        with h5py.File(path, "r") as file:
            total = 0
            for name, entry in _entries(file):
                if isinstance(entry, h5py.Dataset):
                    _check_dataset(name, entry)
                    total += math.prod(entry.shape or ()) * max(entry.dtype.itemsize, 16)
                if total > limit:
                    raise ValueError(
                        f"up to {name} it announces {total:.3g} bytes, at most {limit:.3g} fit its size"
                    )
    except _PROBLEMS as problem:
        raise InputError(
            f"{path}: neither a saved spinscreen model nor a TBmodels HDF5 file ({reason(problem)})."
        ) from None


def _entries(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Everything that hard links lead to, once; other links may lead anywhere."""
    seen = {file["/"]}
    groups = [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{quoted(name)} is a link, expected the data themselves")
            entry = group[name]
            if isinstance(entry, h5py.Group) and entry not in seen:
                seen.add(entry)
                groups.append(entry)
            yield quoted(name), entry


def _check_dataset(name: str, dataset: h5py.Dataset) -> None:
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} lies in another file, expected it in this one")
    if dataset.dtype.kind not in "biufcS" and h5py.check_string_dtype(dataset.dtype) is None:
        raise ValueError(f"{name} is of type {quoted(str(dataset.dtype))}, expected numbers")


def load_archive(path: Path) -> WannierModel:
    """Read a saved model. Raises InputError for a file of a newer version or a damaged one."""
    try:
        with h5py.File(path, "r") as file:
            _check_version(file.attrs["version"])
            header = _Header.model_validate(json.loads(_text(file.attrs["header"])))
            arrays = {
                name: _numbers(file, name) for name in ("lattice", "translations", "hamiltonian", "position")
            }
            group = file["observables"]
            observables = {name: _numbers(group, name) for name in group}
            trial = read_trial_orbitals(file["trial_orbitals"]) if "trial_orbitals" in file else None
            model = _model(header, arrays, observables, trial)
            # Files of older versions have none.
            if "digest" in file.attrs and file.attrs["digest"] != _digest(file):
                raise ValueError("it is not what was written")
            return model
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None
    except ValidationError as problem:
        error = problem.errors()[0]
        place = ".".join(map(str, error["loc"])) or "header"
        told = f"{place}: {error['msg']}, found {quoted(error['input'])}"
    except _PROBLEMS as problem:
        told = reason(problem)
    raise InputError(f"{path}: damaged, expected a saved spinscreen model ({told}).")


def _check_version(version: object) -> None:
    if not isinstance(version, int | np.integer):
        raise ValueError(f"the attribute version is {quoted(version)}, expected a whole number")
    if version > _VERSION:
        raise InputError(f"has format version {version}, expected at most {_VERSION}; update spinscreen.")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the attribute header is {quoted(value)}, expected text")
    return value


def _numbers(group: h5py.Group, name: str) -> NDArray:
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "iufc":
        raise ValueError(f"{quoted(name)} is {quoted(dataset)}, expected an array of numbers")
    return np.asarray(dataset)


def _model(
    header: _Header,
    arrays: dict[str, NDArray],
    matrices: dict[str, NDArray],
    trial_orbitals: TrialOrbitals | None,
) -> WannierModel:
    known = header.observables
    observables: dict[str, NDArray | Observable] = {
        name: Observable(matrix, **dict(known[name])) if name in known else matrix
        for name, matrix in matrices.items()
    }
    return WannierModel(
        header.name,
        arrays["lattice"],
        arrays["translations"],
        arrays["hamiltonian"],
        arrays["position"],
        observables=observables,
        periodic=header.periodic,
        atoms=tuple(Atom(atom.symbol, atom.position) for atom in header.atoms),
        fermi_level=header.fermi_level,
        provenance=header.provenance,
        is_bogoliubov=header.is_bogoliubov,
        spin_degeneracy=header.degeneracy(matrices),
        projections=header.projections,
        kpoint_path=tuple(PathSegment(*segment) for segment in header.kpoint_path),
        trial_orbitals=trial_orbitals,
    )
