"""A dataset as the members of a Zarr v3 group, and back: plain Zarr that xarray reads, written fast.

xarray spends 40 times as long on the metadata of a small dataset as on its numbers, and the metadata of two
materials differ in their attributes only: they are made once for each structure.
"""

from __future__ import annotations

import json
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
from numcodecs.zstd import Zstd
from zarr.codecs import ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from .sealed import DamagedError
from .whole import write_whole

#: Every chunk carries a checksum of its own, which any reader of Zarr checks.
CHECKSUMMED = ZstdCodec(level=1, checksum=True)

#: The same for chunks that are written without Zarr.
_CODEC = Zstd(level=1, checksum=True)

_ROOT = "zarr.json"


@contextmanager
def consolidating() -> Iterator[None]:
    """Consolidate without a warning: a group that is in place never changes, so its metadata stay true."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        yield


def copy_array(example: Path, folder: Path, values: xr.DataArray, chunk: int) -> None:
    """Write an array of numbers like one that Zarr has written, which for hundreds of them takes seconds.

    example : folder of an array of the same shape, type and codecs (`CHECKSUMMED`), `chunk` numbers a chunk
    """
    metadata = json.loads((example / _ROOT).read_bytes())
    kept = {name: metadata["attributes"][name] for name in ("_FillValue",) if name in metadata["attributes"]}
    metadata["attributes"] = _plain(values.attrs) | kept
    (folder / "c").mkdir(parents=True)
    (folder / _ROOT).write_text(json.dumps(metadata, indent=1))
    for number, start in enumerate(range(0, len(values), chunk)):
        padded = np.full(chunk, np.nan, dtype="<f8")
        part = values.values[start : start + chunk]
        padded[: len(part)] = part
        (folder / "c" / str(number)).write_bytes(bytes(_CODEC.encode(padded.tobytes())))


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
    """What the metadata of an array depend on; text : the values of labels, which are metadata in kind."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attributes: str
    is_coordinate: bool
    text: tuple[str, ...] | None


@dataclass(frozen=True)
class _Template:
    """members : all but the numbers; chunks : variable -> its one chunk's key and type"""

    metadata: Mapping[str, Any]
    members: Mapping[str, bytes]
    chunks: Mapping[str, tuple[str, np.dtype]]


def encode(dataset: xr.Dataset) -> dict[str, bytes]:
    """Members of the Zarr group of a small dataset of numbers and labels, one chunk an array.

    Raises TypeError for attributes that JSON cannot hold.
    """
    variables = tuple(_described(str(name), dataset) for name in dataset.variables)
    template = _template(variables)
    root = {"attributes": _plain(dataset.attrs), **template.metadata}
    members = {_ROOT: json.dumps(root).encode(), **template.members}
    for name, (key, dtype) in template.chunks.items():
        values = np.ascontiguousarray(dataset[name].values, dtype=dtype)
        members[key] = bytes(_CODEC.encode(values.tobytes()))
    return members


def _described(name: str, dataset: xr.Dataset) -> _Variable:
    variable = dataset.variables[name]
    dtype = variable.dtype
    is_text = dtype.kind in "OUT"
    return _Variable(
        name,
        tuple(map(str, variable.dims)),
        variable.shape,
        "text" if is_text else dtype.newbyteorder("<").str,
        json.dumps(_plain(variable.attrs)),
        name in dataset.coords,
        tuple(map(str, variable.values.ravel())) if is_text else None,
    )


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON has them: NumPy's numbers and arrays become Python's."""
    return {
        str(key): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in attributes.items()
    }


@lru_cache(maxsize=64)
def _template(variables: tuple[_Variable, ...]) -> _Template:
    """The group that xarray makes of a dataset of this structure, without the numbers."""
    content: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for variable in variables:
        if variable.text is not None:
            values: Any = np.array(variable.text, dtype=object).reshape(variable.shape)
        else:
            values = np.ones(variable.shape, dtype=variable.dtype)
        place = coordinates if variable.is_coordinate else arrays
        place[variable.name] = (variable.dims, values, json.loads(variable.attributes))
    example = xr.Dataset(arrays, coordinates)
    encoding = {v.name: {"compressors": (CHECKSUMMED,), "chunks": v.shape} for v in variables if v.shape}
    with consolidating():
        example.to_zarr(MemoryStore(content), mode="w", zarr_format=3, consolidated=True, encoding=encoding)
    members = {key: value.to_bytes() for key, value in content.items()}
    metadata = json.loads(members.pop(_ROOT))
    del metadata["attributes"]
    chunks = {}
    for variable in variables:
        if variable.text is None:
            (key,) = [key for key in members if key.startswith(f"{variable.name}/c")]
            del members[key]
            chunks[variable.name] = (key, np.dtype(variable.dtype))
    return _Template(metadata, MappingProxyType(members), MappingProxyType(chunks))


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
