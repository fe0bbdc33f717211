"""`Source`: one material of a collection, not read yet, wherever it is kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from spinscreen.kernels import InputError, short

from . import library
from .companions import structure_beside
from .files import printable
from .loading import load_model
from .model import WannierModel
from .packed import inside
from .structure import Structure, structure_of
from .wannier90 import companions
from .wording import in_words_of_a_manifest


@runtime_checkable
class Source(Protocol):
    """What campaigns ask of a material; it is pickled and read by whichever worker computes it.

    id : its name in the store; path : the file or folder that failures name, None where there is none
    columns : facts kept for screening, beside those that are computed
    """

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> Mapping[str, str | float]: ...

    def load(self) -> WannierModel:
        """Read the material. Raises InputError where it cannot be."""

    def stamp(self) -> str | None:
        """What changes when the material does, without reading it; None where that cannot be told."""

    def structure(self, model: WannierModel) -> Structure | None:
        """The crystal that formula and space group are taken from, such as `structure_of(model)`."""


@dataclass(frozen=True)
class LibrarySource:
    """A built-in model.

    id : its name in the store; model : that in the library, "" where it is the same
    parameters : in place of the published ones
    """

    id: str
    columns: Mapping[str, str | float] = field(default_factory=dict)
    model: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    path: None = field(default=None, init=False)

    def load(self) -> WannierModel:
        return replace(library.load(self.model or self.id, **self.parameters), name=self.id)

    def stamp(self) -> None:
        """Its parameters are those of the code."""

    def structure(self, model: WannierModel) -> None:
        """Built-in models have orbitals where they are needed, not all atoms."""


@dataclass(frozen=True)
class FileSource:
    """Files of a material.

    id : its name in the store; path : what `load_model` takes; overrides : keywords of `load_model`
    columns : further facts, kept for screening; former_ids : ids with more or fewer files beside
    entry : which line of which manifest it is, for messages
    """

    id: str
    path: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)
    former_ids: tuple[str, ...] = ()
    entry: str | None = None

    def load(self) -> WannierModel:
        """Read the material; structure files left out are notes. Raises InputError as `load_model`."""
        try:
            model = load_model(self.path, name=self.id, **self.overrides)
        except InputError as problem:
            raise InputError(in_words_of_a_manifest(str(problem), self.entry)) from None
        _, notes = structure_beside(Path(self.path), model)
        for note in notes:
            model = model.noted(printable(note))
        return model

    def stamp(self) -> str | None:
        """Names, sizes and times of the files, and how they are loaded; None where they cannot be seen."""
        path = Path(self.path)
        try:
            folder = path if path.is_dir() else path.parent
            # An archive is one file, whatever changes in it.
            place = inside(path)
            found = companions(folder, path.name) if place is None else [place[0]]
            files = [(file.name, file.stat() if file.exists() else file.lstat()) for file in found]
        except (OSError, ValueError):
            return None
        content = [
            [(name, info.st_size, info.st_mtime_ns) for name, info in files],
            self.path,
            sorted(map(repr, self.overrides.items())),
        ]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def structure(self, model: WannierModel) -> Structure | None:
        """That of a structure file beside the model that fits it, else of its atoms."""
        found, _ = structure_beside(Path(self.path), model)
        return found or structure_of(model)


@dataclass(frozen=True)
class MaterialSource:
    """A `FileSource`, or without a path a `LibrarySource`."""

    id: str
    path: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def _source(self) -> LibrarySource | FileSource:
        if self.path is None:
            return LibrarySource(self.id, self.columns)
        return FileSource(self.id, self.path, self.overrides, self.columns)

    def load(self) -> WannierModel:
        """Read the material. Raises InputError as `load_model` does."""
        return self._source.load()

    def stamp(self) -> str | None:
        """See `Source`."""
        return self._source.stamp()

    def structure(self, model: WannierModel) -> Structure | None:
        """See `Source`."""
        return self._source.structure(model)


@dataclass(frozen=True)
class ModelSource:
    """A model that is in memory, such as one point of a scan of parameters.

    id : its name in the store; columns : further facts, kept for screening, such as these parameters
    """

    id: str
    model: WannierModel
    columns: Mapping[str, str | float] = field(default_factory=dict)
    path: None = field(default=None, init=False)

    def load(self) -> WannierModel:
        return replace(self.model, name=self.id)

    def stamp(self) -> None:
        """Reading it costs nothing."""

    def structure(self, model: WannierModel) -> Structure | None:
        """That of its atoms where it was read from files; one that was built has no more than it needs."""
        return structure_of(model) if model.provenance.files else None


def sources_of(materials: Iterable[Source | WannierModel] | Mapping[str, WannierModel]) -> tuple[Source, ...]:
    """Sources as they are, models as what they are called: by the keys of a mapping, or by their names.

    Raises InputError for what is neither, and where two are called alike.
    """
    if isinstance(materials, Mapping):
        found = [_source_of(model, name) for name, model in materials.items()]
    elif isinstance(materials, Iterable):
        found = [_source_of(material) for material in materials]
    else:
        raise InputError(
            "materials: expected sources or models, as a list or a mapping of names, found "
            f"{short(materials)}."
        )
    for name, count in Counter(source.id for source in found).most_common(1):
        if count > 1:
            raise InputError(
                f"materials: {count} are called {short(name)}, expected each name once; models can be given "
                "as a mapping {name: model}."
            )
    return tuple(found)


def _source_of(material: Source | WannierModel, name: str | None = None) -> Source:
    if isinstance(material, WannierModel):
        return ModelSource(material.name if name is None else str(name), material)
    # A source of one's own may know more or less than this version asks: its id is needed in any case.
    if name is None and hasattr(material, "id"):
        return material
    expected = "a WannierModel" if name is not None else "a WannierModel or a source of one"
    raise InputError(f"materials: expected {expected} at each place, found {short(material)}.")


def composition(model: WannierModel, source: Source) -> dict[str, str | float]:
    """Screening columns formula, space_group and space_group_number, as far as they are known.

    Without elements there is no formula, and no space group: that of atoms with numbers would be another one.

    Raises InputError as the source's `structure`.
    """
    structure = source.structure(model)
    formula = None if structure is None else structure.formula
    if structure is None or formula is None:
        return {}
    columns: dict[str, str | float] = {"formula": formula}
    group = structure.space_group
    if group is not None:
        columns |= {"space_group_number": float(group[0]), "space_group": group[1]}
    return columns
