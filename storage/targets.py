"""Where output goes: looked at before the work, and written whole or not at all."""

from __future__ import annotations

import csv
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from spinscreen.kernels import InputError

from .analysis.figures import STYLE, figure_suffixes
from .files.whole import StoreError
from .place import Place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: With these a spreadsheet takes a text for a formula and runs it; an apostrophe before them says text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def checked_store(store: str | Path) -> Path:
    """The folder in which results will be published, links followed, also those that lead nowhere yet.

    Raises InputError for a file, a folder with other content, or where nothing can be written.
    """
    with _refusing(store):
        place = Place.at(store)
        try:
            place.check_place()
        except StoreError as problem:
            # By the name that the user gave.
            raise StoreError(str(problem).replace(str(place.path), str(store), 1)) from None
        _check_writable(
            next(folder for folder in (place.path, *place.path.parents) if folder.exists()), store
        )
    return place.path


def check_file(path: str | Path, option: str) -> None:
    """Raise InputError where a file cannot be written: its folder is missing, is none, or is closed."""
    with _refusing(path):
        if _is_device(Path(path)):
            return
        target = Path(path).resolve()
        if target.is_dir():
            raise InputError(f"{option}: {path} is a folder, expected the name of a file.")
        if not target.parent.is_dir():
            raise InputError(
                f"{option}: the folder of {path} does not exist, expected one that does; make it first."
            )
        if target.is_file():
            # Open for writing, nothing written: it is replaced when the new one is whole.
            target.open("ab").close()
        _check_writable(target.parent, path)


def check_figure(path: str | Path, option: str) -> None:
    """`check_file`, and InputError without matplotlib or for an ending that it cannot draw."""
    known = figure_suffixes()
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in known:
        raise InputError(f"{option}: expected a file ending in .{', .'.join(sorted(known))}, found {path}.")
    check_file(path, option)


def check_parquet(path: str | Path) -> None:
    """`check_file`, and InputError without pyarrow."""
    if find_spec("pyarrow") is None:
        raise InputError("--parquet: pyarrow is not installed; pip install 'spinscreen[parquet]'.")
    check_file(path, "--parquet")


@contextmanager
def _refusing(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as problem:
        if isinstance(problem, InputError):
            raise
        # RuntimeError: links that lead to each other; ValueError: a name with a null character.
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{path}: cannot be written ({reason}); choose another place.") from None


def _check_writable(folder: Path, path: str | Path) -> None:
    """Permissions do not tell of quotas, read-only mounts and the like, a file does."""
    if not folder.is_dir():
        raise InputError(f"{path}: {folder} is a file, expected a folder.")
    tempfile.TemporaryFile(dir=folder).close()


def _is_device(path: Path) -> bool:
    """Whether this is something like /dev/stdout, which cannot be replaced by a new file."""
    # Not by what the link /dev/stdout leads to, which has no name where it is a pipe.
    return path.parent == Path("/dev") or (path.exists() and not path.is_file() and not path.is_dir())


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A file beside `path` to write to, then renamed to it, so that nobody sees half of one.

    Raises InputError where it cannot be written; an older file is then untouched.
    """
    with _refusing(path):
        if _is_device(Path(path)):
            yield Path(path)
            return
        target = Path(path).resolve()
        beside = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
        try:
            yield beside
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Draw a figure into a file. Raises InputError where that fails."""
    from matplotlib import rc_context

    # How texts are written counts when a file is, not when a figure is drawn.
    with written_whole(path) as file, rc_context(STYLE):
        figure.savefig(file, format=Path(path).suffix.lower().removeprefix("."))


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """A table as CSV, in which no text begins as a formula does in a spreadsheet; numbers stay numbers."""
    safe = _without_formulas(table)
    texts = [*safe.index, *safe.columns, *safe.select_dtypes(exclude="number").to_numpy().ravel()]
    # Python's writer puts no quotes about a carriage return, which readers take for the end of a row.
    returns = any(isinstance(text, str) and "\r" in text for text in texts)
    with written_whole(path) as file:
        safe.to_csv(
            file,
            errors="backslashreplace",
            quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
        )


def write_json(table: pd.DataFrame, path: str | Path) -> None:
    """A table as JSON records."""
    with written_whole(path) as file:
        table.reset_index().to_json(file, orient="records", indent=1)


def write_parquet(table: pd.DataFrame, path: str | Path) -> None:
    """A table as Parquet; needs pyarrow."""
    with written_whole(path) as file:
        table.to_parquet(file)


@dataclass(frozen=True)
class TableFormat:
    """How a table is written: the check before the work, and the writer."""

    check: Callable[[Path], None]
    write: Callable[[pd.DataFrame, Path], None]


#: By the option of `spinscreen screen`.
TABLES = {
    "--csv": TableFormat(lambda path: check_file(path, "--csv"), write_csv),
    "--json": TableFormat(lambda path: check_file(path, "--json"), write_json),
    "--parquet": TableFormat(check_parquet, write_parquet),
}


def _without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    def cell(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

    def cells(values: Sequence[object]) -> list[object]:
        return [cell(value) for value in values]

    safe = table.apply(lambda column: column.map(cell) if column.dtype.kind not in "fiub" else column)
    safe.index = pd.Index(cells(table.index), name=cell(table.index.name))
    safe.columns = pd.Index(cells(table.columns))
    return safe
