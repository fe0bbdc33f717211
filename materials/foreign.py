"""Models of other libraries: PythTB, sisl, and systems that WannierBerri saved."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .files import entries, hashes, justified_size, open_regular, reason, size_on_disk
from .matrices import centre_position, hermitian_part, opposite_rows
from .model import Atom, Provenance, WannierModel
from .observable import SPIN
from .spin import spin_matrices

#: eV: elements of an orthogonalized Hamiltonian at the edge of its cells are below this.
_CUT = 1e-6

#: The most k points in a direction for that.
_MOST_POINTS = 41

#: angstrom: centres of a position matrix and those that are given beside it.
_SAME_CENTRE = 1e-3


def model_of_library(source: object, name: str) -> WannierModel | None:
    """A model of PythTB (1.8 or 2) or a Hamiltonian of sisl, None for anything else.

    Raises InputError for one that cannot be used. Neither library is imported: who has such an object has it.
    """
    readers: Mapping[str, Callable[[Any, str], WannierModel]] = {"pythtb": _from_pythtb, "sisl": _from_sisl}
    for kind in type(source).__mro__:
        reader = readers.get(kind.__module__.split(".")[0])
        if reader is not None:
            try:
                return reader(source, name)
            except (AttributeError, TypeError, KeyError, IndexError) as problem:
                library = kind.__module__.split(".")[0]
                raise InputError(
                    f"{name}: the {type(source).__name__} of {library} cannot be read ({reason(problem)}); "
                    "expected a model of PythTB 1.8 or 2, or a Hamiltonian of sisl."
                ) from None
    return None


def _from_pythtb(source: Any, name: str) -> WannierModel:
    """<0i|H|Rj> as PythTB keeps it; of spinors, up and down of each orbital one after the other."""
    private = not hasattr(source, "hoppings")
    if parameters := getattr(source, "parameters", None):
        names = ", ".join(sorted({name for one in parameters for name in one["names"]}))
        raise InputError(
            f"{name}: the TBModel of pythtb has the free parameters {names}, expected numbers; give them by "
            "with_parameters() or set_parameters()."
        )
    spins = int(source._nspin if private else source.nspin)
    energies = np.asarray(source._site_energies if private else source.onsite, dtype=complex)
    if private:
        hops = [(hop[0], hop[1], hop[2], hop[3] if len(hop) > 3 else ()) for hop in source._hoppings]
        vectors, orbitals = np.asarray(source.get_lat(), float), np.asarray(source.get_orb(), float)
    else:
        hops = [
            (hop["amplitude"], hop["from_orbital"], hop["to_orbital"], hop.get("lattice_vector", ()))
            for hop in source.hoppings
        ]
        vectors, orbitals = np.asarray(source.lat_vecs, float), np.asarray(source.orb_vecs, float)
    dimension = vectors.shape[0]
    lattice = np.eye(3)
    lattice[:dimension, :dimension] = vectors
    repeats = set(source._per if private else source.periodic_dirs)
    size = len(orbitals) * spins
    onsite = np.zeros((len(orbitals), spins, len(orbitals), spins), dtype=complex)
    for orbital, energy in enumerate(energies):
        onsite[orbital, :, orbital, :] = energy
    hoppings = {(0, 0, 0): onsite.reshape(size, size)}
    for amplitude, row, column, cell in hops:
        block = np.zeros_like(onsite)
        block[row, :, column, :] = amplitude
        matrix = block.reshape(size, size)
        first, second, third, *_ = (*(int(x) for x in cell), 0, 0, 0)
        padded = (first, second, third)
        if not any(padded):
            matrix = matrix + matrix.conj().T
        hoppings[padded] = hoppings.get(padded, 0) + matrix
    reduced = np.zeros((len(orbitals), 3))
    reduced[:, :dimension] = orbitals
    return WannierModel.from_hoppings(
        name,
        lattice,
        hoppings,
        np.repeat(reduced @ lattice, spins, axis=0),
        observables=spin_matrices(size, "interlaced") if spins == 2 else {},
        periodic=tuple(axis in repeats for axis in range(3)),
        provenance=Provenance(position_source="centres", spin_source="given" if spins == 2 else "none"),
    )


def _from_sisl(source: Any, name: str) -> WannierModel:
    """H(R) of a local-orbital Hamiltonian; one that is not orthogonal becomes S^-1/2 H S^-1/2 (Loewdin)."""
    polarized, spinors = source.spin.is_polarized, not source.spin.is_diagonal
    nsc = np.asarray(source.nsc, dtype=int)
    mesh = nsc.copy()
    while True:
        translations, hamiltonian = _transformed(source, mesh, polarized, spinors)
        edge = 2 * np.abs(translations) == mesh - 1
        beyond = (edge & (nsc > 1)).any(axis=1)
        if source.orthogonal or not np.abs(hamiltonian[beyond]).max(initial=0.0) > _CUT:
            break
        mesh = np.where(nsc > 1, mesh + 4, 1)
        if mesh.max() > _MOST_POINTS:
            raise InputError(
                f"{name}: orthogonalized, its Hamiltonian reaches beyond {_MOST_POINTS // 2} cells, expected "
                "orbitals that overlap less."
            )
    removed = hermitian_part(hamiltonian, _opposite(translations))
    copies = 2 if polarized or spinors else 1
    geometry = source.geometry
    centres = np.repeat(np.asarray(geometry.xyz)[geometry.o2a(np.arange(geometry.no))], copies, axis=0)
    atoms = [
        Atom(atom.symbol, tuple(map(float, place)))  # type: ignore[arg-type]
        for atom, place in zip(geometry.atoms, geometry.xyz, strict=True)
    ]
    notes = [] if source.orthogonal else ["basis: orthogonalized, S^-1/2 H S^-1/2 of overlapping orbitals"]
    return WannierModel(
        name,
        np.asarray(source.lattice.cell, dtype=float),
        translations,
        removed[0],
        centre_position(translations, centres),
        observables=spin_matrices(len(centres), "interlaced") if copies == 2 else {},
        periodic=tuple(n > 1 for n in nsc),
        atoms=tuple(atoms),
        provenance=Provenance(
            notes=tuple(notes),
            removed={"hamiltonian": removed[1]},
            position_source="centres",
            spin_source="given" if copies == 2 else "none",
        ),
        spin_degeneracy=1 if copies == 2 else 2,
    )


def _transformed(
    source: Any, mesh: NDArray[np.int64], polarized: bool, spinors: bool
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """H(R) = 1/N sum_k e^{-ik.R} H(k) on a mesh of odd numbers of k points."""
    points = np.array(list(itertools.product(*(np.arange(n) / n for n in mesh))))
    translations = np.array(list(itertools.product(*(range(-(n // 2), n // 2 + 1) for n in mesh))))
    bloch = np.stack([_bloch(source, k, polarized, spinors) for k in points])
    phases = np.exp(-2j * np.pi * (translations @ points.T)) / len(points)
    return translations, np.tensordot(phases, bloch, axes=1)


def _bloch(source: Any, k: NDArray[np.float64], polarized: bool, spinors: bool) -> NDArray[np.complex128]:
    options: dict[str, Any] = {"k": k, "gauge": "cell", "format": "array", "dtype": np.complex128}
    channels = [source.Hk(**options, spin=spin) for spin in (0, 1)] if polarized else [source.Hk(**options)]
    if not source.orthogonal:
        overlap = source.Sk(**options)
        # Of spinors it comes with both spins.
        value, vector = np.linalg.eigh(overlap)
        if value[0] <= 0:
            raise InputError(f"its overlap matrix has the eigenvalue {value[0]:.3g}, expected positive ones.")
        root = (vector / np.sqrt(value)) @ vector.conj().T
        channels = [root @ channel @ root for channel in channels]
    if not polarized:
        return np.asarray(channels[0])
    size = len(channels[0])
    both = np.zeros((size, 2, size, 2), dtype=complex)
    both[:, 0, :, 0], both[:, 1, :, 1] = channels
    return both.reshape(2 * size, 2 * size)


def _opposite(translations: NDArray[np.int64]) -> NDArray[np.int64]:
    opposite = opposite_rows(translations)
    if opposite is None:
        raise InputError("for an R vector its negative is missing, expected both.")
    return opposite


#: Arrays of a system that WannierBerri saved, and their dims.
_SYSTEM = ("real_lattice", "iRvec", "_XX_R_Ham", "wannier_centers_cart")


def is_wannierberri(names: Iterable[str]) -> bool:
    """True for the names in a folder that `System.save_npz` of WannierBerri wrote."""
    return {"_XX_R_Ham.npz", "real_lattice.npz", "iRvec.npz"} <= set(names)


def read_wannierberri(folder: Path, name: str) -> WannierModel:
    """Read a system that WannierBerri saved: H, the position matrix AA and the spin SS, where they are.

    Raises InputError where a file is missing, damaged, or of other shapes than the Hamiltonian.
    """
    places = {entry.name.removesuffix(".npz"): entry for entry in entries(folder) if entry.suffix == ".npz"}
    wanted = [key for key in (*_SYSTEM, "_XX_R_AA", "_XX_R_SS", "periodic", "use_wcc_phase") if key in places]
    arrays = {key: _array(places[key]) for key in wanted}
    lattice, translations = arrays["real_lattice"], np.asarray(arrays["iRvec"])
    count = len(translations) if translations.ndim == 2 else 0
    matrices = {}
    for key, components in (("Ham", ()), ("AA", (3,)), ("SS", (3,))):
        found = arrays.get(f"_XX_R_{key}")
        if found is None:
            continue
        # Older versions saved the index of R last of the three; they also saved this flag.
        if "use_wcc_phase" in arrays and found.ndim >= 3:
            found = np.moveaxis(found, 2, 0)
        size = found.shape[1] if found.ndim > 1 else 0
        if found.shape != (count, size, size, *components):
            raise InputError(
                f"{places[f'_XX_R_{key}']}: has shape {found.shape}, expected {count} R vectors as in "
                "iRvec.npz."
            )
        matrices[key] = np.moveaxis(found, 3, 1) if components else found
    opposite = _opposite(translations)
    hamiltonian, removed = hermitian_part(matrices["Ham"].astype(np.complex128), opposite)
    size = hamiltonian.shape[-1]
    position, source = _position(folder, arrays, matrices.get("AA"), translations, size)
    position, removed_position = hermitian_part(position, opposite)
    gone = {"hamiltonian": removed, "position": removed_position}
    observables: dict[str, NDArray] = {}
    if "SS" in matrices:
        # Pauli matrices there, hbar here.
        spin, gone["spin"] = hermitian_part(matrices["SS"].astype(np.complex128) / 2, opposite)
        observables = {label: spin[:, s] for s, label in enumerate(SPIN)}
    repeats = np.ravel(arrays.get("periodic", np.ones(3, dtype=bool)))
    periodic = (bool(repeats[0]), bool(repeats[1]), bool(repeats[2])) if len(repeats) == 3 else (True,) * 3
    return WannierModel(
        name,
        lattice,
        translations,
        hamiltonian,
        position,
        observables=observables,
        periodic=periodic,
        provenance=Provenance(
            hashes(places[key] for key in wanted),
            ("a system that WannierBerri saved",),
            gone,
            position_source=source,  # type: ignore[arg-type]
            spin_source="ab_initio" if observables else "none",
        ),
    )


def _position(
    folder: Path,
    arrays: Mapping[str, NDArray],
    matrix: NDArray[Any] | None,
    translations: NDArray[np.int64],
    size: int,
) -> tuple[NDArray[np.complex128], str]:
    """The position matrix; in one with phases of the centres these are left out on its diagonal."""
    centres = arrays.get("wannier_centers_cart", np.zeros((size, 3)))
    if centres.shape != (size, 3):
        raise InputError(
            f"{folder / 'wannier_centers_cart.npz'}: has shape {centres.shape}, expected {(size, 3)}."
        )
    if matrix is None:
        return centre_position(translations, centres.astype(float)), "centres"
    position = np.array(matrix, dtype=complex)
    home = int(np.flatnonzero(~translations.any(axis=1))[0])
    diagonal = np.diagonal(position[home], axis1=1, axis2=2).real.T
    if np.abs(diagonal).max() < _SAME_CENTRE:
        return position + centre_position(translations, centres.astype(float)), "matrix"
    if np.abs(diagonal - centres).max() > _SAME_CENTRE:
        raise InputError(
            f"{folder / '_XX_R_AA.npz'}: its diagonal is neither zero nor that of "
            "wannier_centers_cart.npz; the files belong to two systems."
        )
    return position, "matrix"


def _array(path: Path) -> NDArray:
    """The one array of an .npz. Raises InputError where it cannot be read or holds anything but numbers."""
    with open_regular(path) as stream:
        limit = justified_size(size_on_disk(path, stream))
        content = io.BytesIO(stream.read())
    try:
        with np.load(content, allow_pickle=False) as file:
            announced = sum(info.file_size for info in file.zip.infolist())
            if announced > limit:
                raise ValueError(f"it unpacks to {announced / 1e6:.1f} MB, more than its size justifies")
            found: NDArray = file[next(iter(file.files))]
    except Exception as problem:  # NumPy and zipfile raise whatever they meet
        raise InputError(f"{path}: cannot be read as an array ({reason(problem)}); save it again.") from None
    if found.dtype.kind not in "biufc":
        raise InputError(f"{path}: holds {found.dtype}, expected numbers.")
    return found
