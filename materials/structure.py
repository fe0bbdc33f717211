"""Crystal structures beside a model: composition and space group, from OPTIMADE, POSCAR, CIF or the .win."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import spglib
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .elements import element_of, reduced_formula
from .files import at_the_door, is_folder, is_there, kind_of, pieces, reason
from .matrices import LARGEST, within
from .model import WannierModel
from .packed import PACKINGS
from .wannier90 import read_wannier_tools

#: Distance (angstrom) within which atoms count as symmetric: what structure files are rounded to.
SYMMETRY_TOLERANCE = 1e-2

#: angstrom^3: files of layers and molecules may have no third vector, then there is no space group.
_SMALLEST_CELL = 1e-6

#: Bytes and atoms of a structure file; Wannier models are of cells with far fewer.
_LARGEST_FILE = 1 << 22
_MOST_ATOMS = 5000

#: Relative difference of lengths that is strain or another functional, not another material.
_SAME_CELL = 0.03


@dataclass(frozen=True, eq=False)
class Structure:
    """lattice : (3, 3) angstrom, rows a1 a2 a3; symbols : one per atom; reduced : (atom, 3) positions."""

    lattice: NDArray[np.float64]
    symbols: tuple[str, ...]
    reduced: NDArray[np.float64]

    @property
    def formula(self) -> str | None:
        """Reduced formula, see `reduced_formula`; None where symbols are no elements."""
        return reduced_formula(self.symbols)

    @property
    def space_group(self) -> tuple[int, str] | None:
        """Number and international symbol of the nonmagnetic space group, None where none is found."""
        found = self._symmetry
        return None if found is None else (int(found.number), str(found.international))

    @property
    def primitive_cells(self) -> int:
        """How many primitive cells there are in this one, by translations of its atoms."""
        found = self._symmetry
        if found is None:
            return 1
        return int(np.sum((found.rotations == np.eye(3, dtype=int)).all(axis=(1, 2))))

    def fits(self, model: WannierModel) -> bool:
        """True where this can be the crystal of the model: its cell, a primitive one of it, or a multiple."""
        if _alike(self.lattice, model.lattice):
            return True
        known = structure_of(model)
        cells = [self.lattice, *([] if (primitive := self._primitive) is None else [primitive])]
        if known is None:
            return any(_alike(cell, model.lattice) for cell in cells)
        cells_of_model = [model.lattice, *([] if (primitive := known._primitive) is None else [primitive])]
        return any(_alike(one, other) for one in cells for other in cells_of_model)

    @property
    def _primitive(self) -> NDArray[np.float64] | None:
        found = self._symmetry
        return None if found is None else np.asarray(found.primitive_lattice)

    @property
    def rotations(self) -> NDArray[np.float64]:
        """Cartesian rotations of the point group, (operation, 3, 3)."""
        found = self._symmetry
        if found is None:
            return np.eye(3)[None]
        reduced = np.unique(found.rotations, axis=0)
        columns = self.lattice.T
        return np.einsum("ij,njk,kl->nil", columns, reduced, np.linalg.inv(columns))

    def operations(self, tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rotations (operation, 3, 3), as columns, and translations (operation, 3) on reduced coordinates.

        tolerance : angstrom. The identity alone where spglib finds nothing.
        """
        found = self._found(tolerance)
        if found is None:
            return np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
        return found.rotations.astype(np.int64), found.translations

    @cached_property
    def _symmetry(self) -> Any:
        return self._found(SYMMETRY_TOLERANCE)

    def _found(self, tolerance: float) -> Any:
        lattice, reduced, kinds = self.cell
        numbers = (np.asarray(array, dtype=float).tobytes() for array in (lattice, reduced))
        return _dataset(*numbers, tuple(kinds), tolerance)

    @property
    def cell(self) -> tuple[NDArray, NDArray, list[int]]:
        """As spglib takes it: lattice, reduced positions, a number for each kind of atom."""
        kinds = sorted(set(self.symbols))
        return self.lattice, self.reduced, [kinds.index(symbol) + 1 for symbol in self.symbols]


@lru_cache(maxsize=64)
def _dataset(lattice: bytes, reduced: bytes, kinds: tuple[int, ...], tolerance: float) -> Any:
    """What spglib finds, None for nothing. Kept, as the materials of a scan have one cell."""
    vectors, places = np.frombuffer(lattice).reshape(3, 3), np.frombuffer(reduced).reshape(-1, 3)
    if abs(np.linalg.det(vectors)) < _SMALLEST_CELL:
        return None
    with warnings.catch_warnings():
        # spglib announces that it will raise where it now returns None; here both are met.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return spglib.get_symmetry_dataset((vectors, places, kinds), symprec=tolerance)
        except RuntimeError:
            return None


def _alike(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """True for cells of one lattice up to rotation, choice of vectors and a few percent."""
    reduced = []
    for cell in (first, second):
        if abs(np.linalg.det(cell)) < _SMALLEST_CELL or (found := spglib.niggli_reduce(cell)) is None:
            return False
        reduced.append(found)
    (lengths, volume), (others, other) = (
        (np.linalg.norm(cell, axis=1), abs(np.linalg.det(cell))) for cell in reduced
    )
    return bool(
        np.allclose(lengths, others, rtol=_SAME_CELL) and abs(volume - other) < 2 * _SAME_CELL * volume
    )


def structure_of(model: WannierModel) -> Structure | None:
    """The structure that a model carries, None where it knows no atoms."""
    if not model.atoms:
        return None
    positions = np.array([atom.position for atom in model.atoms])
    symbols = tuple(element_of(atom.symbol) or atom.symbol for atom in model.atoms)
    return Structure(model.lattice, symbols, positions @ np.linalg.inv(model.lattice))


def read_structure(path: Path, any_name: bool = False) -> Structure:
    """Read a structure file. Raises InputError where it is damaged or a library is missing.

    any_name : take a file whose name says nothing for a POSCAR
    """
    with at_the_door(path):
        reader = _reader(path) or (_read_poscar if any_name else None)
        if reader is None:
            raise InputError(
                f"{path}: expected OPTIMADE .json, POSCAR, CONTCAR, .vasp, .cif, wt.in, or an input of "
                "Quantum ESPRESSO or ABINIT."
            )
        stream = io.StringIO(_text(path), newline=None)
        # An old POSCAR has its elements in the files beside it.
        stream.name = str(path)
        try:
            return _checked(reader(stream))
        except ImportError as problem:
            raise InputError(
                f"{path}: {problem.name} is not installed, expected it for structure files; pip install "
                "'spinscreen[structures]'."
            ) from None
        except Exception as problem:  # the libraries raise whatever they meet
            raise InputError(
                f"{path}: cannot be read as a structure ({reason(problem)}); mend it, or take it away: the "
                "atoms of the .win then count."
            ) from None


def _text(path: Path) -> str:
    content = b""
    for piece in pieces(path):
        content += piece
        if len(content) > _LARGEST_FILE:
            break
    if len(content) > _LARGEST_FILE:
        raise InputError(
            f"{path}: expected a structure file of at most {_LARGEST_FILE / 1e6:.0f} MB, found a larger one."
        )
    return content.decode("utf-8", "replace")


def _checked(structure: Structure) -> Structure:
    if not 1 <= len(structure.symbols) <= _MOST_ATOMS:
        raise ValueError(f"found {len(structure.symbols)} atoms, expected 1 to {_MOST_ATOMS}")
    if not within(structure.lattice, LARGEST) or not within(structure.reduced, LARGEST):
        raise ValueError(f"a length or position is not finite or not below {LARGEST:g}")
    return structure


def _reader(path: Path) -> Callable[[TextIO], Structure] | None:
    rank = rank_of(path)
    return None if rank is None else _READERS[rank][1]


def rank_of(path: Path) -> int | None:
    """Place of the kind of a structure file among `_READERS`, None for other files."""
    name = path.with_suffix("") if path.suffix in PACKINGS else path
    return next((rank for rank, (fits, _) in enumerate(_READERS) if fits(name, path)), None)


def is_wannier_tools(path: Path) -> bool:
    """True for a wt.in."""
    return _reader(path) is _read_wt_in


def is_from_database(path: Path) -> bool:
    """True for formats that may hold another cell of the crystal than the one that was computed."""
    return _reader(path) in (_read_cif, _read_optimade)


def _holds(path: Path, *words: str) -> bool:
    try:
        text = _text(path).lower()
    except (InputError, OSError):
        return False
    return all(word in text for word in words)


def _read_wt_in(stream: TextIO) -> Structure:
    given = read_wannier_tools(Path(stream.name))
    positions = np.array([atom.position for atom in given.atoms]).reshape(-1, 3)
    symbols = tuple(element_of(atom.symbol) or atom.symbol for atom in given.atoms)
    return Structure(given.lattice, symbols, positions @ np.linalg.inv(given.lattice))


def _read_espresso(stream: TextIO) -> Structure:
    from ase.io import read

    return _from_ase(read(stream, format="espresso-in"))


def _read_abinit(stream: TextIO) -> Structure:
    from ase.io import read

    return _from_ase(read(stream, format="abinit-in"))


def _read_poscar(stream: TextIO) -> Structure:
    from ase.io import read

    # ASE makes as many atoms as the file announces before it looks for them.
    for word in " ".join(stream.readlines()[5:7]).split():
        if word.strip("+").replace("_", "").isdigit() and int(word) > _MOST_ATOMS:
            raise ValueError(f"found {word} atoms, expected 1 to {_MOST_ATOMS}")
    stream.seek(0)
    lines = stream.readlines()
    stream.seek(0)
    beside = _asked_for_elements(Path(stream.name))
    if not _names_elements(lines) and not beside:
        # The cell is whole all the same.
        unknown = " ".join("X" for _ in lines[5].split())
        stream = io.StringIO("".join([*lines[:5], f"{unknown}\n", *lines[5:]]))
    return _from_ase(read(stream, format="vasp"))


def _names_elements(lines: list[str]) -> bool:
    """False for a POSCAR from before VASP 5 whose comment is not one element for each number of atoms."""
    counts = lines[5].split() if len(lines) > 5 else []
    words = [part for text in lines[:1] for part in re.split(r"[^A-Za-z]+", text) if part]
    return not (counts and all(count.isdigit() for count in counts)) or (
        len(words) == len(counts) and all(map(_is_element, words))
    )


def _asked_for_elements(poscar: Path) -> list[Path]:
    """Files beside a POSCAR that ASE looks for elements in. Raises ValueError for what is no file."""
    names = [f"{name}{packed}" for packed in ("", ".gz", ".bz2") for name in ("POTCAR", "OUTCAR")]
    files = [file for file in map(poscar.with_name, names) if is_there(file) and not is_folder(file)]
    for file in files:
        if kind := kind_of(file):
            raise ValueError(f"{file.name} beside it is {kind}")
    return files


def _is_element(word: str) -> bool:
    return element_of(word) is not None


def _read_cif(stream: TextIO) -> Structure:
    from ase.io import read

    return _from_ase(read(stream, format="cif"))


def _read_optimade(stream: TextIO) -> Structure:
    from optimade.adapters import Structure as OptimadeStructure

    atoms = OptimadeStructure(_optimade_entry(json.load(stream))).as_ase
    # Where nothing repeats, as across a layer, the vector may be null.
    atoms.cell[np.isnan(atoms.cell).all(axis=1)] = 0
    return _from_ase(atoms)


def _optimade_entry(content: Mapping[str, Any]) -> dict[str, Any]:
    """The one structure of a server's answer, or the entry itself."""
    entry = content.get("data", content)
    if isinstance(entry, list):
        if len(entry) != 1:
            raise ValueError(f"expected one structure, found {len(entry)}")
        entry = entry[0]
    return dict(entry)


def _from_ase(atoms: Any) -> Structure:
    return Structure(
        np.array(atoms.cell), tuple(atoms.get_chemical_symbols()), np.array(atoms.get_scaled_positions())
    )


#: By the name without its packing, and the file; in the order of trust, see
#: `materials.companions.find_structure_files`.
_READERS: tuple[tuple[Callable[[Path, Path], bool], Callable[[TextIO], Structure]], ...] = (
    (lambda name, path: name.name.upper() == "WT.IN", _read_wt_in),
    (lambda name, path: name.name.upper().startswith("POSCAR"), _read_poscar),
    (lambda name, path: name.name.upper().startswith("CONTCAR"), _read_poscar),
    (lambda name, path: name.suffix.upper() in (".VASP", ".POSCAR", ".CONTCAR"), _read_poscar),
    (
        lambda name, path: (
            name.suffix.lower() in (".in", ".pwi") and _holds(path, "&system", "atomic_positions")
        ),
        _read_espresso,
    ),
    (
        lambda name, path: name.suffix.lower() in (".in", ".abi") and _holds(path, "znucl", "typat"),
        _read_abinit,
    ),
    (
        lambda name, path: name.suffix.upper() == ".JSON" and _holds(path, '"cartesian_site_positions"'),
        _read_optimade,
    ),
    (lambda name, path: name.suffix.upper() == ".CIF", _read_cif),
)
