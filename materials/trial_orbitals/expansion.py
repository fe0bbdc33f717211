"""From the lines of a projections block to one trial orbital per Wannier function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import quoted
from .orbitals import SAME_SITE, Spin, TrialOrbital, Vector
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
    owner: str = "the crystal",
) -> tuple[TrialOrbital, ...]:
    """One orbital per column of the .amn, in the order in which Wannier90 counts them.

    lattice : (3, 3) angstrom, rows; spinors : each function once for each spin; owner : whose atoms they are,
        for messages
    Raises InputError for a site without atoms, for axes that are not orthogonal, and for spins of their own
    in an order by blocks.
    """
    sites = [(line, _sites(line, atoms, lattice, owner)) for line in projections]
    if not spinors:
        return tuple(orbital for line, places in sites for orbital in _of_line(line, places, (None,)))
    if order == "interlaced":
        return tuple(orbital for line, places in sites for orbital in _of_line(line, places, line.spins))
    for line in projections:
        if len(line.spins) != 2:
            raise InputError(
                f"orbital: projection {quoted(line.text)} has one spin, which no order by blocks has."
            )
    return tuple(
        orbital for spin in (1, -1) for line, places in sites for orbital in _of_line(line, places, (spin,))
    )


def _of_line(
    line: Projection,
    sites: Sequence[tuple[str, Vector]],
    spins: Sequence[Spin | int | None],
) -> Iterator[TrialOrbital]:
    for site, position in sites:
        for name in line.orbitals:
            for spin in spins:
                yield TrialOrbital(
                    position,
                    site,
                    name,
                    axes=_axes(line, name),
                    radial=line.radial,
                    zona=line.zona,
                    spin=spin,  # type: ignore[arg-type]
                    spin_axis=line.spin_axis,
                )


def _sites(
    line: Projection, atoms: Sequence[Atom], lattice: NDArray[np.float64], owner: str
) -> list[tuple[str, Vector]]:
    """Label and position of each; a point on an atom has the label of the atom."""
    if line.point is not None:
        point = np.array(line.point) @ lattice if line.is_reduced else np.array(line.point)
        x, y, z = (float(component) for component in point)
        short = f"{line.site[:2]}{','.join(f'{component:.4g}' for component in line.point)}"
        return [(_atom_at(point, atoms, lattice) or short, (x, y, z))]
    found = [atom for atom in atoms if atom.symbol.lower() == line.site.lower()]
    if not found:
        known = " ".join(list(dict.fromkeys(atom.symbol for atom in atoms))[:12]) or "none"
        raise InputError(f"orbital: projection onto {quoted(line.site)}, but {owner} has the atoms {known}.")
    return [(atom.symbol, atom.position) for atom in found]


def _atom_at(point: NDArray[np.float64], atoms: Sequence[Atom], lattice: NDArray[np.float64]) -> str | None:
    for atom in atoms:
        apart = (point - np.array(atom.position)) @ np.linalg.inv(lattice)
        if np.linalg.norm((apart - np.round(apart)) @ lattice) < SAME_SITE:
            return atom.symbol
    return None


def _axes(line: Projection, name: str) -> NDArray[np.float64]:
    """Rows x, y, z of the functions' own axes; a skew x axis is turned as Wannier90 turns it. Read-only."""
    is_round = name in ("s", "pz", "dz2", "fz3")
    return _right_angled(tuple(line.z_axis), tuple(line.x_axis), is_round, line.text)


@lru_cache(maxsize=256)
def _right_angled(
    z_axis: tuple[float, ...], x_axis: tuple[float, ...], is_round: bool, text: str
) -> NDArray[np.float64]:
    z = np.array(z_axis) / np.linalg.norm(z_axis)
    x = np.array(x_axis) / np.linalg.norm(x_axis)
    cosine = float(z @ x)
    # Of what is round about its z axis any x axis will do.
    if abs(cosine) > 1e-6 and is_round:
        x = np.eye(3)[int(np.abs(z).argmin())]
        cosine = float(z @ x)
    elif abs(cosine) > _NOT_ORTHOGONAL:
        raise InputError(
            f"orbital: projection {quoted(text)}: its z and x axes are not orthogonal (cosine "
            f"{cosine:.3g}), Wannier90 refuses them as well."
        )
    x = x - cosine * z
    x /= np.linalg.norm(x)
    axes = np.array([x, np.cross(z, x), z])
    axes.flags.writeable = False
    return axes
