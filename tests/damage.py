"""What befalls files, accidents and bombs, and what is expected of the readers then."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from spinscreen.kernels import InputError

#: Bytes: a packed file may unpack to 16 MiB whatever it says, and becomes text and numbers then.
BOUNDED = 160 << 20

#: What is written in the place of a number or a word.
WORDS = (
    *(b"1e10", b"10000000000", b"99999999999999999999", b"-1", b"-9223372036854775808", b"0", b"1", b"2"),
    *(b"2147483647", b"-2147483648", b"1e155", b"-1e300", b"1e400", b"NaN", b"inf", b"-Infinity", b"1.5"),
    *(b"1" * 5000, b"x", b"", b"**********", b"1D0", b"0x10", b"1_0", b"\xff\xfe", b"\0", b"\xc3\xa9"),
    *(b"\xef\xbc\x91", b"[" * 3000, b'{"a":' * 3000, b"{", b"]", b'"', b"'", b"&a [*a]", b"*a"),
    *(b"<<: {a: b}", b"!!python/object:os.system", b"!!float 1:1:1", b"../..", b"a/b", b"/dev/null"),
    *(b"null", b"true", b"~", b"\\u0000", b"\\ud800", b"\\", b"=cmd", b"[bold]", b"1e-320", b"1e5"),
    *(b"999999", b"A" * 200_000),
)


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    """One printable sentence with all parts in this order, and little memory.

    tracemalloc sees what NumPy allocates. The inputs are small: what their header announces must not be made.
    """
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    assert re.search(".*".join(map(re.escape, parts)), message), message
    assert peak < BOUNDED


def damaged(content: bytes, random: Random) -> bytes:
    """The content after one to three accidents."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(_ACCIDENTS)(content, random)
    return content


def damaged_packed(content: bytes, random: Random) -> bytes:
    """A gzip file of the content, damaged before or after it was packed."""
    accident = random.randrange(6)
    if accident == 0:
        return damaged(gzip.compress(content), random)
    if accident == 1:
        return gzip.compress(damaged(content, random))
    if accident == 2:
        packed = gzip.compress(content)
        return packed[: random.randrange(len(packed))]
    if accident == 3:
        return bomb(content, random.choice((b"\0", b" ", b"0 ", b"\n", b"1.0 0.0\n")), 64 << 20)
    if accident == 4:
        return gzip.compress(content) + random.randbytes(random.randrange(1, 50))
    return content


def bomb(content: bytes, filler: bytes, size: int) -> bytes:
    """A gzip file of the content and `size` bytes behind it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = filler * (1 << 16)
    pieces = [packer.compress(content)]
    pieces += [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*pieces, packer.flush()])


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 8)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _without_lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    start = random.randrange(len(lines) + 1)
    return b"".join(lines[:start] + lines[start + random.choice((1, 1, 5)) :])


def _with_line_twice(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
    return b"".join(lines)


def _with_word(content: bytes, random: Random) -> bytes:
    # Counts stand in the first lines, and matter most.
    reach = random.choice((len(content), 200))
    words = _words(content[:reach])
    start, end = random.choice(words) if words else (0, 0)
    return content[:start] + random.choice(WORDS) + content[end:]


def _words(content: bytes) -> list[tuple[int, int]]:
    """Where words and numbers begin and end."""
    found, place = [], 0
    for word in content.translate(bytes.maketrans(b',"', b"  ")).split():
        place = content.index(word, place)
        found.append((place, place + len(word)))
        place += len(word)
    return found


def _with_digit(content: bytes, random: Random) -> bytes:
    """Another digit or sign, as a slip or a flipped bit leaves it: the file stays well formed."""
    for _ in range(100):
        place = random.randrange(len(content)) if content else 0
        here = content[place : place + 1]
        if here.isdigit():
            other = bytes([random.choice(b"0123456789")])
        elif here in b"+-" and here:
            other = b"-" if here == b"+" else b"+"
        else:
            continue
        return content[:place] + other + content[place + 1 :]
    return content


def _with_bytes(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice((random.randbytes(3), *WORDS)) + content[place:]


def _without_bytes(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + content[start + random.choice((1, 4, 100)) :]


def _with_integer(content: bytes, random: Random) -> bytes:
    """A binary number replaced, as counts and lengths are."""
    value = random.choice((-1, 0, 1, 2, 1000, 2**31 - 1, -(2**31), 10**9, 10**12, 2**63 - 1))
    form = random.choice("<>") + ("i" if -(2**31) <= value < 2**31 and random.random() < 0.5 else "q")
    place = random.randrange(0, max(len(content), 4), 4)
    item = struct.pack(form, value)
    return content[:place] + item + content[place + len(item) :]


def _with_zeros(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    length = random.choice((4, 64, 512))
    return content[:place] + bytes(length) + content[place + length :]


_ACCIDENTS = (
    *(_flip, _cut, _without_lines, _with_line_twice, _with_word, _with_word, _with_word),
    *(_with_digit, _with_digit, _with_digit),
    *(_with_bytes, _without_bytes, _with_integer, _with_integer, _with_zeros),
)
