"""What to give is said in the words of whoever asked: Python, the command line, a manifest."""

from __future__ import annotations

import re

_WORDS = "lattice|fermi_level|electrons|spin_ordering|spin_degeneracy|soc"

#: "give lattice=", "give spin_degeneracy=1", "give spin_ordering='none'"
_KEYWORD = re.compile(rf"\bgive (?:an? )?({_WORDS})\b(?:=(?:'?(\w+)'?)?)?")

#: What a sentence is about, where that is a keyword.
_ABOUT = re.compile(rf"(^|: )({_WORDS}): ")


def in_words_of_a_manifest(message: str, entry: str | None = None) -> str:
    """A message of `load_model` for who wrote a manifest, or could: "give lattice=" names a column.

    entry : the line of the manifest, where there is one
    """

    def column(match: re.Match[str]) -> str:
        value = f" {match[2]}" if match[2] else ""
        return f"give {match[1]}{value} " + (f"in {entry}" if entry else "as a column of a manifest")

    told = _KEYWORD.sub(column, message)
    return _ABOUT.sub(rf"\1\2 in {entry}: ", told) if entry else told


def in_words_of_the_command_line(message: str) -> str:
    """A message of `load_model` for who has options: "give lattice=" becomes "give --lattice"."""

    def option(match: re.Match[str]) -> str:
        return f"give --{match[1].replace('_', '-')}" + (f" {match[2]}" if match[2] else "")

    told = _KEYWORD.sub(option, message)
    return _ABOUT.sub(lambda match: f"{match[1]}--{match[2].replace('_', '-')}: ", told)
