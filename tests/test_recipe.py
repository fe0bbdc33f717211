"""The conda recipe asks for what pyproject.toml asks for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]

#: Of a package on PyPI its name on conda-forge, where they differ.
ON_CONDA = {"dask": "dask-core"}


def test_the_recipe_asks_for_what_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
    wanted = dict(line.split(">=") for line in project["dependencies"])
    wanted = {ON_CONDA.get(name, name): bound for name, bound in wanted.items()}
    asked = dict(line.split(" >=") for line in recipe["requirements"]["run"])
    assert asked.pop("python") == "${{ python_min }}"
    assert asked == wanted
    context = recipe["context"]
    assert (context["version"], f">={context['python_min']}") == (
        project["version"],
        project["requires-python"],
    )
    (entry,) = recipe["build"]["python"]["entry_points"]
    assert dict([entry.split(" = ")]) == project["scripts"]
