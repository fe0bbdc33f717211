"""docs/performance.md and its figure, made from what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .convergence import ERRORS

#: Budget of a worker that the memory target speaks of, MiB.
_BUDGET = 1024


def write(found: dict[str, Any], folder: Path) -> None:
    """Write performance.md, performance.png and performance.json into `folder`."""
    # JSON has text keys only: numbers of functions and of points become numbers again.
    for key in ("pipeline", "stages", "mesh", "memory"):
        found[key] = {int(size): values for size, values in found[key].items()}
    _figure(found["pipeline"]).savefig(folder / "performance.png", dpi=120)
    (folder / "performance.json").write_text(json.dumps(found, indent=1) + "\n")
    text = (folder / "performance.md").read_text() if (folder / "performance.md").exists() else ""
    # What people wrote below the marker stays.
    _, marker, notes = text.partition(_MARKER)
    (folder / "performance.md").write_text(_page(found) + (marker + notes if marker else ""))


_MARKER = "<!-- notes -->\n"


def _page(found: dict[str, Any]) -> str:
    parts = [
        "# Performance",
        f"Made by `python -m benchmarks` on {found['machine']}, in processor",
        "time (what other work on the machine disturbs least) and on one core with one BLAS thread, except",
        "where seconds are by the clock. A job is all 27 conventional and 27 conserved components, the",
        "anomalous Hall conductivity and 141 Fermi energies, reduction included; *300 K* adds T8 and T9. The",
        "floor F of a k point is one `eigh` and the 27 complex products of batched `numpy.matmul`.",
        "",
        "![cost per k point against the floor](performance.png)",
        "",
        "## Targets",
        "",
        _table(("target", "limit", "found", "met"), _targets(found)),
        "",
        "## Whole pipeline, microseconds per k point",
        "",
        _table(
            ("functions", "eigh", "27 products", "T = 0", "of F", "of eigh", "300 K", "of F", "of eigh"),
            [_pipeline_row(size, row) for size, row in found["pipeline"].items()],
        ),
        "",
        "## Stages at 300 K, microseconds per k point",
        "",
        _stage_table(found["stages"]),
        "",
        "## Scaling",
        "",
        _table(
            ("what", "found"),
            [
                *((f"Pt, {n}³ mesh, T = 0", f"{us:.0f} µs per k") for n, us in found["mesh"].items()),
                *((f"Pt, {n}³ mesh, peak memory", f"{mib:.0f} MiB") for n, mib in found["memory"].items()),
                ("128 functions, 200³ mesh, peak memory", f"{found['large memory']:.0f} MiB"),
                *((f"Pt, 48³ mesh, clock: {name}", f"{s:.2f} s") for name, s in found["workers"].items()),
                *(
                    (f"{_monolayers(found)}, 60 x 60, two workers, clock: {name}", f"{s:.1f} s")
                    for name, s in found["materials"].items()
                    if name != "count"
                ),
            ],
        ),
        "",
        "Peak memory is that of the whole process, Python and its libraries included.",
        "",
    ]
    if found.get("small"):
        parts += [
            "## Small materials",
            "",
            "`kane_mele` (4 functions, 4 x 4, 21 energies), read, symmetrized, computed and published;",
            "a 6-function monolayer, 60 x 60, 201 energies; the catalog of results with 201 energies.",
            "",
            _table(("what", "found"), [(name, _number(value)) for name, value in found["small"].items()]),
            "",
        ]
    if found.get("campaign"):
        parts += [
            "## A campaign of tiny materials",
            "",
            "Four-band models on a 4 x 4 mesh, each read from its files, computed and published by two",
            "worker processes on two cores, which they share with the driver and its scheduler.",
            "",
            _table(("what", "found"), [(name, _number(value)) for name, value in found["campaign"].items()]),
            "",
        ]
    if found["peers"]:
        parts += [
            "## Peers",
            "",
            "18 functions, 141 Fermi energies, one core. spinscreen: T2, T4, T6, T7, all components;",
            "WannierBerri: conventional spin Hall conductivity (`simple`), 27 components; postw90: one. It",
            "needs a `.mmn`, at hand for Fe only: 15 R vectors, where Pt has 93, make it cheap there.",
            "*Symmetry*: the point group on both sides, per point of the full mesh, 48³ and Γ-centred;",
            "spinscreen has the symmetrized model and `compute`, dataset included, WannierBerri has its",
            "operations, `use_irred_kpt` and `symmetrize`.",
            "",
            _table(("code", "µs per k", "times spinscreen"), _peer_rows(found["peers"])),
            "",
        ]
    if found.get("convergence"):
        parts += [
            "## Convergence",
            "",
            "k points that were diagonalized and seconds of processor time from which on the true error, the",
            "largest over all components and 41 energies, is below a share of the largest value, against",
            "the adaptive result of 150,000 points; and the smallest error of each, with its own bar in",
            "brackets. Both codes have the same models with their symmetry; threshold 1e-4 eV, T = 0.",
            "",
            *(line for label, runs in found["convergence"].items() for line in _convergence(label, runs)),
        ]
    return "\n".join(parts)


def _convergence(label: str, runs: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    head = (label, *(f"{100 * share:g} %" for share in ERRORS), "smallest error")
    return [_table(head, [_convergence_row(scheme, some) for scheme, some in runs.items()]), ""]


def _convergence_row(scheme: str, runs: list[tuple[Any, ...]]) -> tuple[str, ...]:
    cells = []
    for share in ERRORS:
        # Later runs stay below it.
        above = [i for i, (_, _, error, _) in enumerate(runs) if error > share]
        first = above[-1] + 1 if above else 0
        points, seconds, *_ = runs[min(first, len(runs) - 1)]
        cells.append(f"{points:,.0f}, {_number(seconds)} s" if first < len(runs) else "not reached")
    points, seconds, error, bar = min(runs, key=lambda run: run[2])
    own = "" if bar is None else f" (bar {100 * bar:.2g} %)"
    return scheme, *cells, f"{100 * error:.2g} %{own}, {points:,.0f}, {_number(seconds)} s"


#: Functions -> times eigh that the whole job may take.
_OF_EIGH = {6: 1.0, 18: 1.0, 36: 1.0, 64: 1.5, 128: 2.5}

#: Row of a part -> the most that it may be.
_AT_MOST = {
    "tiny, from files to row, ms": 5.0,
    "monolayer, ms": 20.0,
    "worker, import, s": 1.0,
    "--help, s": 0.3,
}

#: Peer -> how many times faster this has to be.
_FASTER = {"WannierBerri Pt": 50.0, "WannierBerri Pt, symmetry": 20.0, "postw90 Fe": 100.0}


def _targets(found: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for size, row in found["pipeline"].items():
        for kind in ("T = 0", "300 K"):
            if size in _OF_EIGH:
                ratio = row[kind] / row["eigh"]
                rows.append(_verdict(f"{size} functions, {kind}, of eigh", _OF_EIGH[size], ratio))
    peers = found["peers"]
    for name, least in _FASTER.items():
        if name in peers:
            times = peers[name] / _ours(peers, name)
            rows.append((f"faster than {name}", f">= {least:.0f}", f"{times:.0f}", _word(times >= least)))
    workers = found["workers"]
    for kind, least in (("threads", 1.9), ("workers", 1.85)):
        if f"2 {kind}" in workers:
            gain = workers[f"1 {kind}"] / workers[f"2 {kind}"]
            rows.append((f"two {kind} against one", f">= {least}", f"{gain:.2f}", _word(gain >= least)))
    for name, most in _AT_MOST.items():
        if name in found.get("small", {}):
            rows.append(_verdict(name, most, found["small"][name]))
    if "catalog of 10,000, driver, s" in found.get("small", {}):
        # Two workers share the rows.
        seconds = found["small"]["catalog of 10,000, rows and tensors, s"] / 2
        seconds += found["small"]["catalog of 10,000, driver, s"]
        rows.append(_verdict("catalog of 10,000, driver and half of the rows, s", 3.0, seconds))
    materials = found["materials"]
    for name in ("through Dask", "with a Zarr store"):
        ratio = materials[name] / materials["pure kernels"]
        rows.append(_verdict(f"{_monolayers(found)} {name}, of pure kernels", 1.4, ratio))
    memory = found["large memory"]
    rows.append(
        (
            "128 functions, 200³ mesh, peak memory",
            f"<= {_BUDGET} MiB",
            f"{memory:.0f} MiB",
            _word(memory <= _BUDGET),
        )
    )
    return rows


def _monolayers(found: dict[str, Any]) -> str:
    return f"{found['materials'].get('count', 1000)} monolayers"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _verdict(what: str, limit: float, value: float) -> tuple[str, ...]:
    return what, f"<= {limit}", f"{value:.2f}", _word(value <= limit)


def _word(met: bool) -> str:
    return "yes" if met else "**no**"


def _pipeline_row(size: int, row: dict[str, float]) -> tuple[str, ...]:
    floor = row["eigh"] + row["27 products"]
    return (
        str(size),
        *(f"{row[name]:.1f}" for name in ("eigh", "27 products", "T = 0")),
        f"{row['T = 0'] / floor:.2f}",
        f"{row['T = 0'] / row['eigh']:.2f}",
        f"{row['300 K']:.1f}",
        f"{row['300 K'] / floor:.2f}",
        f"{row['300 K'] / row['eigh']:.2f}",
    )


def _stage_table(stages: dict[int, dict[str, float]]) -> str:
    names = list(next(iter(stages.values())))
    rows = [(name, *(f"{column[name]:.1f}" for column in stages.values())) for name in names]
    return _table(("stage", *(f"{size} functions" for size in stages)), rows)


def _peer_rows(peers: dict[str, float]) -> list[tuple[str, ...]]:
    return [(name, f"{us:.0f}", f"{us / _ours(peers, name):.1f}") for name, us in peers.items()]


def _ours(peers: dict[str, float], name: str) -> float:
    """The same material, and symmetry on both sides or on none."""
    return peers[f"spinscreen {name.split(maxsplit=1)[1]}"]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _figure(pipeline: dict[int, dict[str, float]]) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    sizes = list(pipeline)
    for name, style in (("eigh", ":"), ("T = 0", "-"), ("300 K", "--")):
        ax.loglog(sizes, [pipeline[s][name] for s in sizes], style, marker="o", label=name)
    floor = [pipeline[s]["eigh"] + pipeline[s]["27 products"] for s in sizes]
    ax.loglog(sizes, floor, "-.", color="0.4", marker="s", label="floor F")
    ax.set_xticks(sizes, [str(s) for s in sizes])
    ax.minorticks_off()
    ax.set_xlabel("Wannier functions")
    ax.set_ylabel("time per k point (µs, one core)")
    ax.legend()
    return figure
