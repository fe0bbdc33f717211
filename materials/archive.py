"""A whole model in one HDF5 file, and back without loss."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from spinscreen.kernels import InputError

from .model import Atom, Provenance, WannierModel

_FORMAT = "spinscreen-model"
_VERSION = 1


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
        partial.replace(target)
    except OSError as problem:
        raise InputError(f"{target}: cannot be written ({problem}).") from None


def _header(model: WannierModel) -> dict[str, object]:
    return {
        "name": model.name,
        "periodic": list(model.periodic),
        "atoms": [asdict(atom) for atom in model.atoms],
        "fermi_level": model.fermi_level,
        "is_bogoliubov": model.is_bogoliubov,
        "projections": list(model.projections),
        "files": [list(entry) for entry in model.provenance.files],
        "notes": list(model.provenance.notes),
        "removed": dict(model.provenance.removed),
    }


def is_archive(path: Path) -> bool:
    """True for a file that `save_model` wrote."""
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == _FORMAT)
    except OSError:
        return False


def load_archive(path: Path) -> WannierModel:
    """Read a saved model. Raises InputError for a file of a newer version or a damaged one."""
    try:
        with h5py.File(path, "r") as file:
            version = int(file.attrs["version"])
            if version > _VERSION:
                raise InputError(
                    f"{path}: has format version {version}, expected at most {_VERSION}; update spinscreen."
                )
            header = json.loads(file.attrs["header"])
            arrays = {
                name: np.asarray(file[name])
                for name in ("lattice", "translations", "hamiltonian", "position")
            }
            observables = {name: np.asarray(matrix) for name, matrix in file["observables"].items()}
    except (OSError, KeyError, json.JSONDecodeError) as problem:
        raise InputError(f"{path}: damaged, expected a saved spinscreen model ({problem}).") from None
    return WannierModel(
        header["name"],
        **arrays,
        observables=observables,
        periodic=tuple(header["periodic"]),
        atoms=tuple(Atom(a["symbol"], tuple(a["position"])) for a in header["atoms"]),
        fermi_level=header["fermi_level"],
        provenance=Provenance(
            tuple((name, digest) for name, digest in header["files"]),
            tuple(header["notes"]),
            header["removed"],
        ),
        is_bogoliubov=header["is_bogoliubov"],
        projections=tuple(header["projections"]),
    )
