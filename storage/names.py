"""Results by the names that people type: without the hash of their settings, or with the beginning of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches

from spinscreen.kernels import InputError, short

from .files.whole import group_name
from .place import Place
from .results import material_file, published, read_attributes

#: Hex digits of the key behind a label, as `Settings.id_of` makes them.
_DIGITS = 10


def label_of(material_id: str) -> str:
    """The id of a result without the key of its settings: what its material is called in file names."""
    label, _, key = material_id.rpartition("-")
    is_key = len(key) == _DIGITS and set(key) <= set("0123456789abcdef")
    return label if label and is_key else material_id


def matching(material_ids: Iterable[str], name: str) -> tuple[str, ...]:
    """Ids that a name means: the one that it is, else all of that label, else those that begin with it where
    it has some of the key: "Pt", "Pt-01ab".
    """
    ids = tuple(material_ids)
    if name in ids:
        return (name,)
    labels = {name, group_name(name)}
    found = tuple(i for i in ids if label_of(i) in labels)
    label, _, key = name.rpartition("-")
    return found or tuple(i for i in ids if key and label_of(i) == label and i.startswith(name))


def ids_of(store: Place, name: str) -> tuple[str, ...]:
    """Ids of the results that a name means, the newest first. Raises InputError where there is none."""
    if "/" not in name and "\0" not in name and material_file(store, name).is_file():
        return (name,)
    known = published(store)
    found = matching(known, name)
    if not found:
        near = get_close_matches(name, sorted({label_of(i) for i in known}), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"`spinscreen status {store.path}` says what is."
        raise InputError(f"{store.path}: holds no result that is called {short(name)}; {hint}")
    return found if len(found) == 1 else tuple(sorted(found, key=lambda i: _time(store, i), reverse=True))


def id_of(store: Place, name: str) -> str:
    """Id of the newest result that a name means. Raises InputError where there is none."""
    return ids_of(store, name)[0]


def _time(store: Place, material_id: str) -> str:
    """When a result was computed; of an earlier version, when its file was written."""
    try:
        told = read_attributes(store, material_id).get("computed")
        file = material_file(store, material_id)
        seconds = (file if file.exists() else store.materials / material_id).stat().st_mtime
    except (InputError, OSError):
        # What is damaged or gone is nobody's newest.
        return ""
    return str(told or datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds"))
