"""d+id superconductor on the honeycomb lattice: parts of its orbital magnetization against temperature."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spinscreen.kernels import BOLTZMANN
from spinscreen.materials import WannierModel, bcs_gap, bogoliubov, library
from spinscreen.workflows import compute

GAP = 0.2
CHEMICAL_POTENTIAL = 0.7


def chiral_d_wave(model: WannierModel, gap: float) -> dict[tuple[int, int, int], np.ndarray]:
    """Singlet pairing on the three bonds of each site, with phases 0, 2 pi/3, 4 pi/3."""
    singlet = np.array([[0, 1], [-1, 0]])
    delta: dict[tuple[int, int, int], np.ndarray] = {}
    for number, vector in enumerate(((0, 0, 0), (1, 0, 0), (0, 1, 0))):
        bond = np.zeros((4, 4), dtype=complex)
        # From the B site of the home cell to the A site of cell `vector`.
        bond[2:, :2] = gap * np.exp(2j * np.pi * number / 3) * singlet
        opposite = tuple(-x for x in vector)
        delta[vector] = delta.get(vector, 0) + bond
        # Fermi statistics: Delta(-R) = -Delta(R)^T.
        delta[opposite] = delta.get(opposite, 0) - bond.T
    return delta


def main(folder: Path, points: int = 80, temperatures: int = 16) -> Path:
    normal = library.load("kane_mele", spin_orbit=0.0, rashba=0.0, staggered=0.15)
    critical = GAP / (1.764 * BOLTZMANN)
    scan = np.linspace(0.05, 1.1, temperatures) * critical
    parts = []
    for temperature in scan:
        gap = bcs_gap(GAP, float(temperature))
        model = bogoliubov(normal, chiral_d_wave(normal, gap), CHEMICAL_POTENTIAL)
        found = compute(
            model, points, temperature=float(temperature), quantities=["circulation_magnetization"]
        )
        parts.append(
            found["circulation_magnetization"].sel(observable="charge", axis="z").isel(fermi_energy=0)
        )
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for part in ("moment", "dipole", "berry"):
        ax.plot(scan / critical, [float(m.sel(part=part)) for m in parts], label=part)
    ax.plot(scan / critical, [float(m.sum("part")) for m in parts], "k--", label="total")
    ax.set_xlabel("temperature / critical temperature")
    ax.set_ylabel("orbital magnetization (e eV/ħ)")
    ax.set_title(f"honeycomb d+id, gap {GAP}, chemical potential {CHEMICAL_POTENTIAL} eV", fontsize="medium")
    ax.legend()
    target = folder / "honeycomb_chiral_d_wave.png"
    figure.savefig(target, dpi=150)
    return target


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
