"""Crystal structures beside a model: composition and space group, from OPTIMADE, POSCAR, CIF or the .win."""

from __future__ import annotations

import io
import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import spglib
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .files import at_the_door, kind_of, open_regular, reason
from .matrices import LARGEST, within
from .model import WannierModel
from .wannier90 import companions

#: Distance (angstrom) within which atoms count as symmetric: what structure files are rounded to.
SYMMETRY_TOLERANCE = 1e-2

#: angstrom^3: files of layers and molecules may have no third vector, then there is no space group.
_SMALLEST_CELL = 1e-6

#: Bytes and atoms of a structure file; Wannier models are of cells with far fewer.
_LARGEST_FILE = 1 << 22
_MOST_ATOMS = 5000


@dataclass(frozen=True, eq=False)
class Structure:
    """lattice : (3, 3) angstrom, rows a1 a2 a3; symbols : one per atom; reduced : (atom, 3) positions."""

    lattice: NDArray[np.float64]
    symbols: tuple[str, ...]
    reduced: NDArray[np.float64]

    @property
    def formula(self) -> str:
        """Reduced formula with the elements in alphabetical order, as OPTIMADE writes it."""
        counts = Counter(self.symbols)
        common = reduce(gcd, counts.values(), 0)
        return "".join(
            f"{symbol}{counts[symbol] // common if counts[symbol] > common else ''}"
            for symbol in sorted(counts)
        )

    @property
    def space_group(self) -> tuple[int, str] | None:
        """Number and international symbol of the nonmagnetic space group, None where none is found."""
        found = self._symmetry
        return None if found is None else (int(found.number), str(found.international))

    @property
    def rotations(self) -> NDArray[np.float64]:
        """Cartesian rotations of the point group, (operation, 3, 3)."""
        found = self._symmetry
        if found is None:
            return np.eye(3)[None]
        reduced = np.unique(found.rotations, axis=0)
        columns = self.lattice.T
        return np.einsum("ij,njk,kl->nil", columns, reduced, np.linalg.inv(columns))

    @cached_property
    def _symmetry(self) -> Any:
        if abs(np.linalg.det(self.lattice)) < _SMALLEST_CELL:
            return None
        with warnings.catch_warnings():
            # spglib announces that it will raise where it now returns None; here both are met.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                return spglib.get_symmetry_dataset(self._cell, symprec=SYMMETRY_TOLERANCE)
            except RuntimeError:
                return None

    @property
    def _cell(self) -> tuple[NDArray, NDArray, list[int]]:
        kinds = sorted(set(self.symbols))
        return self.lattice, self.reduced, [kinds.index(symbol) + 1 for symbol in self.symbols]


def structure_of(model: WannierModel) -> Structure | None:
    """The structure that a model carries, None where it knows no atoms."""
    if not model.atoms:
        return None
    positions = np.array([atom.position for atom in model.atoms])
    symbols = tuple(atom.symbol.capitalize() for atom in model.atoms)
    return Structure(model.lattice, symbols, positions @ np.linalg.inv(model.lattice))


def find_structure_file(model: Path) -> Path | None:
    """A structure file beside the model: OPTIMADE .json, POSCAR, CONTCAR, .vasp or .cif."""
    folder = model if model.is_dir() else model.parent
    if not folder.is_dir():
        return None
    files = [file for file in companions(folder, model.name) if _reader(file) is not None]
    # Of several, the one that is named like the model.
    files.sort(key=lambda file: not file.name.startswith(model.name))
    return files[0] if files else None


def read_structure(path: Path) -> Structure:
    """Read a structure file. Raises InputError where it is damaged or a library is missing."""
    with at_the_door(path):
        reader = _reader(path)
        if reader is None:
            raise InputError(f"{path}: expected OPTIMADE .json, POSCAR, CONTCAR, .vasp or .cif.")
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
    with open_regular(path) as stream:
        content = stream.read(_LARGEST_FILE + 1)
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
    name = path.name.upper()
    if name.startswith(("POSCAR", "CONTCAR")) or name.endswith(".VASP"):
        return _read_poscar
    if name.endswith(".CIF"):
        return _read_cif
    return _read_optimade if name.endswith(".JSON") and _is_optimade(path) else None


def _is_optimade(path: Path) -> bool:
    try:
        return '"cartesian_site_positions"' in _text(path)
    except (InputError, OSError):
        return False


def _read_poscar(stream: TextIO) -> Structure:
    from ase.io import read

    # ASE makes as many atoms as the file announces before it looks for them.
    for word in " ".join(stream.readlines()[5:7]).split():
        if word.strip("+").replace("_", "").isdigit() and int(word) > _MOST_ATOMS:
            raise ValueError(f"found {word} atoms, expected 1 to {_MOST_ATOMS}")
    stream.seek(0)
    # It may look for elements in these.
    for name in ("POTCAR", "OUTCAR", "POTCAR.gz", "OUTCAR.gz", "POTCAR.bz2", "OUTCAR.bz2"):
        file = Path(stream.name).with_name(name)
        if file.exists() and not file.is_dir() and (kind := kind_of(file)):
            raise ValueError(f"{name} beside it is {kind}")
    return _from_ase(read(stream, format="vasp"))


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
