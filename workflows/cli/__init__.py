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
    from .entry import main as run

    run()
