"""What each room may import (design: data flows materials -> kernels -> workflows -> storage)."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

FORBIDDEN = {
    "kernels": {"dask", "distributed", "xarray", "zarr", "h5py", "tbmodels", "pathlib"}
    | {f"spinscreen.{room}" for room in ("materials", "storage", "workflows")},
    "materials": {"dask", "distributed", "zarr", "spinscreen.workflows", "spinscreen.storage"},
    "storage": {"distributed", "dask", "spinscreen.workflows"},
}
ROOMS = [*FORBIDDEN, "workflows"]


def modules(folder, package: str):
    """Source and package of every module below a folder; a stub of imports counts."""
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from modules(entry, f"{package}.{entry.name}")
        elif entry.name.endswith((".py", ".pyi")):
            yield entry.read_text(), package


def imported(source: str, package: str) -> set[str]:
    """Full names of all that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            # `import spinscreen` and then `spinscreen.workflows`: the door opens every room.
            names |= {ast.unparse(node)} if ast.unparse(node).startswith("spinscreen.") else set()
    return names


def imported_by(room: str) -> set[str]:
    package = f"spinscreen.{room}"
    return set().union(*(imported(*module) for module in modules(resources.files(package), package)))


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may_know(room):
    found = imported_by(room)
    assert "numpy" in found  # the walk has seen the files
    assert not broken(room, found)


def broken(room: str, found: set[str]) -> set[str]:
    return {name for name in found for rule in FORBIDDEN[room] if name == rule or name.startswith(rule + ".")}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_room_takes_a_name_from_the_door(room):
    assert not imported_by(room) & set(door())


def door() -> list[str]:
    import spinscreen

    return [f"spinscreen.{name}" for name in spinscreen.__all__ if name not in ROOMS]


@pytest.mark.parametrize(
    "source",
    [
        "from spinscreen import workflows",
        "import spinscreen.workflows.plan",
        "import spinscreen\nspinscreen.workflows.compute",
        "from ..workflows import compute",
        "from .. import workflows",
        "from ...workflows.plan import plan",
        "def late():\n    from ..workflows.plan import plan",
    ],
)
def test_every_way_to_import_is_seen(source):
    package = "spinscreen.storage.catalog" if "..." in source else "spinscreen.storage"
    assert broken("storage", imported(source, package))


def test_only_workflows_knows_dask():
    assert any(name.startswith("distributed") for name in imported_by("workflows"))


@pytest.mark.parametrize("package", ["spinscreen", *(f"spinscreen.{room}" for room in ROOMS)])
def test_every_room_is_typed(package):
    assert resources.files(package).joinpath("py.typed").is_file()


def test_the_door_holds_nothing_but_the_door():
    beside = Path(__file__).resolve().parents[1] / "spinscreen"
    files = {entry.name for entry in beside.iterdir() if entry.name != "__pycache__"}
    assert files == {"__init__.py", "__main__.py", "py.typed"}


def test_every_package_is_installed():
    root = Path(__file__).resolve().parents[1]
    found = {
        ".".join(("spinscreen", *file.parent.relative_to(root).parts))
        for room in ROOMS
        for file in (root / room).rglob("__init__.py")
    }
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == found | {"spinscreen"}
    assert set(settings["package-dir"]) >= found


def test_no_module_stands_in_for_one_that_a_glance_would_import():
    """Who looks through `sys.modules`, from any thread and at any time, would import it there."""
    code = (
        "import sys, spinscreen.workflows.campaign, spinscreen.materials.loading, spinscreen.storage.store\n"
        "print([name for name, found in list(sys.modules.items()) if 'Lazy' in type(found).__name__])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
