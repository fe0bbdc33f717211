"""`load_model`: from whatever the user has to a `WannierModel`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tbmodels
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

from .archive import is_archive, load_archive
from .centres import checked_centres, read_centres
from .checkpoint import Checkpoint, read_checkpoint
from .discovery import SourceFiles, find_files
from .fermi_level import with_fermi_level, with_filling
from .files import at_the_door, is_there, printable, reason, sha256
from .model import (
    HERMITICITY_TOLERANCE,
    SPIN,
    Atom,
    Provenance,
    WannierModel,
    centre_position,
    hermitian_part,
    opposite_rows,
)
from .spin import (
    ab_initio_spin,
    check_orderings,
    check_same_calculation,
    find_ordering,
    spin_matrices,
)
from .tight_binding_files import (
    RawMatrices,
    hr_through_tbmodels,
    matrices_of_tbmodels,
    read_hr,
    read_tb,
    read_tbmodels,
)
from .wigner_seitz import WignerSeitz, read_minimal_images
from .win import WinFile, read_win


class SpinOrderingWarning(UserWarning):
    """Spin was taken from an order of spinors that was found by a test, not from files."""


@dataclass(frozen=True)
class Overrides:
    """Keywords of `load_model`: what the user says goes before what the files say. None: ask the files.

    name, fermi_level (eV) or else electrons (per cell, in the bands of the Wannier functions), lattice
    ((3, 3) angstrom), centres ((wannier, 3) angstrom), periodic (three booleans), spin_ordering
    ("interlaced", "block" or "none"), observables (name -> matrix)
    """

    name: str | None = None
    fermi_level: float | None = None
    electrons: float | None = None
    lattice: ArrayLike | None = None
    centres: ArrayLike | None = None
    periodic: Sequence[bool] | None = None
    spin_ordering: str | None = None
    observables: Mapping[str, ArrayLike] | None = None


def load_model(source: str | Path | tbmodels.Model, **overrides: object) -> WannierModel:
    """Read a material.

    source : a seedname, a folder, a single file of a Wannier90 calculation (gzipped or not), a model saved by
        `WannierModel.save`, a TBmodels HDF5 file, or a `tbmodels.Model`
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
    with at_the_door(source if isinstance(source, str | Path) else wanted.name or "tbmodels"):
        model = _load(source, wanted)
        if wanted.electrons is not None and wanted.fermi_level is None:
            return with_filling(model, wanted.electrons, "as given")
        return model


def _load(source: str | Path | tbmodels.Model, wanted: Overrides) -> WannierModel:
    if isinstance(source, tbmodels.Model):
        return _from_tbmodels(source, wanted, wanted.name or "tbmodels", Provenance())
    path = Path(source)
    if path.suffix in (".hdf5", ".h5") and is_there(path) and not path.is_dir():
        return _from_hdf5(path, wanted)
    return _from_wannier90(find_files(path), wanted)


def _from_hdf5(path: Path, wanted: Overrides) -> WannierModel:
    if is_archive(path):
        return _apply(load_archive(path), wanted)
    name = wanted.name or printable(path.stem)
    provenance = Provenance(files=_hashes([path]))
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
    if wanted.centres is not None:
        changes["position"] = centre_position(model.translations, checked_centres(wanted.centres, model.size))
    observables = dict(model.observables)
    if wanted.spin_ordering is not None:
        observables = {k: v for k, v in observables.items() if k not in SPIN}
        if wanted.spin_ordering != "none":
            observables |= spin_matrices(model.size, wanted.spin_ordering)
        changes["observables"] = observables
    if wanted.observables is not None:
        given = {k: np.asarray(v, complex) for k, v in wanted.observables.items()}
        changes["observables"] = observables | given
    return replace(model, **changes) if changes else model


def _from_tbmodels(
    source: tbmodels.Model, wanted: Overrides, name: str, provenance: Provenance
) -> WannierModel:
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
    return _with_spinors(_apply(model, replace(wanted, lattice=None)), wanted, spinors=None)


def _from_wannier90(found: SourceFiles, wanted: Overrides) -> WannierModel:
    files = found.files
    win = read_win(files["win"]) if "win" in files else None
    raw = _read_hamiltonian(found, win)
    size = raw.hamiltonian.shape[-1]
    _check_win(win, size)
    images = None
    if "wsvec" in files:
        images = read_minimal_images(files["wsvec"], raw.translations, size)
    wigner_seitz = WignerSeitz(raw.translations, raw.degeneracy, images)
    checkpoint = read_checkpoint(files["chk"]) if "chk" in files else None
    if checkpoint is not None:
        check_same_calculation(checkpoint, files, raw.hamiltonian, wigner_seitz)
    lattice = _lattice(found, wanted, raw, win, checkpoint)
    parts = _hermitian_parts(found, wanted, raw, wigner_seitz, checkpoint, lattice)
    notes = [] if images is not None else ["no _wsvec.dat: R vectors as they stand in the file"]
    model = WannierModel(
        wanted.name or printable(found.seedname),
        lattice,
        parts.translations,
        parts.hamiltonian,
        parts.position,
        observables=parts.spin,
        periodic=_periodic(wanted, win, parts.translations),
        atoms=_atoms(found, win),
        fermi_level=win.real("fermi_energy") if win else None,
        projections=win.projections if win else (),
        provenance=Provenance(_hashes(_used(files)), (*notes, *parts.notes), parts.removed),
    )
    spinors = win.logical("spinors") if win else None
    model = _with_spinors(_apply(model, replace(wanted, lattice=None)), wanted, spinors)
    return model if wanted.electrons is not None else with_fermi_level(model, found, win)


def _read_hamiltonian(found: SourceFiles, win: WinFile | None) -> RawMatrices:
    if "tb" in found.files:
        return read_tb(found.files["tb"])
    if "hr" in found.files:
        return read_hr(found.files["hr"])
    present = ", ".join(sorted(path.name for path in found.files.values()))
    raise InputError(
        f"{found.seedname}: expected {found.seedname}_tb.dat or {found.seedname}_hr.dat, found only "
        f"{present}; run Wannier90 with write_tb = .true."
    )


def _check_win(win: WinFile | None, size: int) -> None:
    declared = win.integer("num_wann") if win else None
    if win and declared is not None and declared != size:
        line = win.keywords["numwann"].number
        raise InputError(
            f"{win.path}, line {line}: num_wann is {declared}, but the Hamiltonian has {size} Wannier "
            "functions; the files belong to two calculations."
        )


def _lattice(
    found: SourceFiles,
    wanted: Overrides,
    raw: RawMatrices,
    win: WinFile | None,
    checkpoint: Checkpoint | None,
) -> NDArray[np.float64]:
    candidates = (
        None if wanted.lattice is None else np.asarray(wanted.lattice, dtype=float),
        raw.lattice,
        win.lattice if win else None,
        checkpoint.lattice if checkpoint else None,
    )
    for lattice in candidates:
        if lattice is not None:
            return lattice
    raise InputError(
        f"{found.seedname}: no unit cell found, expected a .win beside the _hr.dat; put one there or give "
        "lattice=."
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    translations: NDArray[np.int64]
    hamiltonian: NDArray[np.complex128]
    position: NDArray[np.complex128]
    spin: dict[str, NDArray[np.complex128]]
    removed: dict[str, float]
    notes: tuple[str, ...]


def _hermitian_parts(
    found: SourceFiles,
    wanted: Overrides,
    raw: RawMatrices,
    wigner_seitz: WignerSeitz,
    checkpoint: Checkpoint | None,
    lattice: NDArray[np.float64],
) -> _Parts:
    """H, A and spin on one R set, Hermitian, with the size of what was removed."""
    files, removed, notes = found.files, {}, []
    _check_raw_hermiticity(raw, files.get("tb") or files["hr"])
    translations, hamiltonian = wigner_seitz.expand(raw.hamiltonian)
    if "tb" not in files:
        by_library = hr_through_tbmodels(files["hr"], files.get("wsvec"), lattice, tolerance=1.0)
        translations, hamiltonian = _on_rows(translations, *matrices_of_tbmodels(by_library))
    opposite = opposite_rows(translations)
    # The raw R vectors were checked, and minimal images are expanded in pairs.
    assert opposite is not None
    hamiltonian, removed["hamiltonian"] = hermitian_part(hamiltonian, opposite)
    if raw.position is not None:
        position, removed["position"] = hermitian_part(wigner_seitz.expand(raw.position)[1], opposite)
    else:
        centres, note = _centres(found, checkpoint, raw.hamiltonian.shape[-1])
        position = centre_position(translations, centres)
        notes.append(note)
    spin: dict[str, NDArray[np.complex128]] = {}
    if wanted.spin_ordering is None and "spn" in files:
        if checkpoint is None:
            raise InputError(
                f"{files['spn']}: expected {found.seedname}.chk beside it, found none; without the gauge of "
                "the Wannier functions the spin matrix cannot be used: add it, or give spin_ordering=."
            )
        ab_initio = ab_initio_spin(checkpoint, files["spn"], wigner_seitz)
        matrices, removed["spin"] = hermitian_part(ab_initio.matrices, opposite)
        spin = {name: matrices[:, s] for s, name in enumerate(SPIN)}
        notes.append(f"spin: ab initio, from {files['chk'].name} and {files['spn'].name}")
    return _Parts(translations, hamiltonian, position, spin, removed, tuple(notes))


def _check_raw_hermiticity(raw: RawMatrices, path: Path) -> None:
    opposite = opposite_rows(raw.translations)
    if opposite is None:
        raise InputError(
            f"{path}: for an R vector its negative is missing, expected both; the file is incomplete."
        )
    _, size = hermitian_part(raw.hamiltonian, opposite)
    if size > HERMITICITY_TOLERANCE:
        raise InputError(
            f"{path}: H(R) and H(-R)^dagger differ by {2 * size:.3g} eV, expected at most rounding; the "
            "Hamiltonian is not Hermitian, was the file edited or mixed up?"
        )


def _on_rows(
    wanted: NDArray[np.int64], translations: NDArray[np.int64], matrices: NDArray[np.complex128]
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Matrices on a larger set of R vectors (TBmodels leaves out those that are zero)."""
    union = np.unique(np.concatenate([wanted, translations]), axis=0)
    rows = {tuple(vector): row for row, vector in enumerate(union.tolist())}
    spread = np.zeros((len(union), *matrices.shape[1:]), dtype=complex)
    spread[[rows[tuple(vector)] for vector in translations.tolist()]] = matrices
    return union, spread


def _centres(found: SourceFiles, checkpoint: Checkpoint | None, size: int) -> tuple[NDArray[np.float64], str]:
    if checkpoint is not None:
        return checkpoint.centres, f"position: Wannier centres of {found.files['chk'].name} only"
    if "centres" in found.files:
        path = found.files["centres"]
        centres, _ = read_centres(path)
        if len(centres) != size:
            raise InputError(
                f"{path}: has {len(centres)} Wannier centres, expected {size} as in the Hamiltonian; it "
                "belongs to another calculation."
            )
        return centres, f"position: Wannier centres of {path.name} only"
    return np.zeros((size, 3)), (
        "position: no _tb.dat, .chk or _centres.xyz, all Wannier functions put at the origin; Berry "
        "curvatures lack the position matrix"
    )


def _periodic(
    wanted: Overrides, win: WinFile | None, translations: NDArray[np.int64]
) -> tuple[bool, bool, bool]:
    if wanted.periodic is not None:
        x, y, z = (bool(p) for p in wanted.periodic)
        return x, y, z
    mesh = win.integers("mp_grid", 3) if win else None
    repeats = [n > 1 for n in mesh] if mesh else [bool(column.any()) for column in translations.T]
    x, y, z = repeats if any(repeats) else (True, True, True)
    return x, y, z


def _atoms(found: SourceFiles, win: WinFile | None) -> tuple[Atom, ...]:
    if win is not None and win.atoms:
        return win.atoms
    return read_centres(found.files["centres"])[1] if "centres" in found.files else ()


def _with_spinors(model: WannierModel, wanted: Overrides, spinors: bool | None) -> WannierModel:
    """Add sigma/2 in the order of the spinors where nothing better gave a spin."""
    if spinors is False or wanted.spin_ordering is not None or set(SPIN) & set(model.observables):
        if wanted.spin_ordering not in (None, "none"):
            return model.noted(f"spin: pure spinors, {wanted.spin_ordering} as given")
        return model
    if model.size % 2:
        if spinors:
            raise InputError(
                f"model {model.name!r}: spinors = .true. but {model.size} Wannier functions, expected an "
                "even number; check the .win."
            )
        return model
    tests = check_orderings(model.hamiltonian, model.centres)
    measured = "; ".join(str(test) for test in tests)
    # Of two functions there is one order: that they are spinors is all to know.
    found = tests[0] if model.size == 2 and spinors else find_ordering(tests)
    if found is None and spinors:
        raise InputError(
            f"model {model.name!r}: neither spinor order fits ({measured}); put .chk and .spn beside the "
            "Hamiltonian, or give spin_ordering= 'interlaced', 'block' or 'none'."
        )
    if found is None:
        return model.noted(f"no spin: neither spinor order fits ({measured})")
    note = f"spin: pure spinors, {found.ordering}, found by test ({measured})"
    warnings.warn(f"model {model.name!r}: {note}", SpinOrderingWarning, stacklevel=5)
    spin = spin_matrices(model.size, found.ordering)
    return replace(model, observables={**model.observables, **spin}).noted(note)


def _used(files: Mapping[str, Path]) -> list[Path]:
    """The files that were read: _hr.dat and _centres.xyz only stand in for a _tb.dat."""
    spare = {"hr", "centres"} if "tb" in files else set()
    return [path for kind, path in files.items() if kind not in spare]


def _hashes(paths: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    return tuple((printable(str(path)), sha256(path)) for path in paths)
