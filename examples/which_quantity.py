"""T4, T6 and T14 side by side: Kane-Mele against the Rashba coupling, Pt where its files are given."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinscreen.materials import library, load_model
from spinscreen.storage import in_natural_units
from spinscreen.workflows import compute

CURVES = {
    "conventional_hall_conductivity": ("T4, conventional", "-"),
    "conserved_hall_conductivity": ("T6, packets", ":"),
    "proper_hall_conductivity": ("T14, full response", "--"),
}
AT = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}


def main(folder: Path, points: int = 61, platinum: Path | None = None, kmesh: int = 24) -> Path:
    panels = 2 if platinum is None else 3
    figure = Figure(figsize=(4.2 * panels, 3.8), layout="constrained")
    axes = figure.subplots(1, panels)
    for ax, staggered in zip(axes, (0.0, 0.1), strict=False):
        _kane_mele(ax, staggered, points)
    if platinum is not None:
        _platinum(axes[2], platinum, kmesh)
    axes[0].legend()
    target = folder / "which_quantity.png"
    figure.savefig(target, dpi=150)
    return target


def _kane_mele(ax: Axes, staggered: float, points: int) -> None:
    # The gap about 0 eV stays open up to here.
    couplings = np.linspace(0.005, 0.09, 18)
    models = [library.load("kane_mele", rashba=float(c), staggered=staggered) for c in couplings]
    settings = {"degeneracy_threshold": 1e-6, "kshift": 0}
    found = [compute(m, points, 0.0, quantities=list(CURVES), **settings) for m in models]
    for name, (label, style) in CURVES.items():
        numbers = [float(in_natural_units(d[name])[0][2, 0, 1, 0]) for d in found]
        ax.plot(couplings, numbers, style, label=label)
    ax.set_xlabel("Rashba coupling (eV)")
    ax.set_ylabel(r"$\sigma^z_{xy}$ in the gap (e/2π)")
    ax.set_title(f"Kane-Mele, staggered {staggered:g} eV", fontsize="medium")


def _platinum(ax: Axes, folder: Path, kmesh: int) -> None:
    # Kramers pairs of its raw Wannier functions are split by up to 0.1 eV.
    energies = np.linspace(10, 24, 141)
    settings = {"degeneracy_threshold": 0.1, "kshift": 0}
    found = compute(load_model(folder), kmesh, energies, quantities=list(CURVES), **settings)
    for name, (label, style) in CURVES.items():
        ax.plot(energies, found[name].sel(AT), style, label=label)
    ax.set_xlabel("Fermi energy (eV)")
    ax.set_ylabel(rf"$\sigma^z_{{xy}}$ ({found[name].attrs['units']})")
    ax.set_title(f"Pt, {kmesh}³ points, sea at T = 0", fontsize="medium")


if __name__ == "__main__":
    given = [Path(path) for path in sys.argv[1:]]
    print(main(given[0] if given else Path(), platinum=given[1] if len(given) > 1 else None))
