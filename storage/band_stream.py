"""Values per k and band on a large mesh, written chunk by chunk by whoever computed them."""

from __future__ import annotations

import hashlib
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from .files.encoding import CHECKSUMMED, consolidate
from .files.whole import StoreError, make_folder, read_json, sync_folder, write_json, writing
from .place import Place, StoreLike
from .schema import MESH, as_now

#: In a group: a mark for each chunk that is written, with the digests of its files.
_MARKS = ".written"

#: Beside a published group: the digests of all its files.
_DIGESTS = ".digests.json"


@dataclass(frozen=True)
class BandStream:
    """A group /bands/<id> that grows out of sight and is renamed into place when it is whole.

    What was written of it by a driver that was killed is found again. It travels to the workers as it is.
    """

    store: StoreLike
    band_id: str

    @property
    def is_published(self) -> bool:
        return (self._target / "zarr.json").is_file()

    def check_published(self) -> None:
        """Raise InputError where a file of the published group is gone; `verify` reads them, too."""
        for name in read_json(_digests_of(self._target)) or {}:
            if not (self._target / name).is_file():
                raise InputError(
                    f"{self._target}: is damaged, {name} is gone; `spinscreen verify STORE --repair` removes "
                    "the group, the same run again computes it anew."
                )

    def prepare(self, empty: xr.Dataset, count: int, chunk: int) -> None:
        """Make the arrays like those of `empty` (no k points), `count` long, unless an earlier try did.

        chunk : k points of a chunk. Raises StoreError as `publish` does.
        """
        store = self._place
        with writing(store.path):
            store.bound()
            if self._is_begun:
                return
            beside = store.partial / f"bands-{uuid.uuid4().hex}"
            make_folder(beside.parent)
            try:
                self._make_arrays(empty, count, chunk, beside)
                self._begin(beside)
            finally:
                store.remove(beside)

    def _begin(self, beside: Path) -> None:
        """Put empty arrays in place, unless another driver did so meanwhile."""
        if self._folder.exists() and not self._is_begun:
            # What a slow worker wrote after its group had been published.
            waste = self._place.partial / f"waste-{uuid.uuid4().hex}"
            with suppress(OSError):
                self._folder.rename(waste)
            if (waste / "zarr.json").is_file():
                # Begun by another driver in this very moment.
                _renamed(waste, self._folder)
            self._place.remove(waste)
        try:
            beside.rename(self._folder)
        except OSError:
            if not self._is_begun:
                raise

    @property
    def _is_begun(self) -> bool:
        return (self._folder / "zarr.json").is_file()

    def _make_arrays(self, empty: xr.Dataset, count: int, chunk: int, folder: Path) -> None:
        # Of points that are not there nobody can tell that they are a mesh.
        streamed = [name for name in empty.variables if "k" in empty[name].dims]
        fixed = empty.drop_vars(streamed).assign_attrs(kind=MESH)
        encoding = {str(name): {"compressors": (CHECKSUMMED,)} for name in fixed.variables}
        fixed.to_zarr(folder, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        group = zarr.open_group(folder, mode="r+")
        for name, variable in empty.variables.items():
            if "k" in variable.dims:
                group.create_array(
                    str(name),
                    shape=(count, *variable.shape[1:]),
                    chunks=(chunk, *variable.shape[1:]),
                    dtype=variable.dtype,
                    compressors=(CHECKSUMMED,),
                    # One folder an array, not one for each dim of each chunk.
                    chunk_key_encoding={"name": "default", "separator": "."},
                    dimension_names=list(map(str, variable.dims)),
                    attributes=_plain(variable.attrs, empty, str(name)),
                )

    def has(self, start: int) -> bool:
        """Whether the chunk that begins at this k point is written, to the last byte."""
        mark = read_json(self._mark(start))
        return mark is not None and all(
            _is_what_was_written(self._folder / name, mark[name]) for name in mark
        )

    def write(self, start: int, values: Mapping[str, NDArray]) -> None:
        """Write one chunk of every array. Raises StoreError as `publish` does."""
        with writing(self._place.path):
            try:
                self._write(start, values)
            except (OSError, KeyError):
                # A second driver was faster: its workers wrote the same, and the group is in place. What was
                # in the way depends on the step at which the folder went.
                if not self.is_published:
                    raise

    def _write(self, start: int, values: Mapping[str, NDArray]) -> None:
        if self.is_published:
            return
        group = zarr.open_group(self._folder, mode="r+")
        names = {}
        for name, block in values.items():
            # A chunk of zeros is a file like any other, so that one that is missing is noticed.
            array = _array(group, name).with_config({"write_empty_chunks": True})
            array[start : start + len(block)] = block
            number = start // array.chunks[0]
            file = f"{name}/c.{number}" + ".0" * (array.ndim - 1)
            names[file] = _digest_of(self._folder / file)
        make_folder(self._mark(start).parent)
        write_json(self._mark(start), names, self._place.partial)

    def publish(self) -> None:
        """Put the group in place; a second driver may have done so. Raises StoreError."""
        store = self._place
        with writing(store.path):
            store.check()
            store.make_group(self._target.parent)
            try:
                if not self.is_published:
                    self._finish()
                    _renamed(self._folder, self._target)
            except (OSError, KeyError):
                # Renamed by a second driver between two steps: what was looked for is in place.
                if not self.is_published:
                    raise
        # The marks went along with the group, so that none is left for arrays that are not there.
        store.remove(self._target / _MARKS)
        store.remove(self._folder)
        store.tidy()

    def _finish(self) -> None:
        """Digests of everything, metadata in one file, and all of it on the disk."""
        written: dict[str, str] = {}
        for mark in sorted((self._folder / _MARKS).iterdir()):
            written |= read_json(mark) or {}
        # By their names: Zarr's files on their way, of a second driver, are none of the group's.
        fixed_files = ["zarr.json"]
        for name, array in _arrays(self._folder):
            streamed = "k" in (getattr(array.metadata, "dimension_names", None) or ())
            chunks = list(_chunk_files(name, array))
            fixed_files += [f"{name}/zarr.json", *([] if streamed else chunks)]
            for file in chunks:
                if not (file in written if streamed else (self._folder / file).is_file()):
                    raise StoreError(
                        f"{self._folder}: lacks {file}, expected every chunk to be written; run the same "
                        "again."
                    )
        # Drivers that end at the same time write equal bytes, of which one has told the digest.
        consolidate(self._folder)
        fixed = {name: _digest_of(self._folder / name) for name in fixed_files}
        # Not inside, where Zarr would wonder what it is.
        write_json(_digests_of(self._target), fixed | written, self._place.partial)
        sync_folder(self._folder)

    @property
    def _place(self) -> Place:
        return Place.at(self.store)

    @property
    def _target(self) -> Path:
        return self._place.bands_folder / self.band_id

    @property
    def _folder(self) -> Path:
        return self._place.partial / f"{self.band_id}.bands"

    def _mark(self, start: int) -> Path:
        return self._folder / _MARKS / f"{start}.json"


def read_bands(store: Place, band_id: str) -> xr.Dataset:
    """A published group, lazily. Raises InputError where there is none or its metadata are damaged."""
    folder = store.bands_folder / band_id
    try:
        return as_now(xr.open_zarr(folder, consolidated=True))
    except FileNotFoundError:
        raise InputError(f"{folder}: no such bands; `spinscreen texture ... --store` makes them.") from None
    except Exception as problem:  # whatever Zarr and xarray raise about damaged metadata
        raise InputError(
            f"{folder}: is damaged ({type(problem).__name__}: {problem}); `spinscreen verify {store.path} "
            "--repair` removes it, the next run computes it anew."
        ) from None


def damage_of_bands(folder: Path) -> str | None:
    """What is wrong with a published group of bands, None if nothing is.

    Groups of version 1 carry no digests; of these it is only seen whether the metadata can be read.
    """
    if read_json(folder / "zarr.json") is None:
        return "its metadata cannot be read"
    digests = read_json(_digests_of(folder))
    if digests is None:
        return "its digests cannot be read" if _digests_of(folder).exists() else None
    for name, digest in digests.items():
        if not _is_what_was_written(folder / name, digest):
            return f"{name} is not what was written"
    return None


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def _digests_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _DIGESTS)


def _arrays(folder: Path) -> list[tuple[str, Any]]:
    with _ignoring_marks():
        return list(zarr.open_group(folder, mode="r").arrays())


@contextmanager
def _ignoring_marks() -> Iterator[None]:
    """Zarr wonders about the folder of marks, which goes when the group is published."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Object at .* is not recognized", UserWarning)
        yield


def _digest_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_what_was_written(file: Path, digest: str) -> bool:
    try:
        return _digest_of(file) == digest
    except OSError:
        return False


def _chunk_files(name: str, array: Any) -> Iterator[str]:
    """Files of the chunks of an array that is chunked along its first dim only."""
    separator = array.metadata.chunk_key_encoding.separator
    for number in range(-(-array.shape[0] // array.chunks[0]) if array.ndim else 1):
        inner = [str(number)] + ["0"] * (array.ndim - 1) if array.ndim else []
        yield f"{name}/{separator.join(['c', *inner])}"


def _renamed(folder: Path, target: Path) -> None:
    """Rename a folder; where another driver was faster, its folder stays."""
    try:
        folder.rename(target)
    except OSError:
        if not (target / "zarr.json").is_file():
            raise


def _plain(attributes: Mapping[Any, Any], dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """Attributes of an array; xarray finds coordinates that are no dims by the attribute `coordinates`."""
    plain = {str(key): value for key, value in attributes.items()}
    if name in dataset.data_vars:
        own = set(dataset[name].dims)
        plain["coordinates"] = " ".join(
            str(c) for c in dataset.coords if c not in dataset.dims and set(dataset[c].dims) <= own
        )
    return plain
