"""The setting `symmetrize`: what a model becomes before anything is computed of it."""

from __future__ import annotations

from typing import Literal

from spinscreen.kernels import InputError

from ..model import WannierModel
from .average import AUTOMATIC_LIMIT, AUTOMATIC_POSITION, symmetrized_unless_obeyed

Symmetrize = Literal["auto", "on", "off"]


def with_symmetry(model: WannierModel, wish: Symmetrize) -> WannierModel:
    """The model as it is computed: symmetrized, or with a note of why not.

    wish : "on", "off", or "auto": what was read from files, where trial orbitals are known and no element of
        H changes by more than `AUTOMATIC_LIMIT`, none of the positions by more than `AUTOMATIC_POSITION`.
        A model that obeys its group already stays what it is.
    Raises InputError where it is "on" and cannot be.
    """
    # What a model that was built by hand breaks it means to break; of pairs symmetry knows nothing yet.
    if wish == "on" and model.is_bogoliubov:
        raise InputError(
            f"symmetrize: model {model.name!r} is a superconductor, expected a normal model, which is "
            "symmetrized before it is paired; symmetrize that, or give pairing with it."
        )
    if wish == "off" or model.is_bogoliubov or (wish == "auto" and not model.provenance.files):
        return model
    try:
        averaged = symmetrized_unless_obeyed(model)
    except InputError as problem:
        if wish == "on":
            raise
        return model.noted(f"not symmetrized: {str(problem).removeprefix('symmetrize: ')}")
    if averaged is None or averaged[1].is_rounding:
        return model
    symmetric, found = averaged
    if wish == "auto" and not found.is_automatic:
        return model.noted(
            f"not symmetrized: H differs from its average over {found.order} operations of {found.name} by "
            f"{found.hamiltonian:.2g} eV and {found.position:.2g} angstrom, expected at most "
            f"{AUTOMATIC_LIMIT} eV and {AUTOMATIC_POSITION} angstrom; wannierize with less "
            "minimization or a denser mesh, or symmetrize nevertheless with symmetrize = on"
        )
    return symmetric
