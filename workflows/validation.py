"""Tables of settings: validated by pydantic, whose errors become one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from numbers import Real
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from spinscreen.kernels import InputError, short

_Model = TypeVar("_Model", bound=BaseModel)


class Table(BaseModel):
    """Settings that are frozen, and among which a name with a slip in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def plain_number(value: object) -> object:
    """Numbers of NumPy and the like as those of Python; truth values stay, which are no numbers here."""
    plain = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
    if isinstance(plain, bool | int) or not isinstance(plain, Real):
        return plain
    return float(plain)


_Number = Annotated[float, BeforeValidator(plain_number), Field(strict=True, allow_inf_nan=False)]
NotNegative = Annotated[_Number, Field(ge=0)]
Positive = Annotated[_Number, Field(gt=0)]
Step = Annotated[_Number, Field(ge=0, lt=1)]
AnyNumber = _Number
Count = Annotated[int, BeforeValidator(plain_number), Field(strict=True, gt=0)]


def validated(model: type[_Model], content: Mapping[str, Any], where: str) -> _Model:
    """A settings model, or one InputError that names the setting, what was expected and what was found."""
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise InputError(f"{where}: {validation_sentence(model, problem)}") from None


def first_error(problem: ValidationError) -> Mapping[str, Any]:
    """The error to be told. A name with a slip in it explains why another one is missing."""
    return min(problem.errors(), key=lambda e: e["type"] != "extra_forbidden")


def validation_sentence(model: type[BaseModel], problem: ValidationError) -> str:
    """The first of pydantic's errors: the setting, what was expected, what was found."""
    error = first_error(problem)
    path = [str(part) for part in error["loc"]]
    if error["type"] == "value_error":
        # Our own check: it names the setting itself.
        text = str(error["ctx"]["error"]).rstrip(".")
        table = ".".join(path[:-1] if path and text.startswith(f"{path[-1]}:") else path)
        return f"{table + '.' if table else ''}{text}."
    known, field = _fields_at(model, path)
    if error["type"] == "extra_forbidden":
        near = get_close_matches(path[-1], known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        return f"{'.'.join(path)!r} is not a setting; {hint}"
    if error["type"] == "missing":
        return f"{'.'.join(path)!r} is missing, expected {_description(model, path)}."
    told = f"{error['msg'][0].lower()}{error['msg'][1:]} ({_description(model, field)})"
    return f"{'.'.join(field)}: {told}, found {short(error['input'])}."


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the table that an error lies in, and the path of the setting without what is inside it."""
    if len(path) > 1 and path[0] in model.model_fields:
        inner = model.model_fields[path[0]].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return list(inner.model_fields), list(path[:2])
    return list(model.model_fields), list(path[:1])


def _description(model: type[BaseModel], path: Sequence[str]) -> str:
    field = model.model_fields[path[0]]
    inner = field.annotation
    if len(path) > 1 and isinstance(inner, type) and issubclass(inner, BaseModel):
        field = inner.model_fields[path[1]]
    return field.description or ""
