"""Results of materials in a store: their files, and the row of the catalog that each carries."""

from .published import (
    DamagedResultError,
    damaged,
    is_old_group,
    is_published,
    material_file,
    missing_of,
    publish,
    published,
    published_stamps,
    read_attributes,
    read_file,
    read_material,
    read_row,
    read_rows,
    write_material,
)
from .rows import RELATIVE_ENERGY, TENSORS, CatalogRow, column_units, tensor_units

__all__ = [
    "RELATIVE_ENERGY",
    "TENSORS",
    "CatalogRow",
    "DamagedResultError",
    "column_units",
    "damaged",
    "is_old_group",
    "is_published",
    "material_file",
    "missing_of",
    "publish",
    "published",
    "published_stamps",
    "read_attributes",
    "read_file",
    "read_material",
    "read_row",
    "read_rows",
    "tensor_units",
    "write_material",
]
