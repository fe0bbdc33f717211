"""`python -m benchmarks`: measure everything side by side and write docs/performance.md and its figure."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# One BLAS thread, as every worker has; set before NumPy is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from . import report
from .campaigns import many_tiny_materials
from .cases import models, processor
from .convergence import convergence
from .peers import peers
from .scaling import cost_of_mesh, many_materials, peak_memory, workers_and_overhead
from .small import small_materials
from .stages import pipeline_and_floor, stages

SIZES = (2, 6, 18, 36, 64, 128)

#: Parts that can be measured alone.
_PARTS = {
    "pipeline": lambda options: {size: pipeline_and_floor(model) for size, model in models(SIZES).items()},
    "stages": lambda options: {size: stages(model) for size, model in models(SIZES[1:]).items()},
    "workers": lambda options: workers_and_overhead(models((18,))[18]),
    "materials": lambda options: many_materials(),
    "small": lambda options: small_materials(),
    "mesh": lambda options: cost_of_mesh(models((18,))[18]),
    "memory": lambda options: {points: peak_memory(18, points, 5.0) for points in (24, 96, 384)},
    "large memory": lambda options: peak_memory(128, 200),
    "campaign": lambda options: many_tiny_materials(),
    "peers": lambda options: peers(options.wannierberri_python),
    "convergence": lambda options: convergence(options.wannierberri_python),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wannierberri-python", default=sys.executable, help="interpreter with WannierBerri")
    parser.add_argument("--quick", action="store_true", help="small sizes, no peers, nothing written")
    parser.add_argument(
        "--only", choices=sorted(_PARTS), action="append", help="measure this part anew, keep the rest"
    )
    options = parser.parse_args()
    docs = Path(__file__).resolve().parents[1] / "docs"
    if options.only:
        for name in options.only:
            kept = json.loads((docs / "performance.json").read_text())
            report.write(kept | {name: _PARTS[name](options), "machine": processor()}, docs)
        return
    if options.quick:
        for size, model in models(SIZES[:3]).items():
            print(size, pipeline_and_floor(model), flush=True)
        return
    found: dict[str, object] = {"machine": processor()}
    for name, measure in _PARTS.items():
        found[name] = measure(options)
    for name, value in found.items():
        print(name, value, flush=True)
    report.write(found, docs)


if __name__ == "__main__":
    main()
