"""A dataset as the members of a Zarr v3 group, and back: plain Zarr that xarray reads, written fast.

xarray spends 40 times as long on the metadata of a small dataset as on its numbers, and the metadata of two
materials differ in their attributes only: the rest is made once for each structure.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numcodecs.vlen import VLenUTF8
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from .sealed import DamagedError
from .whole import write_whole

#: Every chunk carries a checksum of its own, which any reader of Zarr checks.
CHECKSUMMED = ZstdCodec(level=1, checksum=True)

#: The same for chunks that are written without Zarr.
_CODEC = Zstd(level=1, checksum=True)

#: How Zarr keeps texts.
_TEXTS = VLenUTF8()

_ROOT = "zarr.json"


@contextmanager
def consolidating() -> Iterator[None]:
    """Consolidate without a warning: a group that is in place never changes, so its metadata stay true."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        yield


def lengthen(array: Path, length: int) -> None:
    """Turn an array along one axis into one of another length, without chunks. Raises OSError."""
    metadata = json.loads((array / _ROOT).read_bytes()) | {"shape": [length]}
    (array / _ROOT).write_text(json.dumps(metadata, indent=1))
    shutil.rmtree(array / "c")


def describe_like(example: Path, others: Mapping[str, Mapping[Any, Any]]) -> None:
    """Metadata of arrays like one that Zarr has made, which for hundreds of them takes seconds.

    example : folder of an array of the same shape, type and codecs; others : name -> attributes. Raises
    OSError.
    """
    metadata = json.loads((example / _ROOT).read_bytes())
    kept = {name: metadata["attributes"][name] for name in ("_FillValue",) if name in metadata["attributes"]}
    for name, attributes in others.items():
        folder = example.with_name(name)
        folder.mkdir()
        told = metadata | {"attributes": _plain(attributes) | kept}
        (folder / _ROOT).write_text(json.dumps(told, indent=1))


def consolidate(folder: Path) -> None:
    """Metadata of all arrays of a group in its own file, as Zarr does it, but in an order of names: whoever
    does it at the same time writes equal bytes.
    """
    root = json.loads((folder / _ROOT).read_bytes())
    names = sorted(path.parent.name for path in folder.glob(f"*/{_ROOT}"))
    metadata = {name: json.loads((folder / name / _ROOT).read_bytes()) for name in names}
    root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": metadata}
    write_whole(folder / _ROOT, json.dumps(root, indent=1).encode(), folder.parent, replace=True)


@dataclass(frozen=True)
class _Variable:
    """What the metadata of an array depend on, but for its attributes."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    is_coordinate: bool


@dataclass(frozen=True)
class _Array:
    """An array as Zarr keeps it. metadata : the text of its JSON up to the attributes, open at its end
    attributes : those that xarray adds; chunk : key of its one chunk
    """

    metadata: str
    attributes: Mapping[str, Any]
    chunk: str

    def member(self, attributes: Mapping[Any, Any]) -> str:
        return f'{self.metadata}, "attributes": {json.dumps({**_plain(attributes), **self.attributes})}}}'


def encode(dataset: xr.Dataset) -> dict[str, bytes]:
    """Members of the Zarr group of a small dataset of numbers and labels, one chunk an array.

    Raises TypeError for attributes that JSON cannot hold.
    """
    arrays = _arrays(tuple(_described(str(name), dataset) for name in dataset.variables))
    metadata = {name: array.member(dataset.variables[name].attrs) for name, array in arrays.items()}
    inside = ", ".join(f"{json.dumps(name)}: {text}" for name, text in metadata.items())
    root = (
        f'{{"zarr_format": 3, "node_type": "group", "attributes": {json.dumps(_plain(dataset.attrs))}, '
        f'"consolidated_metadata": {{"kind": "inline", "must_understand": false, "metadata": {{{inside}}}}}}}'
    )
    members = {_ROOT: root.encode()} | {f"{name}/{_ROOT}": text.encode() for name, text in metadata.items()}
    chunks = {array.chunk: _chunk(dataset.variables[name]) for name, array in arrays.items()}
    return members | chunks


def _chunk(variable: xr.Variable) -> bytes:
    values = variable.values
    if _is_text(variable):
        return _encoded_labels(tuple(values.ravel().tolist()))
    return encoded(values)


def encoded_texts(values: NDArray[np.object_]) -> bytes:
    """A chunk of texts as Zarr keeps it (`CHECKSUMMED`)."""
    return bytes(_CODEC.encode(_TEXTS.encode(values)))


@lru_cache(maxsize=64)
def _encoded_labels(values: tuple[str, ...]) -> bytes:
    """Kept, as labels are those of other materials as well."""
    return encoded_texts(np.array(values, dtype=object))


def encoded(values: NDArray[Any]) -> bytes:
    """A chunk of numbers as Zarr keeps it (`CHECKSUMMED`)."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return bytes(_CODEC.encode(little))


def _is_text(variable: xr.Variable) -> bool:
    return variable.dtype.kind in "OUT"


def _described(name: str, dataset: xr.Dataset) -> _Variable:
    variable = dataset.variables[name]
    dtype = "text" if _is_text(variable) else variable.dtype.newbyteorder("<").str
    return _Variable(name, tuple(map(str, variable.dims)), variable.shape, dtype, name in dataset.coords)


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON has them: NumPy's numbers and arrays become Python's."""
    return {
        str(key): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in attributes.items()
    }


@lru_cache(maxsize=64)
def _arrays(variables: tuple[_Variable, ...]) -> Mapping[str, _Array]:
    """The arrays that xarray makes of a dataset of this structure, by their names."""
    content: dict[str, Any] = {}
    # Neither empty texts nor zeros, whose chunks Zarr would leave out.
    filled = {
        v.name: np.full(v.shape, "x", object) if v.dtype == "text" else np.ones(v.shape, v.dtype)
        for v in variables
    }
    example = xr.Dataset(
        {v.name: (v.dims, filled[v.name]) for v in variables if not v.is_coordinate},
        {v.name: (v.dims, filled[v.name]) for v in variables if v.is_coordinate},
    )
    encoding = {v.name: {"compressors": (CHECKSUMMED,), "chunks": v.shape} for v in variables if v.shape}
    with consolidating():
        example.to_zarr(MemoryStore(content), mode="w", zarr_format=3, consolidated=False, encoding=encoding)
    found = {}
    for variable in variables:
        metadata = json.loads(content[f"{variable.name}/{_ROOT}"].to_bytes())
        attributes = metadata.pop("attributes")
        (chunk,) = [key for key in content if key.startswith(f"{variable.name}/c")]
        found[variable.name] = _Array(json.dumps(metadata)[:-1], attributes, chunk)
    return MappingProxyType(found)


def decode(members: Mapping[str, bytes]) -> xr.Dataset:
    """The dataset of the members of a group, lazily. Raises DamagedError where they are no such group."""
    prototype = default_buffer_prototype()
    content = {key: prototype.buffer.from_bytes(value) for key, value in members.items()}
    try:
        return xr.open_zarr(MemoryStore(content, read_only=True), consolidated=True, chunks=None)
    except Exception as problem:  # whatever Zarr and xarray raise about metadata that make no sense
        raise DamagedError(f"no Zarr group ({type(problem).__name__}: {problem})") from None


def attributes_in(members: Mapping[str, bytes]) -> dict[str, Any]:
    """Attributes of the group, without opening it. Raises DamagedError."""
    try:
        return dict(json.loads(members[_ROOT])["attributes"])
    except (KeyError, ValueError, TypeError) as problem:
        raise DamagedError(f"its metadata cannot be read ({problem})") from None
