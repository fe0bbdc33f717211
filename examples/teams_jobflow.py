"""Materials as jobs of jobflow: one job for each, and one that ranks what came out.

pip install jobflow; python examples/teams_jobflow.py path/to/tree. The same flow goes to fireworks or
jobflow-remote, whose workers need spinscreen and the files.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker, job, run_locally

import spinscreen

COMPONENT = ("proper_hall_conductivity", "xy_z")


@dataclass
class ScreenMaker(Maker):
    """One material by `screen_one`; settings : as in a campaign file."""

    name: str = "screen"
    settings: dict[str, Any] = field(default_factory=dict)

    @job
    def make(self, source: str) -> dict[str, Any]:
        return dict(spinscreen.screen_one(source, self.settings))


@job
def rank(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name, value, error, unit and quality of each material, the largest value first."""
    quantity, component = COMPONENT
    found = []
    for record in records:
        # A model without spin has no such quantity.
        values = record["quantities"].get(quantity, {"components": {}})["components"].get(component)
        if values is not None and values["value"] is not None:
            found.append({"name": record["name"], "quality": record["quality"], **values})
    return sorted(found, key=lambda one: -abs(one["value"]))


def screening_flow(sources: Sequence[str], settings: Mapping[str, Any]) -> Flow:
    """A job for each source and the ranking of all of them, which is the flow's output."""
    maker = ScreenMaker(settings=dict(settings))
    jobs = [maker.make(source) for source in sources]
    ranking = rank([one.output for one in jobs])
    return Flow([*jobs, ranking], output=ranking.output, name="spin Hall screening")


def main(sources: Sequence[str], settings: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run the flow in this process and return the ranking."""
    flow = screening_flow(sources, settings or {})
    answers = run_locally(flow, ensure_success=True, log=False)
    ranking = flow.jobs[-1]
    return answers[ranking.uuid][1].output


if __name__ == "__main__":
    tree = sys.argv[1] if len(sys.argv) > 1 else "library"
    for line in main([source.path or source.id for source in spinscreen.find_materials(tree)]):
        print(line)
