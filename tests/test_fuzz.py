"""Damaged files of every kind: a model whose numbers are finite, or one sentence, and never much memory.

What is read in spite of its damage is compared with the model that was there before.

`pytest tests/test_fuzz.py --fuzz 5000 --fuzz-seed 7` reads more of them. Run as a script it is the process
that reads, whose memory is limited: `python tests/test_fuzz.py FOLDER COUNT SEED [NUMBER OF THE ONLY CASE]`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from random import Random
from types import FrameType

import numpy as np
import pytest
from damage import damaged, damaged_packed
from inputs import build_inputs
from support import values

from spinscreen.kernels import InputError
from spinscreen.materials import WannierModel, check_material, find_materials, load_model

#: Bytes that reading may take beyond what was taken before. All inputs are far below 1 MB; a packed file may
#: unpack to 16 MiB whatever its size, and a text of numbers takes ten times its size at worst, twice.
MEMORY = 512 << 20

#: Share of a number that counts as another number, and share of damages that may move one in silence.
MOVED, MOST_MOVED = 0.01, 0.01

#: Where models are compared, reduced.
KPOINTS = np.array([[0.11, 0.23, 0.05], [0.37, -0.19, 0.41], [-0.29, 0.07, -0.13]])

#: Seconds for one input, a thousand times what it takes, on a machine that does other things too.
PATIENCE = 60


def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("resource", reason="memory is limited by the resource module of Unix")
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory that a process has taken is read from Linux's /proc")
    count, seed = request.config.getoption("--fuzz"), request.config.getoption("--fuzz-seed")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", __file__, str(tmp_path), str(count), str(seed)],
        capture_output=True,
        text=True,
    )
    report = done.stdout.splitlines()
    assert done.returncode == 0, f"the reader died at: {report[-1:]}\n{done.stderr[-3000:]}"
    summary = json.loads(report[-1])
    assert not summary["problems"], "\n\n".join(summary["problems"][:10])
    # Another model in silence: docs/validation.md says what is left, and why.
    most = count * MOST_MOVED
    # Three standard deviations of a small number of them.
    assert sum(summary["moved"].values()) <= most + 3 * most**0.5, summary["moved"]
    # Both ends happen, else the damage is of one kind or the inputs are no good.
    assert summary["read"] > count / 20
    assert summary["refused"] > count / 5


def main(root: Path, count: int, seed: int, only: int | None = None) -> None:
    """Read `count` damaged inputs; the last line printed is the report."""
    victims = build_inputs(root / "valid")
    warnings.simplefilter("ignore")
    # Casts and overflows that nobody meant are found by their warnings.
    warnings.simplefilter("error", RuntimeWarning)
    valid = {}
    for kind, names in victims.items():
        for name in names:
            told = read(root / "valid" / kind, kind, name)
            assert not isinstance(told, str), f"{kind}/{name}: {told}"
            valid[kind, name] = told and numbers_of(told)
    limit_memory()
    signal.signal(signal.SIGALRM, _too_late)
    report: dict = {"problems": [], "refused": 0, "read": 0, "moved": {}}
    for number in range(count) if only is None else [only]:
        random = Random(f"{seed}/{number}")
        kind = random.choice(list(victims))
        name = random.choice(victims[kind])
        case = f"case {number} of seed {seed}: {kind}/{name}"
        print(case, flush=True)
        try:
            signal.alarm(PATIENCE)
            told = _read_damaged(root / "valid" / kind, root / "damaged" / kind, kind, name, random)
            refusal = told if isinstance(told, str) else None
            problem = refusal and complaint(refusal, name, kind)
            report["refused" if refusal else "read"] += 1
            if isinstance(told, WannierModel) and is_another(numbers_of(told), valid[kind, name]):
                print(f"another model: {case}", flush=True)
                report["moved"][f"{kind}/{name}"] = report["moved"].get(f"{kind}/{name}", 0) + 1
        except Exception:
            problem = traceback.format_exc()
        finally:
            signal.alarm(0)
        if problem:
            report["problems"].append(f"{case}: {problem[-2500:]}")
    print(json.dumps(report))


def limit_memory() -> None:
    """From here on this process may take `MEMORY` more."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _too_late(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"not read in {PATIENCE} s")


def _read_damaged(
    valid: Path, folder: Path, kind: str, name: str, random: Random
) -> str | WannierModel | None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(valid, folder)
    victim = folder / name
    content = victim.read_bytes()
    whole = kind in ("archive", "tbmodels", "structure", "manifest", "packed", "system")
    if not whole and random.random() < 0.25:
        victim.unlink()
        victim.with_name(f"{victim.name}.gz").write_bytes(damaged_packed(content, random))
    else:
        victim.write_bytes(damaged(content, random))
    return read(folder, kind, name)


def read(folder: Path, kind: str, name: str) -> str | WannierModel | None:
    """What the readers say against an input; where they take it the model, None of a list."""
    try:
        if kind == "manifest":
            return _check_sources(folder / name)
        if kind == "structure":
            return _check_sources((folder / name).parent)
        model = load_model(folder / name if kind in ("archive", "tbmodels", "packed") else folder)
        check_finite(model)
        return model
    except InputError as problem:
        return str(problem)


def _check_sources(place: Path) -> str | None:
    error = None
    for source in find_materials(place)[:3]:
        source.stamp()
        json.dumps([source.id, dict(source.columns)], ensure_ascii=False).encode()
        check = check_material(source)
        # What is not foreseen is told with its type.
        assert check.error is None or "Error: " not in check.error[:40], check.error
        error = error or check.error
    return error


def check_finite(model: WannierModel) -> None:
    for array in (model.lattice, model.hamiltonian, model.position, *model.observables.values()):
        assert np.isfinite(array).all()
    if model.trial_orbitals is not None:
        assert np.isfinite(model.trial_orbitals.rotation).all()
    assert model.fermi_level is None or np.isfinite(model.fermi_level)
    assert len(model.fingerprint) == 64
    told = [model.name, *model.provenance.notes, *(path for path, _ in model.provenance.files)]
    json.dumps(told, ensure_ascii=False).encode()


def numbers_of(model: WannierModel) -> dict[str, np.ndarray]:
    """What results are made of, at a few k."""
    names = ["energy", "velocity", "berry_curvature", *(["texture"] if model.observables else [])]
    found = values(model, KPOINTS, 1e-3, 0.05, names)
    if model.fermi_level is not None:
        found["energy above the Fermi level"] = found["energy"] - model.fermi_level
    return found


def is_another(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    """True where a number has moved; one that is gone, such as a level or a spin, is missed by who asks."""
    return any(
        array.shape != expected[name].shape
        or np.abs(array - expected[name]).max() > MOVED * np.abs(expected[name]).max()
        for name, array in found.items()
        if name in expected
    )


def complaint(told: str, name: str, kind: str) -> str | None:
    """What is wrong with a sentence."""
    if "\n" in told or len(told) > 600 or not told.isprintable():
        return f"not one printable sentence: {told[:1000]!r}"
    if "does not fit into the memory" in told:
        return f"took more memory than the file justifies: {told}"
    stem = Path(name).name.split(".")[0]
    return None if stem in told or f"/{kind}" in told else f"names no file: {told}"


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
