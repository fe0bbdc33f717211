"""Write a model as Wannier90 files: a bridge to the peers, and the readers' own round trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..model import WannierModel


def write_wannier90(model: WannierModel, folder: str | Path, seedname: str | None = None) -> Path:
    """Write _hr.dat, _tb.dat, _centres.xyz and .win; returns the seedname's path.

    H and A are written at Wannier90's precision (8 digits in _tb.dat, 6 decimals in _hr.dat). Observables are
    not: Wannier90 has no file for them; spins come back from the order of the spinors. Trial orbitals that
    the Wannier functions themselves are become projections.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    stem = target / (seedname or model.name)
    _file(stem, "_hr.dat").write_text(_hr_text(model))
    _file(stem, "_tb.dat").write_text(_tb_text(model))
    _file(stem, "_centres.xyz").write_text(_centres_text(model))
    _file(stem, ".win").write_text(_win_text(model))
    return stem


def _file(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _rows(values: NDArray, form: str) -> str:
    return "\n".join("".join(form.format(v) for v in row) for row in values)


def _degeneracies(count: int) -> str:
    ones = [1] * count
    return "\n".join("".join(f"{n:5d}" for n in ones[i : i + 15]) for i in range(0, count, 15))


def _hr_text(model: WannierModel) -> str:
    lines = [" written by spinscreen", f"{model.size:12d}", f"{len(model.translations):12d}"]
    lines.append(_degeneracies(len(model.translations)))
    for vector, matrix in zip(model.translations, model.hamiltonian, strict=True):
        label = "".join(f"{n:5d}" for n in vector)
        for j in range(model.size):
            for i in range(model.size):
                h = matrix[i, j]
                lines.append(f"{label}{i + 1:5d}{j + 1:5d}{h.real:12.6f}{h.imag:12.6f}")
    return "\n".join(lines) + "\n"


def _tb_text(model: WannierModel) -> str:
    lines = [" written by spinscreen", _rows(model.lattice, "{:24.16f}")]
    lines += [f"{model.size:12d}", f"{len(model.translations):12d}"]
    lines.append(_degeneracies(len(model.translations)))
    for matrices in (model.hamiltonian[:, None], model.position):
        for vector, components in zip(model.translations, matrices, strict=True):
            lines.append("\n" + "".join(f"{n:5d}" for n in vector))
            for j in range(model.size):
                for i in range(model.size):
                    numbers = "".join(f"{x.real:16.8E}{x.imag:16.8E}" for x in components[:, i, j])
                    lines.append(f"{i + 1:5d}{j + 1:5d}{numbers}")
    return "\n".join(lines) + "\n"


def _centres_text(model: WannierModel) -> str:
    entries = [("X", tuple(centre)) for centre in model.centres.tolist()]
    entries += [(atom.symbol, atom.position) for atom in model.atoms]
    lines = [f"{len(entries):6d}", " Wannier centres, written by spinscreen"]
    lines += [f"{label:6s}" + "".join(f"{x:16.10f}" for x in place) for label, place in entries]
    return "\n".join(lines) + "\n"


def _win_text(model: WannierModel) -> str:
    spinors = "true" if "spin_z" in model.observables else "false"
    mesh = [3 if repeats else 1 for repeats in model.periodic]
    lines = [f"num_wann = {model.size}", f"spinors = .{spinors}.", f"mp_grid = {mesh[0]} {mesh[1]} {mesh[2]}"]
    if model.fermi_level is not None:
        lines.append(f"fermi_energy = {model.fermi_level:.10f}")
    lines += ["begin unit_cell_cart", "ang", _rows(model.lattice, "{:20.12f}"), "end unit_cell_cart"]
    if model.atoms:
        inverse = np.linalg.inv(model.lattice)
        lines.append("begin atoms_frac")
        for atom in model.atoms:
            lines.append(f"{atom.symbol} {_rows([np.array(atom.position) @ inverse], '{:18.12f}')}")  # type: ignore[arg-type]
        lines.append("end atoms_frac")
    if model.trial_orbitals is not None and model.trial_orbitals.overlap is None:
        # Of functions that were left as they were projected, whoever reads it knows the same.
        projections = model.trial_orbitals.projections
        lines += ["num_iter = 0", "begin projections", "ang", *projections, "end projections"]
    return "\n".join(lines) + "\n"
