"""`Wannier90Files`: the files of one calculation, each read once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..matrices import HERMITICITY_TOLERANCE, centre_position, non_hermitian_part, opposite_rows
from ..model import Atom, PositionSource
from .amn import overlap_of_functions
from .bands import BandFiles
from .belief import believed_log, believed_win, check_size
from .centres import read_centres
from .checkpoint import Checkpoint, read_checkpoint
from .consistency import check_cells, check_centres, check_gauge, check_position, home_centres
from .hermitian import HermitianMatrices
from .mesh_consistency import (
    check_degeneracies,
    check_images,
    check_nearest,
    check_translations,
    check_use,
    fits_mesh,
    mesh_of,
)
from .mesh_images import TOLERANCE, images_of
from .nnkp import read_asked_projections, read_cell_of_nnkp
from .places import check_centres_file
from .spin import ab_initio_spin, check_same_calculation, to_lattice
from .spin_axes import check_axes
from .tight_binding_files import RawMatrices, read_hr, read_r, read_tb
from .unopened import UnopenedFiles
from .wigner_seitz import WignerSeitz, read_minimal_images, read_use_ws_distance
from .win import WinFile, read_win
from .wout import Log
from .written_twice import check_written_twice

#: angstrom^3: what is smaller is no cell.
_SMALLEST_CELL = 1e-6


@dataclass(frozen=True, eq=False)
class Wannier90Files(UnopenedFiles):
    """One calculation. All operators come on the R vectors of `hamiltonian`, minimal images applied.

    Whatever is missing, damaged or of another calculation raises InputError when it is asked for.
    """

    @property
    def used(self) -> list[Path]:
        """The files that a model is read from: _hr.dat and _centres.xyz only stand in for a _tb.dat."""
        # Which file the neighbours of k points are from, where they are needed.
        neighbours = self._bands.neighbours_kind if self._bands else ""
        spare = {"hr", "r", "centres"} if "tb" in self.files else set()
        if self.is_text:
            # Trial orbitals tell what they take from the .nnkp, where they do.
            spare.add("mmn")
        else:
            spare |= {"r", "wsvec"} | ({"nnkp"} - {neighbours})
        spare |= {"wout", "nnkp"} - {self.cell_kind, self.centres_kind, neighbours}
        if self.win is None:
            spare.add("win")
        return [path for kind, path in self.files.items() if kind not in spare]

    @property
    def known_hashes(self) -> Mapping[Path, str]:
        """sha256 of files that were read to the end, as they stand on the disk."""
        return {self.hamiltonian_file: self.raw.sha256}

    def check(self, given: NDArray[np.float64] | None = None, origin: str = "") -> None:
        """Raises InputError where the files are of two calculations, or say two things.

        given : unit cell (3, 3) angstrom that counts, not that of the files; origin : who says it
        """
        _ = self.wigner_seitz, self.gauge
        hamiltonian, win, gauge = self.hamiltonian_file, self.win, self.gauge
        cell = self._cell[1] if given is None else None
        if cell is not None and abs(np.linalg.det(cell)) < _SMALLEST_CELL:
            # The model tells that it is none.
            cell = None
        mesh = mesh_of(win, gauge, self.files.get("chk", hamiltonian))
        if cell is not None:
            check_cells(self._known_cells)
        check_translations(hamiltonian, self.wigner_seitz, mesh, cell, self.raw.comment)
        if given is not None:
            self.check_cell(given, origin)
        if "wsvec" in self.files:
            self._check_images(mesh, cell)
        _ = self.hamiltonian, self._uncompared
        if cell is not None and self.raw.position is not None:
            overlaps = self._bands.overlaps if self._bands else None
            source = hamiltonian if overlaps is None else overlaps[0]
            check_position(source, self.raw.position, self.wigner_seitz, cell)
            if gauge is not None:
                check_centres(source, gauge.centres, self.raw, cell)
        if cell is not None and "centres" in self.files:
            is_used = self.centres_kind == "centres" and self.raw.position is None
            source = self.files.get("tb") or self.files.get("r") or hamiltonian
            check_centres_file(self.files["centres"], (source, self.raw), win, cell, is_used)

    def check_cell(self, cell: NDArray[np.float64], origin: str) -> None:
        """Raises InputError where a cell (3, 3) angstrom that `origin` says is not that of the R vectors."""
        if self.is_text and abs(np.linalg.det(cell)) > _SMALLEST_CELL:
            mesh = mesh_of(self.win, self._checkpoint, self.files.get("chk", self.hamiltonian_file))
            check_translations(self.hamiltonian_file, self._written, mesh, cell, self.raw.comment, origin)

    def _check_images(self, mesh: tuple[int, ...] | None, cell: NDArray[np.float64] | None) -> None:
        path = self.files["wsvec"]
        if not self.is_text:
            # Its images are not used; what it was made with is said all the same.
            check_use(path, read_use_ws_distance(path), self.win)
            return
        images = self._written.images
        # A _wsvec.dat was read beside what is written.
        assert images is not None
        check_images(path, self._written, mesh)
        check_use(path, images.use_ws_distance, self.win)
        if mesh is None or cell is None or not images.use_ws_distance:
            return
        if (centres := self._untranslated_centres) is not None and fits_mesh(self._written, mesh):
            check_nearest(path, self._written, mesh, cell, centres, self._tolerance)

    @property
    def win(self) -> WinFile | None:
        """The .win; one of another name only where it says of this calculation what its own files say."""
        return self._win[0]

    @cached_property
    def _win(self) -> tuple[WinFile | None, str]:
        """The .win, and why one of another name is left out."""
        if "win" not in self.files:
            return None, ""
        if "win" not in self.found.borrowed:
            return read_win(self.files["win"]), ""
        text, written = (self._text, self._written) if self.is_text else (None, None)
        return believed_win(self.files, self.hamiltonian_file, text, written, self._checkpoint)

    @cached_property
    def _log(self) -> tuple[Log | None, str]:
        """The .wout, and why it is left out: it only adds."""
        if "wout" not in self.files:
            return None, ""
        written = self._written if self.is_text else None
        return believed_log(self.files["wout"], self.hamiltonian_file, self.raw, written, self._known_cells)

    @property
    def log(self) -> Log | None:
        """The .wout, None where it is missing, damaged, or of another cell or number of functions."""
        return self._log[0]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Of each file that could add something and is not believed, why."""
        return tuple(told for _, told in (self._win, self._log) if told) + self._uncompared

    @cached_property
    def _uncompared(self) -> tuple[str, ...]:
        """Why a _hr.dat or _r.dat beside a _tb.dat could not be compared with it."""
        return check_written_twice(self.files, self._text) if "tb" in self.files else ()

    @property
    def _known_cells(self) -> dict[Path, NDArray[np.float64] | None]:
        """Unit cells of the Hamiltonian, the .win and the .chk."""
        checkpoint, win = self._checkpoint, self.win
        cells = {self.hamiltonian_file: self.raw.lattice} | ({win.path: win.lattice} if win else {})
        return cells | ({self.files["chk"]: checkpoint.lattice} if checkpoint else {})

    @property
    def spinors(self) -> bool | None:
        """What the .win says, which by default is false; None without a .win."""
        return None if self.win is None else bool(self.win.logical("spinors"))

    @property
    def channel(self) -> str | None:
        """The one spin that a collinear calculation is of, as `spin` of the .win says; None for both."""
        return self.win.spin if self.win else None

    @cached_property
    def raw(self) -> RawMatrices:
        """_tb.dat or _hr.dat as it stands, its number of Wannier functions that of the .win."""
        check_size(self.win, self._text.size)
        return self._text

    @cached_property
    def _text(self) -> RawMatrices:
        if "tb" in self.files:
            return read_tb(self.files["tb"])
        if "hr" in self.files:
            raw = read_hr(self.files["hr"]).sorted()
            return replace(raw, position=read_r(self.files["r"], raw)) if "r" in self.files else raw
        if self._bands is not None and "eig" in self.files:
            return self._bands.matrices
        present = ", ".join(sorted(path.name for path in self.files.values()))
        raise InputError(
            f"{self.seedname}: expected {self.seedname}_tb.dat or {self.seedname}_hr.dat, found only "
            f"{present}; run Wannier90 with write_tb = .true., or add what is missing of .chk and .eig."
        )

    @cached_property
    def _bands(self) -> BandFiles | None:
        """Where H(R) was not written: what it is made of."""
        if self.is_text or self._checkpoint is None:
            return None
        return BandFiles(self.files, self._checkpoint, self.win, self._tolerance)

    @cached_property
    def wigner_seitz(self) -> WignerSeitz:
        if self._bands is not None:
            _ = self.raw
            return self._bands.lattice
        win = self.win
        if win is None or "wsvec" in self.files or not win.logical("use_ws_distance"):
            return self._written
        mesh = mesh_of(win, self._checkpoint, self.files.get("chk", self.hamiltonian_file))
        if mesh is not None and not fits_mesh(self._written, mesh):
            # Another program wrote it, or whoever checks it says so.
            return self._written
        cell, centres = self._cell[1], self._untranslated_centres
        if mesh is None or cell is None or centres is None:
            raise InputError(
                f"{self.hamiltonian_file}: {win.path.name} says use_ws_distance = .true., but there is no "
                f"{self.seedname}_wsvec.dat, and without mp_grid, unit cell and Wannier centres its images "
                "cannot be made; put it there, or a .chk, _tb.dat or .wout of the run."
            )
        return images_of(self._written, mesh, cell, centres, self._tolerance)

    @property
    def _tolerance(self) -> float:
        """angstrom: ws_distance_tol of the .win, else Wannier90's default."""
        said = self.win.real("ws_distance_tol") if self.win else None
        return TOLERANCE if said is None else said

    @property
    def _untranslated_centres(self) -> NDArray[np.float64] | None:
        """Wannier centres (wannier, 3) angstrom from which Wannier90 counts images; None where not known."""
        if self.raw.position is not None:
            return home_centres(self.raw.position, self.raw.translations)
        moved = self.win is not None and bool(self.win.logical("translate_home_cell"))
        known = self.centres_kind and not (self.centres_kind == "centres" and moved)
        return self.centres if known else None

    @cached_property
    def _written(self) -> WignerSeitz:
        """R vectors of the text file with the T vectors of the _wsvec.dat, where there is one."""
        raw, images = self._text, None
        if "wsvec" in self.files:
            images = read_minimal_images(self.files["wsvec"], raw.translations, raw.size)
        return WignerSeitz(raw.translations, raw.degeneracy, images)

    @cached_property
    def _checkpoint(self) -> Checkpoint | None:
        if "chk" not in self.files:
            return None
        checkpoint = read_checkpoint(self.files["chk"])
        check_gauge(self.files["chk"], checkpoint)
        return checkpoint

    @cached_property
    def gauge(self) -> Checkpoint | None:
        """The .chk, None without it; with an .eig it must give the Hamiltonian of the text file."""
        checkpoint = self._checkpoint
        if checkpoint is not None and self.is_text:
            check_same_calculation(checkpoint, self.files, self.raw.hamiltonian, self._written)
        return checkpoint

    @cached_property
    def _cell(self) -> tuple[str, NDArray[np.float64] | None]:
        """The first file that knows the cell, by kind, and the cell."""
        cells: dict[str, Callable[[], NDArray[np.float64] | None]] = {
            "tb": lambda: self.raw.lattice,
            "win": lambda: self.win.lattice if self.win else None,
            "wout": lambda: self.log.lattice if self.log else None,
            "nnkp": lambda: read_cell_of_nnkp(self.files["nnkp"]) if "nnkp" in self.files else None,
            "chk": lambda: self._checkpoint.lattice if self._checkpoint else None,
        }
        for kind, cell_of in cells.items():
            cell = cell_of()
            if cell is not None:
                return kind, cell
        return "", None

    @cached_property
    def asked_projections(self) -> tuple[tuple[float, ...], ...]:
        """What the .nnkp asked for, from which an .amn is made: reduced site, l, mr, radial part and, where
        it has one, spin of each trial orbital. Empty where it is missing, damaged or of another seedname.
        """
        if "nnkp" not in self.files or "nnkp" in self.found.borrowed:
            return ()
        return read_asked_projections(self.files["nnkp"])

    @property
    def cell_kind(self) -> str:
        """Which file the cell is from, "tb", "win", "wout", "nnkp" or "chk"; "" where none knows it."""
        return self._cell[0]

    @property
    def lattice(self) -> NDArray[np.float64]:
        """Unit cell, rows in angstrom, of the _tb.dat, else the .win, .wout, .nnkp or .chk."""
        cell = self._cell[1]
        if cell is None:
            left_out = "".join(f" Left out: {told}" for told in self.left_out)
            raise InputError(
                f"{self.files.get('hr', self.seedname)}: no unit cell found, expected a .win, .wout, POSCAR, "
                f".cif or wt.in beside it; put one there or give lattice=.{left_out}"
            )
        return cell

    @cached_property
    def hamiltonian(self) -> HermitianMatrices:
        """H(R), (R, wannier, wannier) eV."""
        path = self.hamiltonian_file
        opposite = opposite_rows(self.raw.translations)
        if opposite is None:
            raise InputError(
                f"{path}: for an R vector its negative is missing, expected both; the file is incomplete."
            )
        check_degeneracies(path, self.raw, opposite)
        size = non_hermitian_part(self.raw.hamiltonian, opposite)
        if size > HERMITICITY_TOLERANCE:
            raise InputError(
                f"{path}: H(R) and H(-R)^dagger differ by {2 * size:.3g} eV, expected at most rounding; the "
                "Hamiltonian is not Hermitian, was the file edited or mixed up?"
            )
        return HermitianMatrices.of(
            self.raw.hamiltonian, self.wigner_seitz, exact="hr" in self.files and "tb" not in self.files
        )

    @cached_property
    def position(self) -> HermitianMatrices:
        """<0m|r|Rn>, (R, 3, wannier, wannier) angstrom; without a _tb.dat only the centres."""
        if self.raw.position is not None:
            return HermitianMatrices.of(self.raw.position, self.wigner_seitz)
        translations = self.hamiltonian.translations
        return HermitianMatrices(translations, centre_position(translations, self.centres), None)

    @property
    def position_source(self) -> PositionSource:
        """What `position` is made of."""
        if self.raw.position is not None:
            return "matrix"
        return "none" if self.centres_file is None else "centres"

    @property
    def centres_kind(self) -> str:
        """Which file the Wannier centres are from: "chk", else "centres", else "wout"; "" without one."""
        if "chk" in self.files:
            return "chk"
        if "centres" in self.files:
            return "centres"
        has_log = "tb" not in self.files and self.log is not None and self.log.centres is not None
        return "wout" if has_log else ""

    @property
    def centres_file(self) -> Path | None:
        """The file with the Wannier centres."""
        return self.files.get(self.centres_kind)

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """Wannier centres, (wannier, 3) angstrom, zero where no file has them."""
        if self.gauge is not None:
            return self.gauge.centres
        if "centres" not in self.files:
            known = self.log.centres if self.log else None
            return np.zeros((self.raw.size, 3)) if known is None else known
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
        spin = to_lattice(self._spin_at_kpoints, self.gauge, self.wigner_seitz)
        return HermitianMatrices.of(spin, self.wigner_seitz)

    @cached_property
    def _spin_at_kpoints(self) -> NDArray[np.complex128]:
        # Only with a .chk is there a spin.
        assert self.gauge is not None
        return ab_initio_spin(self.gauge, self.files["spn"])

    def has_told_axes(self) -> bool:
        """Whether the symmetry of the crystal shows that the components of the spin are x, y, z; see
        `check_axes`, also for what raises InputError.
        """
        assert self.gauge is not None
        phases = np.exp(2j * np.pi * (self.gauge.kpoints @ self.hamiltonian.translations.T))
        hamiltonian = np.tensordot(phases, self.hamiltonian.matrices, axes=1)
        return check_axes(self.files["spn"], hamiltonian, self._spin_at_kpoints, self.gauge, self.atoms)

    @cached_property
    def trial_overlap(self) -> NDArray[np.complex128] | None:
        """<w|g> = 1/N_k sum_k V^dagger(k) A(k), (wannier, trial), None without .amn or .chk."""
        if "amn" not in self.files or self.gauge is None:
            return None
        return overlap_of_functions(self.files["amn"], self.gauge)

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """Atoms of the .win, else of the _centres.xyz, else of the .wout."""
        if self.win is not None and self.win.atoms:
            return self.win.atoms
        if "centres" in self.files:
            return read_centres(self.files["centres"])[1]
        return self.log.atoms if self.log else ()
