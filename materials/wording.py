"""What to give is said in the words of whoever asked: Python, the command line, a manifest."""

from __future__ import annotations

import re

_KEYWORD = re.compile(r"\bgive (?:an? )?(lattice|fermi_level|electrons|spin_ordering|centres|periodic)\b=?")


def in_words_of_a_manifest(message: str) -> str:
    """A message of `load_model` for who wrote a manifest, or could: "give lattice=" names a column."""
    return _KEYWORD.sub(r"give \1 as a column of a manifest", message)


def in_words_of_the_command_line(message: str) -> str:
    """A message of `load_model` for who has options: "give lattice=" becomes "give --lattice"."""
    return _KEYWORD.sub(lambda match: f"give --{match[1].replace('_', '-')}", message)
