"""The one door to the terminal: what is printed is shown as it is, never obeyed."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from typing import Any

from rich.console import Console, ConsoleDimensions, Group
from rich.measure import Measurement
from rich.table import Table
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

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, tables for which a terminal is too narrow as lines: no number loses its end."""
        tables = [table for thing in objects for table in _parts(thing)]
        endless = self.options.update(width=_ENDLESS)
        if any(Measurement.get(self, endless, table).minimum > self.width for table in tables):
            objects, options = tuple(map(_as_lines, objects)), options | {"soft_wrap": True}
        super().print(*objects, **options)

    def say(self, *words: str, style: str | None = None) -> None:
        """Print one message, its lines unbroken: paths in it can be copied."""
        self.print(*words, style=style, soft_wrap=True)

    def complain(self, message: object, kind: str = "error") -> None:
        """Print what went wrong as one line."""
        text = Text(f"{kind}: ", style="bold red" if kind == "error" else "yellow")
        self.print(
            text.append(printable(one_line(message), self.encoding), style="not bold default"), soft_wrap=True
        )


def _parts(thing: object) -> list[Table]:
    """The tables in what is printed."""
    if isinstance(thing, Group):
        return [table for part in thing.renderables for table in _parts(part)]
    return [thing] if isinstance(thing, Table) else []


def _as_lines(thing: Any) -> Any:
    """Tables as lines, a row each, with the heading before each cell."""
    if not (tables := _parts(thing)):
        return thing
    lines = []
    for table in tables:
        rows = zip(*(column.cells for column in table.columns), strict=True)
        headings = [
            f"{column.header}: ".replace("\n", " ") if table.show_header else "" for column in table.columns
        ]
        cells = ([h + str(cell) for h, cell in zip(headings, row, strict=True) if str(cell)] for row in rows)
        between = ", " if table.show_header else "  "
        lines += [*filter(None, [table.title]), *map(between.join, cells), *filter(None, [table.caption])]
    return "\n".join(map(str, lines))


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
