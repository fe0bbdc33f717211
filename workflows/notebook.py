"""A bar in a notebook while k points, or materials of a campaign, are computed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

#: Seconds of work after which a bar is worth a place on the page.
_WORTH_A_BAR = 1.0


def notebook_progress(total: int) -> Callable[[int], None] | None:
    """Called with numbers of what is done, moves a bar of `total` of it; None outside of a notebook."""
    shell = _shell()
    # By its name: consoles and tests have a shell as well, which shows no HTML.
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import ProgressBar

    bar: Any = ProgressBar
    return _Bar(bar(total))


def _shell() -> Any:
    """The IPython shell of this process, None without one."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


class _Bar:
    """Shows itself when the work takes long enough."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._started = time.monotonic()
        self._done, self._shown = 0, False

    def __call__(self, count: int) -> None:
        self._done = min(self._done + count, self._bar.total)
        if self._shown:
            self._bar.progress = self._done
        elif time.monotonic() - self._started > _WORTH_A_BAR:
            self._shown = True
            self._bar.display()
            self._bar.progress = self._done
