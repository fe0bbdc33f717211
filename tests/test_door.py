"""`import spinscreen`: names that come when they are used, one family of errors, the agreed names."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import is_typeddict

import pytest

import spinscreen
from spinscreen.kernels import InputError, SpinscreenError
from spinscreen.storage import StoreError
from spinscreen.workflows import SchedulerLostError, WorkersLostError

ROOMS = ("kernels", "materials", "storage", "workflows")
HEAVY = {"dask", "distributed", "h5py", "numba", "pandas", "scipy", "tbmodels", "xarray", "zarr"}
#: Refreshed by `python tests/test_door.py` after a change that is meant.
SNAPSHOT = Path(__file__).with_name("public_names.json")


def fresh(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run in a process that has imported nothing, away from the checkout."""
    command = [sys.executable, *(arguments or ("-c", code))]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)


@pytest.mark.parametrize(
    "statement", ["import spinscreen; spinscreen.__version__", "from spinscreen import InputError"]
)
def test_the_door_imports_nothing_heavy(tmp_path, statement):
    code = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    assert not HEAVY & set(fresh(code, tmp_path).stdout.split())


@pytest.mark.parametrize("name", [name for name in spinscreen.__all__ if name not in ROOMS])
def test_every_name_of_the_door_is_that_of_its_room(name):
    assert name in dir(spinscreen)
    homes = [importlib.import_module(f"spinscreen.{room}") for room in ROOMS]
    assert getattr(spinscreen, name) in [getattr(room, name) for room in homes if name in room.__all__]


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_of_a_room_is_also_a_module_of_it(room):
    """Which of the two an attribute gives would depend on what was imported first."""
    home = importlib.import_module(f"spinscreen.{room}")
    modules = {module.name for module in pkgutil.iter_modules(home.__path__)}
    both = set(home.__all__) & modules
    assert {name for name in both if not inspect.ismodule(getattr(home, name))} == set()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="compote"):
        _ = spinscreen.compote


def test_the_version_is_that_of_the_package():
    assert spinscreen.__version__ == version("spinscreen")


def test_python_m_spinscreen_is_the_command(tmp_path):
    assert "Usage" in fresh("", tmp_path, "-m", "spinscreen", "--help").stdout


def test_a_copy_of_the_repository_does_not_hide_the_rooms():
    code = "import spinscreen; print(spinscreen.library.names())"
    assert "kane_mele" in fresh(code, Path(__file__).resolve().parents[1]).stdout


@pytest.mark.parametrize(
    "imports",
    [
        "import spinscreen, xarray",
        "import xarray, spinscreen",
        "import spinscreen.workflows, xarray",
        # Who only asks whether xarray is there takes nothing from who imports it later.
        "import importlib.util, spinscreen; importlib.util.find_spec('xarray'); import xarray",
    ],
)
def test_every_dataset_of_xarray_has_the_accessor(tmp_path, imports):
    assert "spinscreen" in fresh(f"{imports}; print(*dir(xarray.Dataset))", tmp_path).stdout.split()


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InputError, ValueError),
        (StoreError, OSError),
        (SchedulerLostError, Exception),
        (WorkersLostError, Exception),
    ],
)
def test_every_error_is_a_spinscreen_error_and_a_builtin_one(kind, builtin):
    assert issubclass(kind, SpinscreenError)
    assert issubclass(kind, builtin)


def test_a_store_error_is_still_caught_as_bad_input_for_one_version():
    assert issubclass(StoreError, InputError)
    # No value that was given is to blame where a cluster is lost.
    assert not any(issubclass(kind, ValueError) for kind in (SchedulerLostError, WorkersLostError))


def signature(value: object) -> str:
    """What a function or class is given, with "=" where it has a default; else what kind of thing it is."""
    if inspect.ismodule(value):
        return "module"
    if is_typeddict(value):
        return f"dict of {', '.join(value.__annotations__)}"
    if isinstance(value, type) and issubclass(value, Exception | Enum):
        return "error" if issubclass(value, Exception) else "enumeration"
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return "value"
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    words, named_only = [], False
    for parameter in inspect.signature(value).parameters.values():
        named_only |= parameter.kind is parameter.VAR_POSITIONAL
        if parameter.kind is parameter.KEYWORD_ONLY and not named_only:
            words, named_only = [*words, "*"], True
        default = "" if parameter.default is parameter.empty else "="
        words.append(f"{marks.get(parameter.kind, '')}{parameter.name}{default}")
    return f"({', '.join(words)})"


def public_names() -> dict[str, dict[str, str]]:
    packages = ("spinscreen", *(f"spinscreen.{room}" for room in ROOMS))
    rooms = {name: importlib.import_module(name) for name in packages}
    return {
        name: {public: signature(getattr(room, public)) for public in sorted(room.__all__)}
        for name, room in rooms.items()
    }


@pytest.mark.parametrize("room", ["spinscreen", *(f"spinscreen.{room}" for room in ROOMS)])
def test_the_public_names_are_those_that_were_agreed(room):
    agreed, found = json.loads(SNAPSHOT.read_text())[room], public_names()[room]
    gone = sorted(agreed.keys() - found.keys())
    assert not gone, f"{room} lost {gone}; run python {Path(__file__).name} if this is meant"
    assert found == agreed


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(public_names(), indent=1, sort_keys=True) + "\n")
