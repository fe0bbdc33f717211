"""The command line, `spinscreen`: entry, commands for one material, for campaigns and for stores."""

from .entry import main

__all__ = ["main"]
