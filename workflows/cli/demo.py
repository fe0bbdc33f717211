"""`spinscreen demo`: the whole way once, with nothing but what is built in."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from spinscreen.materials import MaterialSource, library
from spinscreen.storage import build_catalog, plot_hall, read_material, save_figure

from ..calculation import Calculation
from ..clusters import local_engine
from ..publication import Targets, Work
from .progress import progress_bar
from .results import ranked_table
from .terminal import Terminal

#: Material, half width of the scan (eV) and threshold (eV): each below its own gap.
_MATERIALS = (
    ("MoS2", 1.5, 5e-3),
    ("WS2", 1.5, 5e-3),
    ("MoSe2", 1.5, 5e-3),
    ("WSe2", 1.5, 5e-3),
    ("MoTe2", 1.5, 5e-3),
    ("WTe2", 1.5, 5e-3),
    ("kane_mele", 1.0, 1e-4),
    ("germanene", 0.3, 1e-4),
    ("stanene", 0.3, 1e-4),
    ("bhz_hgte", 0.1, 1e-4),
)

#: Where the three answers part ways most clearly among the built-in models.
_PICTURED = "kane_mele"

#: K points of each: seconds on any machine.
_BUDGET = 20_000

_QUANTITIES = (
    "carrier_density",
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "proper_hall_conductivity",
    "torque_dipole_conductivity",
)


def run_demo(folder: Path, workers: int | None, console: Terminal) -> None:
    """Compute, publish, rank and draw. Raises InputError where the folder cannot be written."""
    store = folder / "results.zarr"
    Targets.checked(store)
    works = [_work(*entry) for entry in _MATERIALS]
    total = sum(work.most_kpoints for work in works)
    console.print("starting a local Dask cluster ...")
    with (
        local_engine(workers) as engine,
        progress_bar(console, "demo", total) as progress,
    ):
        for work in works:
            if work.is_published(store):
                progress(work.most_kpoints)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                work.result(engine, store, progress)
    build_catalog(store)
    results = {work.source.id: read_material(store, work.material_id) for work in works}
    console.print(ranked_table([(d, ("spin_z", "x", "y")) for d in results.values()]))
    console.say(f"store: {store}  (open it with xarray, see README)")
    _draw(results[_PICTURED], folder / "hall.png", console)


def _work(name: str, half_width: float, threshold: float) -> Work:
    calculation = Calculation(
        budget=_BUDGET, half_width=half_width, degeneracy_threshold=threshold, quantities=_QUANTITIES
    )
    return Work.of(MaterialSource(name), library.load(name), calculation)


def _draw(dataset: xr.Dataset, target: Path, console: Terminal) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        console.say("no figure: matplotlib is missing, pip install 'spinscreen[plot]'")
        return
    save_figure(plot_hall(dataset, ("spin_z", "x", "y")), target)
    console.say(f"figure: {target}")
