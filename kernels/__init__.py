"""Arrays in, arrays out: R -> k transforms, eigenproblem, multiplets, theory T1-T16, Fermi sums, k meshes.

Knows no files, no xarray and no Dask. Formulas and signs: docs/physics.md and the labels T1 ... cited there.
The public names are listed in `__init__.pyi` and imported when first used.
"""

import lazy_loader

# numba takes longer to import than a command line takes to answer.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
