"""Kane-Mele model with Rashba coupling: where conserved and conventional spin Hall conductivity part ways."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spinscreen.materials import library
from spinscreen.storage import in_natural_units
from spinscreen.workflows import compute

NAMES = ("conventional_hall_conductivity", "conserved_hall_conductivity")


def main(folder: Path, points: int = 60) -> Path:
    # The gap about 0 eV stays open up to here.
    couplings = np.linspace(0, 0.09, 19)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for name, style in zip(NAMES, ("-", "--"), strict=True):
        values = []
        for rashba in couplings:
            model = library.load("kane_mele", rashba=float(rashba), staggered=0.1)
            dataset = compute(model, points, 0.0, degeneracy_threshold=1e-4, quantities=[name])
            numbers, unit = in_natural_units(dataset[name])
            values.append(numbers[2, 0, 1, 0])
        ax.plot(couplings, values, style, label=name.split("_")[0])
    ax.set_xlabel("Rashba coupling (eV)")
    ax.set_ylabel(rf"$\sigma^z_{{xy}}$ in the gap ({unit})")
    ax.set_title("Kane-Mele, $t$ = 1, spin-orbit 0.06, staggered 0.1 eV", fontsize="medium")
    ax.legend()
    target = folder / "kane_mele_rashba.png"
    figure.savefig(target, dpi=150)
    return target


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
