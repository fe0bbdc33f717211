"""Opening files that anybody may have written: regular ones only, unpacked as far as they can justify."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

from spinscreen.kernels import InputError

from .packed import PACKINGS, PROBLEMS, inside, kind_inside, names_in, open_inside, packed_size, unpacking

#: From the first bytes of a file, how many bytes its header can justify; None where it cannot be told.
Announced = Callable[[bytes], int | None]

#: A packed file may unpack to so many bytes whatever its size ...
_FLOOR = 1 << 24

#: ... and beyond that to so many times its size: numbers shrink to a third, tables of zeros to a thirtieth.
_RATIO = 200

_PIECE = 1 << 20

#: Characters of a path in a message.
_LONGEST_PLACE = 300

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def printable(text: str) -> str:
    """The text with whatever a terminal, JSON or UTF-8 cannot hold written as a backslash escape."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode() if is_unprintable(character) else character
        for character in text
    )


def is_unprintable(character: str) -> bool:
    """True for control characters, line ends and halves of characters, as names that are not UTF-8 hold."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def quoted(value: object, length: int = 60) -> str:
    """A value as messages show it: on one line and not too long."""
    if isinstance(value, str):
        return repr(value[:length]) if len(value) <= length else f"{value[:length]!r}..."
    shown = repr(value)
    return shown if len(shown) <= length else f"{shown[:length]}..."


def reason(problem: BaseException, length: int = 200) -> str:
    """The first words of what a library or the system says."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    told = printable(" ".join(str(problem).split())) or type(problem).__name__
    return told if len(told) <= length else f"{told[:length]}..."


def justified_size(packed: int) -> int:
    """Bytes of memory that so many packed bytes on the disk can justify."""
    return _FLOOR + _RATIO * packed


@contextmanager
def at_the_door(source: object) -> Iterator[None]:
    """What the system says about a file becomes an InputError, and every message is one printable line."""
    place = printable(str(source))
    try:
        yield
    except InputError as problem:
        told = printable(str(problem))
        if not _names(told, place):
            told = f"{place}: {told}"
        if told == str(problem):
            raise
        raise InputError(told) from None
    except OSError as problem:
        place = printable(os.fsdecode(problem.filename)) if problem.filename else place
        # A name may be what is wrong, such as one that is too long.
        shown = place if len(place) <= _LONGEST_PLACE else f"{place[:_LONGEST_PLACE]}..."
        raise InputError(f"{shown}: cannot be read ({reason(problem)}).") from None
    except MemoryError:
        raise InputError(
            f"{place}: does not fit into the memory that is free, expected a smaller model."
        ) from None


def _names(told: str, place: str) -> bool:
    """Whether a message names a file or folder; the name of a folder may be a word of any sentence."""
    name = Path(place).name
    return place in told or f"/{name}" in told or told.startswith(name) or ("." in name and name in told)


def kind_of(path: Path) -> str | None:
    """What stands in the place of a regular file ("a folder", "a pipe" ...), None for a regular file.

    Raises OSError where there is nothing or it cannot be seen.
    """
    if (place := inside(path)) and place[1]:
        return kind_inside(*place)
    mode = path.stat().st_mode
    return next((kind for test, kind in _KINDS if test(mode)), None)


def is_there(path: Path) -> bool:
    """True where anything has this name, also a link to nothing: what is there is told, not passed over."""
    if (place := inside(path)) and place[1]:
        try:
            kind_inside(*place)
        except FileNotFoundError:
            return False
        return True
    return os.path.lexists(path)


def is_folder(path: Path) -> bool:
    """True for a folder, an archive, or a folder in one."""
    place = inside(path)
    if place is None:
        return path.is_dir()
    return not place[1] or (is_there(path) and kind_inside(*place) is not None)


def is_file(path: Path) -> bool:
    """True for a regular file, also one in an archive."""
    place = inside(path)
    if place is None or not place[1]:
        return path.is_file()
    return is_there(path) and kind_inside(*place) is None


def is_dangling(path: Path) -> bool:
    """True for a link to nothing."""
    return path.is_symlink() and not path.exists()


def entries(folder: Path) -> list[Path]:
    """What lies in a folder or archive. Raises OSError, InputError where it cannot be seen."""
    place = inside(folder)
    return [folder / name for name in names_in(*place)] if place else list(folder.iterdir())


def open_regular(path: Path) -> BinaryIO:
    """A file, also one in an archive, opened for reading.

    Raises InputError where it is missing, unreadable, or no regular file.
    """
    if (place := inside(path)) and place[1] and is_file(path):
        return open_inside(*place)
    try:
        kind = kind_of(path)
        if kind is None:
            # A pipe that took the place of the file meanwhile must not keep us waiting for its writer.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            return os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError:
        told = (
            "is a link to a file that is gone, mend or remove it." if path.is_symlink() else "no such file."
        )
        raise InputError(f"{path}: {told}") from None
    except OSError as problem:
        raise InputError(
            f"{path}: cannot be read ({reason(problem)}); is the file complete and readable?"
        ) from None
    except ValueError:
        raise InputError(f"{path}: holds a NUL character, expected the name of a file.") from None
    raise InputError(f"{path}: is {kind}, expected a regular file.")


def read_bytes(path: Path, announced: Announced | None = None) -> bytes | bytearray:
    """Content of a file, unpacked where its name ends in .gz, .xz or .bz2.

    announced : what the header justifies; a file that holds more is refused
    Raises InputError where the file cannot be read.
    """
    if path.suffix in PACKINGS:
        content = bytearray()
        for piece in pieces(path, announced):
            content += piece
        return content
    with open_regular(path) as stream, _told(path):
        if announced is not None:
            size = size_on_disk(path, stream)
            _check_size(path, size, _limit(announced, stream.read(_PIECE), size))
            stream.seek(0)
        return stream.read()


class _Watched:
    """A stream whose bytes are also told to somebody else."""

    def __init__(self, stream: BinaryIO, tell: Callable[[bytes], object]) -> None:
        self._stream, self._tell = stream, tell

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._tell(found)
        return found


def pieces(
    path: Path, announced: Announced | None = None, tell: Callable[[bytes], object] | None = None
) -> Iterator[bytes]:
    """The same content a megabyte at a time; of a packed file as much as its size on disk justifies.

    tell : gets all bytes of the file as it stands on the disk, once its content was asked for to the end
    """
    with open_regular(path) as opened, _told(path):
        on_disk = size_on_disk(path, opened)
        stream = opened if tell is None else cast(BinaryIO, _Watched(opened, tell))
        if path.suffix not in PACKINGS:
            first = True
            while piece := stream.read(_PIECE):
                if announced is not None and first:
                    _check_size(path, on_disk, _limit(announced, piece, on_disk))
                first = False
                yield piece
            return
        limit = justified_size(on_disk)
        size = 0
        with unpacking(stream, path.suffix) as unpacked:
            while piece := unpacked.read(_PIECE):
                if announced is not None and not size:
                    limit = _limit(announced, piece, limit)
                size += len(piece)
                _check_size(path, size, limit)
                yield piece
        while tell is not None and stream.read(_PIECE):
            # What lies behind what was packed.
            pass


def _limit(announced: Announced, head: bytes, limit: int) -> int:
    # Small files are read whatever they announce: what is wrong with them is told by their reader.
    found = announced(head)
    return limit if found is None else min(limit, max(found, _PIECE))


def _check_size(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise InputError(
            f"{path}: holds more than {limit / 1e6:.1f} MB, the most that its header and its size on disk "
            "justify; it is damaged or not what its name says."
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PROBLEMS as problem:
        raise InputError(
            f"{path}: cannot be read ({reason(problem)}); is the file complete and readable?"
        ) from None


def size_on_disk(path: Path, stream: BinaryIO | None = None) -> int:
    """Bytes that a file takes, opened or not; in an archive packed as it is there."""
    if (place := inside(path)) and place[1]:
        return packed_size(*place)
    return (path.stat() if stream is None else os.fstat(stream.fileno())).st_size


def sha256(path: Path) -> str:
    """Digest of a file as it stands on the disk. Raises InputError if it cannot be read."""
    with open_regular(path) as stream, _told(path):
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def hashes(
    paths: Iterable[Path], known: Mapping[Path, str] = MappingProxyType({})
) -> tuple[tuple[str, str], ...]:
    """Path and `sha256` of each file, as a provenance keeps them; known : those of files that were read."""
    return tuple((printable(str(path)), known.get(path) or sha256(path)) for path in paths)
