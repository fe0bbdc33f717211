"""Files that are whole or not there: names from labels, atomic writes, removal that stays inside a store."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from spinscreen.kernels import InputError

_Made = TypeVar("_Made")

#: Bytes of a file name that are readable; what stands behind them (a hash, a key, a suffix) needs the rest of
#: the 255 that file systems allow.
_READABLE_BYTES = 100


class StoreError(InputError, OSError):
    """The store itself cannot be used: no material's fault, so a campaign stops and says so once."""

    # Not that of OSError, which takes an error number apart.
    __str__ = Exception.__str__


#: How file systems say that they have no links, or not between folders.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)

#: Seconds after which nobody works any more on what lies in the folder for partial results.
_ABANDONED = 86_400


@contextmanager
def writing(store: str | Path) -> Iterator[None]:
    """Turn whatever the file system refuses (disk full, read-only, no permission) into one sentence."""
    try:
        yield
    except StoreError:
        raise
    except OSError as problem:
        hint = "free space or choose another store"
        if problem.errno == errno.ENOSPC and _no_inode_left(Path(store)):
            hint = "the file system has no inodes left (df -i): remove files or choose another store"
        raise StoreError(
            f"{store}: cannot be written ({problem.strerror or problem}); what it held is untouched, {hint}, "
            "then run the same again."
        ) from None


def _no_inode_left(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found = os.statvfs(place)
    except OSError:
        return False
    return found.f_files > 0 and found.f_favail == 0


def group_name(label: str) -> str:
    """A name that is one safe part of a path, readable, and different for different labels.

    Letters, digits and "-_." stay; a label that had to be changed or cut gets a hash of all of it behind.
    """
    kept = "".join(c if (c.isalnum() and c.isprintable()) or c in "-_." else "_" for c in label)
    encoded = kept.encode("utf-8", "replace")[:_READABLE_BYTES]
    name = encoded.decode("utf-8", "ignore")
    if name[:1] in ("", "."):
        # Neither hidden nor a step up.
        name = "_" + name[1:]
    return name if name == label else f"{name}-{hashed(label, 6)}"


def hashed(content: object, digits: int = 10) -> str:
    """Some hex digits of the sha256 of anything that JSON can write."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def write_whole(target: Path, content: bytes, beside: Path, replace: bool = False) -> bool:
    """Write a file that is complete, and on the disk, when it appears under its name.

    beside : folder on the same file system where it is written first. replace : also where the name is
    taken; else False is returned there and nothing changes. Raises OSError.
    """
    partial = beside / f"{uuid.uuid4().hex}.new"
    stream = _made_in(beside, lambda: partial.open("xb"))
    try:
        with stream:
            stream.write(content)
            stream.flush()
            # Else a power loss may leave the name with nothing behind it.
            os.fsync(stream.fileno())
        if replace:
            partial.replace(target)
            return True
        return _put_without_replacing(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _made_in(folder: Path, make: Callable[[], _Made], tries: int = 10) -> _Made:
    """What `make` makes in a folder, which another driver may remove while it is empty. Raises OSError."""
    make_folder(folder)
    try:
        return make()
    except FileNotFoundError:
        if not tries:
            raise
        return _made_in(folder, make, tries - 1)


def _put_without_replacing(partial: Path, target: Path) -> bool:
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as problem:
        # File systems without hard links; two drivers then write equal content.
        if problem.errno not in _NO_LINKS:
            raise
        if target.exists():
            return False
        partial.replace(target)
    return True


def write_json(target: Path, content: Mapping[str, Any], beside: Path) -> None:
    """A whole file of JSON in place of an older one. Raises OSError."""
    text = json.dumps(content, indent=1, ensure_ascii=True)
    write_whole(target, text.encode(), beside, replace=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, None where the file is not there or is no such thing."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def make_folder(folder: Path, tries: int = 10) -> None:
    """Make a folder and those above it. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError):
        # Another driver removed it, or an empty parent, between two steps; a file in its place stays there.
        if not tries:
            raise
        make_folder(folder, tries - 1)


def sync_folder(folder: Path) -> None:
    """Put every file of a folder, and the folders, on the disk. Raises OSError."""
    for place in (*folder.rglob("*"), folder):
        if place.is_symlink() or not (place.is_file() or place.is_dir()):
            continue
        try:
            descriptor = os.open(place, os.O_RDONLY)
        except FileNotFoundError:
            # Something on its way to another name.
            continue
        try:
            os.fsync(descriptor)
        except OSError as problem:
            # Some network file systems cannot do it for folders.
            if not place.is_dir() or problem.errno != errno.EINVAL:
                raise
        finally:
            os.close(descriptor)


def link_to(target: Path, link: Path, beside: Path) -> None:
    """Turn a symbolic link to a folder, in one step; where there are no such links, the folder moves there.

    target : relative to the link's folder; beside : folder for the link until then. Raises OSError.
    """
    turned = beside / f"{uuid.uuid4().hex}.link"
    try:
        _made_in(beside, lambda: turned.symlink_to(target))
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        (link.parent / target).rename(link)
    else:
        turned.replace(link)


def abandoned(folder: Path, seconds: float = _ABANDONED) -> list[Path]:
    """What lies in a folder for longer than some time, a day if not said: whoever wrote it was killed."""
    if not folder.is_dir():
        return []
    found = []
    for entry in os.scandir(folder):
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > seconds:
                found.append(Path(entry.path))
    return found


def remove_inside(root: Path, *places: Path) -> None:
    """Remove files, links or folders of a store; whatever does not lie inside it is refused, not followed.

    root : the store, resolved. Raises StoreError for a place outside it. What is gone already is no error.
    """
    for place in places:
        parent = place.parent.resolve()
        if place.name in ("", ".", "..") or not (parent == root or root in parent.parents):
            raise StoreError(f"{place}: lies outside of the store {root}, it was not removed.")
        if place.is_symlink() or not place.is_dir():
            with suppress(OSError):
                place.unlink()
        else:
            shutil.rmtree(place, ignore_errors=True)
