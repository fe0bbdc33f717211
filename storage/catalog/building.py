"""Building the catalog: what is screened across materials, as dense arrays over `material`."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from spinscreen.kernels import InputError

from ..files.encoding import CHECKSUMMED, consolidate, consolidating, copy_array
from ..files.whole import StoreError, abandoned, link_to, make_folder, write_json, writing
from ..observables import AXES, Facts, Observables
from ..place import CATALOG as LINK
from ..place import Place
from ..results import (
    RELATIVE_ENERGY,
    ROW_VERSION,
    TENSORS,
    column_units,
    published,
    tensor_unit_of,
    tensor_units,
    unit_of,
)
from ..results.column_names import unused
from ..schema import CATALOG, SCHEMA_VERSION, conventions, labels
from .pieces import CHUNK, COMPONENTS, Asked, Piece, asked, write_piece
from .reading import (
    check_whole,
    columns_of_headings,
    generation,
    open_catalog,
    scalar_columns,
    sizes_of,
)

#: Materials in a chunk of a scalar column.
_SCALAR_CHUNK = 4096

#: Generations of the catalog; the link /catalog leads to the present one.
_GENERATIONS = "catalogs"

#: Seconds for which a generation stays after it was replaced, and how many stay at most.
_READ_FOR, _GENERATIONS_KEPT = 3600, 6

#: Calls a function with each piece, by whatever computes; what it returns comes in the order of the pieces.
Run = Callable[[Callable[[Asked], Piece], Sequence[Asked]], Iterable[Piece]]


def build_catalog(place: Place, run: Run = map) -> xr.Dataset:
    """Bring /catalog up to date with the published materials and return it, lazily.

    Rows that the catalog has already are not read again but for the last few, and memory does not grow with
    the number of materials but for their scalars. A material that is damaged is left out and named in the
    attribute `damaged` of the result. The new catalog takes the place of the old one in one step; who has the
    old one open goes on reading it for an hour at least.
    run : how pieces are computed, one after the other by default; they write into the store
    Raises InputError where the store is empty, StoreError where it cannot be written.
    """
    names = set(published(place))
    if not names:
        raise InputError(f"{place.path}: holds no material yet, expected at least one for a catalog.")
    old = _Old.of(generation(place))
    known = set() if old is None else set(old.materials)
    if old is not None and known == names:
        return open_catalog(place)
    if not known <= names:
        old, known = None, set()
    with writing(place.path):
        damaged = _build(place, run, old, sorted(names - known))
    found = open_catalog(place)
    return found.assign_attrs(damaged=damaged) if damaged else found


def _build(store: Place, run: Run, old: _Old | None, missing: Sequence[str]) -> list[str]:
    """Write a new generation and put it in place; the sentences of what could not be read."""
    beside = store.partial / f"catalog-{uuid.uuid4().hex}"
    make_folder(beside)
    try:
        writer = _Writer(beside, old)
        # Chunks that are full stay what they are; rows of the last one are read again.
        names, damaged = [*writer.unfinished, *missing], dict[str, str]()
        while names:
            pieces = list(run(write_piece, asked(store, beside, names, writer.chunks)))
            lost = {name: said for piece in pieces for name, said in piece.damaged.items()}
            whole = next((n for n, piece in enumerate(pieces) if piece.damaged), len(pieces))
            for piece in pieces[:whole]:
                writer.append(piece)
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
        store.remove(beside)
        store.tidy()


def _name_of(generation: Path | None) -> str:
    return "" if generation is None else generation.name


@dataclass(frozen=True, eq=False)
class _Old:
    """A catalog to be built on: its folder, its scalars and labels, and the dims of its tensors."""

    folder: Path
    scalars: xr.Dataset
    tensors: Mapping[str, Sequence[Hashable]]

    @classmethod
    def of(cls, folder: Path | None) -> _Old | None:
        """None where there is none, or where it is damaged in whatever way: it is then made anew."""
        if folder is None:
            return None
        try:
            check_whole(folder)
            found = xr.open_zarr(folder, consolidated=True, chunks=None)
            if found.attrs.get("schema_version") != SCHEMA_VERSION:
                return None
            if found.attrs.get("row_version") != ROW_VERSION:
                return None
            tensors = {v: found[v].dims for v in TENSORS.values() if v in found}
            return cls(folder, found.drop_vars(list(tensors)).load(), tensors)
        except Exception:
            return None

    @property
    def materials(self) -> list[str]:
        return [str(name) for name in self.scalars["material"].values]

    @property
    def observables(self) -> dict[str, Facts]:
        return dict(Observables.in_dataset(self.scalars).facts)

    @property
    def headings(self) -> dict[str, str]:
        """What the user called a column -> its name."""
        return columns_of_headings(self.scalars)


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
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def _outdated(generations: Path, present: Collection[str]) -> list[Path]:
    """Generations that nobody reads any more: sessions may have had one open over some rebuilds."""
    old = set(abandoned(generations, _READ_FOR))
    folders = [place for place in generations.iterdir() if place.is_dir() and place.name not in present]
    folders.sort(key=lambda place: place.stat().st_mtime, reverse=True)
    return [place for n, place in enumerate(folders) if n >= _GENERATIONS_KEPT or place in old]


class _Writer:
    """A catalog that grows by pieces whose tensors are on the disk; scalars are written at the end."""

    def __init__(self, folder: Path, old: _Old | None) -> None:
        self._folder = folder
        self._tables: list[pd.DataFrame] = []
        self._materials: list[str] = []
        self._observables: dict[str, Facts] = {} if old is None else old.observables
        self._headings: dict[str, str] = {} if old is None else old.headings
        self._tensors: dict[str, bool] = {}
        self.unfinished: list[str] = []
        if old is not None:
            self._take(old)

    def _take(self, old: _Old) -> None:
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
        scalars = old.scalars.isel(material=slice(CHUNK * full))
        if full:
            self._tables = [scalars[list(scalar_columns(scalars))].to_dataframe().reset_index(drop=True)]

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
        self._tables.append(piece.columns.rename(columns=names))
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
        columns = {name: ("material", values) for name, values in self._columns().items()}
        dimension = _only(columns["dimension"][1]) if "dimension" in columns else None
        self._describe_tensors(dimension)
        # Texts and truth values as coordinates: `where`, `reindex` and means leave them what they are.
        texts = {name: column for name, column in columns.items() if column[1].dtype.kind != "f"}
        scalars = xr.Dataset(
            {name: column for name, column in columns.items() if name not in texts},
            self._labels(self._materials) | texts,
            {
                "kind": CATALOG,
                **conventions(CATALOG),
                "relative_to": "Fermi level of each material",
                "schema_version": SCHEMA_VERSION,
                "row_version": ROW_VERSION,
                "replaces": replaces,
            },
        )
        for name in columns:
            scalars[name].attrs |= self._described(name, dimension)
        numbers = [str(name) for name in scalars.data_vars if scalars[name].dtype.kind == "f"]
        # Chunks that do not depend on the number of rows: an older catalog that is still open in some session
        # goes on to read right while rows are added.
        chunked = {"chunks": (_SCALAR_CHUNK,), "compressors": (CHECKSUMMED,)}
        with consolidating():
            by_zarr = scalars.drop_vars(numbers[1:])
            encoding = dict.fromkeys(("material", *texts, *by_zarr.data_vars), chunked)
            by_zarr.to_zarr(self._folder, mode="a", zarr_format=3, consolidated=False, encoding=encoding)
        for name in numbers[1:]:
            copy_array(self._folder / numbers[0], self._folder / name, scalars[name], _SCALAR_CHUNK)
        consolidate(self._folder)

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

    def _columns(self) -> dict[str, NDArray]:
        """Every scalar over all materials, text where any material has text, NaN or "" where one has none."""
        table = pd.concat(self._tables, ignore_index=True)
        return {str(name): plain_values(column) for name, column in table.items()}


def plain_values(column: pd.Series) -> NDArray:
    """A column as the catalog holds it: truth values, numbers, or texts; NaN or "" where one is missing."""
    if is_bool_dtype(column):
        return column.to_numpy(bool)
    # Truth values that some materials lack are numbers, like all that can be missing.
    if is_numeric_dtype(column) or all(isinstance(value, Real) for value in column):
        return column.to_numpy(float)
    return labels(_texts(column))


def _only(dimensions: NDArray) -> int | None:
    """The dimension of all materials, None where they have several or it is not known."""
    found = set(dimensions.tolist())
    return int(found.pop()) if len(found) == 1 and found <= {1, 2, 3} else None


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


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]
