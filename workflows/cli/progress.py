"""Signs of life: a bar on a terminal, a line now and then in a pipe or a log file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..execution import Progress as Report
from .terminal import one_line

#: Seconds to the first line of a log, each pause being twice the last one, and the longest pause.
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0

#: What stops no work: a full disk, a reader who has gone.
_NOT_SHOWN = (OSError, SystemExit, ValueError)


def _largest_error(bar: float, tolerance: float) -> str:
    told = f"{100 * bar:.2g}" if bar < 1 else "over 100"
    return f"{told} % -> {100 * tolerance:.2g} %"


@dataclass(frozen=True)
class _Bar:
    """Moves a bar, and says in front of it how the largest error bar shrinks."""

    progress: Progress
    task: TaskID
    label: str

    def __call__(self, count: int) -> None:
        self.progress.update(self.task, advance=count)
        task = self.progress.tasks[self.task]
        if task.total is not None and task.completed > task.total:
            # The start mesh of the adaptive integration is taken whatever the budget.
            self.progress.update(self.task, total=task.completed)

    def aim(self, bar: float, tolerance: float) -> None:
        self.progress.update(self.task, description=f"{self.label}: {_largest_error(bar, tolerance)}")


@dataclass
class _Lines:
    """The same as lines that a log file keeps, also while nothing moves: at pauses that grow."""

    console: Console
    label: str
    total: int
    unit: str
    done: int = 0
    aimed: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: Event = field(default_factory=Event)

    def __call__(self, count: int) -> None:
        self.done += count

    def aim(self, bar: float, tolerance: float) -> None:
        self.aimed = f", {_largest_error(bar, tolerance)}"

    def say(self) -> None:
        elapsed = timedelta(seconds=int(time.monotonic() - self.started))
        with suppress(*_NOT_SHOWN):
            total = max(self.done, self.total)
            told = f"{self.label}: {self.done} of {total} {self.unit}{self.aimed}, {elapsed}"
            self.console.print(told, soft_wrap=True)
            self.console.file.flush()

    def go_on(self) -> None:
        pause = _FIRST_PAUSE
        while not self.ended.wait(pause):
            self.say()
            pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def progress_bar(
    console: Console, label: str, total: int, unit: str = "k points", transient: bool = False
) -> Iterator[Report]:
    """Signs of life of so much work; gives the function that is told what is done.

    transient : nothing is left of it on a terminal
    """
    draw = _drawn if console.is_terminal and not console.is_dumb_terminal else _written
    with draw(console, one_line(label), total, unit, transient) as report:
        yield report


@contextmanager
def _written(console: Console, label: str, total: int, unit: str, transient: bool) -> Iterator[Report]:
    lines = _Lines(console, label, total, unit)
    thread = Thread(target=lines.go_on, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        lines.ended.set()
        thread.join()
        if not transient:
            lines.say()


@contextmanager
def _drawn(console: Console, label: str, total: int, unit: str, transient: bool) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, transient=transient)
    task = progress.add_task(label, total=total)
    with suppress(*_NOT_SHOWN):
        progress.start()
    try:
        yield _Bar(progress, task, label)
    finally:
        with suppress(*_NOT_SHOWN):
            progress.stop()
