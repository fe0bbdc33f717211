"""The methods of `Store` as functions of its path, under the names that scripts use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from .catalog import Run
from .migration import Migration, Renaming, same_name
from .place import MATERIALS, StoreLike
from .results import CatalogRow, EachOf
from .store import Store
from .verification import Damage


def material_group(material_id: str) -> str:
    """Path of a material inside the tree of `open_store`."""
    return f"{MATERIALS}/{material_id}"


def material_file(store: StoreLike, material_id: str) -> Path:
    """`Store.file` of the store at a path."""
    return Store.at(store).file(material_id)


def is_published(store: StoreLike, material_id: str) -> bool:
    """`Store.is_published` of the store at a path."""
    return Store.at(store).is_published(material_id)


def missing_of(store: StoreLike, material_ids: Iterable[str]) -> list[str]:
    """`Store.missing_of` of the store at a path."""
    return Store.at(store).missing_of(material_ids)


def published(store: StoreLike) -> tuple[str, ...]:
    """`Store.results` of the store at a path."""
    return Store.at(store).results


def published_stamps(store: StoreLike, run: EachOf = map) -> frozenset[str]:
    """`Store.stamps` of the store at a path."""
    return Store.at(store).stamps(run)


def publish(dataset: xr.Dataset, store: StoreLike, material_id: str) -> bool:
    """`Store.publish` into the store at a path."""
    return Store.at(store).publish(dataset, material_id)


def read_material(store: StoreLike, material_id: str) -> xr.Dataset:
    """`Store.read` of the store at a path."""
    return Store.at(store).read(material_id)


def read_row(store: StoreLike, material_id: str) -> CatalogRow:
    """`Store.row` of the store at a path."""
    return Store.at(store).row(material_id)


def read_rows(store: StoreLike, names: Sequence[str]) -> Iterator[CatalogRow | str]:
    """`Store.rows` of the store at a path."""
    return Store.at(store).rows(names)


def record_failure(
    store: StoreLike, label: str, error: str, campaign: str = "", path: str | None = None
) -> None:
    """`Store.record_failure` of the store at a path."""
    Store.at(store).record_failure(label, error, campaign, path)


def forget_failure(store: StoreLike, label: str, campaign: str = "") -> None:
    """`Store.forget_failure` of the store at a path."""
    Store.at(store).forget_failure(label, campaign)


def forget_absent(store: StoreLike, campaign: str, labels: Collection[str]) -> None:
    """`Store.forget_absent` of the store at a path."""
    Store.at(store).forget_absent(campaign, labels)


def failures(store: StoreLike) -> dict[str, str]:
    """`Store.failures` of the store at a path."""
    return Store.at(store).failures


def record_campaign(store: StoreLike, settings: Mapping[str, Any]) -> str:
    """`Store.record_campaign` of the store at a path."""
    return Store.at(store).record_campaign(settings)


def campaigns(store: StoreLike) -> dict[str, dict[str, Any]]:
    """`Store.campaigns` of the store at a path."""
    return Store.at(store).campaigns


def update_catalog(store: StoreLike, run: Run = map) -> list[str]:
    """`Store.update_catalog` of the store at a path."""
    return Store.at(store).update_catalog(run)


def build_catalog(store: StoreLike, run: Run = map) -> xr.Dataset:
    """`Store.build_catalog` of the store at a path."""
    return Store.at(store).build_catalog(run)


def verify(store: StoreLike, repair: bool = False) -> tuple[Damage, ...]:
    """`Store.verify` of the store at a path."""
    return Store.at(store).verify(repair)


def migrate(store: StoreLike, rename: Renaming = same_name) -> Migration:
    """`Store.migrate` of the store at a path."""
    return Store.at(store).migrate(rename)
