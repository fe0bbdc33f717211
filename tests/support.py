"""What several tests build: random models, random gauges, models whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinscreen.kernels import (
    BAND_QUANTITIES,
    CONDUCTANCE,
    BandQuantity,
    BlochBands,
    BlochOperators,
    Resolution,
    band_quantities,
    band_values,
)
from spinscreen.materials import WannierModel
from spinscreen.materials.model import hermitian_part, opposite_rows

ALL_BAND_QUANTITIES = tuple(quantity.name for quantity in BAND_QUANTITIES)

#: A 2D Hall conductivity times this is 2 pi int_k f Omega.
IN_QUANTA = 2 * np.pi / CONDUCTANCE


def random_hermitian(rng: np.random.Generator, *shape: int) -> np.ndarray:
    matrix = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return (matrix + matrix.conj().swapaxes(-1, -2)) / 2


def random_unitary(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def random_model(
    seed: int, size: int = 4, radius: int = 1, onsite: bool = False, periodic: tuple = (True, True, True)
) -> WannierModel:
    """A triclinic model with H, A and three observables on all R up to `radius`, or the last on site."""
    rng = np.random.default_rng(seed)
    reach = [np.arange(-radius, radius + 1) if repeats else np.zeros(1, int) for repeats in periodic]
    vectors = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
    opposite = opposite_rows(vectors)
    decay = np.exp(-np.linalg.norm(vectors, axis=1))

    def operator(components: int) -> np.ndarray:
        shape = (len(vectors), components, size, size)
        matrices = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * decay[:, None, None, None]
        return hermitian_part(matrices, opposite)[0]

    hamiltonian, position, spin = operator(1)[:, 0], operator(3), operator(3)
    home = int(np.flatnonzero(~vectors.any(axis=1))[0])
    observables = {
        name: (spin[home, s] if onsite else spin[:, s])
        for s, name in enumerate(("spin_x", "spin_y", "spin_z"))
    }
    return WannierModel(
        f"random-{seed}",
        np.array([[2.0, 0.3, 0.1], [-0.4, 2.5, 0.2], [0.3, 0.1, 3.1]]),
        vectors,
        hamiltonian,
        0.3 * position,
        observables=observables,
        periodic=periodic,
        fermi_level=0.0,
    )


def rotated_model(model: WannierModel, unitary: np.ndarray) -> WannierModel:
    """The same physics in another Wannier gauge: H -> W^dagger H W, A and Theta alike."""

    def rotate(matrices: np.ndarray) -> np.ndarray:
        return unitary.conj().T @ matrices @ unitary

    return replace(
        model,
        hamiltonian=rotate(model.hamiltonian),
        position=rotate(model.position),
        observables={name: rotate(matrix) for name, matrix in model.observables.items()},
    )


def supercell(model: WannierModel, axis: int) -> WannierModel:
    """Two cells along an axis as one: the same crystal, every band folded once."""
    size = model.size

    def place(matrices: np.ndarray, shifts: bool) -> dict[tuple[int, ...], np.ndarray]:
        found: dict[tuple[int, ...], np.ndarray] = {}
        for vector, matrix in zip(model.translations.tolist(), matrices, strict=True):
            for here in range(2):
                along, there = divmod(vector[axis] + here, 2)
                target = tuple(along if i == axis else x for i, x in enumerate(vector))
                block = found.setdefault(target, np.zeros((*matrix.shape[:-2], 2 * size, 2 * size), complex))
                own = matrix
                if shifts and not any(vector):
                    own = matrix + (here * model.lattice[axis])[:, None, None] * np.eye(size)
                i, j = here * size, there * size
                block[..., i : i + size, j : j + size] += own
        return found

    rows = place(model.hamiltonian, False)
    positions = place(model.position, True)
    translations = np.array(sorted(rows))
    lattice = model.lattice.copy()
    lattice[axis] *= 2
    return replace(
        model,
        lattice=lattice,
        translations=translations,
        hamiltonian=np.stack([rows[tuple(v)] for v in translations.tolist()]),
        position=np.stack([positions[tuple(v)] for v in translations.tolist()]),
        observables={name: np.kron(np.eye(2), matrix) for name, matrix in model.observables.items()},
    )


def values(
    model: WannierModel,
    kpoints: np.ndarray,
    threshold: float = 1e-6,
    broadening: float = 0.0,
    names=ALL_BAND_QUANTITIES,
) -> dict[str, np.ndarray]:
    return band_values(
        model.operators, kpoints, Resolution(threshold, broadening), band_quantities(names), 64
    )


def random_bloch(rng: np.random.Generator, size: int, observables: int = 3, curl: bool = True) -> np.ndarray:
    """Stacked operators of one k point, (1, size, operator, size), all Hermitian."""
    count = 6 + observables + (3 if curl else 0)
    return np.moveaxis(random_hermitian(rng, count, size, size), 0, 1)[None]


def degenerate_bands(
    rng: np.random.Generator, pattern: list[int], threshold: float = 1e-6, broadening: float = 0.0
) -> tuple[BlochBands, np.ndarray]:
    """Bands at one k with exact multiplets of the sizes in `pattern`, and their multiplet labels."""
    label = np.repeat(np.arange(len(pattern)), pattern)
    size = len(label)
    energy = np.cumsum(0.3 + rng.random(len(pattern)))[label][None]
    states = random_unitary(rng, size)[None]
    stacked = random_bloch(rng, size)
    hamiltonian = states @ (energy[..., None] * states.conj().swapaxes(1, 2))
    operators = BlochOperators(hamiltonian, stacked, 3)
    return BlochBands(energy, states, operators, Resolution(threshold, broadening)), label


def kernel_of(name: str) -> BandQuantity:
    return band_quantities([name])[0]
