"""`Wannier90Files`: the files of one calculation, each read once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import HERMITICITY_TOLERANCE, centre_position, hermitian_part, opposite_rows
from ..model import Atom, PositionSource
from .centres import read_centres
from .checkpoint import Checkpoint, read_checkpoint
from .discovery import SourceFiles, find_files
from .spin import ab_initio_spin, check_same_calculation
from .tight_binding_files import RawMatrices, read_hr, read_tb
from .wigner_seitz import WignerSeitz, read_minimal_images
from .win import WinFile, read_win


@dataclass(frozen=True, eq=False)
class HermitianMatrices:
    """An operator on R vectors closed under R -> -R, and the largest element that made it not Hermitian.

    translations (R, 3); matrices (R, ..., wannier, wannier); removed is None where the file cannot err
    """

    translations: NDArray[np.int64]
    matrices: NDArray[np.complex128]
    removed: float | None

    def __post_init__(self) -> None:
        # A model keeps read-only arrays as they are.
        self.matrices.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Wannier90Files:
    """One calculation. All operators come on the R vectors of `hamiltonian`, minimal images applied.

    Whatever is missing, damaged or of another calculation raises InputError when it is asked for.
    """

    found: SourceFiles

    @classmethod
    def of(cls, source: str | Path) -> Wannier90Files:
        """Files of a seedname, a folder with one calculation, or any one file of it."""
        return cls(find_files(source))

    @property
    def files(self) -> Mapping[str, Path]:
        """By kind: "tb", "hr", "wsvec", "chk" ..."""
        return self.found.files

    @property
    def seedname(self) -> str:
        return self.found.seedname

    @property
    def used(self) -> list[Path]:
        """The files that a model is read from: _hr.dat and _centres.xyz only stand in for a _tb.dat."""
        spare = {"hr", "centres"} if "tb" in self.files else set()
        return [path for kind, path in self.files.items() if kind not in spare]

    def check(self) -> None:
        """Raises InputError where the files are of two calculations."""
        _ = self.wigner_seitz, self.gauge

    @cached_property
    def win(self) -> WinFile | None:
        return read_win(self.files["win"]) if "win" in self.files else None

    @cached_property
    def raw(self) -> RawMatrices:
        """_tb.dat or _hr.dat as it stands, its number of Wannier functions that of the .win."""
        if "tb" in self.files:
            raw = read_tb(self.files["tb"])
        elif "hr" in self.files:
            raw = _sorted(read_hr(self.files["hr"]))
        else:
            present = ", ".join(sorted(path.name for path in self.files.values()))
            raise InputError(
                f"{self.seedname}: expected {self.seedname}_tb.dat or {self.seedname}_hr.dat, found only "
                f"{present}; run Wannier90 with write_tb = .true."
            )
        _check_win(self.win, raw.size)
        return raw

    @cached_property
    def wigner_seitz(self) -> WignerSeitz:
        images = None
        if "wsvec" in self.files:
            images = read_minimal_images(self.files["wsvec"], self.raw.translations, self.raw.size)
        return WignerSeitz(self.raw.translations, self.raw.degeneracy, images)

    @cached_property
    def gauge(self) -> Checkpoint | None:
        """The .chk, None without it; with an .eig it must give the Hamiltonian of the text file."""
        if "chk" not in self.files:
            return None
        checkpoint = read_checkpoint(self.files["chk"])
        check_same_calculation(checkpoint, self.files, self.raw.hamiltonian, self.wigner_seitz)
        return checkpoint

    @cached_property
    def lattice(self) -> NDArray[np.float64]:
        """Unit cell, rows in angstrom, of the _tb.dat, else the .win, else the .chk."""
        cells = (
            self.raw.lattice,
            self.win.lattice if self.win else None,
            self.gauge.lattice if self.gauge else None,
        )
        for cell in cells:
            if cell is not None:
                return cell
        raise InputError(
            f"{self.seedname}: no unit cell found, expected a .win beside the _hr.dat; put one there or give "
            "lattice=."
        )

    @cached_property
    def hamiltonian(self) -> HermitianMatrices:
        """H(R), (R, wannier, wannier) eV."""
        path = self.files.get("tb") or self.files["hr"]
        opposite = opposite_rows(self.raw.translations)
        if opposite is None:
            raise InputError(
                f"{path}: for an R vector its negative is missing, expected both; the file is incomplete."
            )
        _, size = hermitian_part(self.raw.hamiltonian, opposite)
        if size > HERMITICITY_TOLERANCE:
            raise InputError(
                f"{path}: H(R) and H(-R)^dagger differ by {2 * size:.3g} eV, expected at most rounding; the "
                "Hamiltonian is not Hermitian, was the file edited or mixed up?"
            )
        return self._hermitian(self.raw.hamiltonian, exact="tb" not in self.files)

    @cached_property
    def position(self) -> HermitianMatrices:
        """<0m|r|Rn>, (R, 3, wannier, wannier) angstrom; without a _tb.dat only the centres."""
        if self.raw.position is not None:
            return self._hermitian(self.raw.position)
        translations = self.hamiltonian.translations
        return HermitianMatrices(translations, centre_position(translations, self.centres), None)

    @property
    def position_source(self) -> PositionSource:
        """What `position` is made of."""
        if self.raw.position is not None:
            return "matrix"
        return "none" if self.centres_file is None else "centres"

    @property
    def centres_file(self) -> Path | None:
        """The file with the Wannier centres, the .chk before the _centres.xyz."""
        return self.files.get("chk") or self.files.get("centres")

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """Wannier centres, (wannier, 3) angstrom, zero where no file has them."""
        if self.gauge is not None:
            return self.gauge.centres
        if "centres" not in self.files:
            return np.zeros((self.raw.size, 3))
        path = self.files["centres"]
        centres, _ = read_centres(path)
        if len(centres) != self.raw.size:
            raise InputError(
                f"{path}: has {len(centres)} Wannier centres, expected {self.raw.size} as in the "
                "Hamiltonian; it belongs to another calculation."
            )
        return centres

    @cached_property
    def spin(self) -> HermitianMatrices | None:
        """S(R) from first principles, (R, 3, wannier, wannier) hbar, None without a .spn."""
        if "spn" not in self.files:
            return None
        if self.gauge is None:
            raise InputError(
                f"{self.files['spn']}: expected {self.seedname}.chk beside it, found none; without the gauge "
                "of the Wannier functions the spin matrix cannot be used: add it, or give spin_ordering=."
            )
        return self._hermitian(ab_initio_spin(self.gauge, self.files["spn"], self.wigner_seitz))

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """Atoms of the .win, else of the _centres.xyz."""
        if self.win is not None and self.win.atoms:
            return self.win.atoms
        return read_centres(self.files["centres"])[1] if "centres" in self.files else ()

    def _hermitian(self, matrices: NDArray[np.complex128], exact: bool = False) -> HermitianMatrices:
        translations, expanded = self.wigner_seitz.expand(matrices, exact)
        opposite = opposite_rows(translations)
        # The raw R vectors are checked, and minimal images are expanded in pairs.
        assert opposite is not None
        return HermitianMatrices(translations, *hermitian_part(expanded, opposite))


def _sorted(raw: RawMatrices) -> RawMatrices:
    order = np.lexsort(raw.translations.T[::-1])
    return replace(
        raw,
        translations=raw.translations[order],
        degeneracy=raw.degeneracy[order],
        hamiltonian=raw.hamiltonian[order],
    )


def _check_win(win: WinFile | None, size: int) -> None:
    declared = win.integer("num_wann") if win else None
    if win and declared is not None and declared != size:
        line = win.keywords["numwann"].number
        raise InputError(
            f"{win.path}, line {line}: num_wann is {declared}, but the Hamiltonian has {size} Wannier "
            "functions; the files belong to two calculations."
        )
