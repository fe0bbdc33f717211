"""What a command reads: a model from files or from the library, and the options that say how."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from spinscreen.kernels import InputError
from spinscreen.materials import (
    LibrarySource,
    MaterialSource,
    SpinOrderingWarning,
    TrialOrbitalWarning,
    WannierModel,
    library,
    library_scan,
    load_model,
)

Source = Annotated[
    str,
    typer.Argument(
        help="Folder, seedname, file or archive of a Wannier90 calculation, a saved model (.hdf5), or the "
        "name of a built-in model (see `spinscreen library`).",
    ),
]
SpinOrdering = Annotated[
    str | None,
    typer.Option(
        help="Order of the spinors where there is no .chk + .spn: interlaced (up, down, up, down ...), block "
        "(all up, then all down) or none. Found by a test if not given.",
    ),
]
Lattice = Annotated[
    str | None,
    typer.Option(
        help="Unit cell where no file has it: nine numbers in angstrom, 'a1x a1y a1z a2x ...', or a file "
        "that has one (.win, .wout, POSCAR, .cif, wt.in)."
    ),
]
SpinDegeneracy = Annotated[
    int | None,
    typer.Option(min=1, max=2, help="Electrons in each band, 1 or 2: 1 for one spin channel alone."),
]
Coupling = Annotated[
    str | None,
    typer.Option(
        "--soc",
        help="Spin-orbit coupling lambda L.S in eV added to a model without: 'Fe:d=0.05,Te:p=0.5', by "
        "element or label and shell.",
    ),
]
Settings = dict[str, Any]  # in its place, the options of a calculation
Yes = Annotated[bool, typer.Option("--yes", help="Go on without a question, however long it will take.")]


def read_source(
    source: str,
    spin_ordering: str | None = None,
    lattice: str | None = None,
    soc: str | None = None,
    spin_degeneracy: int | None = None,
) -> tuple[MaterialSource | LibrarySource, WannierModel]:
    """A model from files or, where no file has that name, from the library, and where it was found.

    Raises InputError.
    """
    if source.startswith("library:") and not Path(source).exists():
        if soc is not None:
            raise InputError(f"--soc: {source} is built in; expected ...?soc= behind its name, or files.")
        if (count := len(library_scan(source))) > 1:
            raise InputError(f"{source}: is {count} materials, expected one; `spinscreen submit` takes all.")
        (scanned,) = library_scan(source)
        return scanned, scanned.load()
    if source in library.names() and not Path(source).exists():
        if soc is not None:
            raise InputError(f"--soc: {source} is built in, with the coupling that it has; expected files.")
        return MaterialSource(source), library.load(source)
    given = {
        "spin_ordering": spin_ordering,
        "lattice": lattice,
        "soc": soc,
        "spin_degeneracy": spin_degeneracy,
    }
    options = {name: value for name, value in given.items() if value is not None}
    with warnings.catch_warnings():
        # The tables print the assumption with its measured violations.
        warnings.simplefilter("ignore", SpinOrderingWarning)
        warnings.simplefilter("ignore", TrialOrbitalWarning)
        model = load_model(source, **options)
    return MaterialSource(model.name, source, options), model
