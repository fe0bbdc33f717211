"""What other programs left beside a Hamiltonian: the unit cell, the atoms, as far as they fit it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

from .files import at_the_door, is_folder, is_there, quoted
from .model import WannierModel
from .packed import PACKINGS
from .structure import Structure, is_from_database, is_wannier_tools, rank_of, read_structure
from .wannier90 import companions, read_wannier_tools, read_win, read_wout

#: angstrom: two files of one cell, as they are rounded.
_SAME_LENGTH = 1e-3


def find_structure_files(model: Path) -> list[Path]:
    """Structure files beside a model, those first that say most surely what was computed.

    wt.in, POSCAR, CONTCAR, .vasp, inputs of Quantum ESPRESSO and ABINIT, OPTIMADE .json, .cif; those named
    like the model before all others.
    """
    folder = model if is_folder(model) else model.parent
    if not is_folder(folder):
        return []
    ranked = [(rank_of(file), file) for file in companions(folder, model.name)]
    known = [(rank, file) for rank, file in ranked if rank is not None]
    return [file for _, file in sorted(known, key=lambda k: (not k[1].name.startswith(model.name), *k))]


def structure_beside(model: Path, like: WannierModel) -> tuple[Structure | None, tuple[str, ...]]:
    """The first structure beside a model that fits its cell, and a note for each that was left out."""
    notes = []
    for file in find_structure_files(model):
        try:
            found = read_structure(file)
        except InputError as problem:
            notes.append(f"composition: {problem}")
            continue
        if found.fits(like):
            return found, tuple(notes)
        notes.append(f"composition: {file.name} is left out, its cell is not the one of the model")
    return None, tuple(notes)


def cell_beside(
    model: Path, size: int, check: Callable[[NDArray[np.float64], str], object]
) -> tuple[Structure, Path] | None:
    """The cell that a structure file beside a Hamiltonian of `size` functions has, None without any.

    check : raises InputError for a cell, and the name of its file, that the R vectors do not have
    Raises InputError where only files are there that cannot be read or decide it, or two that contradict
    each other.
    """
    problems = []
    found: list[tuple[int, Structure, Path]] = []
    for file in find_structure_files(model):
        try:
            structure = _cell_of(file, model, size)
            check(structure.lattice, file.name)
            found.append((rank_of(file) or 0, structure, file))
        except InputError as problem:
            problems.append(problem)
    if not found:
        if problems:
            raise InputError(
                f"{str(problems[0]).rstrip('.')}; no other file has the unit cell: give lattice=."
            )
        return None
    rank, best, file = found[0]
    for other_rank, other, path in found[1:]:
        alike = np.allclose(best.lattice, other.lattice, rtol=0, atol=_SAME_LENGTH)
        if (
            other_rank == rank
            and not alike
            and path.name.startswith(model.name) == file.name.startswith(model.name)
        ):
            raise InputError(
                f"{file}: its unit cell is not that of {path.name}, expected one; take one away, or give "
                "lattice=."
            )
    return best, file


def _cell_of(file: Path, model: Path, size: int) -> Structure:
    if is_wannier_tools(file):
        given = read_wannier_tools(file)
        named = Path(given.hamiltonian).name.removesuffix(".gz")
        here = {path.name.removesuffix(".gz") for path in companions(file.parent, "")}
        if not given.fits(size) or (named in here and not named.startswith(model.name)):
            raise InputError(f"{file}: is for another Hamiltonian, expected one of {size} functions.")
    structure = read_structure(file)
    if is_from_database(file) and (cells := structure.primitive_cells) != 1:
        raise InputError(
            f"{file}: holds {cells} primitive cells and cannot tell which is the cell of the Hamiltonian."
        )
    return structure


def read_cell(given: ArrayLike | str | Path) -> NDArray[np.float64]:
    """A unit cell, (3, 3) angstrom: nine numbers, also as text, or the name of a file that has one.

    Raises InputError where it is neither.
    """
    if not isinstance(given, str | Path):
        return np.asarray(given, dtype=float)
    numbers = nine_numbers(given)
    if numbers is not None:
        return numbers
    path = Path(given)
    with at_the_door(path):
        if not is_there(path):
            raise InputError(
                f"lattice: expected nine numbers (angstrom, a1 then a2 then a3) or a file with a unit cell, "
                f"found {quoted(str(given))}."
            )
        name = path.with_suffix("").name if path.suffix in PACKINGS else path.name
        lattice: NDArray[np.float64] | None
        if name.endswith(".win"):
            lattice = read_win(path).lattice
        elif name.endswith(".wout"):
            lattice = read_wout(path).lattice
        else:
            lattice = read_structure(path, any_name=True).lattice
        if lattice is None:
            raise InputError(f"{path}: has no unit cell, expected one.")
        return lattice


def nine_numbers(given: str | Path) -> NDArray[np.float64] | None:
    """The (3, 3) matrix that nine numbers in a text make, None for any other text."""
    words = re.split(r"[\s,;]+", str(given).strip(" \t\n,;[]()"))
    try:
        return np.array([float(word.strip("[]()")) for word in words]).reshape(3, 3)
    except ValueError:
        return None
