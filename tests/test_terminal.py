"""The door to the terminal: whatever an id, a path or a message holds is shown, and does nothing."""

from __future__ import annotations

import io
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from spinscreen.workflows.cli import progress as signs_of_life
from spinscreen.workflows.cli import terminal
from spinscreen.workflows.cli.progress import progress_bar
from spinscreen.workflows.cli.terminal import Terminal, one_line, printable

NASTY = (
    "[/x]",
    "[red]x[/]",
    "pip install 'spinscreen[plot]'",
    ":smile:",
    "\\[a]",
    "[link=file:///]x[/link]",
    "1e5 'a' True",
)


def printed(*renderables: object, encoding: str = "utf-8", terminal: bool = False) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Terminal(file=stream, width=200, force_terminal=terminal, color_system=None)
    for renderable in renderables:
        console.print(renderable)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("text", NASTY)
def test_text_is_no_markup_wherever_it_stands(text):
    assert printed(text) == text + "\n"
    table = Table(title=text, caption=text)
    table.add_column(text, footer=text)
    table.add_row(text)
    assert printed(table).count(text) == 4


@pytest.mark.parametrize("text", NASTY)
def test_a_progress_bar_shows_its_label(text):
    stream = io.StringIO()
    with progress_bar(Terminal(file=stream, width=200), text, 1) as progress:
        progress(1)
    assert text in stream.getvalue()


def test_a_log_file_gets_lines_while_nothing_moves(monkeypatch):
    """Without escape codes, and more than one: whoever looks into the log sees that it lives."""
    monkeypatch.setattr(signs_of_life, "_FIRST_PAUSE", 0.01)
    stream = io.StringIO()
    with progress_bar(Terminal(file=stream), "campaign", 3, "materials") as progress:
        progress(1)
        progress.aim(0.5, 0.01)
        while stream.getvalue().count("\n") < 2:
            time.sleep(0.01)
        progress(2)
    first, *_, last = stream.getvalue().splitlines()
    assert first.startswith("campaign: 1 of 3 materials, 50 % -> 1 %, 0:00:0")
    assert last.startswith("campaign: 3 of 3 materials, 50 % -> 1 %, 0:00:0")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\rb\bc\x7f\x9b31m", r"a\rb\x08c\x7f\x9b31m"),
        ("abc\u202edcba\u2028", r"abc\u202edcba\u2028"),
        ("file\udcff", r"file\udcff"),
        ("line\nline", "line\nline"),
    ],
)
def test_what_would_drive_the_terminal_is_written_out(text, shown):
    assert printable(text) == shown
    assert printed(text, terminal=True) == shown + "\n"
    assert "\n" not in one_line(text)


@given(st.text(), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", "koi8-r"]))
def test_every_text_can_be_printed_in_every_encoding(text, encoding):
    assert "".join(one_line(text).split()).isprintable()
    table = Table(title=text)
    table.add_row(text)
    assert printed(text, table, encoding=encoding)


def test_units_keep_their_meaning_without_their_letters():
    assert printed("(ħ/e) Å² π", encoding="ascii") == "(hbar/e) A^2 pi\n"
    # Both letters that Latin-1 has stay.
    assert printed("ħ Å²", encoding="latin-1") == "hbar Å²\n"


def test_errors_and_warnings_are_one_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(terminal, "err", Terminal(file=stream, width=40))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    terminal.guard_streams()
    terminal.err.complain("[/x] " + "long " * 20 + "\nforged: line")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("model '[red]': a \x1b[31m note", UserWarning, stacklevel=1)
    first, second = stream.getvalue().splitlines()
    assert first.startswith("error: [/x] long")
    assert first.endswith("\\nforged: line")
    assert second == r"warning: model '[red]': a \x1b[31m note"


def test_a_table_that_is_too_wide_is_lines_with_every_number_whole():
    table = Table(title="Pt at 18.0946 eV")
    for heading in ("component", "T4", "T6\n(S/cm)"):
        table.add_column(heading, no_wrap=True)
    table.add_row("xy_z", "2152.3±2.3", "1614±52")
    table.add_row("yz_x", "", "-1614±52")
    shown = {}
    for width in (30, 80):
        screen = Terminal(file=io.StringIO(), force_terminal=True, color_system=None, width=width, height=25)
        screen.print(table)
        shown[width] = screen.file.getvalue()
    assert shown[30].splitlines() == [
        "Pt at 18.0946 eV",
        "component: xy_z, T4: 2152.3±2.3, T6 (S/cm): 1614±52",
        "component: yz_x, T6 (S/cm): -1614±52",
    ]
    assert "│ xy_z      │ 2152.3±2.3 │ 1614±52  │" in shown[80]
