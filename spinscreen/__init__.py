"""Conserved currents of nonconserved quantities, from Wannier models.

The door to the rooms `kernels`, `materials`, `storage` and `workflows`: their main names, imported when first
used.

>>> import spinscreen
>>> model = spinscreen.library.load("kane_mele")
>>> result = spinscreen.compute(model, 12)
>>> result["conserved_hall_conductivity"].attrs["theory"]
'T6'
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pkgutil import extend_path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from . import kernels, materials, storage, workflows
    from .kernels import InputError, KPath, SpinscreenError, k_path
    from .materials import (
        Observable,
        Source,
        WannierModel,
        bogoliubov,
        find_materials,
        library,
        load_model,
        symmetrize,
        with_atoms,
        with_layer,
        with_orbital_momentum,
        write_wannier90,
    )
    from .storage import Component, Store, StoreError, failures, open_catalog, open_store, screen, verify
    from .workflows import Calculation, Campaign, compute, evaluate, run_campaign, screen_one

__all__ = [
    "Calculation",
    "Campaign",
    "Component",
    "InputError",
    "KPath",
    "Observable",
    "Source",
    "SpinscreenError",
    "Store",
    "StoreError",
    "WannierModel",
    "bogoliubov",
    "compute",
    "evaluate",
    "failures",
    "find_materials",
    "k_path",
    "kernels",
    "library",
    "load_model",
    "materials",
    "open_catalog",
    "open_store",
    "run_campaign",
    "screen",
    "screen_one",
    "storage",
    "symmetrize",
    "verify",
    "with_atoms",
    "with_layer",
    "with_orbital_momentum",
    "workflows",
    "write_wannier90",
]

# In a copy of the repository this folder hides the installed package, whose rooms are still found.
__path__ = extend_path(__path__, __name__)

_attribute, __dir__, _ = lazy_loader.attach(
    __name__,
    submodules=["kernels", "materials", "storage", "workflows"],
    submod_attrs={
        "kernels": ["InputError", "KPath", "SpinscreenError", "k_path"],
        "materials": [
            "Observable",
            "Source",
            "WannierModel",
            "bogoliubov",
            "find_materials",
            "library",
            "load_model",
            "symmetrize",
            "with_atoms",
            "with_layer",
            "with_orbital_momentum",
            "write_wannier90",
        ],
        "storage": [
            "Component",
            "Store",
            "StoreError",
            "failures",
            "open_catalog",
            "open_store",
            "screen",
            "verify",
        ],
        "workflows": ["Calculation", "Campaign", "compute", "evaluate", "run_campaign", "screen_one"],
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("spinscreen")
    return _attribute(name)


class _Registration:
    """Gives datasets that plain xarray opens their `dataset.spinscreen`, once xarray is imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "xarray" or self not in sys.meta_path:
            return None
        # Out of the way while the others are asked. It comes back: who asks for a spec may not import it.
        sys.meta_path.remove(self)
        try:
            spec = find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                import_module(f"{__name__}.storage.analysis.registration")

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if "xarray" in sys.modules:
    import_module(f"{__name__}.storage.analysis.registration")
else:
    # Not imported here: it would take longer than a command line takes to answer.
    sys.meta_path.insert(0, _Registration())
