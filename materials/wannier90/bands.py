"""H(R) and A(R) where no Hamiltonian was written: of .chk, .eig and the overlaps in .mmn or .chk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint
from .mesh_consistency import mesh_of
from .mesh_images import wigner_seitz_of_mesh
from .overlaps import Neighbours, check_same_overlaps, position_of_overlaps, read_neighbours, read_overlaps
from .spin import hamiltonian_of_bands, to_lattice
from .tight_binding_files import RawMatrices
from .wigner_seitz import WignerSeitz
from .win import WinFile


@dataclass(frozen=True, eq=False)
class BandFiles:
    """The input set of postw90: files by kind, the .chk that was read, the .win where it is believed.

    tolerance : angstrom, ws_distance_tol
    """

    files: Mapping[str, Path]
    checkpoint: Checkpoint
    win: WinFile | None
    tolerance: float

    @cached_property
    def matrices(self) -> RawMatrices:
        """H(R) on the R vectors of the mesh, and A(R) where the overlaps are known."""
        checkpoint, lattice = self.checkpoint, self.lattice
        of_bands = hamiltonian_of_bands(checkpoint, self.files["eig"], self.win)
        hamiltonian = to_lattice(of_bands, checkpoint, lattice)
        position = None
        if self.overlaps is not None:
            path, neighbours, overlaps = self.overlaps
            position = to_lattice(
                position_of_overlaps(path, checkpoint, neighbours, overlaps), checkpoint, lattice
            )
        return RawMatrices(
            lattice.translations, lattice.degeneracy, hamiltonian, checkpoint.lattice, position
        )

    @cached_property
    def lattice(self) -> WignerSeitz:
        """What Wannier90 makes of the mesh of the .chk, with the minimal images that the .win asks for."""
        mesh_of(self.win, self.checkpoint, self.files["chk"])
        wanted = self.win.logical("use_ws_distance") if self.win else None
        return wigner_seitz_of_mesh(
            self.checkpoint.lattice,
            self.checkpoint.mesh.tolist(),
            None if wanted is False else self.checkpoint.centres,
            self.tolerance,
        )

    @cached_property
    def overlaps(self) -> tuple[Path, Neighbours, NDArray[np.complex128]] | None:
        """The file that names neighbours of k points, they, and the overlaps; None without."""
        if "mmn" in self.files:
            neighbours, overlaps = read_overlaps(self.files["mmn"], self.checkpoint)
            check_same_overlaps(self.files["mmn"], self.checkpoint, overlaps)
            return self.files["mmn"], neighbours, overlaps
        if "nnkp" in self.files and self.checkpoint.overlaps.any():
            try:
                known = read_neighbours(self.files["nnkp"], self.checkpoint)
            except InputError:
                known = None
            if known is not None:
                return self.files["nnkp"], known, self.checkpoint.overlaps
        return None

    @property
    def neighbours_kind(self) -> str:
        """Which file the neighbours of k points are from, "mmn" or "nnkp"; "" where none has them."""
        if self.overlaps is None:
            return ""
        return "mmn" if "mmn" in self.files else "nnkp"
