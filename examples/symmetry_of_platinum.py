"""Platinum as it was wannierized and averaged over its group: Kramers pairs, and T4 to T15 by threshold."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinscreen import compute, evaluate, k_path, load_model, symmetrize
from spinscreen.materials import WannierModel

CURVES = {
    "conventional_hall_conductivity": "T4, conventional",
    "conserved_hall_conductivity": "T6, packets",
    "proper_hall_conductivity": "T14, full response",
    "accumulation_coefficient": "T15, accumulation",
}
AT = {"observable": "spin_z", "current_axis": "x", "field_axis": "y"}
STYLES = {"raw": "o--", "symmetrized": "s-"}

FERMI_LEVEL = 18.3823  # eV

#: K: T15 is a Fermi-surface term, which a mesh resolves at temperatures like this.
TEMPERATURE = 1000.0


def main(source: Path, folder: Path, kmesh: int = 24, thresholds: int = 6) -> Path:
    raw = load_model(source)
    models = {"raw": raw, "symmetrized": symmetrize(raw)}
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    _bands(axes[0], models)
    _by_threshold(axes[1:5], models, kmesh, np.geomspace(1e-4, 0.1, thresholds))
    axes[5].axis("off")
    axes[5].legend(*axes[1].get_legend_handles_labels(), loc="center")
    target = folder / "symmetry.png"
    figure.savefig(target, dpi=80)
    return target


def _bands(ax: Axes, models: Mapping[str, WannierModel]) -> None:
    """The bands about the Fermi level between Gamma and X: every one of them is a Kramers pair."""
    corners = [("Γ", (0.0, 0.0, 0.0)), ("X", (0.5, 0.0, 0.5))]
    path = k_path(corners, models["raw"].lattice, 120)
    for (name, model), style in zip(models.items(), ("C0-", "C1-"), strict=True):
        energy = evaluate(model, path, symmetrize="off")["energy"].values
        lines = ax.plot(path.distance, energy - FERMI_LEVEL, style, lw=1.0 if name == "raw" else 1.6)
        lines[0].set_label(name)
    ax.set(ylim=(-1.5, 0.5), xlim=(path.distance[0], path.distance[-1]), ylabel="E - E_F (eV)")
    ax.set_xticks([position for position, _ in path.ticks], [label for _, label in path.ticks])
    ax.legend()


def _by_threshold(
    axes: np.ndarray, models: Mapping[str, WannierModel], kmesh: int, thresholds: np.ndarray
) -> None:
    for name, model in models.items():
        found = [
            compute(
                model,
                kmesh,
                FERMI_LEVEL,
                TEMPERATURE,
                threshold,
                list(CURVES),
                symmetrize="off",
                kshift=0.0,
            ).isel(fermi_energy=0)
            for threshold in thresholds
        ]
        for ax, (quantity, title) in zip(axes, CURVES.items(), strict=True):
            values = [float(dataset[quantity].sel(AT)) for dataset in found]
            ax.semilogx(thresholds, values, STYLES[name], label=name)
            ax.set(title=title, xlabel="degeneracy_threshold (eV)", ylabel=found[0][quantity].attrs["units"])


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else ".")))
