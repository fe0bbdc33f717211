"""Warnings that are said while something is computed, and stay with its result."""

from __future__ import annotations

import warnings

import xarray as xr

from spinscreen.storage.attributes import texts_of

#: Attribute of a result, what was warned about while it was computed: one sentence a line.
WARNINGS = "warnings"


def say(sentence: str, category: type[UserWarning], stacklevel: int) -> str:
    """Warn of something that is of no dataset yet; the sentence, to be noted in it.

    stacklevel : as for `warnings.warn`, counted from the caller
    """
    warnings.warn(sentence, category, stacklevel=stacklevel + 1)
    return sentence


def say_of(dataset: xr.Dataset, sentence: str, category: type[UserWarning], stacklevel: int) -> None:
    """Warn of something that a dataset notes: who reads it from a store is told the same."""
    note_warnings(dataset, [say(sentence, category, stacklevel + 1)])


def note_warnings(dataset: xr.Dataset, sentences: list[str]) -> None:
    """Add sentences to what was warned about, each once."""
    # A line break would make two of one.
    told = [sentence.replace("\n", " ") for sentence in sentences]
    if told:
        noted = dict.fromkeys([*texts_of(dataset.attrs.get(WARNINGS)), *told])
        dataset.attrs[WARNINGS] = list(noted)


def warnings_of(dataset: xr.Dataset) -> tuple[str, ...]:
    """What was warned about while a dataset was computed; nothing in results of earlier versions."""
    return texts_of(dataset.attrs.get(WARNINGS))
