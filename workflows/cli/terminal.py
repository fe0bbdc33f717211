"""The one door to the terminal: what is printed is shown as it is, never obeyed."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from typing import Any

from rich.console import Console, ConsoleDimensions
from rich.text import Text

#: What stands for a character that the terminal's encoding lacks; others are shown by their number.
_PLAIN = {
    "ħ": "hbar",
    "π": "pi",
    "Γ": "Gamma",
    "±": "+-",
    "Å": "A",
    "²": "^2",
    "³": "^3",
    "·": "*",
    "…": "...",
}

#: Characters of a line that no reader breaks.
_ENDLESS = 100_000


def printable(text: str, encoding: str = "utf-8") -> str:
    """The text with everything that a terminal would obey, or cannot show, written out; lines stay lines."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(_shown(c, encoding) for c in text)


def one_line(text: object) -> str:
    """A name, path or message from outside as one printable line, which no line break in it can forge."""
    return printable(str(text)).replace("\n", "\\n")


def _shown(character: str, encoding: str) -> str:
    if character == "\n":
        return character
    # Control characters, those that turn the direction of writing, halves of characters; no kind of space.
    if not character.isprintable() and unicodedata.category(character) != "Zs":
        return character.encode("unicode_escape").decode("ascii")
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN.get(character) or character.encode("unicode_escape").decode("ascii")
    except LookupError:
        pass
    return character


class Terminal(Console):
    """A console without markup, emoji codes and highlighting: ids, paths and messages may hold anything.

    Whatever is printed passes `render_str`, cells and titles of tables included.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    @property
    def size(self) -> ConsoleDimensions:
        """Without end for a pipe or a file: nothing is broken there, so that `grep` finds it."""
        found = super().size
        return found if self.is_terminal else ConsoleDimensions(_ENDLESS, found.height)

    @size.setter
    def size(self, dimensions: tuple[int, int]) -> None:
        self._width, self._height = dimensions

    def render_str(self, text: str, **options: Any) -> Text:
        """Text for printing, see `printable`."""
        return super().render_str(
            printable(text, self.encoding), **options | {"markup": False, "emoji": False}
        )

    def say(self, *words: str, style: str | None = None) -> None:
        """Print one message, its lines unbroken: paths in it can be copied."""
        self.print(*words, style=style, soft_wrap=True)

    def complain(self, message: object, kind: str = "error") -> None:
        """Print what went wrong as one line."""
        text = Text(f"{kind}: ", style="bold red" if kind == "error" else "yellow")
        self.print(
            text.append(printable(one_line(message), self.encoding), style="not bold default"), soft_wrap=True
        )


out = Terminal()
err = Terminal(stderr=True)


def guard_streams() -> None:
    """Let no character stop the program, and warnings be one line: the command line does so at its start."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    err.complain(in_own_words(message), "warning")


def in_own_words(message: object) -> str:
    """What a reader of files says to who has options: "give lattice=" becomes "give --lattice"."""
    from spinscreen.materials.wording import in_words_of_the_command_line

    return in_words_of_the_command_line(str(message))
