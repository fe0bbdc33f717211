"""Reading text files: encodings, numbers in bulk, and errors that name the line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files import Announced, quoted, read_bytes
from ..matrices import LARGEST, within

#: Bytes that a line of numbers may take, several times what Wannier90 writes.
LONGEST_LINE = 256


#: A number whose exponent has three digits, for which Fortran leaves out the letter.
_LETTERLESS = re.compile(r"(?<!\S)([-+]?\d*\.\d+)([-+]\d{3})(?!\S)")


def read_text(path: Path, announced: Announced | None = None) -> str:
    """Content of a text file. Raises InputError if it is not text; announced : see `files.pieces`."""
    raw = read_bytes(path, announced)
    if b"\0" in raw:
        raise InputError(f"{path}: expected a text file, found binary data.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Comments with accents in old encodings do no harm; numbers are ASCII in all of them.
        return raw.decode("latin-1")


def numbers(text: str, count: int | None, path: Path, first_line: int, layout: Iterable[int]) -> NDArray:
    """All numbers of a text at once.

    count : how many there must be, None for any; layout : how many stand on each line that is not blank,
    which is only looked at to name the place of an error; first_line : number of the text's first line in its
    file. Raises InputError naming file and line for a text that is truncated, garbled, or holds a number
    that is not finite or not below `LARGEST`.
    """
    for parse in (_plain_numbers, _fortran_numbers):
        values = parse(text)
        if (len(values) == count or (count is None and values.size)) and within(values, LARGEST):
            return values
    raise locate_problem(text, path, first_line, layout)


def whole(values: NDArray, path: Path, what: str) -> NDArray[np.int64]:
    """Numbers that must be whole, as integers. Raises InputError for the first that is not."""
    integers = values.astype(np.int64)
    wrong = integers != values
    if wrong.any():
        raise InputError(
            f"{path}: expected whole numbers as {what}, found {values[wrong].flat[0]:g}; the file looks "
            "damaged."
        )
    return integers


def _plain_numbers(text: str) -> NDArray:
    """Fast; empty where NumPy meets anything else, which it says by an error or, before 2.4, a warning."""
    if text.isspace():
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


def _fortran_numbers(text: str) -> NDArray:
    """Numbers with D exponents, or with three digits and no letter; empty where anything else is between."""
    try:
        text = _LETTERLESS.sub(r"\1E\2", text.replace("D", "E").replace("d", "e"))
        return np.array(text.split(), dtype=float)
    except ValueError:
        return np.empty(0)


def parse_numbers(text: str) -> NDArray | None:
    """Numbers of a text, none in a blank one; None where anything else stands between them."""
    if not text or text.isspace():
        return np.empty(0)
    for parse in (_plain_numbers, _fortran_numbers):
        values = parse(text)
        if len(values):
            return values
    return None


def locate_problem(text: str, path: Path, first_line: int, layout: Iterable[int]) -> InputError:
    """The error for the first line that does not fit the layout, or for a text that ends too early."""
    problem, last = first_misfit(text.splitlines(), path, first_line, layout)
    return problem or ends_early(path, last)


def ends_early(path: Path, line: int) -> InputError:
    """The error for a file that ends after a line."""
    return InputError(
        f"{path}, line {line}: the file ends here, expected more data; it looks truncated, "
        "copy or write it again."
    )


def first_misfit(
    lines: Iterable[str], path: Path, first_line: int, layout: Iterable[int]
) -> tuple[InputError | None, int]:
    """The error for the first line that does not fit the layout, None without one, and the last line."""
    expected = iter(layout)
    last = first_line
    for number, line in enumerate(lines, start=first_line):
        fields = line.split()
        if not fields:
            continue
        last = number
        wanted = next(expected, None)
        if wanted is None:
            found = quoted(line.strip())
            return InputError(f"{path}, line {number}: expected the end of the file, found {found}."), last
        if len(fields) != wanted or not all(abs(_as_number(token)) < LARGEST for token in fields):
            return InputError(
                f"{path}, line {number}: expected {wanted} finite numbers below {LARGEST:g}, found "
                f"{quoted(line.strip())}; the file looks damaged, write it again with Wannier90."
            ), last
    return None, last


def _as_number(token: str) -> float:
    try:
        return float(_LETTERLESS.sub(r"\1E\2", token.replace("D", "E").replace("d", "e")))
    except ValueError:
        return np.nan


def split_lines(text: str, count: int, path: Path) -> tuple[list[str], str]:
    """The first `count` lines and the rest as one text. Raises InputError if there are fewer."""
    parts = text.split("\n", count)
    if len(parts) <= count:
        raise InputError(
            f"{path}, line {len(parts)}: the file ends in its header, expected more lines; "
            "it looks truncated."
        )
    return parts[:count], parts[count]


def whole_number(text: str, path: Path, line: int, what: str) -> int:
    """A whole number above zero and below `LARGEST`. Raises InputError naming the line."""
    try:
        value = int(text.split()[0])
    except (ValueError, IndexError):
        value = 0
    if not 1 <= value < LARGEST:
        raise InputError(f"{path}, line {line}: expected the {what}, found {quoted(text.strip())}.")
    return value
