"""The files of a calculation before any of them is opened: what they are called and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..packed import archive_stem, inside
from .discovery import SourceFiles, find_files, hamiltonians_below


@dataclass(frozen=True, eq=False)
class UnopenedFiles:
    """Files of one calculation by kind, and their names."""

    found: SourceFiles

    @classmethod
    def of(cls, source: str | Path) -> Self:
        """Files of a seedname, a folder with one calculation, or any one file of it."""
        return cls(find_files(source))

    @property
    def files(self) -> Mapping[str, Path]:
        """By kind: "tb", "hr", "wsvec", "chk" ..."""
        return self.found.files

    @property
    def seedname(self) -> str:
        return self.found.seedname

    @property
    def label(self) -> str:
        """What a person calls it: the seedname, or the archive that holds it and nothing else."""
        place = inside(self.place)
        alone = place is not None and len(hamiltonians_below(place[0])) == 1
        return (archive_stem(place[0].name) if place and alone else None) or self.seedname

    @property
    def place(self) -> Path:
        """Folder and seedname of the Hamiltonian."""
        known = (self.files.get(kind) for kind in ("tb", "hr", "chk"))
        file = next((file for file in known if file), None) or next(iter(self.files.values()))
        return file.parent / self.seedname

    @property
    def is_text(self) -> bool:
        """True where H(R) was written, False where it is made of .chk and .eig."""
        return "tb" in self.files or "hr" in self.files

    @property
    def hamiltonian_file(self) -> Path:
        """The file that H(R) is from, the .chk where it is made of that and the .eig."""
        return self.files.get("tb") or self.files.get("hr") or self.files["chk"]
