"""Models of the TBmodels library, in memory or in its own HDF5 files."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import tbmodels
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spinscreen.kernels import InputError

from .files import justified_size, reason

#: Bytes that sparse matrices of a TBmodels file may take more than they do on the disk.
_LARGEST_SPARSE = 1 << 30


def read_tbmodels(path: Path) -> tbmodels.Model:
    """Read a TBmodels HDF5 file. Raises InputError where its matrices are too large, else what the library
    raises.
    """
    with h5py.File(path, "r") as file:
        group = file.get("tb_model", file)
        hops = list(group["hop"].values())
        shapes = [hop["shape"][()] for hop in hops if "shape" in hop]
        for hop in hops:
            if "indptr" in hop:
                _check_sparse(path, hop)
        sizes = [int(length) for shape in (*shapes, group["size"][()]) for length in np.ravel(shape)]
    largest = max(sizes, key=abs)
    limit = justified_size(path.stat().st_size) + (_LARGEST_SPARSE if shapes else 0)
    need = 2 * np.dtype(complex).itemsize * largest**2 * max(1, len(hops))
    if need > limit:
        raise InputError(
            f"{path}: has {largest} orbitals, its matrices would take {need / 1e9:.3g} GB, expected at most "
            f"{limit / 1e9:.3g} GB."
        )
    with warnings.catch_warnings():
        # Files of old versions are read as well. The library's own loader would pick the class by a name in
        # the file, and one of those evaluates text.
        warnings.simplefilter("ignore", DeprecationWarning)
        return tbmodels.Model.from_hdf5_file(str(path))


def _check_sparse(path: Path, hop: h5py.Group) -> None:
    """Raises InputError where rows or columns of a sparse matrix do not exist: SciPy's loops trust them."""
    parts = tuple(hop[name][()] for name in ("data", "indices", "indptr"))
    try:
        matrix = csr_matrix(parts, shape=tuple(map(int, hop["shape"][()])))
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, IndexError) as problem:
        raise InputError(
            f"{path}: {hop.name} is no sparse matrix ({reason(problem)}), expected rows and columns that are "
            "there; the file is damaged."
        ) from None


def matrices_of_tbmodels(
    model: tbmodels.Model,
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """R vectors, closed under R -> -R, and H(R) of a TBmodels model of up to three dimensions."""
    full: dict[tuple[int, ...], NDArray] = {}
    padding = (0,) * (3 - model.dim)
    for vector, matrix in model.hop.items():
        dense = np.array(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=complex)
        plus = tuple(int(x) for x in vector) + padding
        minus = tuple(-x for x in plus)
        # TBmodels keeps half of the Hamiltonian; the R = 0 matrix is halved.
        full[plus] = full.get(plus, 0) + dense
        full[minus] = full.get(minus, 0) + dense.conj().T
    if not full:
        full[(0, 0, 0)] = np.zeros((model.size, model.size), dtype=complex)
    full.setdefault((0, 0, 0), np.zeros((model.size, model.size), dtype=complex))
    translations = np.array(sorted(full))
    return translations, np.stack([full[tuple(vector)] for vector in translations.tolist()])
