"""WannierBerri and postw90 on the same job, where they are installed: a spin Hall scan, 18 functions.

WannierBerri runs on Pt. postw90 needs a .mmn, which the reference data have for Fe only: 15 R vectors there,
where Pt has 93, make it several times cheaper than for a usual material.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from spinscreen.materials import load_model, symmetrize
from spinscreen.workflows import compute

from .cases import PLATINUM, SEA, children_seconds, job, run_job, side_by_side

IRON = Path(__file__).resolve().parents[2] / "shared" / "data" / "Fe"

#: Mesh of the peers' runs; their start-up, measured with one k point, is taken off.
_POINTS = 12

#: The same with symmetry.
SYMMETRIC = 48

_WANNIERBERRI = """
import sys, time, numpy as np, wannierberri as wb
from wannierberri.calculators import static
points, symmetric = map(int, sys.argv[2:])
system = wb.system.System_tb(sys.argv[1], berry=True)
system.set_spin_pairs([(2 * i, 2 * i + 1) for i in range(9)])
if symmetric:
    system.set_pointgroup(["Inversion", "C4x", "C4z", "TimeReversal"])
energies = np.linspace(10, 24, 141)
def run(points):
    shc = static.SHC(Efermi=energies, tetra=False, kwargs_formula={"spin_current_type": "simple"})
    # With symmetry its own choice of a FFT, as points that its group relates are left out between those.
    grid = wb.Grid(system, NK=points, **({} if symmetric else {"NKFFT": points}))
    started = time.process_time()
    wb.run(
        system, grid=grid, calculators={"shc": shc}, parallel=False,
        use_irred_kpt=bool(symmetric), symmetrize=bool(symmetric),
    )
    return time.process_time() - started
run(4 if not symmetric else 24)
print("SECONDS", run(points))
"""

_POSTW90 = """
fermi_energy_min = 5.6
fermi_energy_max = 19.6
fermi_energy_step = 0.1
berry = true
berry_task = eval_shc
shc_freq_scan = false
shc_alpha = 1
shc_beta = 2
shc_gamma = 3
spn_formatted = false
kubo_adpt_smr = false
kubo_smr_fixed_en_width = 0.05
kubo_eigval_max = 1000.0
berry_kmesh = {points} {points} {points}
"""


def peers(wannierberri_python: str = sys.executable) -> dict[str, float]:
    """Microseconds per k point on one core of whatever is installed, beside ours on the same material."""
    if not IRON.is_dir():
        return {}
    found = {}
    for name, folder, level in (("Pt", PLATINUM, 17.0), ("Fe", IRON, 12.6)):
        work = job(load_model(folder, fermi_level=level), SEA, 0.0)
        best = side_by_side({"ours": lambda work=work: run_job(work)})
        found[f"spinscreen {name}"] = 1e6 * best["ours"] / work.kpoints
    found["spinscreen Pt, symmetry"] = _symmetric_platinum()
    found |= _wannierberri(wannierberri_python, "WannierBerri Pt", _POINTS)
    found |= _wannierberri(wannierberri_python, "WannierBerri Pt, symmetry", SYMMETRIC)
    found |= _postw90()
    return found


def _symmetric_platinum() -> float:
    """Microseconds per point of the full mesh, the mesh of the peer."""
    model = symmetrize(load_model(PLATINUM, fermi_level=17.0))
    energies = np.linspace(10, 24, 141)

    def whole() -> None:
        compute(model, SYMMETRIC, energies, quantities=SEA, kshift=0.0)

    return 1e6 * side_by_side({"ours": whole}, 3)["ours"] / SYMMETRIC**3


def _wannierberri(python: str, name: str, points: int) -> dict[str, float]:
    if python == sys.executable and importlib.util.find_spec("wannierberri") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "Pt_tb.dat"
        table.write_bytes(gzip.decompress((PLATINUM / "Pt_tb.dat.gz").read_bytes()))
        shown = subprocess.run(
            [python, "-c", _WANNIERBERRI, str(table), str(points), str(int(points == SYMMETRIC))],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            check=False,
        )
    times = [line for line in shown.stdout.splitlines() if line.startswith("SECONDS")]
    if not times:
        print("WannierBerri did not run:", shown.stderr[-500:])
        return {}
    return {name: 1e6 * float(times[0].split()[1]) / points**3}


def _postw90() -> dict[str, float]:
    program = shutil.which("postw90.x") or shutil.which("postw90")
    if program is None:
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix in (".chk", ".eig", ".spn"):
            shutil.copy(IRON / f"Fe{suffix}", folder)
        (folder / "Fe.mmn").write_bytes(gzip.decompress((IRON / "Fe.mmn.gz").read_bytes()))
        seconds = {points: _run_postw90(program, folder, points) for points in (1, _POINTS)}
    return {"postw90 Fe": 1e6 * (seconds[_POINTS] - seconds[1]) / (_POINTS**3 - 1)}


def _run_postw90(program: str, folder: Path, points: int) -> float:
    given = (IRON / "Fe.win").read_text().replace("restart = plot", "")
    (folder / "Fe.win").write_text(given + _POSTW90.format(points=points))
    before = children_seconds()
    subprocess.run([program, "Fe"], cwd=folder, check=True, capture_output=True)
    return children_seconds() - before
