"""Command-line options made of the settings of a calculation, so that a new field is an option at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from ..calculation import Calculation
from ..setting_kinds import option_of

_Return = TypeVar("_Return")


def options_of(
    model: type[Calculation], names: Sequence[str] | None = None, *, unset: bool = False
) -> list[inspect.Parameter]:
    """Parameters of a command, one for each setting.

    names : which settings; None: all
    unset : whether all default to None, for a command that changes what a file says
    """
    parameters = []
    for name in model.model_fields if names is None else names:
        field, option = model.model_fields[name], option_of(model, name)
        kind = _kind(field.annotation) if option.parse is None else str
        told = option.help or _sentence(field.description or "")
        # Else the defaults are those of the file.
        if not unset and field.default is not None and field.default is not False:
            many = isinstance(field.default, tuple)
            told = f"{told} [default: {','.join(field.default) if many else field.default}]"
        # What was not given is left to the settings, which tell it from a default that was.
        annotation = Annotated[kind | None, typer.Option(help=told, show_default=False)]  # type: ignore[valid-type]
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        )
    return parameters


def _sentence(text: str) -> str:
    """A description as the sentence of an option."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _kind(annotation: Any) -> Any:
    """The plain type of a number, word or switch."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if not (choices := get_args(annotation)):
        return annotation
    kinds = [_kind(kind) for kind in choices if kind is not NoneType]
    return next((kind for kind in (bool, str, float, int) if kind in kinds), str)


def parsed(model: type[Calculation], texts: dict[str, Any]) -> dict[str, Any]:
    """What options say, without those that were left out. Raises InputError."""
    found = {}
    for name, value in texts.items():
        if value is not None:
            parse = option_of(model, name).parse
            found[name] = value if parse is None else parse(value)
    return found


def takes_settings(
    model: type[Calculation], names: Sequence[str] | None = None, *, unset: bool = False
) -> Callable[[Callable[..., _Return]], Callable[..., _Return]]:
    """Give a command an option for each setting in the place of its parameter `settings`, a mapping."""

    def decorate(command: Callable[..., _Return]) -> Callable[..., _Return]:
        options = options_of(model, names, unset=unset)
        hints = get_type_hints(command, include_extras=True)

        @wraps(command)
        def with_options(**given: Any) -> _Return:
            texts = {option.name: given.pop(option.name) for option in options}
            return command(**given, settings=parsed(model, texts))

        own = [
            parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(command).parameters.items()
            if name != "settings"
        ]
        with_options.__signature__ = inspect.Signature([own[0], *options, *own[1:]])  # type: ignore[attr-defined]
        # Typer reads these beside the signature.
        with_options.__annotations__ = {p.name: p.annotation for p in [*own, *options]}
        return with_options

    return decorate
