"""Built-in models with parameters from the literature: `names()`, `load(name, ...)`, `reference(name)`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial

from spinscreen.kernels import InputError

from ..elements import reduced_formula
from ..model import WannierModel
from .dichalcogenides import PARAMETERS, dichalcogenide
from .honeycomb import GROUP_IV, group_iv_monolayer, haldane, kane_mele
from .square import bhz_quantum_well, lattice_dirac, rashba_ferromagnet

_BUILDERS: Mapping[str, Callable[..., WannierModel]] = {
    "haldane": haldane,
    "kane_mele": kane_mele,
    **{name: partial(group_iv_monolayer, name) for name in GROUP_IV},
    "lattice_dirac": lattice_dirac,
    "rashba_ferromagnet": rashba_ferromagnet,
    "bhz_hgte": bhz_quantum_well,
    **{name: partial(dichalcogenide, name) for name in PARAMETERS},
}

_ELEMENTS = {"graphene": "C", "silicene": "Si", "germanene": "Ge", "stanene": "Sn"}


def names() -> tuple[str, ...]:
    """Names that `load` knows."""
    return tuple(_BUILDERS)


def load(name: str, **parameters: float) -> WannierModel:
    """A built-in model; parameters replace the published ones.

    Raises InputError for an unknown name or parameter.

    >>> from spinscreen.materials import library
    >>> library.load("haldane", phi=0.3).name
    'haldane'
    """
    builder = _find(name)
    known = _parameters(builder)
    for parameter in parameters:
        if parameter not in known:
            raise InputError(
                f"library: {name} has no parameter {parameter!r}, expected one of "
                f"{', '.join(known) or 'none'}."
            )
    return builder(**parameters)


def parameters(name: str) -> tuple[str, ...]:
    """Names of the parameters of a built-in model. Raises InputError for an unknown model."""
    return _parameters(_find(name))


def reference(name: str) -> str:
    """Where model and parameters come from, and the parameters that can be set."""
    builder = _find(name)
    function = builder.func if isinstance(builder, partial) else builder
    return inspect.getdoc(function) or ""


def formula(name: str) -> str | None:
    """Reduced formula of the material that a built-in model describes, None for a model of no material."""
    if name in PARAMETERS:
        # MX2
        metal, chalcogen = re.findall("[A-Z][a-z]?", name)
        return reduced_formula([metal, chalcogen, chalcogen])
    return _ELEMENTS.get(name)


def _find(name: str) -> Callable[..., WannierModel]:
    if name not in _BUILDERS:
        near = get_close_matches(name, _BUILDERS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_BUILDERS)}."
        raise InputError(f"library: {name!r} is not a built-in model; {hint}")
    return _BUILDERS[name]


def _parameters(builder: Callable[..., WannierModel]) -> tuple[str, ...]:
    return tuple(
        name
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )
