"""Archives (.zip, .tar, packed or not) as folders: paths may lead into them, nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from spinscreen.kernels import InputError

#: Names of packed files end so.
PACKINGS = (".gz", ".xz", ".bz2")

_TARS = {".tar": "", ".tar.gz": ".gz", ".tgz": ".gz", ".tar.xz": ".xz", ".txz": ".xz"}
_TARS |= {".tar.bz2": ".bz2", ".tbz": ".bz2", ".tbz2": ".bz2"}
_ENDINGS = (".zip", *sorted(_TARS, key=len, reverse=True))

#: Files in one archive; a database of materials is not one archive.
_MOST_MEMBERS = 100_000

#: Bytes that the dictionary of .xz may take, four times what `xz -9` asks for.
_XZ_MEMORY = 1 << 28

_PIECE = 1 << 20

#: What the libraries raise for damaged archives.
PROBLEMS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
_PROBLEMS = (*PROBLEMS, NotImplementedError, RuntimeError, ValueError, OverflowError, UnicodeError)


@dataclass(frozen=True)
class _Member:
    """size : bytes unpacked; packed : bytes that it takes in the archive."""

    size: int
    packed: int


def archive_stem(name: str) -> str | None:
    """The name of an archive without its ending, None for any other name."""
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return None


def inside(path: Path) -> tuple[Path, str] | None:
    """The archive that a path names or leads into, and the rest ("" for the archive itself); None without."""
    text = str(path).lower()
    if not any(ending in text for ending in _ENDINGS):
        # Asked for every file that may be beside a model, which is rarely in an archive.
        return None
    for parent in (path, *path.parents):
        if archive_stem(parent.name) is not None and parent.is_file():
            rest = path.relative_to(parent).as_posix()
            return parent, "" if rest == "." else rest
    return None


def names_in(archive: Path, folder: str = "", deep: bool = False) -> list[str]:
    """Names of files and folders in a folder of an archive; deep: of all files below it, with their folders.

    Raises InputError where the archive cannot be read.
    """
    start = f"{folder}/" if folder else ""
    found = [name[len(start) :] for name in _members(archive) if name.startswith(start)]
    return sorted(found if deep else {name.split("/")[0] for name in found})


def kind_inside(archive: Path, name: str) -> str | None:
    """None for a file of an archive, "a folder" for a folder. Raises FileNotFoundError for anything else."""
    members = _members(archive)
    if name in members:
        return None
    if not name or any(other.startswith(f"{name}/") for other in members):
        return "a folder"
    raise FileNotFoundError(2, os.strerror(2), str(archive / name))


def packed_size(archive: Path, name: str) -> int:
    """Bytes that a file takes in its archive."""
    return _members(archive)[name].packed


def open_inside(archive: Path, name: str) -> BinaryIO:
    """A file of an archive, opened for reading. Raises InputError where it cannot be unpacked."""
    with _told(archive):
        if archive.suffix.lower() == ".zip":
            # The member keeps the file below it open as long as it is read.
            member = zipfile.ZipFile(archive).open(_entry_of_zip(archive, name))  # noqa: SIM115
            return cast(BinaryIO, member)
        for entry, stream in _entries_of_tar(archive):
            if _safe(entry.name) == name and entry.isreg():
                content = stream.extractfile(entry)
                assert content is not None
                return io.BytesIO(content.read())
    raise InputError(f"{archive / name}: no such file.")


def unpacking(stream: BinaryIO, packing: str) -> BinaryIO:
    """What a packed stream holds; packing : ".gz", ".xz" or ".bz2"."""
    if packing == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    make: Callable[[], Any] = bz2.BZ2Decompressor
    if packing == ".xz":
        make = lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY)  # noqa: E731
    return cast(BinaryIO, io.BufferedReader(_Unpacking(stream, make)))


class _Unpacking(io.RawIOBase):
    """One or more packed streams behind each other, a piece at a time."""

    def __init__(self, stream: BinaryIO, make: Callable[[], Any]) -> None:
        self._stream, self._make = stream, make
        self._unpacker = make()
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._unpacker.eof:
                self._waiting = self._unpacker.unused_data or self._stream.read(_PIECE)
                if not self._waiting:
                    return 0
                self._unpacker = self._make()
            elif self._unpacker.needs_input and not self._waiting:
                self._waiting = self._stream.read(_PIECE)
                if not self._waiting:
                    raise EOFError("it ends before its end was marked")
            content = self._unpacker.decompress(self._waiting, len(buffer))
            self._waiting = b""
            if content:
                buffer[: len(content)] = content
                return len(content)


class _Limited(io.RawIOBase):
    """A stream that is refused beyond a number of bytes."""

    def __init__(self, stream: BinaryIO, limit: int, archive: Path) -> None:
        self._stream, self._left, self._archive, self._limit = stream, limit, archive, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise _too_much(self._archive, self._limit)
        buffer[: len(content)] = content
        return len(content)


def _too_much(place: Path, limit: int) -> InputError:
    return InputError(
        f"{place}: holds more than {limit / 1e6:.1f} MB, the most that its size on disk justifies; it is "
        "damaged or not what its name says."
    )


def _members(archive: Path) -> dict[str, _Member]:
    info = archive.stat()
    return _listed(archive, info.st_mtime_ns, info.st_size)


@lru_cache(maxsize=64)
def _listed(archive: Path, changed: int, size: int) -> dict[str, _Member]:
    """Files of an archive by name. Names that lead out of it, links and devices are not among them."""
    found: dict[str, _Member] = {}
    repeated: set[str] = set()
    with _told(archive):
        for entry in _entries(archive, size):
            name, member = entry
            if name in found:
                repeated.add(name)
            if name is not None:
                found[name] = member
            if len(found) > _MOST_MEMBERS:
                raise InputError(f"{archive}: holds more than {_MOST_MEMBERS} files, expected fewer.")
        contents: dict[str, object] = {}
        for again, content in _contents(archive, repeated) if repeated else ():
            if contents.setdefault(again, content) != content:
                # Programs unpack the last of them, and nobody knows which is meant.
                raise InputError(
                    f"{archive}: holds {again} twice with other contents, expected each file once; pack it "
                    "again."
                )
    return found


def _contents(archive: Path, names: set[str]) -> Iterator[tuple[str, object]]:
    """What tells the contents of files of these names apart: size and checksum."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                if not info.is_dir() and (name := _safe(info.filename)) in names:
                    yield name, (info.file_size, info.CRC)
        return
    for entry, stream in _entries_of_tar(archive):
        if entry.isreg() and (name := _safe(entry.name)) in names:
            opened = stream.extractfile(entry)
            assert opened is not None
            yield name, hashlib.file_digest(cast(io.BufferedReader, opened), "sha256").digest()


def _entries(archive: Path, size: int) -> Iterator[tuple[str | None, _Member]]:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                if not info.is_dir():
                    yield _safe(info.filename), _Member(info.file_size, info.compress_size)
        return
    for entry, _ in _entries_of_tar(archive):
        if entry.isreg():
            yield _safe(entry.name), _Member(entry.size, min(entry.size, size))


def _entry_of_zip(archive: Path, name: str) -> zipfile.ZipInfo:
    from .files import justified_size

    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if _safe(info.filename) == name:
                if info.flag_bits & 1:
                    raise InputError(f"{archive / name}: is encrypted, expected plain files; unpack it.")
                if info.file_size > (limit := justified_size(info.compress_size)):
                    raise _too_much(archive / name, limit)
                return info
    raise InputError(f"{archive / name}: no such file.")


def _entries_of_tar(archive: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    from .files import justified_size

    ending = next(e for e in _ENDINGS if archive.name.lower().endswith(e))
    with archive.open("rb") as stream:
        whole: IO[bytes] = stream
        if packing := _TARS[ending]:
            limit = justified_size(archive.stat().st_size)
            whole = io.BufferedReader(_Limited(unpacking(stream, packing), limit, archive))
        with tarfile.open(fileobj=whole, mode="r|") as file:
            for entry in file:
                yield entry, file


def _safe(name: str) -> str | None:
    """A name inside of the archive, None for one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        return None
    return path.as_posix()


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _PROBLEMS as problem:
        from .files import reason

        kind = _kind_of_content(archive)
        hint = (
            f"by its content it is {kind}: name it so." if kind else "is the archive complete and readable?"
        )
        raise InputError(f"{archive}: cannot be read ({reason(problem)}); {hint}") from None


def _kind_of_content(archive: Path) -> str:
    """What an archive is by its first bytes, where its name says something else; "" otherwise."""
    try:
        with archive.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        return ""
    ending = next((e for e in _ENDINGS if archive.name.lower().endswith(e)), "")
    packing = _TARS.get(ending, ending)
    known = ((b"PK", ".zip"), (b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"), (b"\xfd7zXZ", ".xz"))
    found = next((kind for start, kind in known if head.startswith(start)), None)
    if found is None:
        return "a .tar" if head[257:262] == b"ustar" and packing else ""
    if found == packing:
        return ""
    return "a .zip" if found == ".zip" else f"a .tar{found}"
