"""`TrialOrbital`, `TrialOrbitals`: what the Wannier functions of a model are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinscreen.kernels import InputError

from ..matrices import read_only
from .harmonics import HARMONICS, SHELLS, angular_momenta, coefficients_of, place_of, rotation_of_harmonics

Vector = tuple[float, float, float]
Spin = Literal[1, -1]

_L_NUMBERS = np.array([shell for shell, names in SHELLS.items() for _ in names])
_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

#: angstrom: orbitals that are closer have one site.
SAME_SITE = 1e-3


@lru_cache(maxsize=64)
def _are_axes(content: bytes) -> bool:
    """Whether nine numbers are right-handed orthonormal axes as rows; all orbitals of a model ask for few."""
    axes = np.frombuffer(content).reshape(3, 3)
    return bool(np.abs(axes @ axes.T - np.eye(3)).max() < 1e-6 and np.linalg.det(axes) > 0)


@dataclass(frozen=True, eq=False)
class TrialOrbital:
    """A function of one site that a Wannier function was, or may have been, projected on.

    position : of the site, Cartesian, angstrom
    site : label of the atom, or what the projection says ("f=0,0.5,0")
    name : real harmonic ("dxy") or hybrid ("sp3-1") in the functions' own axes
    coefficients : (16,) over `HARMONICS` in these own axes, normalized; by default those of `name`
    axes : (3, 3) rows x, y, z: the own axes in Cartesian directions, a right-handed orthonormal set
    radial, zona : number of the radial part and its decay (1/angstrom); others are other functions
    spin : +1 or -1 along `spin_axis`, None without spin

    Raises InputError where the numbers are none of these.
    """

    position: Vector
    site: str
    name: str
    coefficients: NDArray[np.float64] | None = None
    axes: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    radial: int = 1
    zona: float = 1.0
    spin: Spin | None = None
    spin_axis: Vector = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        given = coefficients_of(self.name) if self.coefficients is None else self.coefficients
        object.__setattr__(self, "coefficients", read_only(given, float))
        object.__setattr__(self, "axes", read_only(self.axes, float))
        x, y, z = (float(component) for component in self.position)
        object.__setattr__(self, "position", (x, y, z))
        checks = {
            "position": np.isfinite(self.position).all(),
            "coefficients": self._local.shape == (len(HARMONICS),)
            and abs(np.linalg.norm(self._local) - 1) < 1e-6,
            "axes": self.axes.shape == (3, 3) and _are_axes(self.axes.tobytes()),
            "spin": self.spin in (1, -1, None),
            "spin_axis": np.isfinite(self.spin_axis).all() and any(self.spin_axis),
        }
        for name, fits in checks.items():
            if not fits:
                raise InputError(
                    f"trial orbital {self.site} {self.name}: {name} is {getattr(self, name)!r}, see "
                    "TrialOrbital for what is expected."
                )

    def __reduce__(self) -> tuple[object, ...]:
        # Arrays come out of a pickle writable: made anew they are not.
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def _local(self) -> NDArray[np.float64]:
        assert self.coefficients is not None  # set when made
        return self.coefficients

    @cached_property
    def cartesian_coefficients(self) -> NDArray[np.float64]:
        """(16,) over `HARMONICS` in Cartesian axes."""
        if (self.axes == np.eye(3)).all():
            return self._local
        return rotation_of_harmonics(self.axes.T) @ self._local

    @property
    def l_number(self) -> int | None:
        """The angular momentum, None for hybrids, which mix several."""
        found = {int(number) for number in _L_NUMBERS[np.abs(self._local) > 1e-9]}
        return found.pop() if len(found) == 1 else None

    @property
    def spinor(self) -> NDArray[np.complex128]:
        """Its spin as (2,) up and down along z, normalized. Raises InputError without spin."""
        if self.spin is None:
            raise InputError(f"trial orbital {self.label} has no spin, expected one of a spinor calculation.")
        x, y, z = np.array(self.spin_axis) / np.linalg.norm(self.spin_axis)
        # Phases as EPW and pw2wannier90 document them: along +-z pure up and down, else (z +- 1, x + i y).
        if abs(z) > 1 - 1e-6:
            return np.eye(2, dtype=complex)[0 if self.spin * z > 0 else 1]
        spinor = np.array([z + self.spin, x + 1j * y])
        return spinor / np.linalg.norm(spinor)

    @property
    def projection(self) -> str:
        """As a line of a .win in angstrom, with its spin."""
        shell, mr = place_of(self.name)
        site = ",".join(f"{x:.10f}" for x in self.position)
        parts = [f"c={site}", f"l={shell},mr={mr}"]
        for name, axis, usual in (("z", self.axes[2], (0, 0, 1)), ("x", self.axes[0], (1, 0, 0))):
            if tuple(axis) != usual:
                parts.append(f"{name}={','.join(f'{x:.10f}' for x in axis)}")
        parts += [f"r={self.radial}"] * (self.radial != 1) + [f"zona={self.zona:.10f}"] * (self.zona != 1)
        spin = {1: "(u)", -1: "(d)", None: ""}[self.spin]
        axis = "" if tuple(self.spin_axis) == (0, 0, 1) else f"[{','.join(map(str, self.spin_axis))}]"
        return ":".join(parts) + spin + (axis if spin else "")

    @property
    def label(self) -> str:
        """In a word or three: "Pt dxy up"."""
        spin = {1: " up", -1: " down", None: ""}[self.spin]
        own = "" if np.allclose(self.axes, np.eye(3)) or self.l_number == 0 else "'"
        along = "" if self.spin is None or tuple(self.spin_axis) == (0, 0, 1) else "'"
        return f"{self.site} {self.name}{own}{spin}{along}"


@dataclass(frozen=True, eq=False)
class TrialOrbitals:
    """The trial orbitals of a model, one per Wannier function, and what these are of them.

    orbitals : in the order of the columns of the .amn
    overlap : S (wannier, trial) = <w|g> within the home cell; None where the Wannier functions are the
        orthogonalized trial orbitals themselves, in their order

    The unitary W = `rotation` turns Wannier functions into orthogonalized trial orbitals: X'(R) =
    W^dagger X(R) W for H, A and every observable. It is the polar factor of S, site by site: what two sites
    of the home cell have in common they have with sites of other cells as well, so that a W that mixed them
    would break the symmetry of the crystal. Raises InputError where S is not of as many functions.
    """

    orbitals: tuple[TrialOrbital, ...]
    overlap: NDArray[np.complex128] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "orbitals", tuple(self.orbitals))
        if len({orbital.spin is None for orbital in self.orbitals}) > 1:
            raise InputError("trial orbitals: some have a spin and some have none, expected all or none.")
        if self.overlap is None:
            return
        object.__setattr__(self, "overlap", read_only(self.overlap, complex))
        if self.overlap.shape != 2 * (len(self.orbitals),) or not np.isfinite(self.overlap).all():
            raise InputError(
                f"trial orbitals: overlap has shape {self.overlap.shape}, expected finite numbers of shape "
                f"{2 * (len(self.orbitals),)}."
            )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.orbitals, self.overlap)

    def __len__(self) -> int:
        return len(self.orbitals)

    @property
    def has_spin(self) -> bool:
        return bool(self.orbitals) and self.orbitals[0].spin is not None

    @cached_property
    def singular_values(self) -> NDArray[np.float64]:
        """Of the overlap, largest first: 1 where Wannier functions lie in the space of the trial orbitals."""
        return np.ones(len(self)) if self.overlap is None else _singular_values(self.overlap)

    @cached_property
    def site_singular_values(self) -> NDArray[np.float64]:
        """Of the part of the overlap that W is made of, largest first: W is noise where they are small."""
        found = [_singular_values(block) for _, block in self._blocks()]
        return np.sort(np.concatenate(found))[::-1] if found else np.ones(len(self))

    @cached_property
    def rotation(self) -> NDArray[np.complex128]:
        """W (wannier, trial), unitary."""
        if self.overlap is None:
            return np.eye(len(self), dtype=complex)
        rotation = np.zeros_like(self.overlap)
        for place, block in self._blocks():
            left, _, right = np.linalg.svd(block)
            rotation[place] = left @ right
        return rotation

    def _blocks(self) -> Iterator[tuple[tuple[NDArray[np.int64], ...], NDArray[np.complex128]]]:
        """Rows and columns of each site, as many of one as of the other, and the overlap there."""
        # Takes longer to import than a small material to compute.
        from scipy.optimize import linear_sum_assignment

        if self.overlap is None:
            return
        columns = [np.flatnonzero(self.sites == site) for site in np.unique(self.sites)]
        shares = np.stack([self.weights[:, mine].sum(axis=1) for mine in columns], axis=1)
        numbered = np.unique(self.sites, return_inverse=True)[1]
        # Every site gets as many Wannier functions as it has orbitals, together as much of them as can be.
        owner = numbered[linear_sum_assignment(-shares[:, numbered])[1]]
        for site, mine in enumerate(columns):
            place = np.ix_(np.flatnonzero(owner == site), mine)
            yield place, self.overlap[place]

    @property
    def weights(self) -> NDArray[np.float64]:
        """|<w|g>|^2, (wannier, trial); those of W where the overlap is not known."""
        matrix = self.rotation if self.overlap is None else self.overlap
        return np.abs(matrix) ** 2

    def leading(self, wannier: int, most: int = 4, least: float = 0.05) -> tuple[tuple[str, float], ...]:
        """What one Wannier function is made of: labels and weights, largest first.

        most : so many at most; least : smaller weights are left out, but for the largest
        """
        weights = self.weights[wannier]
        order = np.argsort(-weights, kind="stable")[:most]
        kept = [n for place, n in enumerate(order.tolist()) if not place or weights[n] >= least]
        return tuple((self.orbitals[n].label, float(weights[n])) for n in kept)

    @property
    def summary(self) -> str:
        """Shells by site, in a few words: "Pt s p d, with spins"."""
        shells: dict[str, list[str]] = {}
        for orbital in self.orbitals:
            shell = orbital.name.rpartition("-")[0] if orbital.l_number is None else orbital.name[0]
            shells.setdefault(orbital.site, []).append(shell)
        sites = [f"{site} {' '.join(dict.fromkeys(names))}" for site, names in shells.items()]
        return ", ".join(sites) + (", with spins" if self.has_spin else "")

    @property
    def projections(self) -> tuple[str, ...]:
        """Lines of a projections block in angstrom that make these orbitals in this order."""
        return tuple(orbital.projection for orbital in self.orbitals)

    @property
    def positions(self) -> NDArray[np.float64]:
        """(trial, 3) angstrom."""
        return np.array([orbital.position for orbital in self.orbitals]).reshape(-1, 3)

    @cached_property
    def sites(self) -> NDArray[np.int64]:
        """A number for the site of each orbital, (trial,), counted as sites first appear."""
        return _numbered(self.positions, SAME_SITE)

    @cached_property
    def shells(self) -> NDArray[np.int64]:
        """A number for site and radial part of each, (trial,): only orbitals that share it can overlap."""
        radial = [(orbital.radial, orbital.zona) for orbital in self.orbitals]
        return _numbered(np.column_stack([SAME_SITE * self.sites, np.array(radial).reshape(-1, 2)]), 1e-9)

    def to_wannier(self, matrix: ArrayLike) -> NDArray[np.complex128]:
        """A matrix between orthogonalized trial orbitals, (..., trial, trial), between Wannier functions."""
        turned: NDArray[np.complex128] = self.rotation @ np.asarray(matrix) @ self.rotation.conj().T
        return turned

    def to_trial(self, matrix: ArrayLike) -> NDArray[np.complex128]:
        """The opposite: W^dagger X W, (..., trial, trial)."""
        turned: NDArray[np.complex128] = self.rotation.conj().T @ np.asarray(matrix) @ self.rotation
        return turned

    def angular_momentum(self) -> NDArray[np.complex128]:
        """L_x, L_y, L_z (hbar) about each site between trial orbitals, (3, trial, trial)."""
        shapes = self.cartesian_coefficients
        momenta = shapes @ angular_momenta() @ shapes.T
        return np.where(self._same_shell, momenta, 0) * self._spin_overlap

    def pauli_matrices(self) -> NDArray[np.complex128]:
        """sigma_x, sigma_y, sigma_z between trial orbitals, (3, trial, trial). Raises InputError without."""
        spinors = np.array([orbital.spinor for orbital in self.orbitals])
        return self._shape_overlap * (spinors.conj() @ _PAULI @ spinors.T)

    @cached_property
    def cartesian_coefficients(self) -> NDArray[np.float64]:
        """(trial, 16) over `HARMONICS` in Cartesian axes."""
        return np.array([orbital.cartesian_coefficients for orbital in self.orbitals])

    @property
    def _same_shell(self) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = self.shells[:, None] == self.shells[None]
        return same

    @property
    def _shape_overlap(self) -> NDArray[np.float64]:
        return np.where(self._same_shell, self.cartesian_coefficients @ self.cartesian_coefficients.T, 0)

    @property
    def _spin_overlap(self) -> NDArray[np.complex128]:
        if not self.has_spin:
            return np.ones((len(self), len(self)), dtype=complex)
        spinors = np.array([orbital.spinor for orbital in self.orbitals])
        overlap: NDArray[np.complex128] = spinors.conj() @ spinors.T
        return overlap


def _singular_values(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=float)


def _numbered(rows: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """A number per row, the same for rows that agree within the tolerance."""
    close = np.abs(rows[:, None] - rows[None]).max(axis=2, initial=0.0) <= tolerance
    return np.asarray(close.argmax(axis=1), dtype=np.int64)


def exact_orbitals(
    positions: ArrayLike, sites: Sequence[str], names: Sequence[str], spinors: bool = True
) -> TrialOrbitals:
    """Trial orbitals of a model whose basis they are by its making: each name on each site.

    positions : (site, 3) angstrom; sites : a label for each; spinors : each with spin up and down in turn
    """
    spins: tuple[Spin | None, ...] = (1, -1) if spinors else (None,)
    return TrialOrbitals(
        tuple(
            TrialOrbital((x, y, z), site, name, spin=spin)
            for (x, y, z), site in zip(np.asarray(positions, dtype=float).tolist(), sites, strict=True)
            for name in names
            for spin in spins
        )
    )
