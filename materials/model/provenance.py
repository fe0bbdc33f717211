"""Where a model comes from, and the crystal data that travel with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

PositionSource = Literal["matrix", "centres", "none"]
SpinSource = Literal["ab_initio", "tested", "given", "none"]


@dataclass(frozen=True)
class Atom:
    """symbol and Cartesian position in angstrom."""

    symbol: str
    position: tuple[float, float, float]


class PathSegment(NamedTuple):
    """A straight piece of a path through the Brillouin zone, between two labelled reduced k."""

    start_label: str
    start: tuple[float, ...]
    end_label: str
    end: tuple[float, ...]


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from.

    files : (path, sha256) of everything that was read
    notes : one sentence per assumption that was made on the way, for people to read
    removed : size of the non-Hermitian part taken out of each matrix (eV, angstrom, hbar)
    position_source : "matrix" where the position matrix is all there is to know, as in a model that is built
        from hoppings; "centres" where only Wannier centres are known; "none" where all are put at the origin
    spin_source : "ab_initio" from .chk and .spn; "tested" from the order of the spinors; "given" by the user
        or by whoever built the model; "none" where the model has no spin
    minimal_images : False where R vectors stand as in a file without its _wsvec.dat
    without_trial_orbitals : why the trial orbitals of the model are not known, where anybody looked for them
    symmetry_deviation : eV, largest change of an element of H when the model was symmetrized, None where it
        was not
    pair_splitting : eV, median distance before that of levels that symmetry makes one
    band_change : eV, by which the farthest band moved on a path
    """

    files: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    removed: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    position_source: PositionSource = "matrix"
    spin_source: SpinSource = "none"
    minimal_images: bool = True
    without_trial_orbitals: str = ""
    symmetry_deviation: float | None = None
    pair_splitting: float | None = None
    band_change: float | None = None

    def noted(self, note: str) -> Provenance:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))
