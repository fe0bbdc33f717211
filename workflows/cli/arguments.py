"""What stands behind an option of the command line: paths, questions, attempts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import typer

from spinscreen.kernels import InputError
from spinscreen.materials import PathSegment, WannierModel

from ..engine import core_count
from ..plan import costly

Corner = tuple[str, Sequence[float]] | None


def path_corners(text: str | None, model: WannierModel) -> list[Corner]:
    """Labelled special points: those given, those of the .win, or a path along the reciprocal axes.

    None stands where the path breaks off and goes on elsewhere.
    """
    if text is not None:
        pieces = [[_corner(part, text) for part in piece.split(",")] for piece in text.split("|")]
        return [corner for piece in pieces for corner in (None, *piece)][1:]
    if model.kpoint_path:
        return _corners_of(model.kpoint_path)
    corners: list[Corner] = [("Γ", (0.0, 0.0, 0.0))]
    for axis, repeats in enumerate(model.periodic):
        if repeats:
            end = np.zeros(3)
            end[axis] = 0.5
            corners += [(f"b{axis + 1}/2", end.tolist()), ("Γ", (0.0, 0.0, 0.0))]
    return corners


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


def _corner(part: str, whole: str) -> Corner:
    words = part.split()
    try:
        return words[0], tuple(float(x) for x in (words[1], words[2], words[3]))
    except (IndexError, ValueError):
        raise InputError(f"--path: expected 'LABEL k1 k2 k3, LABEL k1 k2 k3 ...', found {whole!r}.") from None


def _corners_of(segments: Sequence[PathSegment]) -> list[Corner]:
    corners: list[Corner] = []
    at: Corner = None
    for start_label, start, end_label, end in segments:
        if at is None or not np.allclose(start, at[1], atol=1e-6):
            corners += [*([None] if corners else []), (start_label, start)]
        at = (end_label, end)
        corners.append(at)
    return corners
