"""What each room may import (design: data flows materials -> kernels -> workflows -> storage)."""

from __future__ import annotations

import ast
from importlib import resources

import pytest

FORBIDDEN = {
    "kernels": {"dask", "distributed", "xarray", "zarr", "h5py", "tbmodels", "pathlib"}
    | {f"spinscreen.{room}" for room in ("materials", "storage", "workflows")},
    "materials": {"dask", "distributed", "zarr", "spinscreen.workflows", "spinscreen.storage"},
    "storage": {"distributed", "dask", "spinscreen.workflows"},
}


def imported(room: str) -> set[str]:
    names = set()
    root = resources.files(f"spinscreen.{room}")
    pending = [root]
    while pending:
        folder = pending.pop()
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name != "__pycache__":
                pending.append(entry)
            elif entry.name.endswith(".py"):
                for node in ast.walk(ast.parse(entry.read_text())):
                    if isinstance(node, ast.Import):
                        names |= {alias.name for alias in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.level == 0:
                        names.add(node.module)
                        names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may_know(room):
    found = imported(room)
    assert "numpy" in found  # the walk has seen the files
    broken = {
        name for name in found for rule in FORBIDDEN[room] if name == rule or name.startswith(rule + ".")
    }
    assert not broken


def test_only_workflows_knows_dask():
    assert any(name.startswith("distributed") for name in imported("workflows"))


@pytest.mark.parametrize("room", ["kernels", "materials", "storage", "workflows"])
def test_every_room_is_typed(room):
    assert resources.files(f"spinscreen.{room}").joinpath("py.typed").is_file()
