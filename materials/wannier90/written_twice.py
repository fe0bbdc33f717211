"""Whether a _hr.dat or _r.dat says what the _tb.dat beside it says: one run writes the same numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import pieces
from .tight_binding_files import RawMatrices, read_hr, read_r

#: eV and angstrom: a _hr.dat and a _r.dat have six digits behind the point, those of other programs five.
_SAME_ELEMENT = 1e-5

#: A last digit that is worth more is not one of rounding, it is a short number.
_COARSEST = 1e-3

#: Lines that are looked at for the digits of a file; the first elements have as many as the others.
_LINES = 5000

_DECIMAL = re.compile(rb"[-+]?(\d{0,20})\.(\d{0,40})([ed][-+]?\d{1,4})?", re.IGNORECASE)

#: Digits before a point that are not all zero.
_WHOLE_PART = re.compile(rb"(?<![\d.])0*[1-9]\d*\.")

#: Turns all digits into one.
_ALIKE = bytes.maketrans(b"123456789", b"000000000")

#: Elements that are compared at once.
_TOGETHER = 1 << 16


def check_written_twice(files: Mapping[str, Path], raw: RawMatrices) -> tuple[str, ...]:
    """Why a _hr.dat or _r.dat beside a _tb.dat, `raw`, could not be compared with it: it cannot be read.

    Raises InputError where one says something else: which of them counts nobody can tell.
    """
    unreadable = []
    for kind in ("hr", "r"):
        if kind in files:
            try:
                told = _difference(files[kind], files["tb"], raw, kind)
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


@dataclass(frozen=True)
class _Digits:
    """What the last digit of an element is worth: absolute (eV or angstrom) plus relative to the element."""

    absolute: float
    relative: float

    def of(self, elements: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.absolute + self.relative * elements


def _digits(path: Path) -> _Digits:
    """By the longest numbers among the first elements of a file."""
    absolute, relative = [], []
    text = next(iter(pieces(path)), b"")
    lines = text.splitlines()[:_LINES]
    # Lines are written alike where digits stand in the same places and whole parts vanish in the same places.
    written = _WHOLE_PART.sub(b"x.", b"\n".join(lines)).translate(_ALIKE).split(b"\n")
    for line in dict(zip(written, lines, strict=True)).values():
        words = line.split()
        decimals = [match for word in words if (match := _DECIMAL.fullmatch(word))]
        # m and n, of a _hr.dat or a _r.dat behind R; then one complex number or three.
        if (len(words) - len(decimals)) not in (2, 5) or len(decimals) not in (2, 6):
            continue
        for match in decimals:
            if match[3] is None:
                absolute.append(10.0 ** -len(match[2]))
            else:
                relative.append(10.0 ** -(len(match[2]) - (not match[1].strip(b"0"))))
    return _Digits(
        min(_COARSEST, *absolute) if absolute else 0.0, min(_COARSEST, *relative) if relative else 0.0
    )


def _difference(path: Path, path_here: Path, raw: RawMatrices, kind: str) -> str:
    shares = np.ones((2, len(raw.translations)))
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
            # Some programs write elements that are divided by them, and ones.
            shares = 1 / np.array([raw.degeneracy[rows], found.degeneracy])
        other, here = found.hamiltonian[:, None], raw.hamiltonian[:, None]
    # A _tb.dat has its position matrix.
    assert here is not None
    digits_here, digits = _digits(path_here), _digits(path)
    together = max(1, _TOGETHER // here[0].size)
    for start in range(0, len(rows), together):
        some = slice(start, start + together)
        ours, theirs = here[rows[some]], other[some]
        share_here, share = shares[:, some, None, None, None]
        apart = np.abs(ours * share_here - theirs * share)
        rounding = digits_here.of(np.abs(ours)) * share_here + digits.of(np.abs(theirs)) * share
        apart, excess = apart.max(axis=1), (apart - np.maximum(rounding, _SAME_ELEMENT)).max(axis=1)
        if excess.max() > 0:
            worst = int((excess.max(axis=(1, 2)) > 0).argmax())
            apart, excess = apart[worst], excess[worst]
            m, n = np.unravel_index(int(excess.argmax()), apart.shape)
            vector = " ".join(map(str, raw.translations[rows[start + worst]].tolist()))
            unit = "eV" if kind == "hr" else "angstrom"
            return f"element {m + 1} {n + 1} of R = {vector} differs by {apart[m, n]:.3g} {unit} from that"
    return ""
