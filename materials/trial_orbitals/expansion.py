"""From the lines of a projections block to one trial orbital per Wannier function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .orbitals import Spin, TrialOrbital, Vector
from .projections import Projection

if TYPE_CHECKING:
    from ..model import Atom

#: "interlaced": up and down of each function in turn, as Wannier90 3 asks for; "block": first all up, then
#: all down, as VASP with earlier versions and old pw2wannier90 write them.
Order = Literal["interlaced", "block"]

#: Cosine of the axes of one projection that Wannier90 takes for a mistake.
_NOT_ORTHOGONAL = 1e-2


def expand_projections(
    projections: Sequence[Projection],
    atoms: Sequence[Atom],
    lattice: NDArray[np.float64],
    spinors: bool,
    order: Order = "interlaced",
) -> tuple[TrialOrbital, ...]:
    """One orbital per column of the .amn, in the order in which Wannier90 counts them.

    lattice : (3, 3) angstrom, rows; spinors : each function once for each spin
    Raises InputError for a site without atoms, for axes that are not orthogonal, and for spins of their own
    in an order by blocks.
    """
    if not spinors:
        return tuple(orbital for line in projections for orbital in _of_line(line, atoms, lattice, (None,)))
    if order == "interlaced":
        return tuple(
            orbital for line in projections for orbital in _of_line(line, atoms, lattice, line.spins)
        )
    for line in projections:
        if len(line.spins) != 2:
            raise InputError(f"orbital: projection {line.text!r} has one spin, which no order by blocks has.")
    return tuple(
        orbital
        for spin in (1, -1)
        for line in projections
        for orbital in _of_line(line, atoms, lattice, (spin,))
    )


def _of_line(
    line: Projection,
    atoms: Sequence[Atom],
    lattice: NDArray[np.float64],
    spins: Sequence[Spin | int | None],
) -> Iterator[TrialOrbital]:
    for position in _positions(line, atoms, lattice):
        for name in line.orbitals:
            for spin in spins:
                yield TrialOrbital(
                    position,
                    line.site,
                    name,
                    axes=_axes(line, name),
                    radial=line.radial,
                    zona=line.zona,
                    spin=spin,  # type: ignore[arg-type]
                    spin_axis=line.spin_axis,
                )


def _positions(line: Projection, atoms: Sequence[Atom], lattice: NDArray[np.float64]) -> list[Vector]:
    if line.point is not None:
        x, y, z = np.array(line.point) @ lattice if line.is_reduced else np.array(line.point)
        return [(float(x), float(y), float(z))]
    found = [atom.position for atom in atoms if atom.symbol.lower() == line.site.lower()]
    if not found:
        known = " ".join(dict.fromkeys(atom.symbol for atom in atoms)) or "none"
        raise InputError(
            f"orbital: projection onto {line.site!r}, but the atoms are {known}; expected one of them."
        )
    return found


def _axes(line: Projection, name: str) -> NDArray[np.float64]:
    """Rows x, y, z of the functions' own axes; a skew x axis is turned as Wannier90 turns it."""
    z = np.array(line.z_axis) / np.linalg.norm(line.z_axis)
    x = np.array(line.x_axis) / np.linalg.norm(line.x_axis)
    cosine = float(z @ x)
    # Of what is round about its z axis any x axis will do.
    if abs(cosine) > 1e-6 and name in ("s", "pz", "dz2", "fz3"):
        x = np.eye(3)[int(np.abs(z).argmin())]
        cosine = float(z @ x)
    elif abs(cosine) > _NOT_ORTHOGONAL:
        raise InputError(
            f"orbital: projection {line.text!r}: its z and x axes are not orthogonal (cosine {cosine:.3g}), "
            "Wannier90 refuses them as well."
        )
    x = x - cosine * z
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(z, x), z])
