"""What another store holds, copied into this one: results, bands, campaigns, failures."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from spinscreen.kernels import InputError

from .band_stream import damage_of_bands
from .campaign_records import campaigns
from .campaign_records import file_of as campaign_file
from .catalog import build_catalog
from .failure_records import failure_records, record_of
from .files.whole import make_folder, sync_folder, writing
from .place import Place, group_names
from .results import is_published, material_file, published, read_attributes, read_file
from .schema import SCHEMA_VERSION

#: Share of the largest value by which kinds of processors may differ: 1e-12 of sums, more of the error bars,
#: which are differences of sums.
_SAME = 1e-9

#: Behind the name of a group, in that of its digests.
_BESIDE = ".digests.json"


@dataclass(frozen=True)
class Merge:
    """Ids of the results and bands that were copied, how many were there already, and sentences of what could
    not be read and was left.
    """

    copied: tuple[str, ...]
    present: int
    left: tuple[str, ...]


def merge(target: Place, source: Place) -> Merge:
    """Copy all that a store lacks from another one, which stays as it is.

    Everything is compared before anything is copied, and every result appears whole or not at all: stopped at
    any moment, the same again goes on. Raises InputError where a store is not there, where both are one, and
    where one id has different numbers in the two; StoreError where the target cannot be written.
    """
    _check(target, source)
    results, left = _readable(source)
    bands = [name for name in group_names(source.bands_folder) if not (target.bands_folder / name).exists()]
    for name in [*bands]:
        if (reason := damage_of_bands(source.bands_folder / name)) is not None:
            left.append(f"{source.bands_folder / name}: {reason}; it was not copied")
            bands.remove(name)
    new = [name for name in results if not is_published(target, name)]
    for name in sorted(set(results) - set(new)):
        _check_equal(target, source, name)
    target = target.opened()
    for name in new:
        # One that is damaged is read by nobody.
        target.remove(material_file(target, name))
        target.write(material_file(target, name), material_file(source, name).read_bytes())
    for name in bands:
        _copy_bands(target, source, name)
    _copy_records(target, source)
    if published(target):
        build_catalog(target)
    target.tidy()
    return Merge((*new, *bands), len(results) - len(new), tuple(left))


def _check(target: Place, source: Place) -> None:
    for place in (target, source):
        if not place.exists:
            raise InputError(f"{place.path}: no store found there, expected two stores to merge.")
        if place.version < SCHEMA_VERSION:
            raise InputError(
                f"{place.path}: has schema version {place.version}, expected {SCHEMA_VERSION}; `spinscreen "
                f"migrate {place.path}` rewrites it, nothing is computed again."
            )
    if target.path.samefile(source.path):
        raise InputError(f"{source.path}: is the same store, expected another one to merge into it.")


def _readable(source: Place) -> tuple[list[str], list[str]]:
    found, left = [], []
    for name in published(source):
        try:
            read_attributes(source, name)
        except InputError as problem:
            left.append(f"{problem} It was not copied.")
        else:
            found.append(name)
    return found, left


def _check_equal(target: Place, source: Place, name: str) -> None:
    """Raise InputError where one id has two results: its key is cut, and codes change."""
    ours, theirs = read_file(target, name), read_file(source, name)
    keys = [str(dataset.attrs.get("key", "")) for dataset in (ours, theirs)]
    reason = "" if keys[0] == keys[1] else "their settings differ"
    reason = reason or next(_differences(ours, theirs), "")
    if reason:
        raise InputError(
            f"{source.path}: its {name} is not that of {target.path} ({reason}), nothing was copied; "
            "expected equal results under one id; `spinscreen remove` takes one of them out."
        )


def _differences(ours: xr.Dataset, theirs: xr.Dataset) -> Iterator[str]:
    if set(ours.variables) != set(theirs.variables):
        yield "they hold different quantities"
        return
    for name, variable in ours.variables.items():
        here, there = variable.values, theirs.variables[name].values
        if here.shape != there.shape:
            yield f"{name} has another shape"
        elif here.dtype.kind not in "fc":
            if not np.array_equal(here, there):
                yield f"{name} differs"
        elif not np.allclose(here, there, 0, _SAME * np.nanmax(np.abs(here), initial=0), equal_nan=True):
            yield f"{name} differs"


def _copy_bands(target: Place, source: Place, name: str) -> None:
    """A group whole, its digests before it: whoever sees it can check it."""
    beside = target.partial / f"bands-{uuid.uuid4().hex}"
    with writing(target.path):
        target.check()
        make_folder(target.partial)
        target.make_group(target.bands_folder)
        try:
            shutil.copytree(source.bands_folder / name, beside)
            sync_folder(beside)
            digests = source.bands_folder / f"{name}{_BESIDE}"
            if digests.is_file():
                shutil.copyfile(digests, target.bands_folder / digests.name)
            beside.rename(target.bands_folder / name)
        except OSError:
            if not (target.bands_folder / name / "zarr.json").is_file():
                raise
        finally:
            target.remove(beside)


def _copy_records(target: Place, source: Place) -> None:
    ours = campaigns(target)
    for name, record in campaigns(source).items():
        if name not in ours or str(record["first_run"]) < str(ours[name]["first_run"]):
            target.record(campaign_file(target, name), record)
    known = {(str(r["id"]), str(r.get("campaign", ""))): str(r.get("time")) for r in failure_records(target)}
    computed = set(_computed(target))
    for record in failure_records(source):
        key = (str(record["id"]), str(record.get("campaign", "")))
        if key not in computed and known.get(key, "") < str(record.get("time")):
            target.record(record_of(target, *key), record)
    for key in known:
        if key in computed:
            target.remove(record_of(target, *key))


def _computed(store: Place) -> Iterator[tuple[str, str]]:
    """Materials and campaigns of results: what failed in one store may have gone well in the other."""
    for name in published(store):
        try:
            attributes = read_attributes(store, name)
        except InputError:
            continue
        yield str(attributes.get("material", "")), str(attributes.get("campaign", ""))
