"""The lazy tree stands on parts of `xarray.DataTree` that are not public: do newer releases have them?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.upstream

TESTS = (
    "test_store.py::test_a_large_store_is_opened_group_by_group",
    "test_store.py::test_many_writers_of_one_material_publish_it_once",
    "test_store.py::test_nothing_warns_while_writing_and_reading",
)


def test_the_tree_of_a_store_under_the_newest_xarray(tmp_path, request):
    if "upstream" not in request.config.getoption("-m"):
        pytest.skip("asks the package index; run with -m upstream")
    newest = tmp_path / "newest"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--pre",
        "--no-deps",
        "--target",
        str(newest),
    ]
    subprocess.run([*install, "xarray"], check=True)
    folder = Path(__file__).parent
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *(str(folder / test) for test in TESTS)],
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(newest)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
