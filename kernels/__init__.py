"""Arrays in, arrays out: R -> k transforms, eigenproblem, multiplets, theory T1-T16, Fermi sums, k meshes.

Knows no files, no xarray and no Dask. Formulas and signs: docs/physics.md and the labels T1 ... cited there.
"""

from .bands import DEFAULT_DEGENERACY_THRESHOLD, BlochBands, Resolution, Vertex, solve_bands
from .compiled import FastPath, SlowPathWarning, fast_path
from .errors import InputError
from .integration import (
    PartialSums,
    Task,
    add_sums,
    band_values,
    band_values_on_mesh,
    block_size,
    bytes_per_kpoint,
    finish,
    sum_span,
    terms_of,
)
from .lattice import (
    BlochOperators,
    LatticeOperators,
    RealSpaceOperator,
    bloch_operators,
    checked_kpoints,
    stacked_count,
)
from .mesh import KMesh, KPath, LineSpan, cell_measure, k_path
from .occupations import BOLTZMANN, FermiScan, Occupations, Weight, band_weight
from .quantities import (
    BAND_QUANTITIES,
    CONDUCTANCE,
    INTEGRALS,
    PARTS,
    QUANTITIES,
    BandQuantity,
    Integral,
    Quantity,
    Sample,
    band_quantities,
    find_quantity,
    has_net_torque,
    integrals,
)
from .separable import mesh_blocks

__all__ = [
    "BAND_QUANTITIES",
    "BOLTZMANN",
    "CONDUCTANCE",
    "DEFAULT_DEGENERACY_THRESHOLD",
    "INTEGRALS",
    "PARTS",
    "QUANTITIES",
    "BandQuantity",
    "BlochBands",
    "BlochOperators",
    "FastPath",
    "FermiScan",
    "InputError",
    "Integral",
    "KMesh",
    "KPath",
    "LatticeOperators",
    "LineSpan",
    "Occupations",
    "PartialSums",
    "Quantity",
    "RealSpaceOperator",
    "Resolution",
    "Sample",
    "SlowPathWarning",
    "Task",
    "Vertex",
    "Weight",
    "add_sums",
    "band_quantities",
    "band_values",
    "band_values_on_mesh",
    "band_weight",
    "bloch_operators",
    "block_size",
    "bytes_per_kpoint",
    "cell_measure",
    "checked_kpoints",
    "fast_path",
    "find_quantity",
    "finish",
    "has_net_torque",
    "integrals",
    "k_path",
    "mesh_blocks",
    "solve_bands",
    "stacked_count",
    "sum_span",
    "terms_of",
]
