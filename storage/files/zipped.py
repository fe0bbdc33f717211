"""A whole store copied into one .zip file, as people keep and send them: read where it is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from spinscreen.kernels import InputError

from .encoding import decode
from .sealed import DamagedError, unsealed

_GROUP = "zarr.json"
_ROOT = f"materials/{_GROUP}"


@dataclass(frozen=True)
class ZippedStore:
    """file : the .zip; prefix : of all that is in it, empty or the store's own name"""

    file: Path
    prefix: str

    @classmethod
    def at(cls, path: str | Path) -> ZippedStore | None:
        """None where the path is no zip file. Raises InputError for one that holds no store."""
        file = Path(path)
        if not file.is_file() or not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            roots = sorted((n for n in archive.namelist() if n.endswith(_ROOT)), key=len)
        if not roots:
            raise InputError(f"{path}: holds no store, expected a copy of one with its {_ROOT}.")
        return cls(file.resolve(), roots[0].removesuffix(_ROOT))

    @property
    def catalog(self) -> str:
        """Address of the catalog for `xr.open_zarr`.

        Some programs leave links out: it is then the generation that no other one has replaced.
        """
        folder, generations = f"{self.prefix}catalog", f"{self.prefix}catalogs/"
        with zipfile.ZipFile(self.file) as archive:
            names = archive.namelist()
            if f"{folder}/{_GROUP}" not in names:
                depth = generations.count("/") + 1
                roots = [n for n in names if n.startswith(generations) and n.endswith(f"/{_GROUP}")]
                roots = [n for n in roots if n.count("/") == depth]
                replaced = {json.loads(archive.read(n))["attributes"].get("replaces") for n in roots}
                there = [n.removesuffix(f"/{_GROUP}") for n in roots]
                folder = next((n for n in there if n.rpartition("/")[2] not in replaced), folder)
        return f"zip://{folder}::{self.file}"

    def materials(self) -> dict[str, Callable[[], xr.Dataset]]:
        """Readers of the materials, by their ids."""
        start, end = f"{self.prefix}materials/", ".zip"
        with zipfile.ZipFile(self.file) as archive:
            members = [n for n in archive.namelist() if n.startswith(start) and n.endswith(end)]
        return {name[len(start) : -len(end)]: self._reading(name) for name in sorted(members)}

    def bands(self) -> dict[str, Callable[[], xr.Dataset]]:
        """Readers of the values per k and band, by their ids."""
        start, end = f"{self.prefix}bands/", f"/{_GROUP}"
        with zipfile.ZipFile(self.file) as archive:
            inside = [n for n in archive.namelist() if n.startswith(start) and n.endswith(end)]
        names = sorted(n[len(start) : -len(end)] for n in inside)
        return {name: self._opening(f"{start}{name}") for name in names if name and "/" not in name}

    def _reading(self, member: str) -> Callable[[], xr.Dataset]:
        def read() -> xr.Dataset:
            try:
                with zipfile.ZipFile(self.file) as archive:
                    return decode(unsealed(archive.read(member)))
            except (DamagedError, zipfile.BadZipFile) as problem:
                raise InputError(f"{self.file}: {member} is damaged, {problem}; copy it again.") from None

        return read

    def _opening(self, group: str) -> Callable[[], xr.Dataset]:
        return lambda: xr.open_zarr(f"zip://{group}::{self.file}", consolidated=True)
