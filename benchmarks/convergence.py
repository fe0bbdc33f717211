"""Points and seconds to a true error: adaptive, plain meshes, WannierBerri's refinement, on one model."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinscreen.materials import WannierModel, library, load_model
from spinscreen.workflows import Calculation, compute

from .cases import PLATINUM

T2, T4 = "anomalous_hall_conductivity", "conventional_hall_conductivity"

#: True errors that are asked for, as a share of the largest value of the scan.
ERRORS = (0.05, 0.01, 0.002)

#: Points of the adaptive runs, and of the one that the others are held against.
_BUDGETS, _REFERENCE = (1_500, 3_000, 6_000, 12_000, 24_000, 48_000), 150_000

#: Values (fermi_energy, axis, axis, ...), k points, seconds, largest bar.
Run = tuple[np.ndarray, int, float, float | None]

#: S/m of WannierBerri in S/cm here; of layers, with the height of the cell in angstrom, in S.
_CRYSTAL, _LAYER = 0.01, 1e-10


@dataclass(frozen=True)
class Case:
    """A quantity at some energies about the Fermi level.

    generators : of the point group, as WannierBerri writes them; none: neither code uses symmetry
    meshes : of plain runs, and the first of WannierBerri's; refinements : its iterations
    """

    model: WannierModel
    quantity: str
    energies: np.ndarray
    generators: tuple[str, ...]
    meshes: tuple[int, ...]
    start: int
    refinements: int

    @property
    def unit(self) -> float:
        """Of WannierBerri's numbers in those of `compute`."""
        return _CRYSTAL if self.model.dimension == 3 else _LAYER * float(self.model.lattice[2, 2])

    @property
    def settings(self) -> dict[str, Any]:
        return {"quantities": [self.quantity], "fermi_energy": self.energies, "degeneracy_threshold": 1e-4}


def _cases() -> Iterator[tuple[str, Case]]:
    haldane = library.load("haldane")
    levels = np.linspace(-2.5, 2.5, 41)
    yield "haldane, T2", Case(haldane, T2, levels, ("C3z",), (24, 48, 96, 192), 24, 60)
    if PLATINUM.is_dir():
        cubic = ("Inversion", "C4z", "C4x", "TimeReversal")
        tetrahedral = ("Inversion*C4z", "Inversion*C4x", "TimeReversal")
        magnetic = ("Inversion", "C4z", "TimeReversal*C2x")
        for name, level, quantity, generators in (
            ("Pt", 18.3823, T4, cubic),
            ("Fe", 12.6, T2, magnetic),
            ("GaAs", 7.5, T4, tetrahedral),
        ):
            model = load_model(PLATINUM.parent / name, fermi_level=level)
            own = Calculation(symmetrize="on").prepare(model)
            scan = level + np.linspace(-2, 2, 41)
            label = f"{name}, symmetrized, {'T2' if quantity == T2 else 'T4'}"
            yield label, Case(own, quantity, scan, generators, (16, 24, 32, 48, 64, 96), 24, 30)


def convergence(python: str = sys.executable, only: str = "") -> dict[str, Any]:
    """By case and scheme: (points, seconds, largest true error, largest bar or None) of each run.

    Errors are shares of the largest value.

    python : interpreter with WannierBerri; only : cases whose labels begin so
    """
    return {label: _measured(case, python) for label, case in _cases() if label.startswith(only)}


def _measured(case: Case, python: str) -> dict[str, Any]:
    # Some hundred points load or compile machine code.
    _run(case, budget=500, tolerance=1e-6)
    exact, *_ = _run(case, budget=_REFERENCE, tolerance=2e-4)
    scale = float(np.abs(exact).max())
    runs = {
        "adaptive": [_run(case, budget=budget, tolerance=1e-6) for budget in _BUDGETS],
        "plain mesh, half a step": [_run(case, kmesh=n) for n in case.meshes],
        "plain mesh, Γ-centred": [_run(case, kmesh=n, kshift=0) for n in case.meshes],
    }
    runs |= _wannierberri(case, python)
    return {
        scheme: [(points, seconds, float(np.abs(found - exact).max()) / scale, bar and bar / scale)
                 for found, points, seconds, bar in some]
        for scheme, some in runs.items()
    }  # fmt: skip


def _run(case: Case, **more: Any) -> Run:
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compute(case.model, **case.settings, **more)
    seconds = time.process_time() - started
    values = found[case.quantity].transpose("fermi_energy", "current_axis", "field_axis", ...).values
    bar = float(found[f"{case.quantity}_error"].max())
    return values, int(found.attrs["evaluations"]), seconds, bar


_WANNIERBERRI = """
import sys, time, numpy as np, wannierberri as wb
from wannierberri.calculators import static
from wannierberri.fourier.rvectors import Rvectors
from wannierberri.result.resultdict import ResultDict
from wannierberri.system.system_R import System_R
given = np.load(sys.argv[1])
quantity, start, refinements = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
system = System_R(periodic=tuple(given["periodic"]))
system.real_lattice, system.num_wann = given["lattice"], given["Ham"].shape[1]
system.wannier_centers_cart = given["centres"]
system.clear_cached_wcc()
system.rvec = Rvectors(system.real_lattice, system.wannier_centers_red, iRvec=given["translations"])
for name in ("Ham", "AA", "SS"):
    system.set_R_mat(name, given[name])
system.do_at_end_of_init()
generators = [str(x) for x in given["generators"]]
if generators:
    system.set_pointgroup(generators)
options = {"Efermi": given["energies"], "tetra": False}
if quantity == "shc":
    calculator = static.SHC(**options, kwargs_formula={"spin_current_type": "simple"})
else:
    calculator = static.AHC(**options)
found, points = [], 0
class Counting:
    def __getattr__(self, name):
        return getattr(calculator, name)
    def __call__(self, data):
        global points
        points += data.nk
        return calculator(data)
def keep(results, prefix, suffix, i_iter):
    found.append((points, time.process_time() - started, results.results["it"].data.copy()))
ResultDict.savedata = keep
fft = [6 if repeats else 1 for repeats in system.periodic]
grid = wb.Grid(system, NK=[start if repeats else 1 for repeats in system.periodic], NKFFT=fft)
started = time.process_time()
irreducible = bool(generators)
wb.run(system, grid=grid, calculators={"it": Counting()}, parallel=False, adpt_num_iter=refinements,
       use_irred_kpt=irreducible, symmetrize=irreducible)
np.savez(sys.argv[5], points=[f[0] for f in found], seconds=[f[1] for f in found],
         values=np.array([f[2] for f in found]))
"""


def _wannierberri(case: Case, python: str) -> dict[str, list[Run]]:
    runs = {"WannierBerri, plain mesh": [(n, 0) for n in case.meshes if n % 6 == 0 and n <= 96]}
    runs["WannierBerri, refined"] = [(case.start, case.refinements)]
    found: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "model.npz"
        _save(given, case)
        kind = "ahc" if case.quantity == T2 else "shc"
        for scheme, some in runs.items():
            for start, refinements in some:
                command = [python, "-c", _WANNIERBERRI, str(given), kind, str(start), str(refinements)]
                out = Path(folder) / "found.npz"
                told = subprocess.run(
                    [*command, str(out)], capture_output=True, text=True, cwd=folder, check=False
                )
                if told.returncode:
                    print("WannierBerri did not run:", told.stderr[-300:])
                    return {}
                with np.load(out) as arrays:
                    parts = (arrays["values"], arrays["points"], arrays["seconds"])
                    for value, points, seconds in zip(*parts, strict=True):
                        row = case.unit * _axes(case, value), int(points), float(seconds), None
                        found.setdefault(scheme, []).append(row)
    return found


def _axes(case: Case, value: np.ndarray) -> np.ndarray:
    """Axial vectors of T2 are antisymmetric tensors here."""
    if case.quantity == T4:
        return value
    tensor = np.zeros((len(value), 3, 3))
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        tensor[:, a, b], tensor[:, b, a] = value[:, c], -value[:, c]
    return tensor


def _save(path: Path, case: Case) -> None:
    model = case.model
    position = model.position.copy()
    home = int(np.flatnonzero(~model.translations.any(axis=1))[0])
    for n, centre in enumerate(model.centres):
        position[home, :, n, n] -= centre
    # Pauli matrices there, hbar here.
    empty = np.zeros_like(model.hamiltonian)
    spin = [2 * np.asarray(model.observables.get(f"spin_{x}", empty)) for x in "xyz"]
    np.savez(
        path,
        lattice=model.lattice,
        translations=model.translations,
        centres=model.centres,
        periodic=np.array(model.periodic),
        Ham=model.hamiltonian,
        AA=np.moveaxis(position, 1, 3),
        SS=np.stack(spin, axis=-1),
        energies=case.energies,
        generators=np.array(case.generators, dtype=str),
    )
