"""What the command line prints of models and quantities: tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from spinscreen.kernels import QUANTITIES, InputError, Integral
from spinscreen.materials import TrialOrbitals, WannierModel, superconducting_state, symmetry_deviation
from spinscreen.materials.model.presentation import described
from spinscreen.materials.spin import check_orderings
from spinscreen.materials.symmetry import group_name

from .terminal import in_own_words, one_line

#: Rows of a table of Wannier functions.
MOST_FUNCTIONS = 120


def model_table(model: WannierModel) -> Table:
    """What was read, what was assumed, and how well each spinor order fits."""
    table = Table(title=one_line(model.name), show_header=False, title_justify="left")
    rows = {label: in_own_words(text) for label, text in described(model).items()}
    if model.size % 2 == 0:
        for test in check_orderings(model.hamiltonian, model.centres):
            label, _, text = str(test).partition(": ")
            rows[f"spinors {label}?"] = text
    for path, digest in model.provenance.files:
        rows[path.rsplit("/", 1)[-1]] = f"sha256 {digest[:16]}..."
    for label, text in rows.items():
        table.add_row(one_line(label), one_line(text))
    return table


def trial_orbitals_table(trial: TrialOrbitals) -> Table:
    """What each Wannier function is made of: the leading trial orbitals, with their weights."""
    table = Table(title="Trial orbitals, |<w|g>|^2", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("leading trial orbitals")
    for number in range(min(len(trial), MOST_FUNCTIONS)):
        shares = ", ".join(f"{label} {weight:.2f}" for label, weight in trial.leading(number))
        table.add_row(str(number + 1), one_line(shares))
    if len(trial) > MOST_FUNCTIONS:
        table.add_row("", f"and {len(trial) - MOST_FUNCTIONS} more: model.trial_orbitals.leading(...)")
    return table


def symmetry_table(model: WannierModel) -> Table:
    """The group that a model obeys, and how far it is from its average over that of its crystal."""
    table = Table(title="symmetry", show_header=False, title_justify="left")
    obeyed = model.symmetry_group
    name = group_name(obeyed, model.lattice)
    table.add_row("obeyed to rounding", one_line(f"{name}, {obeyed.order} operations"))
    try:
        found = symmetry_deviation(model)
    except InputError as problem:
        table.add_row("group of the crystal", one_line(str(problem).removeprefix("symmetrize: ")))
        return table
    rows = {
        "group of the crystal": f"{found.name}, {found.order} of {found.candidates} operations",
        "H differs by": f"{found.hamiltonian:.2g} eV, rms {found.hamiltonian_rms:.2g} eV",
        "positions differ by": f"{found.position:.2g} angstrom, rms {found.position_rms:.2g}",
        "observables differ by": f"{found.observables:.2g}, rms {found.observables_rms:.2g}",
        "levels it makes one": f"split by {found.splitting:.2g} eV (median), at most "
        f"{found.largest_splitting:.2g} eV",
        "bands on the path": f"move by up to {found.band:.2g} eV when it is averaged away",
        "what to do": found.advice,
    }
    for label, text in rows.items():
        table.add_row(label, one_line(text))
    return table


def superconductor_table(model: WannierModel, gap: float) -> Table:
    """Gap, nodes and Chern number of a superconductor; on a coarse mesh for a real material."""
    state = superconducting_state(model, 24 if model.dimension < 3 else 12)
    table = Table(title=one_line(model.name), show_header=False, title_justify="left")
    table.add_row("pairing amplitude", f"{gap:.6g} eV at this temperature")
    table.add_row("smallest excitation", f"{state.gap:.6g} eV")
    nodes = [" ".join(f"{x:.4f}" for x in node) for node in state.nodes[:6]]
    table.add_row("nodes found (reduced k)", "; ".join(nodes) or "none")
    if state.chern_number is not None:
        table.add_row("Bogoliubov Chern number", str(state.chern_number))
    return table


#: Columns of the reference of quantities.
_REFERENCE = ("name", "what", "theory", "dims", "unit (3D)", "unit (2D)")


def _reference_rows() -> Iterator[tuple[str, ...]]:
    for quantity in QUANTITIES.values():
        if isinstance(quantity, Integral):
            dims, units = (*quantity.dims, "fermi_energy"), quantity.unit.in_dimension
        else:
            dims, units = ("k", *quantity.dims, "band"), {3: quantity.units, 2: quantity.units}
        yield quantity.name, quantity.long_name, quantity.theory, ", ".join(dims), units[3], units[2]


def quantities_table() -> Table:
    """The registry."""
    table = Table(title="quantities", title_justify="left")
    for column in _REFERENCE:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in _reference_rows():
        table.add_row(*row)
    return table


def quantities_markdown() -> str:
    """The registry as the page docs/quantities.md."""
    lines = [
        "# Quantities",
        "",
        "Made from the registry by `spinscreen quantities --markdown > docs/quantities.md`.",
        "`{theta}` is the unit of the observable (hbar for spin). Names with a dim `k` go to `evaluate`,",
        "names with `fermi_energy` to `compute`. Formulas and signs: [physics](physics.md).",
        "",
        "| " + " | ".join(_REFERENCE) + " |",
        "|" + "---|" * len(_REFERENCE),
    ]
    lines += ["| `" + row[0] + "` | " + " | ".join(row[1:]) + " |" for row in _reference_rows()]
    return "\n".join(lines)
