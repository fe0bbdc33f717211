"""Files of numbers of any length, read once and a piece at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, fast_path
from spinscreen.kernels.compiled import loop

from ..files import Announced, justified_size, pieces, size_on_disk
from ..matrices import LARGEST, within
from .text import ends_early, first_misfit, parse_numbers

#: Bytes that are parsed at a time.
_PIECE = 1 << 20

#: Bytes from which compiled loops are worth their start.
_WORTH_COMPILING = 1 << 19

#: 10^n is a double without rounding up to n = 22, and so is a whole number below 2^53; their product or
#: quotient is rounded once, as `strtod` does (Clinger, PLDI 1990).
_POWERS = 10.0 ** np.arange(23)
_EXACT = 1 << 53


@loop(text="byte n", length="integer", powers="real 23", values="out real m", state="out integer 2")
def _scan(
    text: NDArray[np.uint8],
    length: int,
    powers: NDArray[np.float64],
    values: NDArray[np.float64],
    state: NDArray[np.int64],
) -> None:
    """Numbers in text[:length]; state becomes their count, and 1 where each could be read exactly."""
    state[0] = 0
    state[1] = 0
    place = 0
    while True:
        while place < length and text[place] <= 32:
            place += 1
        if place >= length:
            state[1] = 1
            return
        negative = text[place] == 45
        if negative or text[place] == 43:
            place += 1
        digits, mantissa, power, seen_point = 0, 0, 0, False
        while place < length:
            c = text[place]
            if 48 <= c <= 57:
                digits += 1
                # Beyond 18 digits it may overflow; then it is not used.
                mantissa = 10 * mantissa + (c - 48)
                if seen_point:
                    power -= 1
            elif c == 46 and not seen_point:
                seen_point = True
            else:
                break
            place += 1
        if digits == 0 or digits > 18 or mantissa >= 9007199254740992:
            return
        if place < length and (text[place] | 32 == 101 or text[place] | 32 == 100):
            place += 1
            down = place < length and text[place] == 45
            if place < length and (text[place] == 45 or text[place] == 43):
                place += 1
            exponent, width = 0, 0
            while place < length and 48 <= text[place] <= 57 and width < 4:
                exponent = 10 * exponent + (text[place] - 48)
                width += 1
                place += 1
            if width == 0:
                return
            power += -exponent if down else exponent
        if place < length and text[place] > 32:
            return
        if mantissa == 0:
            value = 0.0
        elif power < -22 or power > 22:
            return
        elif power < 0:
            value = mantissa / powers[-power]
        else:
            value = mantissa * powers[power]
        values[state[0]] = -value if negative else value
        state[0] += 1


class NumberStream:
    """Lines and numbers of a text file, one after the other.

    Raises InputError, naming the line where that can be told, for what is not text, ends too early, or holds
    a number that is not finite or not below `LARGEST`.
    """

    def __init__(self, path: Path, announced: Announced | None = None) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._pieces = pieces(path, announced, self._digest.update)
        self._text = b""
        self._numbers: list[NDArray[np.float64]] = []
        self._ended = False
        self._lines = 0
        self._layout: Iterable[int] | None = None
        self._buffer = np.zeros(2 * _PIECE + 2, dtype=np.uint8)

    def line(self) -> str:
        """The next line, before any number was asked for."""
        while b"\n" not in self._text and not self._ended:
            self._more()
        if b"\n" not in self._text:
            if b"\r" in self._text:
                raise InputError(
                    f"{self.path}: its lines end with carriage returns alone, expected line feeds as well; "
                    "convert it, with mac2unix for example."
                )
            raise InputError(
                f"{self.path}, line {self._lines + 1}: the file ends in its header, expected more lines; "
                "it looks truncated."
            )
        line, self._text = self._text.split(b"\n", 1)
        if not self._lines:
            line = line.removeprefix(b"\xef\xbb\xbf")
        self._lines += 1
        return line.decode("latin-1").rstrip("\r")

    def expect(self, layout: Iterable[int]) -> None:
        """How many numbers are on each line from here on, by default any: only looked at to name the place of
        an error.
        """
        self._layout = layout

    def check_announced(self, size: int) -> None:
        """Raises InputError where a header asks for more bytes of memory than its file can justify."""
        limit = justified_size(size_on_disk(self.path))
        if size > limit:
            raise InputError(
                f"{self.path}: holds more than {limit / 1e6:.1f} MB by its header, the most that its size on "
                "disk justifies; it is damaged or not what its name says."
            )

    def take(self, count: int) -> NDArray[np.float64]:
        """The next `count` numbers."""
        while sum(map(len, self._numbers)) < count:
            if not self._parse():
                raise self.misfit()
        return self._first(count)

    def rest(self) -> Iterator[NDArray[np.float64]]:
        """All that is left, as it comes."""
        while self._parse():
            yield self._first(sum(map(len, self._numbers)))

    def rows(self, columns: int) -> Iterator[NDArray[np.float64]]:
        """All that is left, as tables of so many columns, a piece at a time."""
        while True:
            known = sum(map(len, self._numbers))
            if known >= columns:
                yield self._first(known - known % columns).reshape(-1, columns)
            elif not self._parse():
                break
        if known:
            raise self.misfit()

    @property
    def sha256(self) -> str:
        """Digest of the file as it stands on the disk, where all of it was read."""
        return self._digest.hexdigest()

    def end(self) -> None:
        """Raises InputError where numbers are left."""
        if self._numbers or self._parse():
            raise self.misfit()

    def misfit(self, otherwise: InputError | None = None) -> InputError:
        """The error for the first line that does not fit the layout; without one for an early end, or another
        that is known.
        """
        layout = self._layout
        if layout is None:
            layout = (len(line.split()) for line in self._all_lines() if line.strip())
        problem, last = first_misfit(self._all_lines(), self.path, self._lines + 1, layout)
        return problem or otherwise or ends_early(self.path, last)

    def _all_lines(self) -> Iterator[str]:
        again = NumberStream(self.path)
        for _ in range(self._lines):
            again.line()
        while True:
            try:
                yield again.line()
            except InputError:
                break
        if again._text:
            yield again._text.decode("latin-1")

    def _first(self, count: int) -> NDArray[np.float64]:
        known = (
            self._numbers[0] if len(self._numbers) == 1 else np.concatenate(self._numbers or [np.empty(0)])
        )
        self._numbers = [known[count:]] if len(known) > count else []
        return known[:count]

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
        elif b"\0" in piece:
            raise InputError(f"{self.path}: expected a text file, found binary data.")
        else:
            self._text += piece

    def _parse(self) -> bool:
        """Numbers of the next piece, up to the last blank in it; False at the end of the file."""
        while True:
            cut = len(self._text) if self._ended else self._text.rfind(b"\n") + 1
            if self._ended or cut or len(self._text) > _PIECE:
                text, self._text = self._text[: cut or len(self._text)], self._text[cut or len(self._text) :]
                values = self._values(text)
                if len(values):
                    self._numbers.append(values)
                    return True
                if self._ended:
                    return False
            self._more()

    def _values(self, text: bytes) -> NDArray[np.float64]:
        values = None
        if _WORTH_COMPILING < len(text) <= len(self._buffer) and fast_path().compiled:
            self._buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
            # Of two bytes, one is a blank.
            found, state = np.empty(len(text) // 2 + 1), np.zeros(2, dtype=np.int64)
            _scan(self._buffer, len(text), _POWERS, found, state)
            values = found[: state[0]].copy() if state[1] else None
        if values is None:
            values = parse_numbers(text.decode("latin-1"))
        if values is None or not within(values, LARGEST):
            raise self.misfit()
        return values
