"""The command line, `spinscreen`: entry, commands for one material, for campaigns and for stores."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point: until the commands are imported Ctrl-C ends the process without a word of Python."""
    import signal
    import sys

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version

        print(f"spinscreen {version('spinscreen')}")
        return
    *command, last = sys.argv[1:] or [""]
    if last in ("--help", "-h") and len(command) < 2 and _has_printed_help(*command):
        return
    from .entry import main as run

    run()


def _has_printed_help(command: str = "spinscreen") -> bool:
    """Print help as it was printed once: all that the commands import would take two seconds.

    A test compares it with what the commands say; False where there is none, and where the terminal cannot
    show it.
    """
    from importlib.resources import files

    if not command.isalpha():
        return False
    try:
        print(files(__package__).joinpath("help", f"{command}.txt").read_text("utf-8"), end="")
    except (OSError, UnicodeEncodeError):
        return False
    return True
