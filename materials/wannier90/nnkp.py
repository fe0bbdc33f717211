"""seedname.nnkp: what Wannier90 asked of the first-principles program, as far as it is looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .win import read_win


def read_cell_of_nnkp(path: Path) -> NDArray[np.float64] | None:
    """The unit cell, rows in angstrom; None where the file is damaged, as it only adds."""
    try:
        return read_win(path).vectors("real_lattice")
    except InputError:
        return None


def read_asked_projections(path: Path) -> tuple[tuple[float, ...], ...]:
    """Reduced site, l, mr, radial part and, where it has one, spin of each trial orbital.

    Nothing where the file is damaged, as it only adds.
    """
    try:
        blocks = read_win(path).blocks
        lines = [[float(x) for x in line.text.split()] for line in blocks.get("spinorprojections", ())]
        if lines:
            rows = zip(lines[1::3], lines[3::3], strict=True)
            return tuple((*site, spin[0]) for site, spin in rows)
        return tuple(
            tuple(float(x) for x in line.text.split()) for line in blocks.get("projections", ())[1::2]
        )
    except (InputError, ValueError, IndexError):
        return ()
