"""Sealed files: zip files whose comment carries a digest of all the rest, so that any damage is noticed.

Plain Zarr and NumPy open them as the zip files they are. The zip format itself has a checksum for each
member, but none for its directory, in which a flipped bit makes a member vanish.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARK = b'{"spinscreen_seal": 1, '
_NO_DIGEST = "0" * 64

#: A zip's comment is at most this long, its end record 22 bytes.
_TAIL_BYTES = 1024

#: A date for all members: equal content makes equal files.
_DATE = (1980, 1, 1, 0, 0, 0)


class DamagedError(Exception):
    """A file is not what was written: cut, changed or empty. The message is the reason."""


def sealed(members: Mapping[str, bytes], facts: Mapping[str, str] | None = None, direct: str = "") -> bytes:
    """A zip file of members (name -> content).

    facts : short texts that `seal_of` gives back without unpacking
    direct : the member that `read_member` finds without a look at the others
    """
    stream = io.BytesIO()
    facts = dict(facts or {})
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
            if name == direct:
                facts[name] = f"{stream.tell() - len(content)} {stream.tell()}"
        told = json.dumps(facts)
        comment = archive.comment = _comment(_NO_DIGEST, told)
    body = bytes(stream.getbuffer()[: -len(comment)])
    return body + _comment(_digest(body, told), told)


def _digest(body: bytes | memoryview, facts: str) -> str:
    """Of a file up to its seal. facts : as JSON"""
    digest = hashlib.sha256(body)
    digest.update(facts.encode())
    return digest.hexdigest()


def _comment(digest: str, facts: str) -> bytes:
    comment = _MARK + f'"facts": {facts}, "sha256": "{digest}"}}'.encode()
    if len(comment) > _TAIL_BYTES - 22:
        raise ValueError(f"the facts of a seal need {len(comment)} bytes, at most {_TAIL_BYTES - 22} fit")
    return comment


def unsealed(content: bytes) -> dict[str, bytes]:
    """Members of a sealed file. Raises DamagedError where anything was changed, cut or lost."""
    _checked_facts(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as problem:
        raise DamagedError(f"no zip file ({problem})") from None


def read_sealed(path: Path) -> dict[str, bytes]:
    """Members of a sealed file on the disk. Raises DamagedError, OSError."""
    return unsealed(_content(path))


def read_member(path: Path, name: str) -> bytes | None:
    """The member of a sealed file that was written as `direct`, None where there is none.

    The whole file is checked, as always. Raises DamagedError, OSError.
    """
    content = _content(path)
    place = _checked_facts(content).get(name)
    return None if place is None else content[slice(*map(int, place.split()))]


def _content(path: Path) -> bytes:
    """Content of a regular file: a pipe of that name would never end. Raises DamagedError, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedError("it is no regular file")
        return stream.read()


def seal_of(path: Path) -> dict[str, str] | None:
    """Facts in the seal of a file that is whole, to the last bit; None where it is not there or damaged.

    Raises OSError where it cannot be read.
    """
    try:
        content = _content(path)
        return _checked_facts(content)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, DamagedError):
        return None


def _checked_facts(content: bytes) -> dict[str, str]:
    """Facts of a seal that fits the content. Raises DamagedError."""
    seal = _parsed(content)
    start, facts = content.rfind(_MARK), seal.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    # Written anew it must come out the same, so that no bit of the seal itself is free to change.
    told = json.dumps(facts)
    if content[start:] != _comment(_digest(memoryview(content)[:start], told), told):
        raise DamagedError("its content does not fit its digest")
    return facts


def _parsed(content: bytes) -> dict[str, Any]:
    start = content.rfind(_MARK)
    if start < 0:
        raise DamagedError("it is empty" if not content else "it is cut off: its seal is missing")
    try:
        seal = json.loads(content[start:])
    except (ValueError, RecursionError):
        raise DamagedError("its seal is damaged") from None
    return dict(seal)
