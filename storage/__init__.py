"""Where results live: the schema, the Zarr store with atomic publication, catalog, screening, figures."""

from .accessor import SpinscreenAccessor
from .band_stream import BandStream
from .campaign_records import campaigns, record_campaign
from .catalog import build_catalog, open_catalog, read_rows
from .checkpoints import Checkpoints
from .failures import failures, forget_absent, forget_failure, record_failure
from .files import StoreError, group_name
from .migration import Migration, migrate
from .plots import check_hall, in_natural_units, largest_component, plot_bands, plot_hall
from .rows import CatalogRow
from .schema import SCHEMA_VERSION, Observables, band_dataset, integral_dataset
from .screening import screen
from .store import (
    Store,
    is_published,
    material_file,
    material_group,
    missing_of,
    publish,
    published,
    published_stamps,
    read_material,
    read_row,
)
from .targets import TABLES, check_figure, checked_store, save_figure
from .tree import open_store
from .verification import Damage, verify

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "BandStream",
    "CatalogRow",
    "Checkpoints",
    "Damage",
    "Migration",
    "Observables",
    "SpinscreenAccessor",
    "Store",
    "StoreError",
    "band_dataset",
    "build_catalog",
    "campaigns",
    "check_figure",
    "check_hall",
    "checked_store",
    "failures",
    "forget_absent",
    "forget_failure",
    "group_name",
    "in_natural_units",
    "integral_dataset",
    "is_published",
    "largest_component",
    "material_file",
    "material_group",
    "migrate",
    "missing_of",
    "open_catalog",
    "open_store",
    "plot_bands",
    "plot_hall",
    "publish",
    "published",
    "published_stamps",
    "read_material",
    "read_row",
    "read_rows",
    "record_campaign",
    "record_failure",
    "save_figure",
    "screen",
    "verify",
]
