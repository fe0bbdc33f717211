"""Materials as a recipe of quacc: a @job for each, a @flow over all of them.

pip install quacc; python examples/teams_quacc.py path/to/tree. Without a workflow engine the functions
run here, one after the other; with QUACC_WORKFLOW_ENGINE=dask, parsl, prefect ... the same lines run there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from quacc import flow, job

import spinscreen


@job
def screen_job(source: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One material by `screen_one`; settings : as in a campaign file."""
    return dict(spinscreen.screen_one(source, dict(settings or {})))


@flow
def screen_flow(sources: Sequence[str], settings: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Records of all materials."""
    return [screen_job(source, settings) for source in sources]


def main(sources: Sequence[str], settings: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run the flow by the engine that quacc is set up for and return the records."""
    return screen_flow(sources, settings)


if __name__ == "__main__":
    tree = sys.argv[1] if len(sys.argv) > 1 else "library"
    for record in main([source.path or source.id for source in spinscreen.find_materials(tree)]):
        print(record["name"], record["quality"], record["columns"].get("proper_xy_z"))
