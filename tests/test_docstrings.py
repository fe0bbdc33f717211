"""The examples in docstrings of public names run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import spinscreen

ROOMS = (
    "spinscreen",
    "spinscreen.kernels",
    "spinscreen.materials",
    "spinscreen.storage",
    "spinscreen.workflows",
)
#: A reader who knows these can work.
MAIN = {
    "load_model",
    "load",
    "bogoliubov",
    "compute",
    "evaluate",
    "Campaign",
    "run_campaign",
    "open_store",
    "screen",
}


def examples() -> list[doctest.DocTest]:
    """Those of every public name, once; of a class and its public methods."""
    found = doctest.DocTestFinder(recurse=True).find(spinscreen, "spinscreen", module=False, globs={})
    seen = {id(spinscreen)}
    for room in ROOMS:
        package = importlib.import_module(room)
        objects = {name: getattr(package, name) for name in package.__all__}
        objects |= {f"library.{name}": value for name, value in vars(spinscreen.library).items()}
        for name, value in objects.items():
            ours = getattr(value, "__module__", "").startswith("spinscreen.")
            if ours and id(value) not in seen and (inspect.isfunction(value) or inspect.isclass(value)):
                seen.add(id(value))
                found += doctest.DocTestFinder().find(value, name, module=False, globs={})
    return [example for example in found if example.examples]


EXAMPLES = examples()


def test_every_main_name_has_an_example():
    assert {example.name.split(".")[-1] for example in EXAMPLES} >= MAIN


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_gives_what_it_says(example):
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=report.append)
    assert not report, "".join(report)
