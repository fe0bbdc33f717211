"""A model in a few lines, for terminals and notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wannier_model import WannierModel

_POSITIONS = {"matrix": "matrix", "centres": "Wannier centres only", "none": "unknown, all at the origin"}
_SPINS = {
    "ab_initio": "ab initio",
    "tested": "spinor order found by test",
    "given": "as given",
    "none": "none",
}


def summary(model: WannierModel) -> dict[str, str]:
    """What a model is: a word or two -> its value, as text on one line each."""
    axes = [f"a{number}" for number, repeats in enumerate(model.periodic, start=1) if repeats]
    unit = {1: "angstrom", 2: "angstrom^2", 3: "angstrom^3"}[model.dimension]
    shown = [
        name if observable.unit == "1" else f"{name} ({observable.unit})"
        for name, observable in model.observable_facts.items()
    ]
    rows = {
        "Wannier functions": str(model.size),
        "R vectors": str(len(model.translations))
        + ("" if model.provenance.minimal_images else " as they stand in the file"),
        "periodic along": f"{', '.join(axes)} ({model.dimension}D)",
        "cell": f"{model.cell_measure:.4f} {unit}",
        "atoms": _few([atom.symbol for atom in model.atoms]) or "unknown",
        "Fermi level": "unknown" if model.fermi_level is None else f"{model.fermi_level:.4f} eV",
        "position": _POSITIONS[model.provenance.position_source],
        "spin": _SPINS[model.provenance.spin_source],
        "observables": _few(shown) or "none",
        "trial orbitals": "unknown" if model.trial_orbitals is None else model.trial_orbitals.summary,
    }
    if model.spin_degeneracy == 2:
        rows["spin"] += ", two electrons in each band"
    return rows | ({"superconductor": "electrons and holes side by side"} if model.is_bogoliubov else {})


def _few(words: list[str], most: int = 12) -> str:
    return " ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def described(model: WannierModel) -> dict[str, str]:
    """The same with what was assumed, as `spinscreen info` prints it: notes beside what they are about."""
    rows = summary(model)
    for name, size in model.provenance.removed.items():
        rows[f"made Hermitian: {name}"] = f"up to {size:.2g} removed"
    if model.trial_orbitals is None and model.provenance.without_trial_orbitals:
        rows["trial orbitals"] += f": {model.provenance.without_trial_orbitals}"
    for note in model.provenance.notes:
        label, _, text = note.partition(": ")
        label, text = (label, text) if text else ("note", note)
        known = rows.get(label, "")
        # A note of the source says more than the word for it; one of a level begins with the number.
        replaces = not known or label in ("spin", "position") or text.startswith(known)
        rows[label] = text if replaces else f"{known}; {text}"
    return rows


def as_text(model: WannierModel) -> str:
    """The repr of a model."""
    lines = (f"  {label}: {value}" for label, value in described(model).items())
    return "\n".join((f"WannierModel {model.name!r}", *lines))


def as_html(model: WannierModel) -> str:
    """The same as a table."""
    left = 'style="text-align:left"'
    cells = "".join(
        f"<tr><th {left}>{escape(label)}</th><td {left}>{escape(value)}</td></tr>"
        for label, value in described(model).items()
    )
    return f"<table><caption>WannierModel <b>{escape(model.name)}</b></caption>{cells}</table>"
