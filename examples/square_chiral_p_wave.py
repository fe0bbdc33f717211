"""p+ip superconductor on the square lattice: gap, Chern number, thermal Hall effect, magnetization."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import constants

from spinscreen.materials import WannierModel, bogoliubov, superconducting_state
from spinscreen.workflows import compute

GAP = 0.5
TEMPERATURE = 20.0


def one_orbital() -> WannierModel:
    """Eps = -2 (cos kx + cos ky) eV, spinless."""
    hop = -np.eye(1)
    return WannierModel.from_hoppings(
        "square",
        np.diag([1.0, 1.0, 20.0]),
        {(0, 0, 0): np.zeros((1, 1)), (1, 0, 0): hop, (0, 1, 0): hop},
        np.zeros((1, 3)),
        periodic=(True, True, False),
        fermi_level=0.0,
    )


def main(folder: Path, points: int = 60, levels: int = 25) -> Path:
    normal = one_orbital()
    # The gap closes at -4, 0 and 4 eV: none of these is hit.
    scan = np.linspace(-6, 6, levels) + 0.25
    quantum = np.pi**2 * constants.k**2 * TEMPERATURE / (3 * constants.h)
    gaps, cherns, heat, magnetization = [], [], [], []
    for level in scan:
        model = bogoliubov(normal, "p+ip", float(level), GAP)
        state = superconducting_state(model, 16)
        names = ["thermal_hall_conductivity", "circulation_magnetization"]
        found = compute(model, points, temperature=TEMPERATURE, quantities=names).isel(fermi_energy=0)
        gaps.append(state.gap)
        cherns.append(np.nan if state.chern_number is None else state.chern_number)
        heat.append(float(found["thermal_hall_conductivity"][0, 1]) / quantum)
        charge = found["circulation_magnetization"].sel(observable="charge", axis="z")
        magnetization.append(float(charge.sum("part")))
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True)
    top.plot(scan, gaps)
    top.set_ylabel("gap (eV)")
    middle.step(scan, cherns, where="mid", label="Chern number")
    middle.plot(scan, heat, "o", label=r"$\kappa_{xy}\,/\,(\pi^2k_B^2T/3h)$", markersize=3)
    middle.set_ylabel("topology (1)")
    middle.legend()
    bottom.plot(scan, magnetization)
    bottom.set_ylabel("magnetization (e eV/ħ)")
    bottom.set_xlabel("chemical potential (eV)")
    top.set_title(f"square lattice, p+ip, gap {GAP} eV", fontsize="medium")
    target = folder / "square_chiral_p_wave.png"
    figure.savefig(target, dpi=150)
    return target


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
