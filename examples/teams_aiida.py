"""A material as a calculation of AiiDA, by aiida-pythonjob: files in, a Dict with the whole record out.

pip install aiida-pythonjob; verdi presto; python examples/teams_aiida.py path/to/Pt. The code of the computer
is a Python in which spinscreen is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from aiida import load_profile, orm
from aiida.engine import run_get_node
from aiida_pythonjob import PythonJob, prepare_pythonjob_inputs, spec


def screen_material(source: str, settings: dict) -> dict:
    """Runs on the computer, whose Python imports what is in here."""
    import spinscreen

    return {"record": spinscreen.screen_one(source, settings)}


def calculation_inputs(
    source: str, settings: Mapping[str, Any], computer: str = "localhost", python: str = sys.executable
) -> dict[str, Any]:
    """What `run` and `submit` take; source : a path on the computer, or the name of a built-in model."""
    return prepare_pythonjob_inputs(
        screen_material,
        function_inputs={"source": source, "settings": dict(settings)},
        outputs_spec=spec.namespace(record=dict),
        computer=computer,
        command_info={"label": "spinscreen", "filepath_executable": python},
        process_label="spinscreen",
        # The computer need not have this file.
        register_pickle_by_value=True,
    )


def main(source: str, settings: Mapping[str, Any] | None = None) -> orm.Dict:
    """Run the calculation in this process and return the node with its record."""
    results, node = run_get_node(PythonJob, **calculation_inputs(source, settings or {}))
    if not node.is_finished_ok:
        raise RuntimeError(f"{node}: {node.exit_status}, {node.exit_message}")
    return results["record"]


if __name__ == "__main__":
    load_profile()
    print(main(sys.argv[1] if len(sys.argv) > 1 else "kane_mele").get_dict())
