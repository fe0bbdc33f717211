"""Entry point of the command line: signals and errors. The commands are imported by it, not above it."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

    from .terminal import Terminal

#: Exit codes of a shell: of a mistake, and of a command that a signal ended, less the signal's number.
MISTAKE, SIGNALLED = 2, 128

#: Seconds in which a signal that comes again is the same one: `timeout` sends it to a command and its group.
_SAME = 1.0

_STOPPED = "stopped; nothing unfinished was stored."


class Interruptions:
    """What Ctrl-C and the batch system's SIGTERM do: the work ends and cleans up, workers end too.

    Before there is any work (imports), after it, and when the user does not wait for the cleaning up, the
    process ends at once: workers notice and follow, and nothing that was published depends on it.
    """

    def __init__(self) -> None:
        self.working = False
        self._number, self._received = 0, 0.0
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What is ignored was so by intention, as with nohup.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        first = not self._number
        if first:
            self._number, self._received = number, time.monotonic()
        if self.working and first:
            raise KeyboardInterrupt
        if self.working and time.monotonic() - self._received < _SAME:
            return
        with suppress(OSError):
            os.write(2, f"{_STOPPED}\n".encode())
        os._exit(self.exit_code)

    @property
    def exit_code(self) -> int:
        """As a shell reports it: 130 after Ctrl-C, 143 after SIGTERM."""
        return SIGNALLED + (self._number or signal.SIGINT)


def main() -> None:
    """Entry point: a known problem is one line on stderr and exit code 2, never a traceback."""
    interruptions = Interruptions()
    from .cli_material import app
    from .terminal import err, guard_streams

    guard_streams()
    try:
        interruptions.working = True
        code = _run(app, err)
    except KeyboardInterrupt:
        code = SIGNALLED + signal.SIGINT
    finally:
        interruptions.working = False
    if code == SIGNALLED + signal.SIGINT:
        err.say(_STOPPED)
        code = interruptions.exit_code
    sys.exit(code)


def _run(app: typer.Typer, err: Terminal) -> int:
    import typer

    from spinscreen.kernels import InputError

    try:
        code = app(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as problem:
        err.complain(problem)
        return MISTAKE
    except typer.Abort:
        return SIGNALLED + signal.SIGINT
    except OSError as problem:
        # Of the output itself most likely: whatever reads and writes files has a sentence of its own.
        err.complain(f"{problem.filename or 'output'}: {problem.strerror or problem}")
        return MISTAKE
    except MemoryError:
        err.complain("out of memory; expected a smaller memory_budget, fewer energies or a smaller mesh")
        return MISTAKE
    except Exception as problem:
        # Wrong options: Click's own messages, which know the command.
        if not (hasattr(problem, "show") and hasattr(problem, "exit_code")):
            raise
        problem.show()
        return int(problem.exit_code)
    return int(code)


if __name__ == "__main__":
    main()
