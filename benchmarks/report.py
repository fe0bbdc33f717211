"""docs/performance.md and its figure, made from what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

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
        "Made by `python -m benchmarks`: what is compared is measured side by side on one core (one BLAS",
        "thread), except where two worker processes are named. A job is all 27 conventional and 27 conserved",
        "components, the anomalous Hall conductivity and 141 Fermi energies, reduction included; *300 K*",
        "adds T8 and T9. The floor F of a k point is one `eigh` and the 27 complex matrix products that no",
        "arrangement avoids, as batched `numpy.matmul`.",
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
            ("functions", "eigh", "27 products", "T = 0", "of F", "of eigh", "300 K", "of F"),
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
                *((f"Pt, 48³ mesh: {name}", f"{s:.2f} s") for name, s in found["workers"].items()),
                *(
                    (f"1000 monolayers, 60 x 60, two workers: {name}", f"{s:.1f} s")
                    for name, s in found["materials"].items()
                ),
            ],
        ),
        "",
        "Peak memory is that of the whole process, about 190 MiB of it Python and its libraries.",
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
            "",
            _table(("code", "µs per k", "times spinscreen"), _peer_rows(found["peers"])),
            "",
        ]
    return "\n".join(parts)


def _targets(found: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for size, row in found["pipeline"].items():
        limit = {18: 1.5}.get(size, 1.3 if size >= 36 else None)
        if limit is None:
            continue
        floor = row["eigh"] + row["27 products"]
        for kind in ("T = 0", "300 K"):
            rows.append(_verdict(f"{size} functions, {kind}, of F", limit, row[kind] / floor))
        if size == 18:
            rows.append(_verdict("18 functions, T = 0, of eigh", 3.0, row["T = 0"] / row["eigh"]))
    peers = found["peers"]
    for name, least in (("WannierBerri Pt", 15), ("postw90 Fe", 50)):
        if name in peers:
            times = peers[name] / _ours(peers, name)
            rows.append((f"faster than {name}", f">= {least}", f"{times:.0f}", _word(times >= least)))
    workers = found["workers"]
    gain = workers["1 workers"] / workers["2 workers"]
    rows.append(("two worker processes against one", ">= 1.85", f"{gain:.2f}", _word(gain >= 1.85)))
    materials = found["materials"]
    for name in ("through Dask", "with a Zarr store"):
        ratio = materials[name] / materials["pure kernels"]
        rows.append(_verdict(f"1000 monolayers {name}, of pure kernels", 1.4, ratio))
    rows.append(
        (
            "128 functions, 200³ mesh, peak memory",
            f"<= {_BUDGET} MiB",
            f"{found['large memory']:.0f} MiB",
            _word(found["large memory"] <= _BUDGET),
        )
    )
    return rows


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
    )


def _stage_table(stages: dict[int, dict[str, float]]) -> str:
    names = list(next(iter(stages.values())))
    rows = [(name, *(f"{column[name]:.1f}" for column in stages.values())) for name in names]
    return _table(("stage", *(f"{size} functions" for size in stages)), rows)


def _peer_rows(peers: dict[str, float]) -> list[tuple[str, ...]]:
    return [(name, f"{us:.0f}", f"{us / _ours(peers, name):.1f}") for name, us in peers.items()]


def _ours(peers: dict[str, float], name: str) -> float:
    return peers[f"spinscreen {name.split()[-1]}"]


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
