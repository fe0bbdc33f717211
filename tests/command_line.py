"""The command line in the tests' own process, and as a process where the process itself is tested."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from spinscreen.workflows.cli.entry import run_command

#: The real entry point, as the installed script calls it.
COMMAND = (sys.executable, "-c", "from spinscreen.workflows.cli import main; main()")

#: Tables in full.
WIDTH = {"COLUMNS": "160"}


def spinscreen(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """What a process would answer, without the seconds of its start; nothing of it stays in this process.

    Signals and the last exit are not part of it: for these see `spinscreen_process`.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    with (
        chdir(cwd or Path.cwd()),
        # As a whole: the command line sets variables for its workers.
        patch.dict(os.environ, {**WIDTH, **(env or {})}),
        patch.object(sys, "argv", ["spinscreen", *words]),
        patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
        _warnings_of_a_process(),
        _levels_kept(),
    ):
        code = run_command()
    shown, complaints = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    return subprocess.CompletedProcess(words, code, shown, complaints)


def spinscreen_process(
    *words: str, env: Mapping[str, str] | None = None, **options
) -> subprocess.CompletedProcess[str]:
    """The same by the real entry point; options as for `subprocess.run`, all output is captured else."""
    options = {"capture_output": True, "text": True, "check": False} | options
    return subprocess.run([*COMMAND, *words], env={**os.environ, **WIDTH, **(env or {})}, **options)


@contextmanager
def _warnings_of_a_process() -> Iterator[None]:
    """Python's own filters instead of pytest's, under which every warning is told again."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def _levels_kept() -> Iterator[None]:
    """A command silences the loggers of Dask in its process; that of the tests goes on with its own."""
    loggers = [x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    levels = [(logger, logger.level) for logger in loggers]
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
