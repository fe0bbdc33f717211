"""Observables beyond spin: orbital angular momentum from the .win projections, atoms, layers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .model import Projection, WannierModel
from .model.projections import SHELLS
from .observable import ORBITAL, SPIN

#: All functions up to f, the basis in which hybrids are written down.
_BASIS = tuple(name for names in SHELLS.values() for name in names)

_ROOT = {n: 1 / np.sqrt(n) for n in (2, 3, 6, 12)}
_SP2 = (
    {"s": _ROOT[3], "px": -_ROOT[6], "py": _ROOT[2]},
    {"s": _ROOT[3], "px": -_ROOT[6], "py": -_ROOT[2]},
    {"s": _ROOT[3], "px": 2 * _ROOT[6]},
)
#: Hybrids of the Wannier90 user guide, table 3.2.
_HYBRID_FUNCTIONS: dict[str, tuple[dict[str, float], ...]] = {
    "sp": ({"s": _ROOT[2], "px": _ROOT[2]}, {"s": _ROOT[2], "px": -_ROOT[2]}),
    "sp2": _SP2,
    "sp3": tuple(
        {"s": 0.5, "px": 0.5 * x, "py": 0.5 * y, "pz": 0.5 * z}
        for x, y, z in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    ),
    "sp3d": (*_SP2, {"pz": _ROOT[2], "dz2": _ROOT[2]}, {"pz": -_ROOT[2], "dz2": _ROOT[2]}),
    "sp3d2": (
        {"s": _ROOT[6], "px": -_ROOT[2], "dz2": -_ROOT[12], "dx2-y2": 0.5},
        {"s": _ROOT[6], "px": _ROOT[2], "dz2": -_ROOT[12], "dx2-y2": 0.5},
        {"s": _ROOT[6], "py": -_ROOT[2], "dz2": -_ROOT[12], "dx2-y2": -0.5},
        {"s": _ROOT[6], "py": _ROOT[2], "dz2": -_ROOT[12], "dx2-y2": -0.5},
        {"s": _ROOT[6], "pz": -_ROOT[2], "dz2": _ROOT[3]},
        {"s": _ROOT[6], "pz": _ROOT[2], "dz2": _ROOT[3]},
    ),
}

#: hbar^2: real spinor Wannier functions that stayed near their projections are pure to a few per cent.
COMMUTATOR_TOLERANCE = 0.1


class OrbitalOrderWarning(UserWarning):
    """The projections of the .win are not what the Wannier functions are."""


@dataclass(frozen=True, eq=False)
class ProjectedFunction:
    """One projection: its site (a number per atom or given point) and its coefficients over `_BASIS`."""

    site: int
    coefficients: NDArray[np.float64]


def angular_momentum(l_number: int) -> NDArray[np.complex128]:
    """L_x, L_y, L_z (hbar) between real harmonics of one l in Wannier90's order, (3, 2 l + 1, 2 l + 1)."""
    m = np.arange(-l_number, l_number + 1)
    raising = np.diag(np.sqrt(l_number * (l_number + 1) - m[:-1] * (m[:-1] + 1)), -1).astype(complex)
    lx, ly = (raising + raising.T) / 2, (raising - raising.T) / 2j
    lz = np.diag(m).astype(complex)
    # Columns: m = 0, then cosine and sine combinations of m = 1, 2, 3.
    real = np.zeros((2 * l_number + 1, 2 * l_number + 1), dtype=complex)
    real[l_number, 0] = 1
    for n in range(1, l_number + 1):
        sign = (-1) ** n
        real[l_number + n, 2 * n - 1], real[l_number - n, 2 * n - 1] = sign * _ROOT[2], _ROOT[2]
        real[l_number + n, 2 * n], real[l_number - n, 2 * n] = -1j * sign * _ROOT[2], 1j * _ROOT[2]
    return np.stack([real.conj().T @ operator @ real for operator in (lx, ly, lz)])


def with_orbital_momentum(model: WannierModel) -> WannierModel:
    """The model with the observables orbital_x, orbital_y, orbital_z (hbar, about each atom).

    Taken from the projections of the .win in their order, spin up and down in turn where there are spinors;
    functions of one site and l are taken to share their radial part. This holds for Wannier functions that
    stayed what they were projected on (num_iter = 0, or nearly): minimization may mix and reorder them.
    With spinors this is tested, orbital and spin matrices must commute: an OrbitalOrderWarning says if they
    do not. Raises InputError where there are no projections or their number does not fit.
    """
    functions = list(_functions(model))
    spinors = set(SPIN) <= set(model.observables)
    expected = len(functions) * (2 if spinors else 1)
    if expected != model.size:
        raise InputError(
            f"orbital: the projections of model {model.name!r} make {expected} functions, expected "
            f"{model.size}; give the matrices with with_observable() instead."
        )
    coefficients = np.array([function.coefficients for function in functions])
    same_site = np.array([[a.site == b.site for b in functions] for a in functions])
    observables = dict(model.observables)
    for name, operator in zip(ORBITAL, _all_shells(), strict=True):
        matrix = np.where(same_site, coefficients @ operator @ coefficients.T, 0j)
        observables[name] = np.kron(matrix, np.eye(2)).astype(complex) if spinors else matrix
    note = "orbital angular momentum: Wannier functions are taken to be the projections, in their order"
    if spinors:
        mixed = _commutator(model, observables)
        note += f"; orbital and spin matrices commute within {mixed:.2g} hbar^2"
        if mixed > COMMUTATOR_TOLERANCE:
            warnings.warn(
                f"model {model.name!r}: orbital and spin matrices should commute, but differ by {mixed:.2g} "
                "hbar^2; the Wannier functions are not their projections in their order, orbital results are "
                "not to be trusted (wannierize with num_iter = 0, or give matrices with with_observable()).",
                OrbitalOrderWarning,
                stacklevel=2,
            )
    return replace(model, observables=observables).noted(note)


def _commutator(model: WannierModel, observables: Mapping[str, NDArray[np.complex128]]) -> float:
    """Largest element of [L_a, S_b] at R = 0: spin and orbital momentum act on different spaces."""
    spins = [model.onsite(name) for name in SPIN]
    orbitals = [observables[name] for name in ORBITAL]
    return max(float(np.abs(o @ s - s @ o).max()) for o in orbitals for s in spins)


def _all_shells() -> NDArray[np.complex128]:
    full = np.zeros((3, len(_BASIS), len(_BASIS)), dtype=complex)
    for l_number, names in SHELLS.items():
        start = _BASIS.index(names[0])
        stop = start + len(names)
        full[:, start:stop, start:stop] = angular_momentum(l_number)
    return full


def _functions(model: WannierModel) -> Iterator[ProjectedFunction]:
    if not model.projections:
        raise InputError(
            f"orbital: model {model.name!r} has no projections, expected a projections block in its .win; "
            "give the matrices with with_observable() instead."
        )
    for number, projection in enumerate(model.trial_orbitals):
        if not projection.is_plain:
            raise InputError(
                f"orbital: projection {projection.text!r} has axes or spins of its own, expected plain "
                "functions; give the matrices with with_observable() instead."
            )
        for place in _sites(model, projection, number):
            for orbital in projection.orbitals:
                yield ProjectedFunction(place, _coefficients(orbital))


def _sites(model: WannierModel, projection: Projection, number: int) -> list[int]:
    if projection.is_point:
        return [-1 - number]
    site = projection.site
    members = [i for i, atom in enumerate(model.atoms) if atom.symbol.lower() == site.lower()]
    if not members:
        raise InputError(
            f"orbital: projection onto {site!r}, but model {model.name!r} has the atoms "
            f"{' '.join(atom.symbol for atom in model.atoms) or 'none'}."
        )
    return members


def _coefficients(orbital: str) -> NDArray[np.float64]:
    shares = {orbital: 1.0}
    if orbital not in _BASIS:
        hybrid, _, one = orbital.partition("-")
        shares = _HYBRID_FUNCTIONS[hybrid][int(one) - 1]
    return np.array([shares.get(name, 0.0) for name in _BASIS])


def with_atoms(model: WannierModel) -> WannierModel:
    """The model with one projector per atom, named atom_1_Mo ...: Wannier functions centred nearest to it.

    Raises InputError where the atoms are unknown.
    """
    if not model.atoms:
        raise InputError(f"atoms: the atoms of model {model.name!r} are unknown, expected them in a .win.")
    positions = np.array([atom.position for atom in model.atoms])
    inverse = np.linalg.inv(model.lattice)
    apart = (model.centres[:, None] - positions[None]) @ inverse
    distance = np.linalg.norm((apart - np.round(apart)) @ model.lattice, axis=2)
    nearest = distance.argmin(axis=1)
    observables = dict(model.observables)
    for number, atom in enumerate(model.atoms):
        observables[f"atom_{number + 1}_{atom.symbol}"] = np.diag((nearest == number).astype(complex))
    return replace(model, observables=observables)


def with_layer(model: WannierModel, height: float | None = None) -> WannierModel:
    """The model with the observable layer: +1 for centres above `height` (angstrom along z), -1 below.

    height : by default the mean height of the centres. Raises InputError where all are on one side.
    """
    z = model.centres[:, 2]
    sign = np.where(z > (z.mean() if height is None else height), 1.0, -1.0)
    if abs(sign.sum()) == model.size:
        raise InputError(
            f"layer: all Wannier centres of model {model.name!r} lie on one side, between {z.min():.3f} and "
            f"{z.max():.3f} angstrom; give height=."
        )
    return model.with_observable("layer", np.diag(sign))
