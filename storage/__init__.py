"""Where results live: the schema, the Zarr store with atomic publication, catalog, screening, figures."""

from .analysis import (
    SpinscreenAccessor,
    check_hall,
    chosen_quantities,
    draw_bands,
    draw_curve,
    draw_fermi_surface,
    draw_map,
    draw_scatter,
    figure_of,
    in_natural_units,
    largest_component,
    plot_bands,
    plot_hall,
    unit_registry,
    write_bxsf,
    write_frmsf,
)
from .band_stream import BandStream
from .catalog import ShownUnit, errors_of, open_catalog, screen, shown_units
from .component import Component
from .exports import EXPORTS, RECORD_VERSION, Export, MaterialRecord, export_results, material_record
from .fermi_level import at_level, place_of_level
from .files import StoreError, group_name
from .functions import (
    build_catalog,
    campaigns,
    failures,
    forget_absent,
    forget_failure,
    is_published,
    material_file,
    material_group,
    migrate,
    missing_of,
    publish,
    published,
    published_stamps,
    read_material,
    read_row,
    read_rows,
    record_campaign,
    record_failure,
    update_catalog,
    verify,
)
from .kept_sums import KeptSums
from .merging import Merge
from .migration import Migration
from .observables import Observables
from .page import PageServer, Report, write_report
from .results import CatalogRow
from .schema import SCHEMA_VERSION, band_dataset, error_name, integral_dataset, is_error
from .store import Store
from .targets import TABLES, check_figure, check_file, checked_store, save_figure
from .tree import open_store
from .verification import Damage

#: For one version: how `KeptSums` was called before.
Checkpoints = KeptSums

__all__ = [
    "EXPORTS",
    "RECORD_VERSION",
    "SCHEMA_VERSION",
    "TABLES",
    "BandStream",
    "CatalogRow",
    "Checkpoints",
    "Component",
    "Damage",
    "Export",
    "KeptSums",
    "MaterialRecord",
    "Merge",
    "Migration",
    "Observables",
    "PageServer",
    "Report",
    "ShownUnit",
    "SpinscreenAccessor",
    "Store",
    "StoreError",
    "at_level",
    "band_dataset",
    "build_catalog",
    "campaigns",
    "check_figure",
    "check_file",
    "check_hall",
    "checked_store",
    "chosen_quantities",
    "draw_bands",
    "draw_curve",
    "draw_fermi_surface",
    "draw_map",
    "draw_scatter",
    "error_name",
    "errors_of",
    "export_results",
    "failures",
    "figure_of",
    "forget_absent",
    "forget_failure",
    "group_name",
    "in_natural_units",
    "integral_dataset",
    "is_error",
    "is_published",
    "largest_component",
    "material_file",
    "material_group",
    "material_record",
    "migrate",
    "missing_of",
    "open_catalog",
    "open_store",
    "place_of_level",
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
    "shown_units",
    "unit_registry",
    "update_catalog",
    "verify",
    "write_bxsf",
    "write_frmsf",
    "write_report",
]
