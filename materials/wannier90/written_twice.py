"""Whether a _hr.dat or _r.dat says what the _tb.dat beside it says: one run writes the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spinscreen.kernels import InputError

from .tight_binding_files import RawMatrices, read_hr, read_r

#: eV and angstrom: a _hr.dat and a _r.dat have six digits behind the point, those of other programs five.
_SAME_ELEMENT = 1e-5


def check_written_twice(files: Mapping[str, Path], raw: RawMatrices) -> tuple[str, ...]:
    """Why a _hr.dat or _r.dat beside a _tb.dat, `raw`, could not be compared with it: it cannot be read.

    Raises InputError where one says something else: which of them counts nobody can tell.
    """
    unreadable = []
    for kind in ("hr", "r"):
        if kind in files:
            try:
                told = _difference(files[kind], raw, kind)
            except InputError as problem:
                unreadable.append(str(problem))
                continue
            if told:
                raise InputError(
                    f"{files['tb']}: {told} in {files[kind].name}, expected the same numbers in both; one is "
                    "damaged, or they belong to two calculations: name the one that counts, or move the "
                    "other away."
                )
    return tuple(unreadable)


def _difference(path: Path, raw: RawMatrices, kind: str) -> str:
    if kind == "r":
        other, here = read_r(path, raw), raw.position
        rows = list(range(len(raw.translations)))
    else:
        found = read_hr(path)
        known = {tuple(vector): row for row, vector in enumerate(raw.translations.tolist())}
        rows = [known.get(tuple(vector), -1) for vector in found.translations.tolist()]
        if found.size != raw.size:
            return f"has {raw.size} Wannier functions, {found.size}"
        if sorted(rows) != list(range(len(known))):
            return "has other R vectors than are"
        if (raw.degeneracy[rows] != found.degeneracy).any():
            return "has other degeneracies of R vectors than are"
        other, here = found.hamiltonian[:, None], raw.hamiltonian[:, None]
    # A _tb.dat has its position matrix.
    assert here is not None
    for row, matrix in zip(rows, other, strict=True):
        apart = np.abs(here[row] - matrix).max(axis=0)
        if apart.max() > _SAME_ELEMENT:
            m, n = np.unravel_index(int(apart.argmax()), apart.shape)
            vector = " ".join(map(str, raw.translations[row].tolist()))
            unit = "eV" if kind == "hr" else "angstrom"
            return f"element {m + 1} {n + 1} of R = {vector} differs by {apart.max():.3g} {unit} from that"
    return ""
