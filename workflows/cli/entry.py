"""Entry point of the command line: signals and errors. The commands are imported by it, not above it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker
from threading import Thread, Timer, main_thread
from types import FrameType

#: Exit codes of a shell: of a mistake, and of a command that a signal ended, less the signal's number.
MISTAKE, SIGNALLED = 2, 128

#: Seconds in which a signal that comes again is the same one: `timeout` sends it to a command and its group.
_SAME = 1.0

#: Seconds for cleaning up after a signal: batch systems kill after half a minute.
_PATIENCE = 20.0

_STOPPED = "stopped; nothing unfinished was stored."


class Interruptions:
    """What Ctrl-C and the batch system's SIGTERM do: the work ends and cleans up, workers end too.

    Before there is any work (imports), after it, and when the user does not wait for the cleaning up, the
    process ends at once: workers notice and follow, and nothing that was published depends on it.

    A terminal sends Ctrl-C to workers as well, which would print how it met them. So it is blocked in this
    process, hence in all that it starts, and a thread that waits for it hands it on as a SIGTERM.
    """

    def __init__(self) -> None:
        self.working = self.told = False
        self._number: int | None = None
        self._received: float | None = None
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # What is ignored was so by intention, as with nohup.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)
        self._hands_on = signal.getsignal(signal.SIGINT) is self and hasattr(signal, "pthread_sigmask")
        if self._hands_on:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            Thread(target=self._wait_for_interrupt, daemon=True).start()

    def begin_work(self) -> None:
        """From now on the work is to be cleaned up after."""
        self.working = True
        if self._hands_on:
            # Else Python starts it with the first worker, and unblocks the signal where it does so.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def _wait_for_interrupt(self) -> None:
        while True:
            number = signal.sigwait({signal.SIGINT})
            self._number = self._number or number
            # To the main thread, where alone Python handles signals, whatever it waits for.
            signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._number = self._number or number
        first = self._received is None
        if self._received is None:
            self._received = time.monotonic()
        if self.working and first:
            # Whatever is cleaned up may hang, a scheduler that waits for jobs above all.
            patience = Timer(_PATIENCE, self._give_up)
            patience.daemon = True
            patience.start()
            # Dask reports whatever it loses while it is being closed.
            logging.disable()
            raise KeyboardInterrupt
        if self.working and time.monotonic() - self._received < _SAME:
            return
        self._give_up()

    def _give_up(self) -> None:
        if not self.told:
            self.tell()
        os._exit(self.exit_code)

    @property
    def exit_code(self) -> int:
        """As a shell expects it: 130 after Ctrl-C, 143 after SIGTERM."""
        return SIGNALLED + (self._number or signal.SIGINT)

    def tell(self) -> None:
        """Say that the work has ended, and be silent from then on: what is closed now may be half made."""
        self.told = True
        with suppress(OSError):
            os.write(2, f"{_STOPPED}\n".encode())
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> None:
    """Entry point: a known problem is one line on stderr and exit code 2, never a traceback."""
    interruptions = Interruptions()
    try:
        code = run_command(interruptions.begin_work)
    except KeyboardInterrupt:
        code = SIGNALLED + signal.SIGINT
    finally:
        interruptions.working = False
    if code == SIGNALLED + signal.SIGINT:
        interruptions.tell()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        # Not by way of Python's end, which waits for threads that still compute what nobody wants.
        os._exit(interruptions.exit_code)
    sys.exit(code)


def run_command(begin: Callable[[], None] | None = None) -> int:
    """Run what `sys.argv` says, and give its exit code; a known problem is one line on stderr.

    begin : called once everything is imported, before the work; None: nothing
    """
    import typer

    from spinscreen.kernels import SpinscreenError

    from .log import tell_of_kernels
    from .material import app
    from .terminal import err, guard_streams, in_own_words

    guard_streams()
    tell_of_kernels()
    # Of worker processes of this one, which start later: their driver tells what became of their work.
    for name in ("DISTRIBUTED", "ASYNCIO"):
        os.environ.setdefault(f"DASK_LOGGING__{name}", "critical")
    if begin is not None:
        begin()
    try:
        # Named alike however it was started, as in the help that is printed at once.
        code = app(prog_name="spinscreen", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except SpinscreenError as problem:
        err.complain(in_own_words(problem))
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
