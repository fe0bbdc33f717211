"""Kinds of settings: what a value may be, how a command line gives it, what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from spinscreen.kernels import InputError, KMesh, checked_number, short, whole_number

from .components import checked_components
from .settings import as_energies, checked_names, several
from .text import share_of_text
from .validation import Count, Positive, Step


@dataclass(frozen=True)
class Option:
    """How a setting is given on the command line.

    help : where it says more than the description; parse : of a text, where it is no plain number or word
    check : raises the InputError that says in Python what is wrong with a value
    example : for the template, where the default is to have none
    """

    help: str | None = None
    parse: Callable[[str], Any] | None = None
    check: Callable[[Any], object] | None = None
    example: str | None = None


def checked_kmesh(kmesh: Any) -> None:
    """Raise InputError for what can be no mesh of any model."""
    number = whole_number(kmesh)
    counts = (number, 1, 1) if number is not None else tuple(several(kmesh))
    KMesh(counts)


def _plain_mesh(value: Any) -> Any:
    """Any kind of whole number as one of Python; a fourth one is enough to see that there are too many."""
    number = whole_number(value)
    if number is not None or value is None:
        return number
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        counts = [(count, whole_number(count)) for count in islice(value, 4)]
        return tuple(count if whole is None else whole for count, whole in counts)
    return value


def _plain_count(value: Any) -> Any:
    """Any kind of whole number, 1e6 too, as one of Python."""
    number = whole_number(value)
    return value if number is None else number


def _plain_shift(value: Any) -> Any:
    """Numbers of any kind one by one or alone; a fourth one is enough to see that there are too many."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return tuple(islice(value, 4))
    return value


def checked_kshift(kshift: Any) -> None:
    """Raise InputError for what can be no shift of any mesh."""
    steps = tuple(islice(kshift, 4)) if isinstance(kshift, Iterable) else (kshift,)
    KMesh((1, 1, 1), steps * 3 if len(steps) == 1 else (*steps, 0.0) if len(steps) == 2 else steps)


def checked_tolerance(tolerance: Any) -> None:
    """Raise InputError for what is no share between 0 and 1."""
    value = checked_number("tolerance", tolerance, "a share such as 0.01")
    if not 0 < value < 1:
        raise InputError(f"tolerance: expected a share between 0 and 1, for example 0.01, found {value:g}.")


def checked_budget(budget: Any) -> None:
    """Raise InputError for what is no number of k points."""
    if (whole_number(budget) or 0) < 1:
        raise InputError(f"budget: expected a number of k points of at least 1, found {short(budget)}.")


def _plain_share(value: Any) -> Any:
    return share_of_text(value) if isinstance(value, str) and value.strip().endswith("%") else value


def _plain_energies(value: Any) -> Any:
    return None if value is None else tuple(as_energies(value).tolist())


def _plain_names(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else checked_names(value)


def _plain_components(value: Any) -> Any:
    if value is not None:
        checked_components(value)
    return value if value is None else tuple(value)


Mesh = Count | Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]
Shift = Step | Annotated[tuple[Step, ...], Field(min_length=1, max_length=3)]
OptionalShift = Annotated[Shift | None, BeforeValidator(_plain_shift)]
OptionalMesh = Annotated[Mesh | None, BeforeValidator(_plain_mesh)]
PlainCount = Annotated[Count, BeforeValidator(_plain_count)]
Points = Annotated[Count | None, BeforeValidator(_plain_count)]
Share = Annotated[Positive | None, BeforeValidator(_plain_share), Field(lt=1)]
Energies = Annotated[tuple[float, ...] | None, BeforeValidator(_plain_energies)]
Names = Annotated[tuple[str, ...] | None, BeforeValidator(_plain_names)]
ComponentNames = Annotated[tuple[str, ...] | None, BeforeValidator(_plain_components)]


def option_of(model: type[BaseModel], name: str) -> Option:
    """How a setting is given; by its plain type where nothing more is said of it."""
    return next((m for m in model.model_fields[name].metadata if isinstance(m, Option)), Option())
