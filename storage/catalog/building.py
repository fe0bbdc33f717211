"""Building the catalog: what is screened across materials, as dense arrays over `material`."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from spinscreen.kernels import InputError

from ..files.encoding import CHECKSUMMED, consolidate, consolidating, describe_like, lengthen
from ..files.whole import StoreError, abandoned, link_to, make_folder, write_json, writing
from ..observables import AXES, Facts, Observables
from ..place import CATALOG as LINK
from ..place import Place
from ..results import (
    RELATIVE_ENERGY,
    ROW_VERSION,
    column_units,
    published,
    tensor_unit_of,
    tensor_units,
    unit_of,
)
from ..results.column_names import unused
from ..schema import CATALOG, SCHEMA_VERSION, conventions, labels
from .earlier import Earlier, EarlierDamagedError
from .pieces import CHUNK, COMPONENTS, Asked, Piece, asked, write_piece
from .reading import (
    generation,
    open_catalog,
    sizes_of,
)
from .scalars import SCALAR_CHUNK, Scalars, write_chunk

#: By the type of a column, values that no array leaves out.
_EXAMPLES: Mapping[type, NDArray] = {str: labels(["x"]), bool: np.ones(1, bool), float: np.ones(1)}

#: Generations of the catalog; the link /catalog leads to the present one.
_GENERATIONS = "catalogs"

#: Seconds for which a generation stays after it was replaced, and how many stay at most.
_READ_FOR, _GENERATIONS_KEPT = 3600, 6

#: Calls a function with each piece, by whatever computes; what it returns comes in the order of the pieces.
Run = Callable[[Callable[[Asked], Piece], Sequence[Asked]], Iterable[Piece]]


def build_catalog(place: Place, run: Run = map) -> xr.Dataset:
    """Bring /catalog up to date with the published materials and return it, lazily.

    A material that is damaged is left out and named in the attribute `damaged` of the result. The new catalog
    takes the place of the old one in one step; who has the old one open goes on reading it for an hour at
    least. run, and what is raised : as for `update_catalog`
    """
    damaged = update_catalog(place, run)
    found = open_catalog(place)
    return found.assign_attrs(damaged=damaged) if damaged else found


def update_catalog(place: Place, run: Run = map) -> list[str]:
    """The same, not opened: the sentences of what is damaged.

    Rows that the catalog has already are not read again but for the last few. Of a material stays its id in
    memory, no number.
    run : how pieces are computed, one after the other by default; they write into the store
    Raises InputError where the store is empty, StoreError where it cannot be written.
    """
    names = set(published(place))
    if not names:
        raise InputError(f"{place.path}: holds no material yet, expected at least one for a catalog.")
    old = Earlier.of(generation(place))
    known = set() if old is None else set(old.materials)
    if old is not None and known == names:
        return []
    if not known <= names:
        old = None
    with writing(place.path):
        if old is not None:
            try:
                return _build(place, run, old, sorted(names - known))
            except EarlierDamagedError:
                pass
        return _build(place, run, None, sorted(names))


def _build(store: Place, run: Run, old: Earlier | None, missing: Sequence[str]) -> list[str]:
    """Write a new generation and put it in place; the sentences of what could not be read."""
    beside = store.partial / f"catalog-{uuid.uuid4().hex}"
    make_folder(beside)
    scalars = Scalars(beside.with_name(f"{beside.name}-rows"))
    try:
        writer = _Writer(beside, scalars, old)
        # Chunks that are full stay what they are; rows of the last one are read again.
        names, damaged = [*writer.unfinished, *missing], dict[str, str]()
        while names:
            lost = dict[str, str]()
            whole = 0
            for piece in run(write_piece, asked(store, beside, names, writer.chunks)):
                lost |= piece.damaged
                if not lost:
                    writer.append(piece)
                    whole += 1
            # What comes behind a material that is left out moves up.
            names = [name for name in names[CHUNK * whole :] if name not in lost]
            damaged |= lost
            if lost:
                writer.forget_unfinished()
        if old is not None and writer.count == len(old.materials):
            # Nothing but damaged ones is new.
            return list(damaged.values())
        if writer.count:
            writer.finish(replaces=_name_of(generation(store)))
            _put_in_place(store, beside)
        elif damaged:
            first = next(iter(damaged.values()))
            raise StoreError(f"{store.path}: none of its materials can be read; the first: {first}")
        return list(damaged.values())
    finally:
        scalars.close()
        store.remove(beside)
        store.tidy()


def _name_of(generation: Path | None) -> str:
    return "" if generation is None else generation.name


def _put_in_place(store: Place, fresh: Path) -> None:
    """Turn the link to a new generation; those before stay as long as somebody may read them."""
    store.check()
    generations = store.path / _GENERATIONS
    make_folder(generations)
    link, old = store.path / LINK, generation(store)
    new = generations / fresh.name.removeprefix("catalog-")
    fresh.rename(new)
    if link.is_dir() and not link.is_symlink():
        # Of a store that was copied with its links followed.
        link.rename(generations / f"copied-{uuid.uuid4().hex}")
    # Before the link is turned: a reader looks for it.
    write_json(sizes_of(new), dict(_sizes(new)), store.partial)
    link_to(Path(_GENERATIONS) / new.name, link, store.partial)
    for outdated in _outdated(generations, {new.name, _name_of(old)}):
        store.remove(outdated, sizes_of(outdated))


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        inside = os.path.relpath(place, folder).replace(os.sep, "/")
        for name in sorted(files):
            yield name if inside == "." else f"{inside}/{name}", Path(place, name).stat().st_size


def _outdated(generations: Path, present: Collection[str]) -> list[Path]:
    """Generations that nobody reads any more: sessions may have had one open over some rebuilds."""
    old = set(abandoned(generations, _READ_FOR))
    folders = [place for place in generations.iterdir() if place.is_dir() and place.name not in present]
    folders.sort(key=lambda place: place.stat().st_mtime, reverse=True)
    return [place for n, place in enumerate(folders) if n >= _GENERATIONS_KEPT or place in old]


class _Writer:
    """A catalog that grows by pieces whose tensors are on the disk; scalars are written at the end.

    Raises EarlierDamagedError where an older one cannot be read.
    """

    def __init__(self, folder: Path, scalars: Scalars, old: Earlier | None) -> None:
        self._folder, self._scalars = folder, scalars
        self._materials: list[str] = []
        self._observables: dict[str, Facts] = {} if old is None else old.observables
        self._headings: dict[str, str] = {} if old is None else old.headings
        self._tensors: dict[str, bool] = {}
        self.unfinished: list[str] = []
        if old is not None:
            self._take(old)

    def _take(self, old: Earlier) -> None:
        """The full chunks of an older catalog."""
        names = old.materials
        full = len(names) // CHUNK
        self._materials, self.unfinished = names[: CHUNK * full], names[CHUNK * full :]
        self._tensors = {v: len(dims) == 5 for v, dims in old.tensors.items()}
        for variable in self._tensors:
            for number in range(full):
                chunk = Path(variable) / "c" / str(number)
                if (old.folder / chunk).exists():
                    shutil.copytree(old.folder / chunk, self._folder / chunk, copy_function=_link_or_copy)
        for columns in old.rows(CHUNK * full):
            self._scalars.append(columns)

    @property
    def count(self) -> int:
        """Materials so far."""
        return len(self._materials)

    @property
    def chunks(self) -> int:
        """Full chunks so far."""
        return self.count // CHUNK

    def append(self, piece: Piece) -> None:
        number = self.chunks
        self._observables |= piece.observables
        self._tensors |= piece.tensors
        order = list(self._observables)
        places = [order.index(name) for name in piece.observables]
        if places != list(range(len(places))):
            for variable in (v for v, by_observable in piece.tensors.items() if by_observable):
                _reorder(self._folder / variable / "c" / str(number), places)
        for heading, name in piece.headings.items():
            if heading not in self._headings:
                self._headings[heading] = unused(name, set(self._headings.values()))
        names = {name: self._headings[heading] for heading, name in piece.headings.items()}
        if piece.materials:
            self._scalars.append({names.get(name, name): values for name, values in piece.columns.items()})
        self._materials += piece.materials

    def forget_unfinished(self) -> None:
        """Remove the tensors of materials that are not part of it."""
        for chunk in self._folder.glob("*/c/*"):
            if int(chunk.name) >= self.chunks:
                shutil.rmtree(chunk)

    def _describe_tensors(self, dimension: int | None) -> None:
        group = zarr.open_group(self._folder, mode="a", zarr_format=3)
        for variable, by_observable in self._tensors.items():
            group.create_array(
                variable,
                shape=(self.count, *([len(self._observables)] if by_observable else []), *COMPONENTS),
                chunks=(CHUNK, *([1] if by_observable else []), *COMPONENTS),
                dtype="float64",
                fill_value=np.nan,
                compressors=(CHECKSUMMED,),
                dimension_names=[
                    "material",
                    *(["observable"] if by_observable else []),
                    *("current_axis", "field_axis", "relative_energy"),
                ],
                attributes={**self._described_tensor(variable, dimension)},
            )

    def finish(self, replaces: str) -> None:
        """Write the labels and scalars, and consolidate: the whole catalog opens by one small file.

        replaces : name of the generation that this one takes the place of
        """
        types = self._scalars.types
        found = self._scalars.only_value("dimension")
        dimension = int(found) if found in (1, 2, 3) else None
        self._describe_tensors(dimension)
        self._describe_scalars(types, dimension, replaces)
        self._scalars.write(self._folder)
        for number, start in enumerate(range(0, self.count, SCALAR_CHUNK)):
            names = self._materials[start : start + SCALAR_CHUNK]
            write_chunk(self._folder / "material", number, labels(names))
        consolidate(self._folder)

    def _describe_scalars(self, types: Mapping[str, type], dimension: int | None, replaces: str) -> None:
        """Metadata of the scalars as xarray makes them for one row, then for all of them."""
        row = {name: ("material", _EXAMPLES[kind]) for name, kind in types.items()}
        numbers = [name for name, kind in types.items() if kind is float]
        # Texts and truth values as coordinates: `where`, `reindex` and means leave them what they are.
        texts = [name for name in types if name not in numbers]
        example = xr.Dataset(
            {name: row[name] for name in numbers},
            self._labels(["x"]) | {name: row[name] for name in texts},
            {
                "kind": CATALOG,
                **conventions(CATALOG),
                "relative_to": "Fermi level of each material",
                "schema_version": SCHEMA_VERSION,
                "row_version": ROW_VERSION,
                "replaces": replaces,
            },
        )
        for name in types:
            example.variables[name].attrs |= self._described(name, dimension)
        # Chunks that do not depend on the number of rows: an older catalog that is still open in some session
        # goes on to read right while rows are added.
        chunked = {"chunks": (SCALAR_CHUNK,), "compressors": (CHECKSUMMED,)}
        by_zarr = example.drop_vars(numbers[1:])
        with consolidating():
            encoding = dict.fromkeys(("material", *texts, *numbers[:1]), chunked)
            by_zarr.to_zarr(self._folder, mode="a", zarr_format=3, consolidated=False, encoding=encoding)
        for name in ("material", *texts, *numbers[:1]):
            lengthen(self._folder / name, self.count)
        if numbers:
            attributes = {name: example.variables[name].attrs for name in numbers[1:]}
            describe_like(self._folder / numbers[0], attributes)

    def _described(self, column: str, dimension: int | None) -> dict[str, str]:
        """Attributes of a column: its unit, and what the user called it where that cannot be its name.

        dimension : of all materials; None where they have several, as crystals and layers: what then has no
            one unit has the attribute `units_by_dimension`, which no library takes for a unit
        """
        heading = next((said for said, name in self._headings.items() if name == column), None)
        units = column_units(column) if heading is None else None
        own = None if dimension is None else unit_of(column, dimension, Observables.of(self._observables))
        several = own is None and ", " in (units or "")
        described = {
            "units": None if several else own or units,
            "units_by_dimension": units if several else None,
            "heading": heading,
            "long_name": None if heading == column else heading,
        }
        return {name: text for name, text in described.items() if text is not None}

    def _described_tensor(self, variable: str, dimension: int | None) -> dict[str, str]:
        """The same of a tensor."""
        told = {"long_name": variable.replace("_", " ")}
        if dimension is None:
            return told | {"units_by_dimension": tensor_units(variable)}
        return told | {"units": tensor_unit_of(variable, dimension, Observables.of(self._observables))}

    def _labels(self, ids: Sequence[str]) -> dict[Hashable, Any]:
        energy = {"long_name": "energy above the Fermi level", "units": "eV"}
        found: dict[Hashable, Any] = {
            "material": labels(ids),
            "current_axis": labels(AXES),
            "field_axis": labels(AXES),
            "relative_energy": ("relative_energy", RELATIVE_ENERGY, energy),
        }
        return found | (Observables.of(self._observables).coordinates if self._observables else {})


def _reorder(chunk: Path, places: Sequence[int]) -> None:
    """Give the observables of a chunk other numbers, place by place."""
    for number in range(len(places)):
        (chunk / str(number)).rename(chunk / f"{number}.old")
    for number, place in enumerate(places):
        (chunk / f"{number}.old").rename(chunk / str(place))


def _link_or_copy(source: str, target: str) -> None:
    try:
        # A generation never changes: two of them may share a file.
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
