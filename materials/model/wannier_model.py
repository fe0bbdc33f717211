"""`WannierModel`: what a material is once every file has been read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError, LatticeOperators, RealSpaceOperator, cell_measure
from spinscreen.kernels.symmetry import SymmetryGroup

from ..matrices import centre_position, read_only
from ..observable import SPIN, Observable, named_observable, unusual_facts
from ..trial_orbitals import Projection, TrialOrbitals, parse_projections
from .presentation import as_html, as_text
from .provenance import Atom, PathSegment, Provenance
from .validation import validate


@dataclass(frozen=True, eq=False, repr=False)
class WannierModel:
    """A tight-binding model in its Wannier basis; every array is read-only, and kept where it was so before.

    lattice : (3, 3) angstrom, rows a1 a2 a3
    translations : (R, 3) integers, closed under R -> -R
    hamiltonian : (R, wannier, wannier) eV, degeneracies divided out
    position : (R, 3, wannier, wannier) angstrom, centres on the R = 0 diagonal
    observables : name -> (wannier, wannier), on site, or (R, wannier, wannier); an `Observable` says what the
        matrix is, a plain one is what its name says ("spin_x", "orbital_x", "charge" ...), else a scalar
    periodic : which lattice vectors repeat (2D: two of three)
    projections, kpoint_path : of the .win, if any; see `parsed_projections`
    is_bogoliubov : made by `bogoliubov`: electrons and holes side by side, each band counts one half
    spin_degeneracy : electrons in each band: 2 in a model without spin whose bands are those of both spins
    observable_facts : name -> `Observable`, the whole of which `observables` shows the matrices
    trial_orbitals : what the Wannier functions are made of, None where it is not known (the provenance may
        say why); of the Wannier functions as they stand: whoever rotates them gives others

    Raises InputError on construction where shapes do not match, a number is not finite or beyond physical
    sense, a matrix is not Hermitian or the cell is singular.
    """

    name: str
    lattice: NDArray[np.float64]
    translations: NDArray[np.int64]
    hamiltonian: NDArray[np.complex128]
    position: NDArray[np.complex128]
    observables: Mapping[str, Any] = field(default_factory=dict)
    periodic: tuple[bool, bool, bool] = (True, True, True)
    atoms: tuple[Atom, ...] = ()
    fermi_level: float | None = None
    provenance: Provenance = field(default_factory=Provenance)
    is_bogoliubov: bool = False
    projections: tuple[str, ...] = ()
    kpoint_path: tuple[PathSegment, ...] = ()
    observable_facts: Mapping[str, Observable] = field(default_factory=dict)
    trial_orbitals: TrialOrbitals | None = None
    spin_degeneracy: int = 1
    # What was found valid together, so that `replace` of a name does not check matrices again.
    _valid: tuple[NDArray, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        kinds = {"lattice": float, "translations": np.int64, "hamiltonian": complex, "position": complex}
        for name, kind in kinds.items():
            object.__setattr__(self, name, read_only(getattr(self, name), kind))
        object.__setattr__(self, "periodic", tuple(bool(p) for p in self.periodic))
        valid = self._valid
        self._drop_other_size(valid)
        self._keep({str(name): self._whole(str(name), value) for name, value in self.observables.items()})
        validate(self, valid)

    def _drop_other_size(self, valid: tuple[NDArray, ...]) -> None:
        """A model of other functions, made from one by `replace`, does not keep its trial orbitals."""
        known = self.trial_orbitals
        size = self.hamiltonian.shape[-1] if self.hamiltonian.ndim else 0
        if known is None or len(known) == size or not valid or valid[2].shape[-1] != len(known):
            return
        why = f"the model was made from one of {len(known)} functions"
        object.__setattr__(self, "trial_orbitals", None)
        object.__setattr__(
            self, "provenance", replace(self.provenance, without_trial_orbitals=f"{why}, expected {size}.")
        )

    def _whole(self, name: str, value: ArrayLike | Observable, **facts: Any) -> Observable:
        """An observable with all that is known of it; a name of the model is another matrix of the same."""
        known = self.observable_facts.get(name)
        if known is None or isinstance(value, Observable):
            return named_observable(name, value, **facts)
        return named_observable(name, value, **(known.facts | facts))

    def _keep(self, observables: dict[str, Observable]) -> None:
        matrices = {name: observable.matrix for name, observable in observables.items()}
        object.__setattr__(self, "observable_facts", MappingProxyType(observables))
        object.__setattr__(self, "observables", MappingProxyType(matrices))
        arrays = (self.lattice, self.translations, self.hamiltonian, self.position)
        object.__setattr__(self, "_valid", (*arrays, *matrices.values()))
        source, has_spin = self.provenance.spin_source, bool(set(SPIN) & set(matrices))
        if has_spin != (source != "none"):
            provenance = replace(self.provenance, spin_source="given" if has_spin else "none")
            object.__setattr__(self, "provenance", provenance)

    def __getstate__(self) -> dict[str, object]:
        # A mapping proxy cannot be pickled, and cached results need not travel.
        state = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del state["observables"], state["_valid"]
        state["observable_facts"] = dict(self.observable_facts)
        state["provenance"] = replace(self.provenance, removed=dict(self.provenance.removed))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Valid when it left; but arrays come out of a pickle writable.
        arrays = [value for value in state.values() if isinstance(value, np.ndarray)]
        arrays += [observable.matrix for observable in state["observable_facts"].values()]
        for array in arrays:
            array.flags.writeable = False
        self._keep(dict(state["observable_facts"]))

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

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
        return tuple(observable.unit for observable in self.observable_facts.values())

    @cached_property
    def parsed_projections(self) -> tuple[Projection, ...]:
        """The lines of `projections`, read. Raises InputError for a function that Wannier90 lacks."""
        return parse_projections(self.projections)

    @cached_property
    def symmetry_group(self) -> SymmetryGroup:
        """What H, A and every observable obey to rounding, see `symmetry_group`."""
        from ..symmetry import symmetry_group

        return symmetry_group(self)

    @cached_property
    def meant_group(self) -> SymmetryGroup:
        """The same or, where it obeys hardly any, the group of its crystal, see `meant_group`."""
        from ..symmetry import meant_group

        return meant_group(self)

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
        """sha256 over all that a result can depend on (not over the name or the notes)."""
        digest = hashlib.sha256()
        for array in (self.lattice, self.translations, self.hamiltonian, self.position):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        for name, matrix in self.observables.items():
            digest.update(f"{name}{matrix.shape}".encode(errors="backslashreplace"))
            digest.update(np.ascontiguousarray(matrix).data)
            # Only where they say more than the name, so that keys of stored results stay.
            if facts := unusual_facts(name, self.observable_facts[name]):
                digest.update(repr(sorted(facts.items())).encode(errors="backslashreplace"))
        digest.update(repr((self.periodic, self.is_bogoliubov)).encode())
        if self.spin_degeneracy != 1:
            digest.update(f"spin_degeneracy {self.spin_degeneracy}".encode())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write everything to one HDF5 file that `load_model` reads back unchanged."""
        from ..archive import save_model

        save_model(self, path)

    def with_observable(self, name: str, matrix: ArrayLike | Observable, **facts: Any) -> WannierModel:
        """The same model with one more observable (or another matrix for a known name).

        facts : fields of `Observable`, such as unit="hbar"
        """
        added = self._whole(name, matrix, **facts)
        model = replace(self, observables={**self.observable_facts, name: added})
        return model if name not in SPIN else model._with_provenance(spin_source="given")

    def noted(self, note: str, **facts: Any) -> WannierModel:
        """The same model with one more note of what was assumed.

        facts : fields of `Provenance` that the note is about, such as position_source="centres"
        """
        return self._with_provenance(notes=(*self.provenance.notes, note), **facts)

    def _with_provenance(self, **facts: Any) -> WannierModel:
        # What was computed from the arrays is shared as they are.
        model = object.__new__(type(self))
        model.__dict__.update(self.__dict__ | {"provenance": replace(self.provenance, **facts)})
        return model

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

        hoppings : R -> (wannier, wannier) eV, the R = 0 matrix being Hermitian, zero where it is not given
        centres : (wannier, 3) angstrom; the position matrix is diagonal

        Raises InputError for an R that is not three integers or a matrix of another size than the centres.
        """
        size = len(np.asarray(centres))
        full: dict[tuple[int, ...], NDArray] = {(0, 0, 0): np.zeros((size, size), dtype=complex)}
        for vector, matrix in hoppings.items():
            block = np.asarray(matrix, dtype=complex)
            if len(vector) != 3 or block.shape != (size, size):
                raise InputError(
                    f"model {name!r}: hoppings at R = {vector}: expected three integers and a matrix of "
                    f"{size} x {size}, as many as there are centres, found {block.shape}."
                )
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
