"""Reading text files: gzip, encodings, numbers in bulk, and errors that name the line."""

from __future__ import annotations

import gzip
import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError


def read_bytes(path: Path) -> bytes:
    """Content of a file, unpacked where its name ends in .gz. Raises InputError if it cannot be read."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, EOFError) as problem:
        raise InputError(f"{path}: cannot be read ({problem}); is the file complete and readable?") from None


def read_text(path: Path) -> str:
    """Content of a text file. Raises InputError if it is not text."""
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if b"\0" in raw:
            raise InputError(f"{path}: expected a text file, found binary data.") from None
        # Comments with accents in old encodings do no harm; numbers are ASCII in all of them.
        return raw.decode("latin-1")


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def numbers(text: str, count: int, path: Path, first_line: int, layout: Iterable[int]) -> NDArray:
    """All numbers of a text at once.

    count : how many there must be; layout : how many stand on each line that is not blank, which is only
    looked at to name the place of an error; first_line : number of the text's first line in its file.
    Raises InputError naming file and line for a text that is truncated, garbled, or not finite.
    """
    for parse in (_plain_numbers, _fortran_numbers):
        values = parse(text)
        if len(values) == count and np.isfinite(values).all():
            return values
    raise locate_problem(text, path, first_line, layout)


def _plain_numbers(text: str) -> NDArray:
    """Fast; empty where NumPy meets anything else, which it says by an error or, before 2.4, a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


def _fortran_numbers(text: str) -> NDArray:
    """Numbers with D exponents; empty where anything else stands between."""
    try:
        return np.array(text.replace("D", "E").replace("d", "e").split(), dtype=float)
    except ValueError:
        return np.empty(0)


def locate_problem(text: str, path: Path, first_line: int, layout: Iterable[int]) -> InputError:
    """The error for the first line that does not fit the layout."""
    expected = iter(layout)
    last = first_line
    for number, line in enumerate(text.splitlines(), start=first_line):
        fields = line.split()
        if not fields:
            continue
        last = number
        wanted = next(expected, None)
        if wanted is None:
            return InputError(
                f"{path}, line {number}: expected the end of the file, found {line.strip()[:60]!r}."
            )
        values = [_as_number(token) for token in fields]
        if len(fields) != wanted or not np.isfinite(values).all():
            return InputError(
                f"{path}, line {number}: expected {wanted} finite numbers, found "
                f"{line.strip()[:60]!r}; the file looks damaged, write it again with Wannier90."
            )
    return InputError(
        f"{path}, line {last}: the file ends here, expected more data; it looks truncated, "
        "copy or write it again."
    )


def _as_number(token: str) -> float:
    try:
        return float(token.replace("D", "E").replace("d", "e"))
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
    """A whole number above zero. Raises InputError naming the line."""
    try:
        value = int(text.split()[0])
    except (ValueError, IndexError):
        value = 0
    if value < 1:
        raise InputError(f"{path}, line {line}: expected the {what}, found {text.strip()[:60]!r}.")
    return value
