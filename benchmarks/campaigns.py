"""A campaign of many tiny materials: what the driver costs, and how fast one can screen."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from spinscreen.materials import library, write_wannier90
from spinscreen.storage import open_store, published, screen

#: The driver, its scheduler and the catalog in a fresh process, whose high-water mark counts.
_DRIVER = """
import json, sys, time
from distributed import Client
from spinscreen.materials import find_materials
from spinscreen.workflows import Campaign, run_campaign
if __name__ == "__main__":
    manifest, store = sys.argv[1:]
    with Client(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        job = Campaign(find_materials(manifest), kmesh=4, scan_points=21)
        started = time.perf_counter()
        report = run_campaign(job, store, client)
        whole = time.perf_counter() - started
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({
        "materials": report.count("computed"),
        "computing, s": report.seconds,
        "of the workers' time, scheduling and waiting, %": 100 * report.overhead,
        "catalog, s": whole - report.seconds,
        "driver and scheduler, peak MiB": peak / 1024,
    }))
"""


def many_tiny_materials(count: int = 2_000) -> dict[str, float]:
    """Run a campaign of `count` four-band models on two workers, then open and screen its store."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_wannier90(library.load("kane_mele"), folder / "files")
        rows = [{"id": f"m{i:05d}", "path": "files/kane_mele", "fermi_level": 0.0} for i in range(count)]
        (folder / "list.json").write_text(json.dumps(rows))
        (folder / "driver.py").write_text(_DRIVER)
        store = folder / "results.zarr"
        shown = subprocess.run(
            [sys.executable, "driver.py", "list.json", str(store)],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        )
        found: dict[str, float] = json.loads(shown.stdout)
        started = time.perf_counter()
        open_store(store)[f"materials/{published(store)[0]}"]
        found["opening the store and one material, s"] = time.perf_counter() - started
        started = time.perf_counter()
        screen(store, "gap >= 0 and abs(conserved_xy_z) > 0", "abs(conserved_xy_z_max)", 20)
        found["filter and sort, s"] = time.perf_counter() - started
    return found
