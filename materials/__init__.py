"""How a material gets in: the frozen `WannierModel`, readers of real files, and the built-in library."""

import lazy_loader

# A worker reads one kind of file, if any.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
