"""Ctrl-C and SIGTERM at any moment: no traceback, the exit code of a shell, workers that end too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from campaigns import wait_until
from command_line import COMMAND

#: Half an hour of work: nothing that is interrupted ends by itself.
LONG = ("run", "MoS2", "--kmesh", "10000,10000,1")

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="/proc tells what a process does"
)


@pytest.fixture
def start(tmp_path):
    """Start the command line in a group of its own, as a shell does; what is left of it is killed."""
    started: list[subprocess.Popen] = []

    def begin(*words: str, command: tuple[str, ...] = COMMAND) -> subprocess.Popen:
        process = subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_work(process: subprocess.Popen) -> None:
    """The model's table is printed before the first k point and before workers start."""
    while "observables" not in process.stdout.readline():
        assert process.poll() is None


def children(process: subprocess.Popen) -> list[int]:
    """Processes of the same session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == process.pid:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return [number for number in found if number != process.pid]


def is_worker(number: int) -> bool:
    try:
        return "spawn_main" in Path(f"/proc/{number}/cmdline").read_text()
    except OSError:
        return False


def is_up(number: int) -> bool:
    """Whether a process is a worker that has connections."""
    try:
        links = [str(entry.readlink()) for entry in Path(f"/proc/{number}/fd").iterdir()]
    except OSError:
        return False
    return is_worker(number) and sum("socket" in link for link in links) >= 4


def ended(process: subprocess.Popen) -> str:
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors
    assert "Exception" not in errors
    return errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_work_with_its_code(start, number, code):
    process = start(*LONG)
    wait_for_work(process)
    process.send_signal(number)
    assert ended(process).count("stopped; nothing unfinished was stored.") == 1
    assert process.returncode == code


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_modules_are_imported(start, number):
    process = start(*LONG)
    maps = Path(f"/proc/{process.pid}/maps")
    # NumPy is imported by the commands, so its library shows that the imports are on their way.
    wait_until(lambda: "_multiarray_umath" in maps.read_text())
    process.send_signal(number)
    assert ended(process).count("stopped") == 1
    assert process.returncode == 128 + number


@pytest.mark.parametrize("pause", [0.0, 0.3, 1.2])
def test_a_second_interrupt_changes_nothing_or_ends_at_once(start, pause):
    process = start(*LONG)
    wait_for_work(process)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
    assert "stopped" in ended(process)
    assert process.returncode == 130


@needs_proc
@pytest.mark.parametrize("pause", [None, 0.0, 1.2])
def test_workers_end_with_the_driver(start, pause):
    """The signal goes to the driver alone, as that of a batch system does; once or again after a while."""
    process = start(*LONG, "--workers", "2")
    wait_for_work(process)
    wait_until(lambda: sum(is_up(number) for number in children(process)) >= 2)
    workers = children(process)
    process.send_signal(signal.SIGTERM)
    if pause is not None:
        time.sleep(pause)
        process.send_signal(signal.SIGTERM)
    assert "stopped" in ended(process)
    # The second may come when Python has given the signal back to the system; a shell says 143 of both.
    assert process.returncode in (143, -signal.SIGTERM)
    wait_until(lambda: not set(workers) & set(children(process)))


@needs_proc
@pytest.mark.parametrize("up", [False, True])
def test_ctrl_c_of_a_terminal_reaches_workers_that_start_or_work(start, up):
    """A terminal sends it to all processes of the group."""
    process = start(*LONG, "--workers", "2")
    wait_for_work(process)
    if up:
        wait_until(lambda: sum(is_up(number) for number in children(process)) >= 2)
    else:
        wait_until(lambda: sum(is_worker(number) for number in children(process)) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    assert "stopped" in ended(process)
    assert process.returncode == 130
    wait_until(lambda: not children(process))


def test_a_hangup_that_is_ignored_stays_ignored(start):
    process = start(*LONG, command=("nohup", *COMMAND))
    wait_for_work(process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    ended(process)
    assert process.returncode == 143


def test_the_entry_point_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from spinscreen.workflows.cli import main\n"
        "print(*sorted({'numpy', 'distributed', 'xarray', 'typer', 'rich'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not found.stdout.split()
