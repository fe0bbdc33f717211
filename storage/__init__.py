"""Where results live: the schema, the Zarr store with atomic publication, catalog, screening, figures."""

import lazy_loader

# A worker writes results; it draws none and reads no catalog.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
