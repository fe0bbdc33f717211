"""Results taken out of a store on request."""

from __future__ import annotations

from collections.abc import Sequence

from spinscreen.kernels import InputError

from .catalog import build_catalog
from .files.whole import StoreError, writing
from .kept_sums import retained_of
from .place import CATALOG, Place
from .results import material_file, published


def remove_results(store: Place, material_ids: Sequence[str]) -> None:
    """Remove results, each in one step, and bring the catalog up to date.

    Raises InputError, before anything is removed, for an id that is not there, and StoreError where the store
    cannot be written.
    """
    known = set(published(store))
    for name in material_ids:
        if name not in known:
            raise InputError(f"{store.path}: holds no result {name!r}; nothing was removed.")
    place = store.opened()
    with writing(place.path):
        for name in material_ids:
            file = material_file(place, name)
            place.remove(file)
            place.remove(*retained_of(place, name))
            if file.exists():
                raise StoreError(f"{file}: cannot be removed; check permissions of its folder.")
        if published(place):
            build_catalog(place)
        else:
            # An empty store has no catalog.
            place.remove(place.path / CATALOG)
