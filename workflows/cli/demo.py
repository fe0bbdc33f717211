"""`spinscreen demo`: the whole way once, with nothing but what is built in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from spinscreen.materials import library
from spinscreen.storage import checked_store, is_published, open_store, plot_hall, publish, save_figure

from ..clusters import local_cluster
from ..computing import compute_settings
from ..settings import Settings, make_settings
from .console import progress_bar, ranked_table
from .terminal import Terminal

#: Material, mesh per axis, half width of the scan (eV) and threshold (eV): each resolves its own gap.
_MATERIALS = (
    ("MoS2", 120, 1.5, 5e-3),
    ("WS2", 120, 1.5, 5e-3),
    ("MoSe2", 120, 1.5, 5e-3),
    ("WSe2", 120, 1.5, 5e-3),
    ("MoTe2", 120, 1.5, 5e-3),
    ("WTe2", 120, 1.5, 5e-3),
    ("kane_mele", 200, 1.0, 1e-4),
    ("germanene", 300, 0.3, 1e-4),
    ("stanene", 300, 0.3, 1e-4),
    ("bhz_hgte", 300, 0.1, 1e-4),
)

#: Where conserved and conventional current part ways most clearly among the built-in models.
_PICTURED = "kane_mele"

_QUANTITIES = (
    "carrier_density",
    "conventional_hall_conductivity",
    "conserved_hall_conductivity",
    "torque_dipole_conductivity",
)


def run_demo(folder: Path, workers: int | None, console: Terminal) -> None:
    """Compute, publish, rank and draw. Raises InputError where the folder cannot be written."""
    store = folder / "results.zarr"
    checked_store(store)
    jobs = [_job(*entry) for entry in _MATERIALS]
    total = sum(settings.mesh.size for _, settings in jobs)
    console.print("starting a local Dask cluster ...")
    with (
        local_cluster(workers) as client,
        progress_bar(console, "demo", total) as progress,
    ):
        for name, settings in jobs:
            model = library.load(name)
            material_id = settings.material_id(model)
            if is_published(store, material_id):
                progress(settings.mesh.size)
                continue
            dataset = compute_settings(model, settings, client, progress=progress)
            folder.mkdir(parents=True, exist_ok=True)
            publish(dataset, store, material_id)
    tree = open_store(store)
    results = {
        name: tree[f"materials/{settings.material_id(library.load(name))}"].to_dataset()
        for name, settings in jobs
    }
    console.print(ranked_table([(d, ("spin_z", "x", "y")) for d in results.values()]))
    console.say(f"store: {store}  (open it with xarray, see README)")
    _draw(results[_PICTURED], folder / "hall.png", console)


def _job(name: str, points: int, half_width: float, threshold: float) -> tuple[str, Settings]:
    model = library.load(name)
    level = model.fermi_level or 0.0
    energies = level + np.linspace(-half_width, half_width, 201)
    return name, make_settings(
        model, points, energies, degeneracy_threshold=threshold, quantities=_QUANTITIES
    )


def _draw(dataset: xr.Dataset, target: Path, console: Terminal) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        console.say("no figure: matplotlib is missing, pip install 'spinscreen[plot]'")
        return
    save_figure(plot_hall(dataset, ("spin_z", "x", "y")), target)
    console.say(f"figure: {target}")
