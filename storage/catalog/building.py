"""Building the catalog: what is screened across materials, as dense arrays over `material`."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from ..place import Place, StoreLike
from ..results import (
    RELATIVE_ENERGY,
    ROW_VERSION,
    TENSORS,
    CatalogRow,
    column_units,
    published,
    read_rows,
    tensor_unit_of,
    tensor_units,
    unit_of,
)
from ..results.column_names import unused
from ..schema import CATALOG, SCHEMA_VERSION, conventions, labels
from .reading import (
    check_whole,
    columns_of_headings,
    generation,
    open_catalog,
    renamed,
    scalar_columns,
    sizes_of,
)

#: Materials in a chunk of a tensor, and rows that are held in memory at a time.
_CHUNK = 64

#: Materials in a chunk of a scalar column.
_SCALAR_CHUNK = 4096

#: Generations of the catalog; the link /catalog leads to the present one.
_GENERATIONS = "catalogs"

#: Seconds for which a generation stays after it was replaced, and how many stay at most.
_READ_FOR, _GENERATIONS_KEPT = 3600, 6

#: Reads the rows of many materials, in their order: a row, or the sentence why there is none.
RowReader = Callable[[str, Sequence[str]], Iterable[CatalogRow | str]]


def rows_of(store: StoreLike, names: Sequence[str]) -> Iterable[CatalogRow | str]:
    """Rows of some materials; for one that is damaged the sentence that says so."""
    return read_rows(Place.at(store), names)


def build_catalog(place: Place, read: RowReader = rows_of) -> xr.Dataset:
    """Bring /catalog up to date with the published materials and return it, lazily.

    Rows that the catalog has already are not read again, and memory does not grow with the number of
    materials but for their scalars. A material that is damaged is left out and named in the attribute
    `damaged` of the result. The new catalog takes the place of the old one in one step; who has the old one
    open goes on reading it for an hour at least. Raises InputError where the store is empty, StoreError
    where it cannot be written.
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
        damaged = _build(place, read, old, sorted(names - known))
    found = open_catalog(place)
    return found.assign_attrs(damaged=damaged) if damaged else found


def _build(store: Place, read: RowReader, old: _Old | None, missing: Sequence[str]) -> list[str]:
    """Write a new generation and put it in place; the sentences of what could not be read."""
    beside = store.partial / f"catalog-{uuid.uuid4().hex}"
    make_folder(beside)
    try:
        writer = _Writer(beside, old)
        damaged: list[str] = []
        for start in range(0, len(missing), _CHUNK):
            found = list(read(str(store.path), missing[start : start + _CHUNK]))
            damaged += [row for row in found if isinstance(row, str)]
            writer.append([row for row in found if not isinstance(row, str)])
        if old is not None and writer.count == len(old.materials):
            # Nothing but damaged ones is new.
            return damaged
        if writer.count:
            writer.finish(replaces=_name_of(generation(store)))
            _put_in_place(store, beside)
        elif damaged:
            raise StoreError(f"{store.path}: none of its materials can be read; the first: {damaged[0]}")
        return damaged
    finally:
        store.remove(beside)
        store.tidy()


def _name_of(generation: Path | None) -> str:
    return "" if generation is None else generation.name


@dataclass(frozen=True, eq=False)
class _Old:
    """A catalog to be built on: its folder, its scalars and labels."""

    folder: Path
    scalars: xr.Dataset

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
            return cls(folder, found.drop_vars([v for v in TENSORS.values() if v in found]).load())
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
    """A catalog that grows by batches of rows: tensors go to disk at once, scalars at the end."""

    def __init__(self, folder: Path, old: _Old | None) -> None:
        self._group = zarr.open_group(folder, mode="a", zarr_format=3)
        self._folder = folder
        self._old = old
        self._rows: list[CatalogRow] = []
        self._materials = [] if old is None else old.materials
        self._observables = {} if old is None else old.observables
        self._headings = {} if old is None else old.headings
        for variable in TENSORS.values():
            if old is not None and (old.folder / variable).is_dir():
                shutil.copytree(old.folder / variable, folder / variable)

    @property
    def count(self) -> int:
        """Materials so far."""
        return len(self._materials)

    def append(self, rows: list[CatalogRow]) -> None:
        start = self.count
        rows = [self._with_own_names(row) for row in rows]
        for row in rows:
            self._observables |= row.observables.facts
        for variable in TENSORS.values():
            if any(variable in row.tensors for row in rows) or variable in self._group:
                self._write(variable, start, rows)
        self._rows += [replace(row, tensors={}) for row in rows]
        self._materials += [row.material for row in rows]

    def _with_own_names(self, row: CatalogRow) -> CatalogRow:
        """The row with columns of the user named as the catalog does: one heading, one column, also where
        the headings of two manifests would come out the same.
        """
        for name, heading in row.headings.items():
            if heading not in self._headings:
                self._headings[heading] = unused(name, set(self._headings.values()))
        return renamed(row, self._headings)

    def _write(self, variable: str, start: int, rows: Sequence[CatalogRow]) -> None:
        some = next((row for row in rows if variable in row.tensors), None)
        array = self._tensor(variable, start + len(rows), some)
        block = np.full((len(rows), *array.shape[1:]), np.nan)
        order = list(self._observables)
        for i, row in enumerate(rows):
            values = row.tensors.get(variable)
            if values is not None and values.ndim == 4:
                block[i, [order.index(name) for name in row.observables.names]] = values
            elif values is not None:
                block[i] = values
        array[start : start + len(rows)] = block

    def _tensor(self, variable: str, count: int, example: CatalogRow | None) -> Any:
        """The array, made or grown to `count` materials and all observables seen so far."""
        if variable not in self._group:
            assert example is not None
            inner = (3, 3, len(RELATIVE_ENERGY))
            by_observable = example.tensors[variable].ndim == 4
            dims = ["current_axis", "field_axis", "relative_energy"]
            self._group.create_array(
                variable,
                shape=(count, len(self._observables), *inner) if by_observable else (count, *inner),
                chunks=(_CHUNK, 1, *inner) if by_observable else (_CHUNK, *inner),
                dtype="float64",
                fill_value=np.nan,
                compressors=(CHECKSUMMED,),
                dimension_names=["material", *(["observable"] if by_observable else []), *dims],
            )
        array: Any = self._group[variable]
        middle = (len(self._observables),) if array.ndim == 5 else ()
        array.resize((count, *middle, *array.shape[-3:]))
        return array

    def finish(self, replaces: str) -> None:
        """Write the labels and scalars, and consolidate: the whole catalog opens by one small file.

        replaces : name of the generation that this one takes the place of
        """
        columns = {name: ("material", values) for name, values in self._columns().items()}
        dimension = _only(columns["dimension"][1]) if "dimension" in columns else None
        for variable in TENSORS.values():
            if variable in self._group:
                attributes = self._tensor(variable, self.count, None).attrs
                attributes.put(self._described_tensor(variable, dimension))
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
        tables = [pd.DataFrame([dict(row.columns) for row in self._rows])]
        if self._old is not None:
            old = self._old.scalars
            tables.insert(0, old[list(scalar_columns(old))].to_dataframe().reset_index(drop=True))
        table = pd.concat(tables, ignore_index=True)
        return {str(name): _values(column) for name, column in table.items()}


def _values(column: pd.Series) -> NDArray:
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


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]
