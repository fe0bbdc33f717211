"""Whether a .win or .wout that lies beside a Hamiltonian belongs to it: one that does not is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .checkpoint import Checkpoint
from .consistency import check_cells
from .mesh_consistency import check_images, check_translations, check_use, mesh_of
from .tight_binding_files import RawMatrices
from .wigner_seitz import WignerSeitz
from .win import WinFile, read_win
from .wout import Log, read_wout


def check_size(win: WinFile | None, size: int) -> None:
    """Raises InputError where num_wann of a .win is not the number of functions of the Hamiltonian."""
    declared = win.integer("num_wann") if win else None
    if win and declared is not None and declared != size:
        line = win.keywords["numwann"].number
        raise InputError(
            f"{win.path}, line {line}: num_wann is {declared}, but the Hamiltonian has {size} Wannier "
            "functions; the files belong to two calculations."
        )


def believed_win(
    files: Mapping[str, Path],
    hamiltonian: Path,
    text: RawMatrices | None,
    written: WignerSeitz | None,
    checkpoint: Checkpoint | None,
) -> tuple[WinFile | None, str]:
    """A .win of another name where it says of a calculation what its own files say; else None, and why.

    hamiltonian, text, written : the _tb.dat or _hr.dat, what it says, and that with its _wsvec.dat; None of
    them where H(R) is made of .chk and .eig
    """
    try:
        win = read_win(files["win"])
        check_size(win, text.size if text else checkpoint.gauge.shape[2] if checkpoint else 0)
        # Whatever is asked of it later can be read.
        _ = win.lattice, win.atoms, win.logical("spinors"), win.real("fermi_energy")
        _ = win.integer("num_valence_bands"), win.logical("use_ws_distance"), win.real("ws_distance_tol")
        mesh = mesh_of(win, checkpoint, hamiltonian)
        known = {hamiltonian: text.lattice} if text else {}
        known |= {files["chk"]: checkpoint.lattice} if checkpoint else {}
        check_cells({**known, win.path: win.lattice})
        if text is not None and written is not None:
            cell = text.lattice if win.lattice is None else win.lattice
            check_translations(hamiltonian, written, mesh, cell, text.comment)
            if written.images is not None:
                check_images(files["wsvec"], written, mesh)
                check_use(files["wsvec"], written.images.use_ws_distance, win)
    except InputError as problem:
        return None, str(problem)
    return win, ""


def believed_log(
    path: Path,
    hamiltonian: Path,
    raw: RawMatrices,
    written: WignerSeitz | None,
    cells: Mapping[Path, NDArray[np.float64] | None],
) -> tuple[Log | None, str]:
    """A .wout of the same cell and number of functions; else None, and why.

    written : R vectors of a _tb.dat or _hr.dat, which a cell must fit where no other is known
    """
    try:
        log = read_wout(path)
        if log.centres is not None and len(log.centres) != raw.size:
            raise InputError(
                f"{path}: has {len(log.centres)} Wannier functions, expected {raw.size} as in the "
                "Hamiltonian; it belongs to another calculation."
            )
        check_cells({**cells, path: log.lattice})
        if written is not None and not any(cell is not None for cell in cells.values()):
            check_translations(hamiltonian, written, None, log.lattice, raw.comment)
    except InputError as problem:
        return None, str(problem)
    return log, ""
