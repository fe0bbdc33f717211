"""Where results live: the schema, the Zarr store with atomic publication, catalog, screening, figures."""

from .accessor import SpinscreenAccessor
from .catalog import build_catalog, open_catalog
from .failures import failures, forget_failure, record_failure
from .plots import in_natural_units, largest_component, plot_bands, plot_hall
from .schema import SCHEMA_VERSION, Observables, band_dataset, integral_dataset
from .screening import screen
from .store import is_published, material_group, open_store, publish, published

__all__ = [
    "SCHEMA_VERSION",
    "Observables",
    "SpinscreenAccessor",
    "band_dataset",
    "build_catalog",
    "failures",
    "forget_failure",
    "in_natural_units",
    "integral_dataset",
    "is_published",
    "largest_component",
    "material_group",
    "open_catalog",
    "open_store",
    "plot_bands",
    "plot_hall",
    "publish",
    "published",
    "record_failure",
    "screen",
]
