"""HDF5 files with other contents than ours: links out of them, arrays without end, headers of any shape."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from damage import refused
from inputs import SEED, write_archive, write_tbmodels

from spinscreen.materials import load_model


def _make_virtual(file: h5py.File) -> None:
    del file["hamiltonian"]
    file.create_dataset("hamiltonian", (10**12,), dtype=complex, chunks=(1000,))


def _make_objects(file: h5py.File) -> None:
    del file["hamiltonian"]
    file.create_dataset("hamiltonian", (2,), dtype=h5py.vlen_dtype(float))


def _make_external(file: h5py.File) -> None:
    del file["hamiltonian"]
    file.create_dataset("hamiltonian", (4,), dtype="f8", external=[("/etc/passwd", 0, 32)])


def _make_overflow(file: h5py.File) -> None:
    del file["hamiltonian"]
    file.create_dataset("hamiltonian", (2**32, 2**32), dtype=complex, chunks=(10, 10))


def _make_circle(file: h5py.File) -> None:
    file["observables"]["again"] = file["/"]


def _link(link: object):
    def change(file: h5py.File) -> None:
        del file["position"]
        file["position"] = link

    return change


def _set(name: str, value: object):
    return lambda file: file.attrs.__setitem__(name, value)


def _header(**changes: object):
    def change(file: h5py.File) -> None:
        header = json.loads(file.attrs["header"])
        file.attrs["header"] = json.dumps({**header, **changes})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_make_virtual, "up to 'hamiltonian' it announces 1.6e+13 bytes"),
        (_make_overflow, "up to 'hamiltonian' it announces 2.95e+20 bytes"),
        (_make_circle, "'again' is <HDF5 group"),
        (_make_objects, "'hamiltonian' is of type 'object', expected numbers"),
        (_make_external, "'hamiltonian' lies in another file"),
        (_link(h5py.ExternalLink("other.hdf5", "/position")), "'position' is a link"),
        (_link(h5py.SoftLink("/hamiltonian")), "'position' is a link"),
        (_link(np.zeros(3, "S4")), "'position' is <HDF5 dataset"),
        (lambda file: file.move("position", "elsewhere"), "damaged, expected a saved spinscreen model"),
        (lambda file: file.attrs.__delitem__("version"), "damaged, expected a saved spinscreen model"),
        (_set("version", "two"), "the attribute version is 'two', expected a whole number"),
        (_set("version", [1, 2]), "the attribute version is array"),
        (_set("version", 9), "has format version 9, expected at most 2; update spinscreen"),
        (_set("header", 3.0), "the attribute header is"),
        (_set("header", "no JSON"), "damaged, expected a saved spinscreen model"),
        (_set("header", "[1, 2]"), "header: Input should be a valid dictionary"),
        (_set("header", "[" * 20_000), "damaged, expected a saved spinscreen model"),
        (_header(periodic=[True]), "periodic"),
        (_header(fermi_level="high"), "fermi_level: Input should be a valid number"),
        (_header(fermi_level=1e300), "fermi_level is 1e+300 eV, expected a finite number below 1e+06"),
        (_header(atoms=[{"symbol": "C", "position": [0, 0]}]), "atoms.0.position.2: Field required"),
        (_header(removed=3), "removed: Input should be a valid dictionary"),
    ],
)
def test_an_archive_with_foreign_contents(tmp_path, change, told):
    write_archive(tmp_path)
    path = tmp_path / f"{SEED}.hdf5"
    with h5py.File(path, "a") as file:
        change(file)
    with refused("toy.hdf5: ", told):
        load_model(path)


def test_a_tbmodels_file_with_foreign_contents(tmp_path):
    write_tbmodels(tmp_path)
    for name in (f"{SEED}.hdf5", "sparse.hdf5"):
        path = tmp_path / name
        with h5py.File(path, "a") as file:
            file["size"][()] = 10**6
        with refused(f"{name}: has 1000000 orbitals, its matrices would take"):
            load_model(path)


def test_a_class_named_in_a_file_is_not_made(tmp_path):
    """Of the classes that TBmodels' loader knows one evaluates text."""
    path, mark = tmp_path / "toy.hdf5", tmp_path / "mark"
    with h5py.File(path, "w") as file:
        file["type_tag"] = "sympy.object"
        file["value"] = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    with refused("toy.hdf5: neither a saved spinscreen model nor a TBmodels HDF5 file"):
        load_model(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("indptr", 1, 8_388_609), ("indices", 0, 7), ("indices", 0, -1), ("indptr", 0, 1)],
)
def test_sparse_matrices_whose_rows_and_columns_are_not_there(tmp_path, name, place, value):
    """Loops in C would read what is behind the array, or end the process."""
    write_tbmodels(tmp_path)
    path = tmp_path / "sparse.hdf5"
    with h5py.File(path, "r+") as file:
        hop = next(iter(file["hop"].values()))
        hop[name][place] = value
    with refused("sparse.hdf5: /hop/", "is no sparse matrix", "the file is damaged"):
        load_model(path)
