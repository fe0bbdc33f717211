"""bcc Fe: spin texture on a slice of the Fermi surface through Gamma."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spinscreen.materials import load_model
from spinscreen.workflows import evaluate

#: eV, of the Wannier90 files this example is made for.
FERMI_LEVEL = 12.6279


def main(source: Path, folder: Path, points: int = 120) -> Path:
    model = load_model(source, fermi_level=FERMI_LEVEL)
    # The plane k_z = 0 in Cartesian coordinates, 1/angstrom.
    edge = np.linspace(-2.2, 2.2, points)
    kx, ky = np.meshgrid(edge, edge, indexing="ij")
    cartesian = np.stack([kx, ky, np.zeros_like(kx)], axis=-1).reshape(-1, 3)
    dataset = evaluate(model, cartesian @ model.lattice.T / (2 * np.pi), ["energy", "texture"])
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    ax = figure.subplots()
    spin = dataset["texture"].sel(observable="spin_z").values.reshape(points, points, -1)
    energy = dataset["energy"].values.reshape(points, points, -1)
    for band in range(energy.shape[-1]):
        lines = ax.contour(kx, ky, energy[..., band], levels=[FERMI_LEVEL], colors="none")
        for path in lines.get_paths():
            for vertices in path.to_polygons(closed_only=False):
                i, j = (np.abs(edge[:, None] - vertices[:, a]).argmin(axis=0) for a in (0, 1))
                shown = ax.scatter(*vertices.T, c=spin[i, j, band], s=3, cmap="coolwarm", vmin=-0.5, vmax=0.5)
    figure.colorbar(shown, label="spin_z (ħ)")
    ax.set_xlabel(r"$k_x$ (1/Å)")
    ax.set_ylabel(r"$k_y$ (1/Å)")
    ax.set_aspect("equal")
    ax.set_title(f"{model.name}: spin on the Fermi surface, $k_z$ = 0", fontsize="medium")
    target = folder / "iron_fermi_surface.png"
    figure.savefig(target, dpi=150)
    return target


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else ".")))
