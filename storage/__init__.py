"""Where results live: the schema, the Zarr store with atomic publication, catalog, screening, figures."""

from .accessor import SpinscreenAccessor
from .band_stream import BandStream
from .campaign_records import campaigns, record_campaign
from .catalog import build_catalog, open_catalog
from .checkpoints import Checkpoints
from .failures import failures, forget_failure, record_failure
from .plots import check_hall, in_natural_units, largest_component, plot_bands, plot_hall
from .rows import CatalogRow, read_row
from .schema import SCHEMA_VERSION, Observables, band_dataset, integral_dataset
from .screening import screen
from .store import StoreError, is_published, material_group, open_store, publish, published, published_stamps
from .targets import TABLES, check_figure, checked_store, save_figure

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "BandStream",
    "CatalogRow",
    "Checkpoints",
    "Observables",
    "SpinscreenAccessor",
    "StoreError",
    "band_dataset",
    "build_catalog",
    "campaigns",
    "check_figure",
    "check_hall",
    "checked_store",
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
    "published_stamps",
    "read_row",
    "record_campaign",
    "record_failure",
    "save_figure",
    "screen",
]
