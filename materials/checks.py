"""What is broken, missing or assumed of materials before they are computed, and the manifest to fill in."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spinscreen.kernels import InputError

from .files import at_the_door, is_there, printable
from .manifest_entries import LOADING
from .model import WannierModel
from .sources import FileSource, Source, composition
from .wording import in_words_of_a_manifest


@dataclass(frozen=True)
class MaterialCheck:
    """What reading a material showed: `error` where it is broken, the rest where it is not.

    missing : what would make results better; found : the model in a few words; assumptions : its notes
    """

    id: str
    error: str | None = None
    missing: tuple[str, ...] = ()
    found: str = ""
    assumptions: tuple[str, ...] = ()


def check_material(source: Source) -> MaterialCheck:
    """Read a material without computing: what is broken, what is missing, what was found and assumed."""
    return checked_model(source)[0]


def checked_model(source: Source) -> tuple[MaterialCheck, WannierModel | None]:
    """The same and the model, None where it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = source.load()
            columns = {**composition(model, source), **source.columns}
        except Exception as problem:  # as a campaign, which records whatever a material does
            kind = "" if isinstance(problem, InputError) else f"{type(problem).__name__}: "
            return MaterialCheck(source.id, printable(f"{kind}{problem}")), None
    lacks = {
        "spin": model.provenance.spin_source == "none",
        "Fermi level": model.fermi_level is None,
        "position matrix": model.provenance.position_source != "matrix",
        "composition": "formula" not in columns,
    }
    level = "unknown" if model.fermi_level is None else f"{model.fermi_level:.4f} eV"
    found = f"{model.size} Wannier functions, {model.dimension}D, Fermi level {level}"
    if "formula" in columns:
        found = f"{columns['formula']} {columns.get('space_group', '')}, {found}"
    missing = tuple(name for name, absent in lacks.items() if absent)
    entry = source.entry if isinstance(source, FileSource) else None
    notes = tuple(in_words_of_a_manifest(note, entry) for note in model.provenance.notes)
    return MaterialCheck(source.id, None, missing, found, notes), model


#: Columns of a manifest that is to be filled in.
_COLUMNS = ("id", "path", *LOADING, "formula", "space_group", "check")


def check_new_manifest(path: Path, sources: Sequence[Source]) -> None:
    """Raises InputError where `write_manifest` would, before the sources are read."""
    if path.suffix != ".csv":
        raise InputError(f"{path}: expected a file name that ends in .csv.")
    if is_there(path):
        raise InputError(f"{path}: is there already, expected a new name; it was not touched.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: {path.parent} is no folder, expected the place of a new manifest.")
    without = next((source.id for source in sources if not source.path), None)
    if without is not None:
        raise InputError(f"{path}: {without!r} has no files, expected materials of a tree or a manifest.")


def write_manifest(path: Path, sources: Sequence[Source], checks: Sequence[MaterialCheck]) -> None:
    """Write a manifest (.csv) of the sources with empty cells for what can be given, and what each lacks.

    Raises InputError where the file is there already or cannot be written, or a source has no files.
    """
    check_new_manifest(path, sources)
    rows = [_row(path, source, check) for source, check in zip(sources, checks, strict=True)]
    names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
    with at_the_door(path), path.open("x", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(names))
        table.writeheader()
        table.writerows(rows)


def _row(manifest: Path, source: Source, check: MaterialCheck) -> dict[str, object]:
    told = check.error or (f"missing: {', '.join(check.missing)}" if check.missing else "complete")
    place = os.path.relpath(source.path or "", manifest.resolve().parent)
    given = dict(source.overrides) if isinstance(source, FileSource) else {}
    return {"id": source.id, "path": place, **given, **source.columns, "check": told}
