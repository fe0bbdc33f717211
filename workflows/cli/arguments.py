"""What stands behind an option of the command line: paths, questions, attempts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import xarray as xr

from spinscreen.kernels import InputError
from spinscreen.materials import WannierModel, band_path
from spinscreen.materials.paths import Corner
from spinscreen.storage import Component

from ..engine import core_count
from ..plan import costly

Window = Annotated[
    str | None, typer.Option(help="Energies (eV) about the Fermi level that are shown, such as -2:1.")
]


def path_corners(text: str | None, model: WannierModel) -> list[Corner]:
    """Labelled special points: those given, or those of `band_path`.

    None stands where the path breaks off and goes on elsewhere.
    """
    if text is not None:
        pieces = [[_corner(part, text) for part in piece.split(",")] for piece in text.split("|")]
        return [corner for piece in pieces for corner in (None, *piece)][1:]
    return band_path(model)


def confirm_cost(model: WannierModel, kpoints: int, yes: bool, setting: str = "kmesh") -> None:
    """Ask before k points, from a setting, that will take more than a day.

    Raises InputError where nobody can answer.
    """
    cost = None if yes else costly(model.size, kpoints, core_count(), setting)
    if cost is None:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{cost}; choose a smaller --{setting}, or go on with --yes.")
    if not typer.confirm(f"{cost}. Go on?", err=True):
        raise typer.Exit(1)


@contextmanager
def attempts(kept: str) -> Iterator[Callable[..., None]]:
    """A way to call functions of which none keeps the next from its work; the first error comes last.

    kept : where the result is nevertheless, "" if nowhere; told with what went wrong
    """
    problems: list[BaseException] = []

    def attempt(function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except (Exception, SystemExit) as problem:  # the latter where nobody reads any more, as in `| head`
            problems.append(problem)

    yield attempt
    for problem in problems:
        if isinstance(problem, OSError):
            raise InputError(f"output: cannot be written ({problem.strerror or problem}){kept}.") from None
        if isinstance(problem, InputError):
            raise InputError(f"{str(problem).rstrip('.')}{kept}.") from None
        raise problem


@contextmanager
def as_options() -> Iterator[None]:
    """Errors about what was given by the name of the option that gave it."""
    try:
        yield
    except InputError as problem:
        if str(problem).startswith(("component:", "energy:", "quantity:", "window:")):
            raise InputError(f"--{problem}") from None
        raise


def knows_level(model: WannierModel, settings: Mapping[str, Any]) -> bool:
    """Whether values per band will have a Fermi level: of a file, or of an option."""
    return model.fermi_level is not None or not settings.keys().isdisjoint(("fermi_level", "electrons"))


def _corner(part: str, whole: str) -> Corner:
    words = part.split()
    try:
        return words[0], tuple(float(x) for x in (words[1], words[2], words[3]))
    except (IndexError, ValueError):
        raise InputError(f"--path: expected 'LABEL k1 k2 k3, LABEL k1 k2 k3 ...', found {whole!r}.") from None


def color_labels(values: xr.DataArray, color: str) -> dict[str, str]:
    """Dim -> label of the component that is drawn. Raises InputError."""
    dims = [str(dim) for dim in values.dims if dim not in ("k", "band")]
    component = color.partition(":")[2]
    try:
        return Component.of(values, component).labels(dims) if dims or component else {}
    except InputError:
        choices = "; ".join(f"{dim}: {', '.join(values[dim].values)}" for dim in dims) or "none"
        example = "" if len(dims) < 2 else "; in one word such as xy_z or z_xy"
        raise InputError(
            f"--color: expected {values.name}:{','.join(dims)} with labels from {choices}{example}, found "
            f"{color!r}."
        ) from None
