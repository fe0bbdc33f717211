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
    if sys.argv[1:] in (["--help"], ["-h"]) and _has_printed_help():
        return
    from .entry import main as run

    run()


def _has_printed_help() -> bool:
    """Print the list of commands as it was printed once: all that they import would take two seconds.

    A test compares it with what the commands say; False where the terminal cannot show it.
    """
    from importlib.resources import files

    try:
        print(files(__package__).joinpath("help.txt").read_text("utf-8"), end="")
    except (OSError, UnicodeEncodeError):
        return False
    return True
