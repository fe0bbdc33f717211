"""The store: what is in it, and all that can be done with it, each by the module that knows how."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from . import (
    campaign_records,
    catalog,
    failure_records,
    merging,
    migration,
    names,
    removal,
    results,
    tree,
    verification,
)
from .band_stream import BandStream, read_bands
from .catalog import Run
from .kept_sums import KeptSums
from .merging import Merge
from .migration import Migration, Renaming, same_name
from .place import Place, StoreLike, group_names
from .results import CatalogRow, EachOf
from .verification import Damage

if TYPE_CHECKING:
    import pandas as pd

    from .page import Report


class Store(Place):
    """A store by its path, which need not exist yet: `Store.at("results.zarr")`.

    path : resolved, so that links and the working folder do not matter later
    identity : of the store that this one must still be when something is written; None: whatever is there
    Reading raises InputError for what is damaged or not there; writing raises StoreError where the store
    cannot be written or is no more the one that was opened, and what it held stays whole.
    """

    @property
    def results(self) -> tuple[str, ...]:
        """Ids of the published materials, sorted; none where the store does not exist yet."""
        return results.published(self)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Ids of results that are not what was written."""
        return results.damaged_of(self)

    @property
    def source_stamps(self) -> frozenset[str]:
        """Fact `source_stamp` of all results that are whole, to know materials again without loading them."""
        return self.stamps()

    def stamps(self, run: EachOf = map) -> frozenset[str]:
        """The same, the results read by whatever computes.

        run : calls a function with each of many items; what it returns comes in their order
        """
        return results.published_stamps(self, run)

    def file(self, material_id: str) -> Path:
        """The file of a result: `xr.open_zarr("zip::<this path>")` opens it without spinscreen."""
        return results.material_file(self, material_id)

    def is_published(self, material_id: str) -> bool:
        """True where there is a result under this id that is whole, to the last bit."""
        return results.is_published(self, material_id)

    def missing_of(self, material_ids: Iterable[str]) -> list[str]:
        """Which of some materials are not in the store, although they should be."""
        return results.missing_of(self, material_ids)

    def publish(self, dataset: xr.Dataset, material_id: str) -> bool:
        """Put a result into the store, in one step: readers see all of it or nothing.

        Returns False, and changes nothing, where the id is already published.
        """
        return results.publish(dataset, self, material_id)

    def read(self, material_id: str) -> xr.Dataset:
        """A result, checked against its digest.

        material_id : its id, or its name without the key of the settings: then the newest of that name
        """
        return results.read_material(self, self._id(material_id))

    def row(self, material_id: str) -> CatalogRow:
        """The catalog row of a result; material_id as for `read`."""
        return results.read_row(self, self._id(material_id))

    def rows(self, material_ids: Sequence[str]) -> Iterator[CatalogRow | str]:
        """Catalog rows of some results; for one that is damaged the sentence that says so."""
        return results.read_rows(self, material_ids)

    def ids_of(self, name: str) -> tuple[str, ...]:
        """Ids of the results that a name means, the newest first: "Pt", "Pt-01ab". Raises InputError."""
        return names.ids_of(self, name)

    def _id(self, name: str) -> str:
        found = names.matching(self.results, name) if not self.file(name).is_file() else ()
        # One that is not there: whoever reads it says so.
        return names.id_of(self, name) if found else name

    def remove_results(self, material_ids: Sequence[str]) -> None:
        """Remove results by their ids, and bring the catalog up to date; what is removed is gone."""
        removal.remove_results(self, material_ids)

    def merge(self, other: StoreLike) -> Merge:
        """Copy what this store lacks from another one, see `spinscreen merge`; the other stays as it is."""
        return merging.merge(self, Place.at(other))

    @property
    def bands(self) -> tuple[str, ...]:
        """Ids of the published values per k and band, sorted."""
        return group_names(self.bands_folder)

    def read_bands(self, band_id: str) -> xr.Dataset:
        """Values per k and band, lazily."""
        return read_bands(self, band_id)

    def band_stream(self, band_id: str) -> BandStream:
        """Values per k and band that are written chunk by chunk."""
        return BandStream(self, band_id)

    def kept_sums(self, material_id: str) -> KeptSums:
        """Partial sums of a result that takes long."""
        return KeptSums(self, material_id)

    @property
    def failures(self) -> dict[str, str]:
        """Error of each failed material, the newest where several campaigns failed on one."""
        return failure_records.failures(self)

    @property
    def failure_records(self) -> list[dict[str, Any]]:
        """Every record: id, error, campaign, path, time; a material that failed in two campaigns has two."""
        return failure_records.failure_records(self)

    def record_failure(self, label: str, error: str, campaign: str = "", path: str | None = None) -> None:
        """Record why a material failed, in place of its older record of the same campaign.

        label : the material's id, any text; campaign : id of its settings and source, as `record_campaign`
        gave it; path : where the material lies, None for one without files
        """
        failure_records.record_failure(self, label, error, campaign, path)

    def forget_failure(self, label: str, campaign: str = "") -> None:
        """Take back the record of a material that went well after all."""
        failure_records.forget_failure(self, label, campaign)

    def forget_absent(self, campaign: str, labels: Collection[str]) -> None:
        """Take back records of a campaign whose source has no such material any more."""
        failure_records.forget_absent(self, campaign, labels)

    @property
    def campaigns(self) -> dict[str, dict[str, Any]]:
        """Settings, version and time of the first run of each campaign, by its id."""
        return campaign_records.campaigns(self)

    def record_campaign(self, settings: Mapping[str, Any]) -> str:
        """Keep the settings of a campaign, once; returns their id."""
        return campaign_records.record_campaign(self, settings)

    @property
    def catalog(self) -> xr.Dataset:
        """The catalog as it is, lazily."""
        return catalog.open_catalog(self)

    def build_catalog(self, run: Run = map) -> xr.Dataset:
        """Bring the catalog up to date with the results and return it, lazily.

        Rows that it has already are not read again but for the last few; of each material its id is held in
        memory, no number. A material that is damaged is left out and named in the
        attribute `damaged` of the result. The new catalog takes the place of the old one in one step; who has
        the old one open goes on reading it for an hour at least. Raises InputError where the store is empty.
        run : how pieces are computed, one after the other by default; they write into the store
        """
        return catalog.build_catalog(self, run)

    def update_catalog(self, run: Run = map) -> list[str]:
        """The same without opening it, for stores of any size: sentences of what is damaged."""
        return catalog.update_catalog(self, run)

    def screen(
        self,
        where: str | None = None,
        sort: str | None = None,
        top: int | None = None,
        columns: Sequence[str] | None = None,
        quality: Sequence[str] | None = None,
        campaign: str | None = None,
        latest: bool = False,
        mixed: bool = False,
    ) -> pd.DataFrame:
        """Materials of the catalog as a table, see `spinscreen.storage.screen`."""
        return catalog.screen(self, where, sort, top, columns, quality, campaign, latest, mixed)

    def report(self, path: str | Path, where: str | None = None) -> Report:
        """Write the page of the store, one file of HTML, see `spinscreen.storage.write_report`."""
        from . import page

        return page.write_report(self, path, where)

    def tree(self) -> xr.DataTree:
        """All of the store as a lazy tree, see `spinscreen.storage.open_store`."""
        return tree.open_store(self)

    def verify(self, repair: bool = False) -> tuple[Damage, ...]:
        """What is damaged: materials and bands against their digests, the catalog against the materials, and
        every small record.

        repair : remove what is damaged, so that the next run computes it anew and the next catalog is whole
        """
        return verification.verify(self, repair)

    def migrate(self, rename: Renaming = same_name) -> Migration:
        """Rewrite every result of an older store as one sealed file; stopped at any moment, it goes on.

        rename : gives the id under which a run looks for the result now; a result's own by default
        The old group goes when the new file is on the disk. One that is damaged is left where it is.
        """
        return migration.migrate(self, rename)
