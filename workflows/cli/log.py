"""What a driver leaves behind: one line for each thing that happened, beside the store."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .terminal import err, one_line

_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Lines(logging.Formatter):
    """One printable line for each record, whatever a message holds."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


class _Quiet(logging.FileHandler):
    """A full disk stops no campaign because of its log."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class _Told(logging.Handler):
    """Records as lines on a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        err.say(one_line(record.getMessage()))


def tell_of_kernels() -> None:
    """Say on a terminal that machine code is made, as somebody waits for it."""
    logger = logging.getLogger("spinscreen.kernels")
    if err.is_terminal and not logger.handlers:
        logger.addHandler(_Told())
        logger.setLevel(logging.INFO)


@contextmanager
def driver_log(folder: Path) -> Iterator[None]:
    """Write what the logger `spinscreen` says into folder/driver-<time>.log; without one, say so once."""
    logger = logging.getLogger("spinscreen")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _Quiet(folder / f"driver-{time.strftime('%Y%m%dT%H%M%S')}.log", encoding="utf-8")
    except OSError as problem:
        err.complain(f"{folder}: no log is written ({problem.strerror})", "warning")
        yield
        return
    handler.setFormatter(_Lines(_FORMAT))
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        if isinstance(sys.exception(), KeyboardInterrupt):
            # By the handler itself: a signal silences all loggers, because of Dask's.
            handler.handle(logger.makeRecord(logger.name, logging.WARNING, "", 0, "stopped", (), None))
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
