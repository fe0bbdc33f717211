"""Files of a store: whole or not there, sealed by a digest, Zarr groups as bytes, a store in one .zip."""

from .whole import StoreError, group_name, remove_inside

__all__ = ["StoreError", "group_name", "remove_inside"]
