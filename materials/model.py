"""`WannierModel`: what a material is once every file has been read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError, LatticeOperators, RealSpaceOperator, cell_measure

#: Largest |H(R) - H(-R)^dagger| in eV that counts as rounding of a printed file (6 decimals).
HERMITICITY_TOLERANCE = 2e-6

#: eV, angstrom, cells, or a count: no number of a material is as large, core levels and box sizes included.
LARGEST = 1e6

#: The same for observables, whose unit may be the user's own.
LARGEST_OBSERVABLE = 1e12

#: angstrom: no lattice vector is shorter.
SHORTEST = 1e-3

#: Labels of the spin observables, in the order x, y, z.
SPIN = ("spin_x", "spin_y", "spin_z")


@dataclass(frozen=True)
class Atom:
    """symbol and Cartesian position in angstrom."""

    symbol: str
    position: tuple[float, float, float]


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from.

    files : (path, sha256) of everything that was read
    notes : one sentence per assumption that was made on the way
    removed : size of the non-Hermitian part taken out of each matrix (eV, angstrom, hbar)
    """

    files: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    removed: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def noted(self, note: str) -> Provenance:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True, eq=False)
class WannierModel:
    """A tight-binding model in its Wannier basis; every array is read-only.

    lattice : (3, 3) angstrom, rows a1 a2 a3
    translations : (R, 3) integers, closed under R -> -R
    hamiltonian : (R, wannier, wannier) eV, degeneracies divided out
    position : (R, 3, wannier, wannier) angstrom, centres on the R = 0 diagonal
    observables : name -> (wannier, wannier), on site, or (R, wannier, wannier)
    periodic : which lattice vectors repeat (2D: two of three)
    projections : lines of the .win's block, if any
    is_bogoliubov : made by `bogoliubov`: electrons and holes side by side, each band counts one half

    Raises InputError on construction where shapes do not match, a number is not finite or beyond physical
    sense (`LARGEST`, `SHORTEST`), a matrix is not Hermitian or the cell is singular.
    """

    name: str
    lattice: NDArray[np.float64]
    translations: NDArray[np.int64]
    hamiltonian: NDArray[np.complex128]
    position: NDArray[np.complex128]
    observables: Mapping[str, NDArray[np.complex128]] = field(default_factory=dict)
    periodic: tuple[bool, bool, bool] = (True, True, True)
    atoms: tuple[Atom, ...] = ()
    fermi_level: float | None = None
    provenance: Provenance = Provenance()
    is_bogoliubov: bool = False
    projections: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        arrays = {
            "lattice": _readonly(self.lattice, float),
            "translations": _readonly(self.translations, np.int64),
            "hamiltonian": _readonly(self.hamiltonian, complex),
            "position": _readonly(self.position, complex),
        }
        for name, array in arrays.items():
            object.__setattr__(self, name, array)
        observables = {str(k): _readonly(v, complex) for k, v in self.observables.items()}
        object.__setattr__(self, "observables", MappingProxyType(observables))
        object.__setattr__(self, "periodic", tuple(bool(p) for p in self.periodic))
        _validate(self)

    def __getstate__(self) -> dict[str, object]:
        # A mapping proxy cannot be pickled, and cached results need not travel.
        names = self.__dataclass_fields__
        state = {name: getattr(self, name) for name in names}
        state["observables"] = dict(self.observables)
        state["provenance"] = replace(self.provenance, removed=dict(self.provenance.removed))
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    @property
    def size(self) -> int:
        """Number of Wannier functions."""
        return self.hamiltonian.shape[-1]

    @property
    def band_weight(self) -> float:
        """How much a band counts in a Brillouin-zone integral (theory section 6)."""
        return 0.5 if self.is_bogoliubov else 1.0

    @property
    def dimension(self) -> int:
        return sum(self.periodic)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Wannier centres, (wannier, 3) angstrom."""
        home = self.position[self._home]
        return np.diagonal(home, axis1=1, axis2=2).real.T.copy()

    @property
    def cell_measure(self) -> float:
        """Volume, area or length of the cell, angstrom^dimension."""
        return cell_measure(self.lattice, self.periodic)

    @property
    def _home(self) -> int:
        return int(np.flatnonzero(~self.translations.any(axis=1))[0])

    def onsite(self, observable: str) -> NDArray[np.complex128]:
        """R = 0 matrix of an observable, (wannier, wannier)."""
        matrix = self.observables[observable]
        return matrix if matrix.ndim == 2 else matrix[self._home]

    @property
    def observable_units(self) -> tuple[str, ...]:
        """Unit of each observable, in their order."""
        return tuple(observable_unit(name) for name in self.observables)

    @cached_property
    def operators(self) -> LatticeOperators:
        """The arrays that the kernels work on."""
        return LatticeOperators(
            self.lattice,
            RealSpaceOperator.pruned(self.translations, self.hamiltonian[:, None]),
            RealSpaceOperator.pruned(self.translations, self.position),
            self._observable_operator(),
            self._field_charge,
        )

    @property
    def _field_charge(self) -> NDArray[np.float64] | None:
        """An electric field acts on holes and electrons oppositely (theory section 6)."""
        return np.repeat([1.0, -1.0], self.size // 2) if self.is_bogoliubov else None

    def _observable_operator(self) -> RealSpaceOperator:
        matrices = list(self.observables.values())
        home = np.zeros((1, 3), dtype=np.int64)
        if not matrices:
            return RealSpaceOperator(home, np.zeros((1, 0, self.size, self.size), dtype=complex))
        if all(matrix.ndim == 2 for matrix in matrices):
            return RealSpaceOperator(home, np.stack(matrices)[None])
        full = np.zeros((len(self.translations), len(matrices), self.size, self.size), dtype=complex)
        for s, matrix in enumerate(matrices):
            if matrix.ndim == 2:
                full[self._home, s] = matrix
            else:
                full[:, s] = matrix
        return RealSpaceOperator.pruned(self.translations, full)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over every number that a result can depend on (not over the name or the notes)."""
        digest = hashlib.sha256()
        for array in (self.lattice, self.translations, self.hamiltonian, self.position):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        for name, matrix in self.observables.items():
            digest.update(f"{name}{matrix.shape}".encode(errors="backslashreplace"))
            digest.update(np.ascontiguousarray(matrix).tobytes())
        digest.update(repr((self.periodic, self.is_bogoliubov)).encode())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write everything to one HDF5 file that `load_model` reads back unchanged."""
        from .archive import save_model

        save_model(self, path)

    def with_observable(self, name: str, matrix: ArrayLike) -> WannierModel:
        """The same model with one more observable (or another matrix for a known name)."""
        return replace(self, observables={**self.observables, name: np.asarray(matrix, complex)})

    def noted(self, note: str) -> WannierModel:
        """The same model with one more note of what was assumed."""
        return replace(self, provenance=self.provenance.noted(note))

    def with_charge(self) -> WannierModel:
        """The same model with the observable charge = -1 (in e): T11 is then the orbital magnetization."""
        return self.with_observable("charge", -np.eye(self.size))

    @classmethod
    def from_hoppings(
        cls,
        name: str,
        lattice: ArrayLike,
        hoppings: Mapping[tuple[int, int, int], ArrayLike],
        centres: ArrayLike,
        **fields: object,
    ) -> WannierModel:
        """Build a model from H(R) of one of each pair R, -R (the other is added) and Wannier centres.

        hoppings : R -> (wannier, wannier) eV, the R = 0 matrix being Hermitian
        centres : (wannier, 3) angstrom; the position matrix is diagonal
        """
        full: dict[tuple[int, ...], NDArray] = {}
        for vector, matrix in hoppings.items():
            block = np.asarray(matrix, dtype=complex)
            full[tuple(vector)] = full.get(tuple(vector), 0) + block
            if any(vector):
                opposite = tuple(-x for x in vector)
                full[opposite] = full.get(opposite, 0) + block.conj().T
        translations = np.array(sorted(full))
        hamiltonian = np.stack([full[tuple(vector)] for vector in translations.tolist()])
        return cls(
            name,
            np.asarray(lattice, dtype=float),
            translations,
            hamiltonian,
            centre_position(translations, np.asarray(centres, dtype=float)),
            **fields,  # type: ignore[arg-type]
        )


def observable_unit(name: str) -> str:
    """Hbar for spin and orbital angular momentum, e for charge, 1 for any other observable."""
    if name.startswith(("spin", "orbital")):
        return "hbar"
    return "e" if name == "charge" else "1"


def centre_position(translations: NDArray[np.int64], centres: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Position matrix with nothing but the Wannier centres, (R, 3, wannier, wannier) angstrom."""
    size = len(centres)
    position = np.zeros((len(translations), 3, size, size), dtype=complex)
    home = int(np.flatnonzero(~translations.any(axis=1))[0])
    position[home][:, np.arange(size), np.arange(size)] = centres.T
    return position


def opposite_rows(translations: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Row of -R for every R, or None if some -R is missing."""
    rows = {tuple(vector): row for row, vector in enumerate(translations.tolist())}
    found = [rows.get((-x, -y, -z), -1) for x, y, z in translations.tolist()]
    return None if -1 in found else np.array(found)


def hermitian_part(
    matrices: NDArray[np.complex128], opposite: NDArray[np.int64]
) -> tuple[NDArray[np.complex128], float]:
    """(X(R) + X(-R)^dagger)/2 and the largest element that was removed."""
    adjoint = np.conj(np.swapaxes(matrices[opposite], -1, -2))
    part = (matrices + adjoint) / 2
    return part, float(np.abs(matrices - part).max(initial=0.0))


def within(array: NDArray, limit: float) -> bool:
    """True where every real and imaginary part lies between -limit and limit; NaN does not."""
    parts = (array.real, array.imag) if np.iscomplexobj(array) else (array,)
    return not array.size or all(-limit < part.min() and part.max() < limit for part in parts)


def _readonly(values: ArrayLike, dtype: type) -> NDArray:
    try:
        array: NDArray = np.array(values, dtype=dtype, copy=True)
    except (TypeError, ValueError, OverflowError) as problem:
        raise InputError(f"model: expected an array of {dtype.__name__}: {problem}.") from None
    array.flags.writeable = False
    return array


def _validate(model: WannierModel) -> None:
    where = f"model {model.name!r}"
    _validate_shapes(model, where)
    for name, array, limit in _limited_arrays(model):
        if not within(array, limit):
            raise _beyond(where, name, array, limit)
    level = model.fermi_level
    if level is not None and not abs(level) < LARGEST:
        raise InputError(f"{where}: fermi_level is {level} eV, expected a number below {LARGEST:g}.")
    if not any(model.periodic):
        raise InputError(f"{where}: periodic has no true entry, expected one to three.")
    lengths = np.linalg.norm(model.lattice, axis=1)
    volume = abs(np.linalg.det(model.lattice))
    if volume < 1e-6 * lengths.prod() or lengths.min() < SHORTEST:
        raise InputError(
            f"{where}: lattice is singular (cell volume {volume:.3g} angstrom^3), expected three "
            f"linearly independent vectors of at least {SHORTEST:g} angstrom; give a 2D material a third "
            "vector along its normal."
        )
    _validate_hermiticity(model, where)


def _limited_arrays(model: WannierModel) -> list[tuple[str, NDArray, float]]:
    names = ("lattice", "translations", "hamiltonian", "position")
    named = [(name, getattr(model, name), LARGEST) for name in names]
    return named + [(f"observable {n!r}", a, LARGEST_OBSERVABLE) for n, a in model.observables.items()]


def _beyond(where: str, name: str, array: NDArray, limit: float) -> InputError:
    found, wrong = "a NaN or infinite element", ~np.isfinite(array)
    if not wrong.any():
        found = "an element that is too large"
        wrong = np.maximum(abs(array.real.astype(float)), abs(array.imag.astype(float))) >= limit
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return InputError(
        f"{where}: {name} has {found} at index {first} ({array[first]:g}), expected finite numbers below "
        f"{limit:g}; check the file it was read from."
    )


def _validate_shapes(model: WannierModel, where: str) -> None:
    count = len(model.translations)
    size = model.hamiltonian.shape[-1] if model.hamiltonian.ndim else 0
    expected: list[tuple[str, NDArray, Sequence[tuple[int, ...]]]] = [
        ("lattice", model.lattice, [(3, 3)]),
        ("translations", model.translations, [(count, 3)]),
        ("hamiltonian", model.hamiltonian, [(count, size, size)]),
        ("position", model.position, [(count, 3, size, size)]),
    ]
    for name, matrix in model.observables.items():
        expected.append((f"observable {name!r}", matrix, [(size, size), (count, size, size)]))
    for name, array, shapes in expected:
        if array.shape not in shapes or 0 in array.shape:
            raise InputError(
                f"{where}: {name} has shape {array.shape}, expected "
                f"{' or '.join(map(str, shapes))} for {count} R vectors and {size} Wannier functions."
            )
    if len(model.periodic) != 3:
        raise InputError(f"{where}: periodic has {len(model.periodic)} entries, expected 3.")


def _validate_hermiticity(model: WannierModel, where: str) -> None:
    if len(np.unique(model.translations, axis=0)) != len(model.translations):
        raise InputError(f"{where}: an R vector appears twice, expected each once.")
    opposite = opposite_rows(model.translations)
    if opposite is None or not (~model.translations.any(axis=1)).any():
        raise InputError(f"{where}: expected R = 0 and, for every R vector, its negative.")
    full = [("hamiltonian", model.hamiltonian), ("position", model.position)]
    for name, matrix in model.observables.items():
        full.append((f"observable {name!r}", matrix if matrix.ndim == 3 else matrix[None]))
    for name, matrix in full:
        rows = opposite if len(matrix) == len(opposite) else np.zeros(1, dtype=int)
        _, size = hermitian_part(matrix, rows)
        if size > HERMITICITY_TOLERANCE:
            raise InputError(
                f"{where}: {name} is not Hermitian, X(R) and X(-R)^dagger differ by {2 * size:.3g}, "
                f"expected at most {2 * HERMITICITY_TOLERANCE:.1g}; the file may be incomplete."
            )
