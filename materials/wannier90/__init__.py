"""Files of Wannier90: which belong together, what each says, and the model that they make."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
