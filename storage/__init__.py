"""Where results live: the schema of every dataset, the Zarr store with atomic publication, and figures."""

from .plots import in_natural_units, largest_component, plot_bands, plot_hall
from .schema import SCHEMA_VERSION, Observables, band_dataset, integral_dataset
from .store import is_published, material_group, open_store, publish, published

__all__ = [
    "SCHEMA_VERSION",
    "Observables",
    "band_dataset",
    "in_natural_units",
    "integral_dataset",
    "is_published",
    "largest_component",
    "material_group",
    "open_store",
    "plot_bands",
    "plot_hall",
    "publish",
    "published",
]
