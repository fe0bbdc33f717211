from .building import Run, build_catalog, update_catalog
from .building import _build as _build
from .dimensions import of_dimension
from .reading import open_catalog, scalar_columns
from .screening import errors_of, screen, select
from .shown_units import ShownUnit, shown_units

__all__ = [
    "Run",
    "ShownUnit",
    "build_catalog",
    "errors_of",
    "of_dimension",
    "open_catalog",
    "scalar_columns",
    "screen",
    "select",
    "shown_units",
    "update_catalog",
]
